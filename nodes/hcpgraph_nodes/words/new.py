"""`word.new`."""

from __future__ import annotations

from typing import Annotated, Any, Generic, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from hcpgraph import Context, Facts, GraphError, Port, node
from hcpgraph.widgets import Hint, Slider

from ..model.clip import Clip
from ..model.handles import TextEncoder
from ..plugins.base import Plugin
from ..plugins.blocks.shapes import weight_of
from ..types import Params
from .block import T, Word, attach, check_name, layer, words_of
from .tokens import bodies, is_token


class WithWord(NamedTuple, Generic[T]):
    """A text encoder that knows one more word, and the word."""

    model: Annotated[T, Facts(family=Port("model"))]
    params: Params
    word: Annotated[Word, Facts(family=Port("model"))]


@node("word.new", effects=("resource", "random"), packages=("transformers",), title="New word")
def new(
    ctx: Context,
    model: T,
    *,
    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S+$"), Hint(primary=True)],
    vectors: Annotated[int, Field(ge=1, le=75), Slider(step=1, primary=True)] = 1,
    init: Annotated[str, Field(max_length=1000), Hint(primary=True)] = "*",
    noise: Annotated[float, Field(ge=0, le=10), Slider(step=0.05)] = 0.0,
    lr: Annotated[Annotated[float, Field(gt=0)] | None, Hint(advanced=True)] = None,
    weight_decay: Annotated[Annotated[float, Field(ge=0)] | None, Hint(advanced=True)] = None,
) -> WithWord[T]:
    """Teach a text encoder a new word: vectors that stand for its name in prompts and are trained (textual inversion).

    The wire it came on still means the text encoder without the word. Of a family with several text networks, such as
    SDXL, the word gets vectors in each of them. For several words chain these nodes; for a LoRA with a trigger word of
    its own put a plugin.lora behind it and give both params to the optimizer. Nothing else of the text encoder changes.

    Args:
        model: The text encoder.
        name: How prompts call it, without spaces; capitals make no difference. A name that begins or ends with a
            letter or digit is found as a whole word only. If a common word is given, it means the new one from here on.
        vectors: Number of its vectors; each takes the place of one token in a prompt.
        init: Text whose embeddings are the start: its first tokens, or all of them again and again if they are fewer
            than the vectors. Words that the text encoder knows already may be among them. None: noise alone.
        noise: Standard deviation of noise that is added to the start, in units of that of the network's embeddings.
        lr: Learning rate of this word; none given: the optimizer's.
        weight_decay: Weight decay of this word; none given: the optimizer's.

    Returns:
        model: The text encoder with the word.
        params: The vectors of the word, for an optimizer.
        word: The word alone, for word.save.

    Raises:
        GraphError: E_WORD_NAME (it has white space, or is a word of this text encoder already), E_WORD_INIT (no token
            to start from and no noise either).
    """
    check_name(model, name)
    if not noise and not init.strip():
        raise GraphError(
            "E_WORD_INIT",
            "the word has nothing to start from: init is empty and noise is 0",
            port="init",
            hint="write what it is like, such as cat, or set noise to 1",
        )
    warn_if_known(ctx, model, name)
    made = {clip.name: _start(ctx, model, clip, vectors, init, noise) for clip in model.clips}
    handle, word = attach(model, name, made, trainable=True)
    return WithWord(handle, params_of(word.plugin, ctx.node, lr, weight_decay), word)


def params_of(plugin: Plugin, owner: str, lr: float | None = None, weight_decay: float | None = None) -> Params:
    """The group of a word's vectors, or no group if they are frozen."""
    group: dict[str, Any] = {"name": owner, "params": plugin.file_parameters()}
    group |= {key: value for key, value in (("lr", lr), ("weight_decay", weight_decay)) if value is not None}
    return Params((group,) if plugin.trainable else ())


def warn_if_known(ctx: Context, text_encoder: TextEncoder, name: str) -> None:
    """Say that a name is a token already."""
    if is_token(text_encoder, name):
        ctx.log(f"'{name}' is a token already; behind this node it means the new word in all prompts", level="warning")


def _start(ctx: Context, model: TextEncoder, clip: Clip, count: int, init: str, noise: float) -> Tensor:
    """The first vectors (count, d), float32."""
    embedding = model.root.layers[layer(clip)]
    table = weight_of(embedding)
    start = torch.zeros(count, table.shape[1], device=table.device)
    if init.strip():
        (body,) = bodies(clip.tokens.tokenizer, words_of(model, clip), [init])
        ids = torch.tensor([body], device=table.device)
        with torch.no_grad(), model.active(ids=ids):
            known = embedding(ids)[0].float()
        start = known[torch.arange(count, device=table.device) % len(known)]
    if noise:
        drawn = torch.randn(start.shape, generator=ctx.generator(clip.name)).to(table.device)
        start = start + noise * table.detach().float().std() * drawn
    return start
