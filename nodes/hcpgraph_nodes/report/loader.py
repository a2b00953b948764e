"""The report of one loader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hcpgraph.errors import GraphError, Problem, listed, visible
from hcpgraph.paths import Roots
from hcpgraph.running.part import Ran

from ..data.bucketing.report import BucketRow, bucket_table
from ..data.loader import Loader
from ..data.sources.dataset import Dataset, Source
from ..train.length import steps_of
from . import warn
from .find import Found, data_sources
from .hashes import Look, looks
from .measure import measure
from .pruned import Pruned
from .sheet import sheet
from .words import Texts

if TYPE_CHECKING:
    from hcpgraph.checking.analyse import Analysis
    from hcpgraph.data_report import DataBucket, DataSizes, DataTexts, DataTraining, LoaderReport

    from .options import Options, Progress

FIRST = 5
RESOLVED = 1000
"""Captions that are followed to the encoder, in search of trigger words that got lost."""
LOOKS = "looks.sqlite"


def loader_report(
    analysis: Analysis,
    pruned: Pruned,
    ran: Ran,
    one: Found,
    roots: Roots,
    options: Options,
    words: Texts,
    progress: Progress,
) -> tuple[LoaderReport, list[Problem]]:
    """What a loader gives, and what is wrong with its pictures.

    Raises:
        GraphError: a transform failed.
        Cancelled: `progress` says so.
    """
    loader: Loader = ran.values[one.node, "out"]
    data, place = loader.data.dataset, one.bucketed[0]
    parts = {
        source: value
        for source in data_sources(analysis, place)
        if isinstance(value := ran.values.get(source), Dataset)
    }
    told = warn.Warnings(one.node, words)
    pictures = {s.source: s.id for s in data.samples if s.source is not None}
    distinct = len(pictures) if data.pictures else len({sample.id for sample in data.samples})
    table = bucket_table(loader.data, loader.batch_size)
    training = [_training(analysis, loop, ran, loader, distinct) for loop in one.loops]
    warn.captions(told, data, place)
    sizes = np.array([source.size for source in pictures]) if data.pictures else None
    problems: list[Problem] = []
    if data.pictures:
        every = np.array([data.size(index) for index in range(len(data))])
        warn.buckets(told, loader, measure(loader, every), [row.leftover or 0 for row in table], place)
        seen, problems = _looked_at(one, loader, pictures, roots, options, progress)
        warn.duplicates(told, seen, pictures, place)
        if loader.on_bad == "skip":
            problems = [replace(problem, severity="warning") for problem in problems]
    warn.training(told, training, distinct)
    texts, shown = _texts(analysis, pruned, ran, one, loader, {s[0]: part for s, part in parts.items()}, told)
    captions = [sample.caption for sample in data.samples]
    made: LoaderReport = {
        "node": one.node,
        "type": analysis.flat.nodes[one.node].type,
        "buckets_node": place,
        "name": data.name,
        "sources": [{"node": s[0], "name": part.name, "samples": len(part)} for s, part in parts.items()],
        "samples": len(data),
        "pictures": len(pictures),
        "captions": sum(bool(text.strip()) for text in captions),
        "empty": sum(not text.strip() for text in captions),
        "distinct": len(set(captions)),
        "conditions": sum(sample.condition is not None for sample in data.samples),
        "masks": sum(sample.mask is not None for sample in data.samples),
        "transformed": sum(bool(sample.transforms) for sample in data.samples),
        "sizes": None if sizes is None else _sizes(sizes),
        "crop": loader.data.crop,
        "fit": loader.data.fit,
        "leftover": loader.data.leftover,
        "batch_size": loader.batch_size,
        "batches": loader.batches_per_epoch,
        "per_epoch": loader.samples,
        "buckets": [_bucket(row, row.ids(loader.data)) for row in table],
        "training": training,
        "texts": texts,
        "warnings": told.found,
        "sheet": [],
    }
    if data.pictures:
        made["sheet"] = sheet(loader, options.samples, shown, lambda *count: progress(one.node, *count))
    return made, problems


def _training(analysis: Analysis, loop: str, ran: Ran, loader: Loader, pictures: int) -> DataTraining:
    """How much of the data a loop sees."""
    settings = analysis.settings[loop]
    accumulate = int(settings.get("accumulate", 1))
    if settings.get("steps") is None and settings.get("epochs") is not None:
        wired = (ran.values.get(source) for source in analysis.flat.nodes[loop].inputs.get("loader", ()))
        counted = next((value for value in wired if isinstance(value, Loader)), loader)
        steps = steps_of(float(settings["epochs"]), counted.batches_per_epoch, accumulate)
    else:
        steps = int(settings.get("steps", 1))
    batches = steps * accumulate
    epochs, rest = divmod(batches, loader.batches_per_epoch)
    last = [index for group in loader.epoch(epochs)[:rest] for index in group.samples]
    samples = epochs * loader.samples + len(last)
    never = 0
    if not epochs:
        samples_of = loader.data.dataset.samples
        never = max(0, pictures - len({samples_of[index].source or samples_of[index].id for index in last}))
    return {
        "node": loop,
        "steps": steps,
        "accumulate": accumulate,
        "batches": batches,
        "epochs": batches / loader.batches_per_epoch,
        "samples": samples,
        "seen": samples / pictures,
        "never": never,
    }


def _texts(
    analysis: Analysis,
    pruned: Pruned,
    ran: Ran,
    one: Found,
    loader: Loader,
    parts: Mapping[str, Dataset],
    told: warn.Warnings,
) -> tuple[list[DataTexts], dict[int, str]]:
    """What encoders get of the first samples; and by position in the first epoch, what the first encoder gets."""
    data = loader.data.dataset
    steps, count = [], 0
    for step in range(loader.batches_per_epoch):
        if count >= RESOLVED:
            break
        steps.append(step)
        count += len(loader.group(step)[0].samples)
    found: list[DataTexts] = []
    shown: dict[int, str] = {}
    for chain in one.chains:
        entry: DataTexts = {"node": chain.encode, "loop": chain.loop, "captions": []}
        reason, given = chain.reason, [loader.captions(step).texts for step in steps]
        if reason is None:
            try:
                here = pruned.chains[chain]
                given = [captions.texts for captions in ran.passes(here.loop, [here.source], steps)[here.source]]
            except GraphError as error:
                reason = error.problem.message
        if reason is not None:
            entry["reason"] = reason
        seen = []
        for step, texts in zip(steps, given, strict=True):
            group, keys = loader.group(step)
            if len(texts) != len(keys):
                entry["reason"] = f"{len(texts)} texts for {len(keys)} samples"
                break
            for index, key, text in zip(group.samples, keys, texts, strict=True):
                sample = data.samples[index]
                seen.append(warn.Seen(index, text))
                if not found:
                    shown[key[2]] = text
                if len(entry["captions"]) < FIRST:
                    entry["captions"].append(
                        {"id": visible(sample.id), "step": step, "caption": sample.caption, "text": text}
                    )
        if reason is None:
            warn.triggers(told, analysis, data, parts, sorted(chain.nodes), seen, chain.encode)
            warn.encoder(told, analysis, data, seen, chain.encode)
        found.append(entry)
    return found, shown


def _looked_at(
    one: Found, loader: Loader, pictures: Mapping[Source, str], roots: Roots, options: Options, progress: Progress
) -> tuple[dict[Source, Look], list[Problem]]:
    found, bad = looks(
        list(pictures),
        roots.root("cache") / LOOKS,
        lambda done, total: progress(one.bucketed[0], done, total),
        again=options.decode,
    )
    if not bad:
        return found, []
    named = [f"{pictures[source]} ({why})" for source, why in bad.items()]
    message = f"{len(bad)} of {len(pictures)} pictures of '{loader.data.dataset.name}' cannot be read: "
    hint = "replace or remove them, or set on_bad to skip"
    return found, [Problem("E_PICTURE", message + listed(named, "; "), one.node, hint=hint)]


def _sizes(sizes: np.ndarray) -> DataSizes:
    order = np.argsort(sizes.prod(axis=1), kind="stable")

    def at(place: int) -> tuple[int, int]:
        width, height = sizes[order[place]]
        return int(width), int(height)

    return {"smallest": at(0), "median": at(len(order) // 2), "largest": at(-1)}


def _bucket(row: BucketRow, ids: list[str]) -> DataBucket:
    return {
        "width": row.width,
        "height": row.height,
        "count": row.count,
        "crop_mean": round(row.crop_mean, 4),
        "crop_max": round(row.crop_max, 4),
        "enlarged": row.enlarged,
        "leftover": row.leftover or 0,
        "ids": list(map(visible, ids)),
    }
