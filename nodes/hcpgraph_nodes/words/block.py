"""A word: vectors that a text encoder knows under a name. Source: Gal et al. 2022, https://arxiv.org/abs/2208.01618.

The ids of a prompt are those of the tokenizer, and for words below zero. At the token embedding every word takes the
first n of them (-1 is its first vector, -n its last), moves the others up by n and hands them on: to the words below
it in the stack, then to the embedding itself, which thus only sees ids of its own. An id of a word is neither CLIP's
end token nor the largest of a row, so that pooling by either (transformers has both) finds the end of the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

import torch
from torch import Tensor, nn

from hcpgraph import GraphError
from hcpgraph.types import port_type

from ..model.clip import Clip
from ..model.handles import TextEncoder, Weights
from ..model.root import twin
from ..plugins.base import Plugin, WrapPluginBlock, placed


class WordBlock(WrapPluginBlock):
    """The vectors of a word at the token embedding of one text network.

    Args:
        word: Its name.
        vectors: Its vectors (n, d); kept in float32, whatever the precision of the encoder.
    """

    def __init__(self, word: str, vectors: Tensor) -> None:
        super().__init__()
        self.word = word
        self.vectors = nn.Parameter(vectors.detach().to(torch.float32, copy=True))

    def __len__(self) -> int:
        return len(self.vectors)

    def forward(self, host: Callable[..., Tensor], ids: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Embeddings (B, L, d) of ids (B, L), int64."""
        count = len(self)
        own = (ids < 0) & (ids >= -count)
        others = host(torch.where(ids < -count, ids + count, ids.clamp(min=0)), *args, **kwargs)
        vectors = nn.functional.embedding((-1 - ids).clamp(0, count - 1), self.vectors)
        return torch.where(own.unsqueeze(-1), vectors.to(others.dtype), others)


T = TypeVar("T", bound=TextEncoder)


@port_type(color="#5f9e6e", shape="diamond", weights="carries", facts=("text",), told=("family",))
@dataclass(frozen=True, slots=True, eq=False)
class Word(Weights):
    """A word that can be saved: its name, its vectors in every text network, and the family it was made for."""

    plugin: Plugin
    name: str
    family: str

    def vectors(self) -> tuple[Tensor, ...]:
        """Its vectors (n, d), float32, one tensor a text network of the family, in their order."""
        return tuple(block.vectors.detach() for block in self.plugin.blocks.values() if isinstance(block, WordBlock))

    def modules(self) -> tuple[nn.Module, ...]:
        return (self.plugin,)

    def copy(self, values: Mapping[int, Tensor]) -> Self:
        return replace(self, plugin=twin(self.plugin, values))


def layer(clip: Clip) -> str:
    """The name of a text network's token embedding."""
    return clip.prefix + clip.embedding


def words_of(text_encoder: TextEncoder, clip: Clip) -> tuple[WordBlock, ...]:
    """The words that a handle knows, in the order in which they take their ids: the last attached is the first."""
    path = layer(clip)
    found: list[nn.Module | None] = [plugin.blocks.get(path) for plugin in reversed(text_encoder.stack)]
    return tuple(block for block in found if isinstance(block, WordBlock))


def check_name(text_encoder: TextEncoder, name: str, port: str = "name") -> None:
    """Whether a word may have this name.

    Raises:
        GraphError: E_WORD_NAME, it is empty, has white space, or the text encoder has a word of this name. CLIP knows
            no capitals, so that they make no difference.
    """
    if not name or any(letter.isspace() for letter in name):
        raise GraphError(
            "E_WORD_NAME",
            f"'{name}' is no word: it {'has white space' if name else 'is empty'}",
            port=port,
            hint="write one name without spaces, such as <my-cat>",
        )
    known = [block.word for block in words_of(text_encoder, text_encoder.clips[0])]
    if name.lower() in (word.lower() for word in known):
        raise GraphError(
            "E_WORD_NAME",
            f"the text encoder has a word '{name}' already",
            port=port,
            hint="choose another name, or wire the text encoder without it",
        )


def attach(text_encoder: T, name: str, vectors: Mapping[str, Tensor], *, trainable: bool) -> tuple[T, Word]:
    """A text encoder that knows one more word, and the word.

    Args:
        text_encoder: The text encoder; it stays as it is.
        name: A name that `check_name` lets pass.
        vectors: Name of a text network -> the word's vectors (n, d) there.
        trainable: Whether they are trained.
    """
    blocks = {layer(clip): placed(WordBlock(name, vectors[clip.name]), text_encoder) for clip in text_encoder.clips}
    plugin = Plugin(blocks, trainable=trainable)
    return text_encoder.attach(plugin), Word(plugin, name, text_encoder.family)
