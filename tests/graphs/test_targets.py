"""A run of some targets: what is unfinished elsewhere does not stop it, and what it gives has the keys of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import hcpgraph
from hcpgraph import GraphErrors
from hcpgraph.checking.analyse import analyse, default_roots
from hcpgraph.document.overrides import with_settings
from hcpgraph.fingerprint import Fingerprints
from hcpgraph.planning.plan import Plan, make_plan
from hcpgraph.testing import FOLDER

from .small import furnish, small

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"
NAMES = (
    "quickstart/train_lora",
    "train/lora",
    "train/controlnet",
    "train/lora_word",
    "data/masked",
    "train/scratch",
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path, tiny_sdxl_folder: Path) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("targets")
    furnish(root, tiny_folder, tiny_sdxl_folder)
    yield root


def planned(name: str, workspace: Path, targets: list[str] | None, *, whole: bool) -> Plan:
    registry, roots = hcpgraph.default_registry(), default_roots(workspace, None, ())
    graph = hcpgraph.load(GRAPHS / f"{name}.json")
    graph = with_settings(graph, small(graph), registry, seed=None, precision=None)
    found = analyse(graph, registry, roots, targets=None if whole else targets)
    return make_plan(
        found,
        roots,
        targets=targets,
        device="cpu",
        precision="fp32",
        seed=0,
        fingerprints=Fingerprints(),
        known_only=False,
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_part_has_the_keys_of_the_whole(name: str, workspace: Path):
    every = planned(name, workspace, None, whole=True).targets
    assert len(every) > 1
    smaller = 0
    for target in every:
        whole, part = (planned(name, workspace, [target], whole=whole) for whole in (True, False))
        kept = part.analysis.flat.nodes
        smaller += len(kept) < len(whole.analysis.flat.nodes)
        for table in ("of", "kin", "resumable", "resumable_kin"):
            ours, theirs = getattr(part.keys, table), getattr(whole.keys, table)
            assert ours == {id: key for id, key in theirs.items() if id in kept}, (target, table)
        assert part.needed() == whole.needed()
    assert smaller


def unfinished() -> hcpgraph.Graph:
    """A finished chain, and beside it a node without its input, one of an unknown type, and a file that is not there."""
    graph = hcpgraph.Graph()
    graph.add("toy.number", "one", settings={"value": 2.0})
    graph.add("toy.add", "sum")
    graph.connect("one.out", "sum.a")
    graph.add("image.save", "save", settings={"path": "out:x.png"})
    graph.add("no.such", "unknown", version=1)
    graph.add("image.load", "picture", settings={"path": "data:none.png"})
    return graph


def test_what_is_unfinished_elsewhere_stops_no_run_of_a_target(tmp_path: Path):
    options = {"packs": [FOLDER], "workspace": tmp_path}
    done = hcpgraph.run(unfinished(), targets=["sum"], **options)
    assert done.status == "done" and done.outputs["sum.out"] == 2.0
    assert hcpgraph.plan(unfinished(), targets=["sum"], **options).targets == ["sum"]
    for targets in (None, ["save"], ["sum", "unknown"]):
        with pytest.raises(GraphErrors):
            hcpgraph.run(unfinished(), targets=targets, **options)
