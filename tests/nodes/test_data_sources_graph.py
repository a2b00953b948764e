"""The sources inside the engine: as a graph, cached by the content of what they read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import hcpgraph
from hcpgraph import Graph, trust
from hcpgraph.running.record import Result

from .sources import picture


def pipeline() -> Graph:
    g = Graph()
    g.add("data.folder", "pets", path="data:pets", captions="auto")
    g.add("data.masks", "masks", path="data:masks", on_missing="ones")
    g.connect("pets.out", "masks.dataset")
    g.add("data.class_folders", "zoo", path="data:zoo", repeats={"cat": 2})
    g.add("data.merge", "both", weights=[1, 1])
    g.connect("masks.out", "both.datasets")
    g.connect("zoo.out", "both.datasets")
    g.add("data.filter", "large", min_side=8, exclude_ids=["3.png"])
    g.connect("both.out", "large.dataset")
    g.add("data.split", "split", share=0.4)
    g.connect("large.out", "split.dataset")
    return g


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    for i in range(4):
        picture(tmp_path / "data" / "pets" / f"{i}.png", (20, 10))
        picture(tmp_path / "data" / "zoo" / ("cat" if i % 2 else "dog") / f"{i}.png", (20, 20))
    picture(tmp_path / "data" / "masks" / "1.png", (10, 5))
    rows = ({"file_name": f"{i}.png", "text": f"pet {i}"} for i in range(4))
    (tmp_path / "data" / "pets" / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def run(workspace: Path, graph: Graph, *targets: str) -> Result:
    result = hcpgraph.run(graph, workspace=workspace, targets=targets, record=False)
    assert result.status == "done", result.failed
    return result


def test_sources_mix_in_a_graph(workspace: Path) -> None:
    outputs: dict[str, Any] = run(workspace, pipeline(), "both", "split").outputs
    train, validation = outputs["split.train"], outputs["split.validation"]
    merged = outputs["both.out"].samples
    assert sum(s.id.startswith("pets/") for s in merged) == sum(s.id.startswith("zoo/") for s in merged) == 6
    kept = sorted(s.id for s in merged if "3.png" not in s.id)
    assert sorted(s.id for s in (*train.samples, *validation.samples)) == kept
    assert not {s.id for s in train.samples} & {s.id for s in validation.samples}
    assert [s.id for s in merged if s.mask is not None and s.caption == "pet 1"] == ["pets/1.png"] * 2


def test_a_changed_mask_is_a_new_result(workspace: Path) -> None:
    cache = hcpgraph.Cache()

    def ran() -> list[str]:
        done = hcpgraph.run(pipeline(), workspace=workspace, targets=["masks", "zoo"], record=False, cache=cache)
        return sorted(done.ran)

    assert ran() == ["masks", "pets", "zoo"] and ran() == []
    picture(workspace / "data" / "masks" / "0.png", (20, 10))
    assert ran() == ["masks"]


def test_a_trusted_class_gives_captions(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HCPGRAPH_CONFIG", str(workspace / "config"))
    package = workspace / "package"
    package.mkdir()
    (package / "my_captions.py").write_text(
        "class Numbered:\n    def __call__(self, path):\n        return f'no. {path.stem}'\n"
    )
    monkeypatch.syspath_prepend(str(package))
    g = Graph()
    g.add("python.object", "loader", path="my_captions:Numbered")
    g.add("data.folder", "pets", path="data:pets")
    g.connect("loader.out", "pets.captions_from")
    with pytest.raises(hcpgraph.GraphErrors, match="E_TRUST"):
        run(workspace, g, "pets")
    trust.add("my_captions:Numbered")
    assert [s.caption for s in run(workspace, g, "pets").outputs["pets.out"].samples][:2] == ["no. 0", "no. 1"]
