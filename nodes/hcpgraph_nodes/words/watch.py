"""What reaches a text encoder in a run, and what of it is lost: told once, and again at ten times as many."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hcpgraph import Context

from ..model.handles import TextEncoder
from .block import WordBlock, words_of
from .limits import shown, weighted
from .tokens import bodies, contains

MOST = 100_000
"""Different texts that are remembered of a node."""
ASKED = 100
"""Texts after which a trained word should have come up."""


@dataclass
class _Seen:
    """What one node has seen in one run."""

    texts: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    total: int = 0
    words: dict[str, bool] = field(default_factory=dict)


_runs: weakref.WeakKeyDictionary[Any, dict[str, _Seen]] = weakref.WeakKeyDictionary()


def watch(ctx: Context, text_encoder: TextEncoder, texts: Sequence[str]) -> None:
    """Say which texts are cut, with the words that are lost; that weights in parentheses are read as text; and which
    trained word no text contains.

    Args:
        ctx: The context of the node that encodes.
        text_encoder: The text encoder, with the words that it knows.
        texts: What is encoded, after every change to it.
    """
    seen = _runs.setdefault(ctx.run.events, {}).setdefault(ctx.node, _Seen())
    _words(ctx, seen, text_encoder, texts)
    fresh = [text for text in dict.fromkeys(texts) if text not in seen.texts]
    if len(seen.texts) < MOST:
        seen.texts.update(fresh)
    for text in fresh:
        if found := weighted(text):
            _tell(
                ctx, seen, "with weights", f"'{found[0]}' weighs nothing: the text encoder reads it as it stands there"
            )
    for text, message in _cut(text_encoder, fresh):
        _tell(ctx, seen, "cut", f"'{shown(text)}' has {message}")


def _cut(text_encoder: TextEncoder, texts: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Texts that are longer than a network reads, each with how long it is and what is lost."""
    told: set[str] = set()
    for clip in text_encoder.clips:
        words, room = words_of(text_encoder, clip), clip.room
        most = max(map(len, words), default=1)
        long = [text for text in texts if most * len(text.encode()) > room and text not in told]
        for text, body in zip(long, bodies(clip.tokens.tokenizer, words, long) if long else (), strict=True):
            if len(body) > room:
                told.add(text)
                more = ", each vector of a word one of them" if words else ""
                rest = shown(_written(clip.tokens.tokenizer, words, body[room:]))
                yield text, f"{len(body)} tokens{more}: cut to {room}, and lost is '{rest}'"


def _written(tokenizer: Any, words: Sequence[WordBlock], ids: Sequence[int]) -> str:
    """Ids as text; those of words are below zero, in the order of the words."""
    names = [word.word for word in words for _ in range(len(word))]
    parts: list[str] = []
    plain: list[int] = []
    for id in [*ids, -(10**9)]:
        if id >= 0:
            plain.append(id)
            continue
        if plain:
            parts.append(str(tokenizer.decode(plain)).strip())
            plain = []
        name = names[-1 - id] if -1 - id < len(names) else ""
        if name and (not parts or parts[-1] != name):
            parts.append(name)
    return " ".join(parts)


def _words(ctx: Context, seen: _Seen, text_encoder: TextEncoder, texts: Sequence[str]) -> None:
    trained = [word.word for word in words_of(text_encoder, text_encoder.clips[0]) if word.vectors.requires_grad]
    if not trained or seen.total >= ASKED:
        return
    seen.total += len(texts)
    for name in trained:
        seen.words[name] = seen.words.get(name, False) or any(contains(text, name) for text in texts)
    absent = [name for name in trained if not seen.words[name]]
    if seen.total >= ASKED and absent:
        message = f"none of the first {seen.total} texts contains the trained word {', '.join(map(repr, absent))}"
        ctx.log(f"{message}: nothing trains it", level="warning")


def _tell(ctx: Context, seen: _Seen, what: str, message: str) -> None:
    count = seen.counts[what] = seen.counts.get(what, 0) + 1
    if count == 1:
        ctx.log(message, level="warning")
    elif set(str(count)[1:]) == {"0"} and str(count)[0] == "1":
        ctx.log(f"{count} different texts {what} by now; the last one: {message}", level="warning")
