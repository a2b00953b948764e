"""Which component of a model a selector of layers speaks of: the part of its grammar that needs no layers and no torch.

A selector may begin with the name of a component: `denoiser:`, `text_encoder:` (all text networks of a model),
`text_encoder_1:`, `text_encoder_2:`, `text_encoder_3:` (one of them), `vae:`, `controlnet:`, `image_encoder:` or
`projection:`. What follows is a selector as `plugins.blocks.selector` reads it: a name, `re:`, `cls:`, `pre_hook:` or
an @group. Without a beginning it speaks of whatever is on the wire, of a whole model of its denoiser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

COMPONENTS = ("denoiser", "text_encoder", "vae", "controlnet", "image_encoder", "projection")
"""What a selector can speak of, in the order in which a model lists them."""
GROUPS = (
    "attention",
    "cross_attention",
    "self_attention",
    "text_key_value",
    "mlp",
    "conv",
    "norm",
    "embedding",
    "all",
)
"""What a model's layers are grouped into; which layers are in a group says the family's table, of `all` nobody."""
NETWORKS = 3
"""Text networks that a model may have."""
PREFIX = re.compile(rf"(?:({'|'.join(COMPONENTS)})|text_encoder_([1-{NETWORKS}])):")


class Split(NamedTuple):
    """A selector in two.

    Attributes:
        component: What it begins with; None: it does not say.
        network: Which text network it speaks of, from 1; None: all of them.
        rest: What follows.
    """

    component: str | None
    network: int | None
    rest: str


def split(selector: str) -> Split:
    """Take the component off a selector: `text_encoder_2:@mlp` is (text_encoder, 2, @mlp)."""
    found = PREFIX.match(selector)
    if found is None:
        return Split(None, None, selector)
    number = found[2]
    return Split(found[1] or "text_encoder", int(number) if number else None, selector[found.end() :])


def components(selectors: Iterable[str]) -> tuple[str, ...]:
    """The components of a whole model that selectors speak of, each once, in the order of `COMPONENTS`.

    A selector that names no component speaks of the denoiser.
    """
    named = {split(selector).component or "denoiser" for selector in selectors}
    return tuple(name for name in COMPONENTS if name in named)
