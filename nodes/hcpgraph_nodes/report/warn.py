"""What is allowed in a data set and seldom wanted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hcpgraph.errors import visible

from ..data.loader import Loader
from ..data.sources.dataset import Dataset, Source
from ..words.limits import READ, at_least, lost, shown, weighted
from .find import ancestors
from .hashes import Look
from .measure import Measured
from .near import alike
from .words import Texts

if TYPE_CHECKING:
    from hcpgraph.checking.analyse import Analysis
    from hcpgraph.data_report import DataTraining, DataWarning

SHOWN = 20
ENLARGED = 1.5
CROPPED = 0.1
FAR = 12
"""Of 256, by which no pixel of two pictures at 8 × 8 differs that are the same: more than JPEG or a new size makes."""
SCRIPTS_WITHOUT_SPACES = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True)
class Seen:
    """A sample with the text that an encoder gets of it."""

    sample: int
    text: str


class Warnings:
    """Collects the warnings of one loader, in words of one language."""

    def __init__(self, node: str, texts: Texts) -> None:
        self.found: list[DataWarning] = []
        self._node = node
        self._texts = texts

    def add(self, code: str, ids: Iterable[str], count: int, node: str | None = None, **more: object) -> None:
        """Add one if it is about anything."""
        if count:
            message = self._texts(f"warning.{code}", count=count, **more)
            unique = list(dict.fromkeys(map(visible, ids)))
            self.found.append(
                {"code": code, "message": message, "node": node or self._node, "count": count, "ids": unique[:SHOWN]}
            )


def captions(told: Warnings, data: Dataset, node: str) -> None:
    """Empty captions, captions of one word, one caption for all."""
    texts = [sample.caption.strip() for sample in data.samples]
    ids = [sample.id for sample in data.samples]
    empty = [i for i, text in enumerate(texts) if not text]
    single = [i for i, text in enumerate(texts) if text and _one_word(text)]
    told.add("W_EMPTY_CAPTION", (ids[i] for i in empty), len(empty), node, total=len(texts))
    told.add("W_ONE_WORD", (ids[i] for i in single), len(single), node, total=len(texts))
    if len(texts) > 1 and texts[0] and len(set(texts)) == 1:
        told.add("W_SAME_CAPTION", [], len(texts), node, caption=texts[0])


def _one_word(text: str) -> bool:
    words = [word for word in re.split(r"[\s,;，、；]+", text) if word]
    return len(words) == 1 and not (len(text) > 4 and SCRIPTS_WITHOUT_SPACES.search(text))


def buckets(told: Warnings, loader: Loader, measured: Measured, leftover: Sequence[int], node: str) -> None:
    """Tiny pictures, much cropped ones, buckets that do not fill a batch, samples that an epoch leaves out."""
    samples = loader.data.dataset.samples
    for code, wrong, limit in (
        ("W_TINY", measured.scale > ENLARGED, f"{ENLARGED:g}"),
        ("W_CROP", measured.crop > CROPPED, f"{CROPPED:.0%}"),
    ):
        chosen = measured.sample[wrong]
        worst = measured.scale if code == "W_TINY" else measured.crop
        order = np.argsort(-worst[wrong], kind="stable")
        told.add(
            code, (samples[i].id for i in chosen[order]), len(chosen), node, limit=limit, total=len(measured.sample)
        )
    small = [bucket for bucket in loader.buckets if len(bucket.members) < loader.batch_size]
    names = [f"{bucket.width}x{bucket.height}" for bucket in small]
    told.add("W_SMALL_BUCKET", names, len(small), total=len(loader.buckets), batch=loader.batch_size)
    if loader.data.leftover == "drop":
        told.add("W_LEFTOVER", [], sum(leftover), total=sum(len(bucket.members) for bucket in loader.buckets))


def duplicates(told: Warnings, found: Mapping[Source, Look], ids: Mapping[Source, str], node: str) -> None:
    """Pictures that look the same."""
    sources = list(found)
    same = alike([found[one].bits for one in sources], [found[one].tiny for one in sources], FAR)
    listed = (" = ".join(ids[sources[i]] for i in group) for group in same)
    told.add("W_DUPLICATES", listed, len(same), node, pictures=sum(len(group) for group in same))


def triggers(
    told: Warnings, analysis: Analysis, data: Dataset, parts: Mapping[str, Dataset], chain: Iterable[str],
    seen: Sequence[Seen], node: str,
) -> None:  # fmt: skip
    """Trigger words that some texts lack; texts that are empty on purpose are left out.

    A trigger is a setting `trigger` of a source, which its own samples should have, or a word of a template or a
    prefix on the way to the encoder, which all should have.
    """
    full = [one for one in seen if one.text.strip()]
    for word, of in _words(analysis, parts, chain):
        asked = [one for one in full if of is None or data.samples[one.sample].source in of]
        lacking = [one for one in asked if word not in one.text]
        told.add(
            "W_TRIGGER",
            (data.samples[one.sample].id for one in lacking),
            len(lacking),
            node,
            word=word,
            total=len(asked),
        )


def _words(
    analysis: Analysis, parts: Mapping[str, Dataset], chain: Iterable[str]
) -> Iterator[tuple[str, set[Source | None] | None]]:
    for id, part in parts.items():
        trigger = analysis.settings[id].get("trigger")
        if isinstance(trigger, str) and trigger.strip():
            yield trigger.strip(), {sample.source for sample in part.samples}
    for id in chain:
        settings = analysis.settings[id]
        words = settings.get("words")
        for word in (*(words.values() if isinstance(words, dict) else ()), settings.get("prefix")):
            if isinstance(word, str) and word.strip(" ,"):
                yield word.strip(" ,"), None


def encoder(told: Warnings, analysis: Analysis, data: Dataset, seen: Sequence[Seen], node: str) -> None:
    """Texts that the encoder does not read to their end, weights that it does not understand, words that never come."""
    ids = [data.samples[one.sample].id for one in seen]
    cut = [i for i, one in enumerate(seen) if at_least(one.text) > READ]
    rest = shown(lost(seen[cut[0]].text)) if cut else ""
    told.add("W_TEXT_CUT", (ids[i] for i in cut), len(cut), node, total=len(seen), limit=READ, lost=rest)
    marked = [(i, found[0]) for i, one in enumerate(seen) if (found := weighted(one.text))]
    first = marked[0][1] if marked else ""
    told.add("W_PROMPT_WEIGHTS", (ids[i] for i, _ in marked), len(marked), node, total=len(seen), weight=first)
    wired = analysis.flat.nodes[node].inputs.get("text_encoder", ())
    full = [one.text.casefold() for one in seen if one.text.strip()]
    for id in sorted(ancestors(analysis, (source for source, _ in wired))):
        name = analysis.settings[id].get("name")
        if analysis.flat.nodes[id].type == "word.new" and isinstance(name, str) and full:
            absent = not any(name.casefold() in text for text in full)
            told.add("W_WORD_UNUSED", [], absent * len(full), node, word=name)


def training(told: Warnings, loops: Iterable[DataTraining], pictures: int) -> None:
    """Loops that end before they have seen every picture."""
    for loop in loops:
        told.add("W_UNSEEN", [], loop["never"], loop["node"], total=pictures, epochs=f"{loop['epochs']:.2g}")
