"""From texts to the ids and masks of a text network, with the words that a text encoder knows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor

from hcpgraph import GraphError

from ...model.clip import Clip
from ...model.handles import TextEncoder
from ...words.block import words_of
from ...words.tokens import bodies


def tokenised(
    text_encoder: TextEncoder,
    clip: Clip,
    texts: Sequence[str],
    length: int,
    *,
    longest: bool = False,
    side: Literal["left", "right"] | None = None,
    marked: bool = False,
) -> tuple[Tensor, Tensor]:
    """Ids (B, L), int64, and their mask (B, L), bool, True where a token is no padding; on the encoder's device.

    Args:
        text_encoder: The text encoder, whose stack says which words there are.
        clip: One of its networks.
        texts: B texts, with the template that the network wants.
        length: Tokens that are kept of each, those that the tokenizer adds included.
        longest: Pad to the longest text instead of to the length.
        side: Of the padding; None: as the tokenizer does.
        marked: The texts have what the tokenizer would add, such as the mark of the start.

    Raises:
        GraphError: E_TOKENIZER, it makes no token of an empty text.
    """
    tokenizer = clip.tokens.tokenizer
    side = side or tokenizer.padding_side
    words = words_of(text_encoder, clip)
    if not words:
        made = tokenizer(
            list(texts),
            padding="longest" if longest else "max_length",
            max_length=length,
            truncation=True,
            padding_side=side,
            add_special_tokens=not marked,
            return_tensors="pt",
        )
        mask = made.attention_mask.bool()
        if not mask.any(dim=1).all():
            message = f"the tokenizer of the {clip.name.replace('_', ' ')} makes no token of an empty text"
            raise GraphError("E_TOKENIZER", message, port="text_encoder", hint="fetch the tokenizer's folder again")
        return made.input_ids.to(text_encoder.device), mask.to(text_encoder.device)
    before, after = ((), ()) if marked else _added(tokenizer)
    room = length - len(before) - len(after)
    rows = [[*before, *body[:room], *after] for body in bodies(tokenizer, words, texts)]
    width = max(map(len, rows)) if longest else length
    left = side == "left"
    ids = [_filled(row, tokenizer.pad_token_id, width, left=left) for row in rows]
    mask = [_filled([1] * len(row), 0, width, left=left) for row in rows]
    return torch.tensor(ids, device=text_encoder.device), torch.tensor(mask, device=text_encoder.device).bool()


def networks_of(text_encoder: TextEncoder) -> dict[str, Clip]:
    """The text networks by their components."""
    return {clip.name: clip for clip in text_encoder.clips}


def layer_from_the_end(clips: Sequence[Clip], skipped: int, clip_skip: int) -> int:
    """Index among the hidden states of the layer that is used.

    Args:
        clips: The networks that leave out layers.
        skipped: Last layers that the family leaves out.
        clip_skip: How many more.

    Raises:
        GraphError: E_CLIP_SKIP, a network has no more layers.
    """
    layers = min((int(clip.config["num_hidden_layers"]) for clip in clips), default=0)
    if clip_skip and clip_skip + skipped >= layers:
        message = f"clip_skip {clip_skip} leaves no layer of {layers}"
        raise GraphError("E_CLIP_SKIP", message, port="clip_skip", hint="use a smaller clip_skip")
    return -1 - skipped - clip_skip


def refuse_clip_skip(clip_skip: int, name: str) -> None:
    """For families whose text networks leave out no layers on request.

    Raises:
        GraphError: E_CLIP_SKIP.
    """
    if clip_skip:
        message = f"the text encoder of {name} leaves out no layers on request"
        raise GraphError("E_CLIP_SKIP", message, port="clip_skip", hint="set clip_skip to 0")


@lru_cache(maxsize=16)
def _added(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids that a tokenizer puts before and behind a text."""
    bare = tokenizer("a", add_special_tokens=False).input_ids
    whole = tokenizer("a").input_ids
    at = next((place for place in range(len(whole)) if whole[place : place + len(bare)] == bare), 0)
    return tuple(whole[:at]), tuple(whole[at + len(bare) :])


def _filled(row: list[int], padding: int, width: int, *, left: bool) -> list[int]:
    rest = [padding] * (width - len(row))
    return rest + row if left else row + rest
