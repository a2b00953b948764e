"""From prompts to ids, with the words that a text encoder knows.

A prompt is cut at the names of words, the pieces between them are tokenised by the tokenizer as it is. Adding tokens
to a copy of it would not do: transformers gives a name that is a token already the id of that token, which then also
tears it out of longer words ("cat" out of "category").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any
from unicodedata import normalize

import torch
from torch import Tensor

from ..model.clip import Clip
from ..model.handles import TextEncoder
from .block import WordBlock, words_of

LETTER = r"[^\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
"""A letter or digit of a script that puts spaces between words: not Thai, Lao, Burmese, Khmer, Chinese, Japanese or
Korean, where a word is found within others."""


def ids(text_encoder: TextEncoder, clip: Clip, texts: Sequence[str]) -> Tensor:
    """Ids (B, L), int64, on the encoder's device: start, prompt, end, padding; those of words are below zero.

    L is the network's length, 77 in released models. A longer prompt is cut, and its end token stays.

    Args:
        text_encoder: The text encoder, whose stack says which words there are.
        clip: One of its networks.
        texts: B prompts.
    """
    tokenizer, length = clip.tokens.tokenizer, clip.room + 2
    words = words_of(text_encoder, clip)
    if not words:
        plain = tokenizer(list(texts), padding="max_length", truncation=True, max_length=length, return_tensors="pt")
        found: Tensor = plain.input_ids.to(text_encoder.device)
        return found
    start, end, padding = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    rows = [[start, *body[: length - 2], end] for body in bodies(tokenizer, words, texts)]
    return torch.tensor([row + [padding] * (length - len(row)) for row in rows], device=text_encoder.device)


def bodies(tokenizer: Any, words: Sequence[WordBlock], texts: Sequence[str]) -> list[list[int]]:
    """The ids of prompts, uncut, without start and end."""
    parts = [_parts(words, normalize("NFC", text)) for text in texts]
    pieces = [part for own in parts for part in own if isinstance(part, str)]
    found = iter(tokenizer(pieces, add_special_tokens=False, verbose=False).input_ids)
    return [list(chain.from_iterable(next(found) if isinstance(part, str) else part for part in own)) for own in parts]


def _parts(words: Sequence[WordBlock], text: str) -> list[str | range]:
    """A text cut at its words: pieces of text, and the ids of words between them."""
    if not words:
        return [text]
    pattern, order = _finder(tuple(word.word for word in words))
    parts: list[str | range] = []
    at = 0
    for match in pattern.finditer(text):
        place = order[int(match.lastindex or 0) - 1]
        first = -1 - sum(map(len, words[:place]))
        parts += [text[at : match.start()], range(first, first - len(words[place]), -1)]
        at = match.end()
    return [*parts, text[at:]]


def is_token(text_encoder: TextEncoder, name: str) -> bool:
    """Whether a name is one token of a tokenizer already."""
    tokenizers = [clip.tokens.tokenizer for clip in text_encoder.clips]
    return any(len(tokenizer(name, add_special_tokens=False).input_ids) == 1 for tokenizer in tokenizers)


def contains(text: str, word: str) -> bool:
    """Whether a text contains a word, as `bodies` finds it."""
    return _finder((word,))[0].search(normalize("NFC", text)) is not None


@lru_cache(maxsize=256)
def _finder(names: tuple[str, ...]) -> tuple[re.Pattern[str], tuple[int, ...]]:
    """A pattern that finds names, and which of them each of its groups is.

    Of names that begin alike the longest is meant. Capitals make no difference, as CLIP knows none. Where a name begins
    or ends with a letter or digit, no other may stand before or after it.
    """

    def group(name: str) -> str:
        name = normalize("NFC", name)
        before = f"(?<!{LETTER})" if re.match(LETTER, name[0]) else ""
        after = f"(?!{LETTER})" if re.match(LETTER, name[-1]) else ""
        return f"{before}({re.escape(name)}){after}"

    order = tuple(sorted(range(len(names)), key=lambda place: -len(names[place])))
    return re.compile("|".join(group(names[place]) for place in order), re.IGNORECASE), order
