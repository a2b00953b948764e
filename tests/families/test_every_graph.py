"""Every family with every graph that ships: the table of the docs is what validation says, and what it says runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import hcpgraph

from ..graphs.small import small
from .every_graph import GRAPHS, OWN, PAGES, RUNS, furnished, loaded, ordered, own, table, verdict, written

LARGER: dict[str, dict[str, Any]] = {
    "data.auto_bucket": {"target_area": 1024, "step_size": 16},
    "data.ratio_bucket": {"target_area": 1024, "step_size": 16},
    "graph:draw": {"width": 32, "height": 32, "steps": 2},
    "image.resize": {"width": 32, "height": 32},
    "controlnet.new": {"channels": [8]},
}
"""What models that read squares of latents need larger; the tiny autoencoders of UNets make none smaller."""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A workspace a family."""
    root = tmp_path_factory.mktemp("families")
    return {name: furnished(root / name, name) for name in own()}


def test_the_table_of_the_docs_is_what_validation_says(places: dict[str, Path]) -> None:
    """`python -m tests.families.every_graph` writes it."""
    found = {name: {graph: verdict(root, graph) for graph in GRAPHS} for name, root in places.items()}
    expected = table(found)
    assert [written(page) for page in PAGES] == [expected, expected]


def test_graphs_stand_behind_those_that_write_what_they_read(tmp_path: Path) -> None:
    """By name they stand in front."""
    found = ordered(tmp_path)
    assert sorted(found) == sorted(GRAPHS)
    for name in ("controlnet", "lora_word", "dreamartist_plus"):
        assert found.index(f"sample/{name}") > found.index(f"train/{name}")


@pytest.mark.long
@pytest.mark.parametrize("name", own())
def test_what_the_table_says_runs(places: dict[str, Path], name: str) -> None:
    """With the loader's workers and all other settings as they ship, but for sizes, steps and batches."""
    root, ran = places[name], []
    for graph in ordered(root):
        if graph in OWN or verdict(root, graph) != RUNS:
            continue
        opened = loaded(graph)
        settings = small(opened) | {
            f"{id}.{key}": value
            for id, node in opened.nodes.items()
            for key, value in LARGER.get(node.type, {}).items()
            if key in node.settings
        }
        result = hcpgraph.run(opened, settings=settings, workspace=root)
        assert result.status == "done", (graph, result.failed)
        ran.append(graph)
    assert {"train/lora", "train/full", "data/cache_build"} <= set(ran)
