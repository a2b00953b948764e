"""The report for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hcpgraph.errors import visible

from .rows import facts, training
from .words import Texts

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hcpgraph.data_report import DataReport, LoaderReport

IDS = 3


def tables(report: DataReport) -> Iterator[RenderableType]:
    """Rich tables and lines, one loader after the other; ids and captions are shortened."""
    words = Texts(report["lang"])
    for loader in report["loaders"]:
        yield from _loader(loader, words)


def _loader(loader: LoaderReport, words: Texts) -> Iterator[RenderableType]:
    from rich import box
    from rich.table import Column, Table
    from rich.text import Text

    yield Text(visible(words("loader", node=loader["node"])), style="bold")
    table = Table(box=None, show_header=False, padding=(0, 2))
    for name, value in (*facts(loader, words), *(pair for one in loader["training"] for pair in training(one, words))):
        table.add_row(name, Text(visible(value)))
    yield table
    if loader["warnings"]:
        yield Text(f"\n{words('warnings')}", style="yellow")
        for warning in loader["warnings"]:
            ids = f": {_few(warning['ids'], warning['count'], words)}" if warning["ids"] else ""
            yield Text(visible(f"  {warning['code']} {warning['message']}{ids}"), style="yellow")
    right = [words(key) for key in ("number", "cropMean", "cropMax", "enlarged", "leftover")]
    table = Table(words("bucket"), *(Column(name, justify="right") for name in right), words("ids"), box=box.SIMPLE)
    for row in loader["buckets"]:
        numbers = (row["count"], f"{row['crop_mean']:.1%}", f"{row['crop_max']:.1%}", row["enlarged"], row["leftover"])
        ids = _few(row["ids"], row["count"], words)
        table.add_row(f"{row['width']}x{row['height']}", *map(str, numbers), Text(visible(ids)))
    yield table
    for texts in loader["texts"]:
        yield Text(visible(words("encoder", node=texts["node"])))
        if "reason" in texts:
            yield Text(visible(f"  {words('reason', reason=texts['reason'])}"), style="yellow")
        for one in texts["captions"]:
            yield Text(visible(f"  {one['id']}: {one['text'] or '∅'}"))
    yield Text()


def _few(ids: list[str], count: int, words: Texts) -> str:
    more = f" {words('more', count=count - IDS)}" if count > IDS and len(ids) > IDS else ""
    return ", ".join(ids[:IDS]) + more
