"""The numbers of a report as pairs of a name and a value, for text and page alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .words import Texts

if TYPE_CHECKING:
    from hcpgraph.data_report import DataTraining, LoaderReport

Pair = tuple[str, str]


def facts(loader: LoaderReport, words: Texts) -> list[Pair]:
    """What a loader reads and gives."""
    number, sizes = loader["samples"], loader["sizes"]
    pairs = [
        (words("sources"), ", ".join(f"{one['name']} ({one['node']}): {one['samples']}" for one in loader["sources"]))
    ]
    if sizes is not None:
        pairs.append((words("pictures"), words("repeated", pictures=loader["pictures"], samples=number)))
        smallest, median, largest = map(_size, (sizes["smallest"], sizes["median"], sizes["largest"]))
        pairs.append((words("sizes"), words("sizes.of", smallest=smallest, median=median, largest=largest)))
    empty = words("distinct", distinct=loader["distinct"], empty=loader["empty"])
    pairs.append((words("captions"), f"{loader['captions']} / {number}: {empty}"))
    keys: tuple[Literal["conditions", "masks", "transformed"], ...] = ("conditions", "masks", "transformed")
    for key in keys:
        if loader[key]:
            pairs.append((words(key), f"{loader[key]} / {number}"))
    pairs.append((words("batches"), f"{loader['batches']} × {loader['batch_size']} = {loader['per_epoch']}"))
    left = sum(row["leftover"] for row in loader["buckets"])
    pairs.append((words("leftover"), f"{left}, {words('leftover.' + loader['leftover'])}" if left else words("no")))
    return pairs


def training(one: DataTraining, words: Texts) -> list[Pair]:
    """How much of it a loop sees."""
    steps = f"{one['steps']}"
    if one["accumulate"] > 1:
        steps += f", {words('accumulated', accumulate=one['accumulate'])}"
    seen = words("times", seen=_number(one["seen"]))
    if one["never"]:
        seen += f"; {words('never', never=one['never'])}"
    return [
        (words("training", node=one["node"]), f"{words('steps')}: {steps}"),
        (words("epochs"), _number(one["epochs"])),
        (words("samplesSeen"), f"{one['samples']}"),
        (words("seen"), seen),
    ]


def _number(value: float) -> str:
    """2.5, 12.3, 2,667: three digits, but never fewer than stand before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
