"""Random draws for captions: one stream a sample, so that neither batch position, rank nor worker changes a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from hcpgraph import Context

from ..types import Captions


def draw_keys(captions: Captions) -> Sequence[Any]:
    """What the draws of every caption depend on: its sample key, or its position where there are no keys."""
    return captions.keys if captions.keys is not None else range(len(captions.texts))


def change(ctx: Context, captions: Captions, function: Callable[[str, Random], str]) -> Captions:
    """The captions with every text changed by a function that draws from the sample's own stream.

    Only `Random.random` may be drawn from: Python promises its numbers for all versions, and no other method's.
    """
    keys = draw_keys(captions)
    texts = (function(text, Random(ctx.seed(key))) for text, key in zip(captions.texts, keys, strict=True))
    return replace(captions, texts=tuple(texts))


def permuted(items: Sequence[str], draw: Random) -> list[str]:
    """The items in an order of which each is as likely as any other."""
    order = [draw.random() for _ in items]
    return [items[i] for i in sorted(range(len(items)), key=order.__getitem__)]


def one_of(items: Sequence[str], draw: Random) -> str:
    """One of the items, each as likely as any other."""
    return items[int(draw.random() * len(items))]
