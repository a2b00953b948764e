"""Settings that are `auto` mean what the family of the model says, as if it were written out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.data.ratio_bucket import ratio_bucket
from hcpgraph_nodes.families.auto import DEFAULTS
from hcpgraph_nodes.families.table import families, said
from hcpgraph_nodes.loss.weighting import weighting
from hcpgraph_nodes.types import SampleLoss
from PIL import Image

import hcpgraph
from hcpgraph import Graph, GraphError
from hcpgraph.checking.analyse import Analysis, analyse, default_roots
from hcpgraph.declaring import tables
from hcpgraph.fingerprint import Fingerprints
from hcpgraph.planning.cache_keys import keys
from hcpgraph.planning.demand import bodies
from hcpgraph.testing import context

SMALL = """
from hcpgraph_nodes.families.sd15 import SD15

TABLE = {
    "table": "families",
    "name": "small",
    "folder": [{"parts": {"small": "Small"}, "rank": 9}],
    "interfaces": {"latents": "small", "text": "small"},
    "defaults": {
        "area": 400, "width": 16, "height": 24, "bucket_step": 4, "sampler": "euler", "steps": 2, "guidance": 3.0,
        "distribution": "cosmap",
    },
}


class Small(SD15):
    name = "small"


FAMILY = Small()
"""
WRITTEN = {
    "bucket": {"target_area": 400, "step_size": 4},
    "canvas": {"width": 16, "height": 24},
    "draw": {"sampler": "euler", "steps": 2, "guidance": 3.0},
    "times": {"distribution": "cosmap"},
}


@pytest.fixture
def pack(tmp_path: Path) -> Iterator[Path]:
    """A family with small defaults, and a process that forgets it again."""
    hcpgraph.default_registry()
    before = dict(tables._known)
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/small.py").write_text(SMALL)
    yield tmp_path / "pack"
    tables._known.clear()
    tables._known.update(before)


@pytest.fixture
def place(tmp_path: Path, tiny_folder: Path) -> Path:
    """A workspace with a model of that family and three pictures."""
    model = tmp_path / "ws/models/small"
    shutil.copytree(tiny_folder, model)
    index = json.loads((model / "model_index.json").read_text()) | {"small": ["x", "Small"]}
    (model / "model_index.json").write_text(json.dumps(index))
    (tmp_path / "ws/data/x").mkdir(parents=True)
    for name, size in (("a", (60, 20)), ("b", (20, 60)), ("c", (40, 40))):
        Image.new("RGB", size).save(tmp_path / f"ws/data/x/{name}.png")
        (tmp_path / f"ws/data/x/{name}.txt").write_text(name)
    return tmp_path / "ws"


def drawing(written: bool = False, path: str = "models:small") -> Graph:
    g = Graph()
    of = {node: settings if written else dict.fromkeys(settings, "auto") for node, settings in WRITTEN.items()}
    g.add("model.load", "model", path=path)
    g.add("data.folder", "pictures", path="data:x")
    g.add("data.ratio_bucket", "bucket", **of["bucket"])
    g.add("sample.empty_latents", "canvas", **of["canvas"])
    g.add("text.prompt", "prompt", texts=["a cat"])
    g.add("text.encode", "text")
    g.add("sample.denoise", "draw", **of["draw"])
    g.add("diffusion.timesteps", "times", **of["times"])
    for source, target in (
        ("pictures.out", "bucket.dataset"),
        ("model.model", "bucket.model"),
        ("model.vae", "canvas.vae"),
        ("prompt.out", "text.captions"),
        ("model.text_encoder", "text.text_encoder"),
        ("model.model", "draw.model"),
        ("text.out", "draw.positive"),
        ("text.out", "draw.negative"),
        ("canvas.out", "draw.latents"),
        ("canvas.out", "times.latents"),
        ("model.schedule", "times.schedule"),
    ):
        g.connect(source, target)
    return g


def checked(g: Graph, place: Path, *packs: Path) -> Analysis:
    return analyse(g, hcpgraph.default_registry(packs), default_roots(place))


def test_what_is_auto_is_what_is_written_out(place: Path, pack: Path) -> None:
    auto, written = (checked(drawing(written), place, pack) for written in (False, True))
    assert auto.problems == written.problems == []
    assert {node: {name: auto.settings[node][name] for name in each} for node, each in WRITTEN.items()} == WRITTEN
    assert len(auto.defaults) == 8 and written.defaults == ()
    assert str(auto.defaults[0]) == "target_area 400 (small)"
    of = [
        keys(each, bodies(each), default_roots(place), environment="e=1", seed=0, fingerprints=Fingerprints()).of
        for each in (auto, written)
    ]
    assert of[0] == of[1]
    told: list[Any] = []
    targets = ["bucket.out", "draw.out", "times.out"]
    runs = [
        hcpgraph.run(drawing(written), targets=targets, packs=[pack], workspace=place, on_event=told.append)
        for written in (False, True)
    ]
    assert all(run.status == "done" for run in runs), [run.failed for run in runs]
    first, second = (run.outputs for run in runs)
    assert first["draw.out"].data.shape[-2:] == (24 // 2, 16 // 2)
    for name in ("draw.out", "times.out"):
        assert torch.equal(first[name].data, second[name].data)
    assert first["bucket.out"].buckets == second["bucket.out"].buckets
    said = [
        event["message"] for event in told if event["kind"] == "log" and event.get("message", "").endswith("(small)")
    ]
    assert sorted(said) == sorted(map(str, auto.defaults)), "each once, and only where it is auto"


def test_a_bucket_does_not_wait_for_the_model(place: Path, pack: Path) -> None:
    run = hcpgraph.run(drawing(), targets=["bucket.out"], packs=[pack], workspace=place)
    assert run.status == "done" and set(run.ran) == {"pictures", "bucket"}


def test_without_a_model_the_port_is_told(place: Path) -> None:
    g = Graph()
    g.add("data.folder", "pictures", path="data:x")
    g.add("data.auto_bucket", "bucket", target_area="auto")
    g.connect("pictures.out", "bucket.dataset")
    (problem,) = checked(g, place).problems
    assert (problem.code, problem.node, problem.port) == ("E_AUTO", "bucket", "target_area")
    assert "'model'" in problem.message and "write a value" in (problem.hint or "")


def test_a_family_that_only_the_run_knows(place: Path, pack: Path, tmp_path: Path) -> None:
    """A template whose model is not there yet is no error; a node that still has auto says what to do."""
    missing = checked(drawing(path="models:gone"), place, pack)
    assert missing.defaults == () and "E_AUTO" not in [problem.code for problem in missing.problems]
    with pytest.raises(GraphError) as caught:
        ratio_bucket(context(tmp_path), _texts(), target_area="auto")
    assert (caught.value.problem.code, caught.value.problem.port) == ("E_AUTO", "target_area")
    assert "set family" in (caught.value.problem.hint or "")


def test_a_default_that_a_family_does_not_have(place: Path, pack: Path) -> None:
    g = drawing()
    g.add("loss.weighting", "weight", scheme="auto")
    g.connect("model.schedule", "weight.process")
    found = [problem for problem in checked(g, place, pack).problems if problem.code == "E_AUTO"]
    assert [(problem.node, problem.port) for problem in found] == [("weight", "scheme")]
    assert "small" in found[0].message


def test_our_families_say_all_of_it() -> None:
    entries = {"area", "width", "height", "bucket_step", "sampler", "steps", "guidance", "distribution", "weighting"}
    registry = hcpgraph.default_registry()
    for name in ("sd15", "sd2", "sdxl"):
        own = said(name, "defaults")
        assert set(own) == entries and own["area"] == own["width"] * own["height"]
        assert own["width"] % own["bucket_step"] == own["height"] % own["bucket_step"] == 0
        inputs = {port: {"family": name} for port in ("model", "vae", "denoiser", "schedule", "process")}
        for node, settings in DEFAULTS.items():
            for setting, stands_for in settings.items():
                found = stands_for(inputs)
                assert found is not None and found[1] == name
                g = Graph()
                g.add(node, "node", **{setting: found[0]})
                wrong = [p for p in hcpgraph.validate(g) if p.code == "E_SETTING"]
                assert not wrong and setting in registry.specs[node].settings
    assert set(families()) >= {"sd15", "sd2", "sdxl"}


def test_no_weighting_leaves_losses_of_any_process(tmp_path: Path) -> None:
    loss = SampleLoss(torch.rand(2, 3))
    assert weighting(loss, None, None, scheme="none") is loss  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="scheme is auto"):
        weighting(loss, None, None, scheme="auto")  # type: ignore[arg-type]


def _texts() -> Any:
    class Pictures:
        name, pictures = "x", True

        def __len__(self) -> int:
            return 1

        def size(self, index: int) -> tuple[int, int]:
            return 8, 8

    return Pictures()
