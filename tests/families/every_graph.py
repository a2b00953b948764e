"""Which of the shipped graphs a family runs: validation of all of them with its tiny model, and the table of that.

`python -m tests.families.every_graph` writes the table into the pages docs/families.md and docs/zh-CN/families.md.
"""

from __future__ import annotations

import tempfile
from graphlib import TopologicalSorter
from pathlib import Path, PurePosixPath

import torch
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.families.table import families
from hcpgraph_nodes.model.new import new_model
from PIL import Image

import hcpgraph
from hcpgraph.checking.analyse import analyse
from hcpgraph.checking.touches import touches
from hcpgraph.document.overrides import with_settings
from hcpgraph.document.shipped import names
from hcpgraph.paths import Roots
from hcpgraph.testing import context

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/families.md", "docs/zh-CN/families.md")
BEGIN, END = "<!-- families and graphs -->\n", "<!-- end -->\n"
GRAPHS = {
    name: path for name, path in names(ROOT / "graphs").items() if "model" in hcpgraph.load(path).interface.inputs
}
"""The graphs that take a model, by name."""
OWN = ("train/emoji_more",)
"""Those that go on with the model that the wheel carries."""
FOLDERS = {"pictures": 3, "subject": 3, "style": 3, "class": 2, "conditions": 3, "masks": 3}
GIVEN = {
    "model": "models:model",
    "condition": "data:conditions/0.png",
    "preview_condition": "data:conditions/0.png",
}
"""What graphs are told by name, if they ask for it."""
RUNS = "✓"


def own() -> list[str]:
    """The families that ship, not those of packs that another test has made known."""
    return [name for name, row in families().items() if row.module.startswith("hcpgraph_nodes.")]


def furnished(root: Path, name: str) -> Path:
    """A workspace with the family's tiny model where graphs look for one, and pictures of every kind."""
    if (root / "models/model").is_dir():
        return root
    (root / "models/model").mkdir(parents=True)
    model = new_model(context(root), family=name, seed=1)
    parts = (model.denoiser, model.text_encoder, model.vae, model.schedule)
    family(name).save(root / "models/model", parts, torch.float32, {})
    for folder, count in FOLDERS.items():
        (root / "data" / folder).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (40, 36), (60 * index, 90, 200)).save(root / "data" / folder / f"{index}.png")
            if folder in ("pictures", "subject", "style"):
                (root / "data" / folder / f"{index}.txt").write_text(f"a square, number {index}")
    return root


def loaded(graph: str) -> hcpgraph.Graph:
    """A shipped graph with the model of the workspace, and a picture where it takes one and stands at the folder."""
    found = hcpgraph.load(GRAPHS[graph])
    given = {name: value for name, value in GIVEN.items() if name in found.interface.inputs}
    return with_settings(found, given, hcpgraph.default_registry())


def verdict(root: Path, graph: str) -> str:
    """That it runs, or the codes of what keeps the graph from running with the model of a workspace."""
    problems = hcpgraph.validate(loaded(graph), workspace=root)
    return ", ".join(sorted({problem.code for problem in problems if problem.severity == "error"})) or RUNS


def ordered(root: Path) -> list[str]:
    """The graphs, each behind those that write what it reads."""
    registry, roots = hcpgraph.default_registry(), Roots(root)
    found = {graph: analyse(loaded(graph), registry, roots) for graph in GRAPHS}
    named = {graph: touches(each.flat, each.settings, roots) for graph, each in found.items()}
    written = [(PurePosixPath(each.value), graph) for graph in GRAPHS for each in named[graph].writes]
    before = {
        graph: {
            other
            for each in named[graph].reads
            for path, other in written
            if other != graph and PurePosixPath(each.value).is_relative_to(path)
        }
        for graph in GRAPHS
    }
    return list(TopologicalSorter(before).static_order())


def table(verdicts: dict[str, dict[str, str]]) -> str:
    """Graphs by families, as a table of Markdown.

    Args:
        verdicts: Family -> graph -> what `verdict` says.
    """
    head = ["", *(f"`{name}`" for name in verdicts)]
    rows = [[f"`{graph}`", *(verdicts[name][graph] for name in verdicts)] for graph in GRAPHS if graph not in OWN]
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def written(page: str) -> str:
    """The table that a page has."""
    return (ROOT / page).read_text("utf-8").partition(BEGIN)[2].partition(END)[0]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        found = {}
        for each in own():
            root = furnished(Path(place) / each, each)
            found[each] = {graph: verdict(root, graph) for graph in GRAPHS}
        for page in PAGES:
            text = (ROOT / page).read_text("utf-8")
            before, after = text.partition(BEGIN)[0], text.partition(END)[2]
            (ROOT / page).write_text(before + BEGIN + table(found) + END + after, "utf-8")
