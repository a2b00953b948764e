"""What a process, its training and its sampling cannot do together is a problem before anything runs."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hcpgraph_nodes.families.file_marks import new_process_fact, process_facts
from hcpgraph_nodes.process.kinds.classes import kind_of
from hcpgraph_nodes.sample.samplers import BY_KIND, NO_ZERO_SNR, SAMPLERS

import hcpgraph
from hcpgraph import Graph

from .conftest import SCHEDULE

SOURCES: dict[str, tuple[str, dict[str, Any]]] = {
    "vp": ("model.new", {"prediction_type": "epsilon"}),
    "v": ("model.new", {"prediction_type": "v_prediction"}),
    "flow": ("process.flow", {}),
    "edm": ("process.edm", {}),
}


def processed(kind: str, g: Graph | None = None) -> tuple[Graph, str]:
    """A graph with a process, and the wire that it comes on."""
    g = g or Graph()
    if kind == "zero":
        g.add("model.new", "source", prediction_type="v_prediction")
        g.add("process.zero_terminal_snr", "process")
        g.connect("source.schedule", "process.process")
        return g, "process.out"
    type, settings = SOURCES[kind]
    g.add(type, "source", **settings)
    return g, "source.schedule" if type == "model.new" else "source.out"


def told(g: Graph, node: str = "n", workspace: Path | None = None) -> list[tuple[str, str | None, str]]:
    found = hcpgraph.validate(g, workspace=workspace) if workspace else hcpgraph.validate(g)
    unrelated = ("E_PORT_MISSING", "E_SCOPE", "W_UNUSED", "E_NO_NEGATIVE")
    return [(each.code, each.port, each.severity) for each in found if each.node == node and each.code not in unrelated]


def single(kind: str, type: str, port: str, **settings: Any) -> list[tuple[str, str | None, str]]:
    """The problems of one node that a process is wired to."""
    g, wire = processed(kind)
    g.add(type, "n", **settings)
    g.connect(wire, f"n.{port}")
    return told(g)


def wrong(code: str, port: str) -> list[tuple[str, str | None, str]]:
    return [(code, port, "error")]


def unread(port: str) -> list[tuple[str, str | None, str]]:
    return [("W_UNREAD", port, "warning")]


@pytest.mark.parametrize(
    ("kind", "type", "settings", "expected"),
    [
        ("vp", "process.zero_terminal_snr", {}, wrong("E_SCHEDULE", "process")),
        ("v", "process.zero_terminal_snr", {}, []),
        ("flow", "process.zero_terminal_snr", {}, wrong("E_SCHEDULE", "process")),
        ("zero", "process.predict", {"prediction_type": "epsilon"}, wrong("E_SCHEDULE", "prediction_type")),
        ("zero", "process.predict", {"prediction_type": "sample"}, []),
        ("v", "process.predict", {"prediction_type": "epsilon"}, []),
        ("edm", "process.predict", {"prediction_type": "sample"}, wrong("E_SCHEDULE", "process")),
        ("vp", "process.shift", {}, wrong("E_SCHEDULE", "process")),
        ("flow", "process.shift", {}, []),
        ("vp", "loss.weighting", {}, wrong("E_SCHEDULE", "process")),
        ("vp", "loss.weighting", {"scheme": "min_snr"}, []),
        ("flow", "loss.weighting", {}, []),
        ("vp", "loss.weighting", {"scheme": "none"}, []),
        ("edm", "loss.weighting", {}, wrong("E_SCHEDULE", "process")),
    ],
)
def test_process_can_change(kind: str, type: str, settings: dict[str, Any], expected: list[Any]) -> None:
    assert single(kind, type, "process", **settings) == expected


@pytest.mark.parametrize(
    ("kind", "settings", "expected"),
    [
        ("vp", {}, []),
        ("vp", {"distribution": "logit_normal", "mean": 0.5}, []),
        ("vp", {"distribution": "edm"}, wrong("E_DISTRIBUTION", "distribution")),
        ("flow", {"distribution": "beta", "alpha": 3.0}, []),
        ("flow", {"distribution": "edm"}, wrong("E_DISTRIBUTION", "distribution")),
        ("edm", {"distribution": "edm", "std": 0.5}, []),
        ("edm", {"distribution": "mode"}, wrong("E_DISTRIBUTION", "distribution")),
        ("edm", {"low": 3}, wrong("E_RANGE", "low")),
        ("edm", {"high": 900}, wrong("E_RANGE", "high")),
        ("vp", {"low": 1000}, wrong("E_RANGE", "low")),
        ("vp", {"low": 999, "high": 1000}, []),
        ("flow", {"high": 1001}, unread("high")),
        ("vp", {"mean": 0.5}, unread("mean")),
        ("vp", {"distribution": "mode", "beta": 3.0}, unread("beta")),
        ("edm", {"mode_scale": 0.5}, unread("mode_scale")),
    ],
)
def test_process_has_the_times(kind: str, settings: dict[str, Any], expected: list[Any]) -> None:
    assert single(kind, "diffusion.timesteps", "schedule", **settings) == expected


def test_a_range_beyond_an_unknown_table_is_no_problem() -> None:
    g = Graph()
    g.add("diffusion.timesteps", "n", low=1000)
    assert told(g) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"shift": 3.0}, []),
        ({"shift": 3.0, "use_dynamic_shifting": True}, unread("shift")),
        ({"use_dynamic_shifting": True, "base_shift": 0.3, "patch": 1}, []),
        ({"max_shift": 0.9}, unread("max_shift")),
    ],
)
def test_shape_of_times_is_read(settings: dict[str, Any], expected: list[Any]) -> None:
    g = Graph()
    g.add("process.flow", "n", **settings)
    assert told(g) == expected


@pytest.mark.parametrize(("high", "expected"), [(None, wrong("E_SCHEDULE", "prediction")), (999, [])])
def test_prediction_says_it(high: int | None, expected: list[Any]) -> None:
    g, wire = processed("zero")
    g.add("diffusion.timesteps", "t", high=high)
    g.add("diffusion.predict", "predict")
    g.add("diffusion.convert", "first", to="epsilon")
    g.add("diffusion.convert", "n", to="sample")
    for target in ("t.schedule", "predict.schedule", "first.process", "n.process"):
        g.connect(wire, target)
    for source, target in (
        ("predict.out", "first.prediction"),
        ("first.out", "n.prediction"),
        ("t.out", "predict.timesteps"),
        ("t.out", "first.timesteps"),
        ("t.out", "n.timesteps"),
    ):
        g.connect(source, target)
    assert told(g) == expected
    assert told(g, "first") == []
    g.set("first.to", "v_prediction")
    assert told(g) == []


@pytest.mark.parametrize("kind", ["vp", "flow", "edm"])
def test_network_is_told_the_process(kind: str) -> None:
    g, wire = processed(kind)
    g.add("diffusion.timesteps", "t")
    g.add("diffusion.predict", "n")
    g.connect(wire, "t.schedule")
    g.connect("t.out", "n.timesteps")
    assert told(g) == ([] if kind == "vp" else wrong("E_TIMESTEPS", "schedule"))
    g.connect(wire, "n.schedule")
    assert told(g) == []


@pytest.mark.parametrize("kind", ["vp", "flow", "edm", "zero"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_sampler_knows_the_process(kind: str, sampler: str) -> None:
    known = sampler in BY_KIND["vp" if kind == "zero" else kind] and not (kind == "zero" and sampler in NO_ZERO_SNR)
    assert single(kind, "sample.denoise", "schedule", sampler=sampler) == (
        [] if known else wrong("E_SETTING", "sampler")
    )


@pytest.mark.parametrize(
    ("kind", "path", "fits"),
    [
        ("vp", "diffusers:EulerDiscreteScheduler", True),
        ("vp", "diffusers:EDMEulerScheduler", False),
        ("vp", "diffusers:FlowMatchEulerDiscreteScheduler", False),
        ("flow", "diffusers:FlowMatchHeunDiscreteScheduler", True),
        ("flow", "diffusers:UniPCMultistepScheduler", True),
        ("flow", "diffusers:DDIMScheduler", False),
        ("edm", "diffusers:EDMDPMSolverMultistepScheduler", True),
        ("edm", "diffusers:EulerDiscreteScheduler", False),
        ("edm", "my_package:MyScheduler", True),
    ],
)
def test_a_class_of_ones_own_knows_the_process(kind: str, path: str, fits: bool) -> None:
    g, wire = processed(kind)
    g.add("python.object", "object", path=path)
    g.add("sample.denoise", "n", sampler="pndm")  # which is not read then
    g.connect(wire, "n.schedule")
    g.connect("object.out", "n.scheduler")
    assert told(g) == ([] if fits else wrong("E_OBJECT", "scheduler"))


def trained(drawn: str, with_process: str | None) -> Graph:
    """A model that is trained as a flow, or as it was loaded, and drawn with in the same graph."""
    g = Graph()
    g.add("model.new", "new", prediction_type="v_prediction")
    g.add("process.flow", "flow")
    g.add("process.zero_terminal_snr", "zero")
    g.add("plugin.lora", "lora")
    g.connect("new.denoiser", "lora.model")
    g.connect("new.schedule", "zero.process")
    g.add("train.loop", "loop")
    g.add("diffusion.timesteps", "t", inside="loop")
    g.add("diffusion.predict", "predict", inside="loop")
    g.connect("lora.model", "predict.denoiser")
    g.connect("t.out", "predict.timesteps")
    wires = {"own": "new.schedule", "flow": "flow.out", "zero": "zero.out"}
    g.connect(wires[with_process or "own"], "t.schedule")
    if with_process:
        g.connect(wires[with_process], "predict.schedule")
    g.add("sample.denoise", "n", sampler="euler")
    g.connect("lora.model", "n.denoiser")
    g.connect(wires[drawn], "n.schedule")
    return g


@pytest.mark.parametrize(
    ("drawn", "with_process", "fits"),
    [
        ("own", None, True),
        ("own", "own", True),
        ("flow", "flow", True),
        ("own", "flow", False),
        ("flow", "own", False),
        ("zero", "own", False),
        ("zero", "zero", True),
    ],
)
def test_drawn_as_trained(drawn: str, with_process: str | None, fits: bool) -> None:
    found = [each for each in told(trained(drawn, with_process)) if each[0] == "W_PROCESS"]
    assert found == ([] if fits else [("W_PROCESS", "schedule", "warning")])


def test_times_and_targets_of_two_processes_do_not_meet() -> None:
    g, wire = processed("flow")
    g.add("model.new", "new", prediction_type="v_prediction")
    g.add("diffusion.timesteps", "t")
    g.connect(wire, "t.schedule")
    for node in ("n", "target"):
        g.add("diffusion.add_noise" if node == "n" else "diffusion.target", node)
        g.connect("t.out", f"{node}.timesteps")
        g.connect("new.schedule", f"{node}.schedule")
    assert told(g)[0][0] == "E_FACT" and told(g, "target")[0][0] == "E_FACT"
    g.add("diffusion.predict", "predict")
    g.connect(wire, "predict.schedule")
    g.add("loss.mse", "loss")
    g.connect("predict.out", "loss.prediction")
    g.connect("target.out", "loss.target")
    assert told(g, "loss")[0][0] == "E_FACT", "a flow is compared with v"
    for node in ("n", "target"):
        g.connect(wire, f"{node}.schedule")
    assert told(g) == told(g, "target") == told(g, "loss") == []


CONFIGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "epsilon": (SCHEDULE, {"process": "vp", "predicts": "epsilon", "zero_snr": False}),
    "v": (
        {**SCHEDULE, "prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
        {"process": "vp", "predicts": "v_prediction", "zero_snr": True},
    ),
    "flow": (
        {"_class_name": "FlowMatchEulerDiscreteScheduler"},
        {"process": "flow", "predicts": "flow", "zero_snr": False},
    ),
    "flow solver": (
        {"_class_name": "DPMSolverMultistepScheduler", "use_flow_sigmas": True, "prediction_type": "flow_prediction"},
        {"process": "flow", "predicts": "flow", "zero_snr": False},
    ),
    "edm": ({"_class_name": "EDMEulerScheduler"}, {"process": "edm", "predicts": "edm", "zero_snr": False}),
    "unknown": ({"_class_name": "ScoreSdeVeScheduler"}, {}),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_what_a_folder_says_of_its_process(name: str, workspace: Path) -> None:
    config, expected = CONFIGS[name]
    count = {"num_train_timesteps": 1000} if expected else {}
    assert process_facts(config, kind_of(config)) == {**expected, **count}
    file = workspace / "models/tiny/scheduler/scheduler_config.json"
    file.write_text(json.dumps(config))
    g = Graph()
    g.add("model.load", "source", path="models:tiny")
    g.add("sample.denoise", "n", sampler="ddim")
    g.connect("source.schedule", "n.schedule")
    refused = expected.get("process") in ("flow", "edm")
    assert told(g, workspace=workspace) == (wrong("E_SETTING", "sampler") if refused else [])


def test_a_file_that_says_nothing_of_its_prediction(tmp_path: Path, family_files: Path) -> None:
    shutil.copytree(family_files / "models", tmp_path / "models")
    g = Graph()
    g.add("model.load", "source", path="models:sdxl.safetensors")
    g.add("process.zero_terminal_snr", "n")
    g.connect("source.schedule", "n.process")
    assert told(g, workspace=tmp_path) == wrong("E_SCHEDULE", "process"), "our own files say it in their header"
    g.set("source.prediction_type", "v_prediction")
    assert told(g, workspace=tmp_path) == []


def test_a_model_goes_through_a_change_of_its_process() -> None:
    g = Graph()
    g.add("model.new", "new", prediction_type="epsilon")
    g.add("process.predict", "v", prediction_type="v_prediction")
    g.add("process.zero_terminal_snr", "zero")
    g.add("sample.denoise", "n", sampler="heun")
    for source, target in (("new.model", "v.process"), ("v.out", "zero.process"), ("zero.out", "n.model")):
        g.connect(source, target)
    assert told(g, "zero") == [] and told(g) == wrong("E_SETTING", "sampler")
    g.set("v.prediction_type", "epsilon")
    assert told(g, "zero") == wrong("E_SCHEDULE", "process")


def test_nothing_is_known_of_the_process_of_a_family_that_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    assert process_facts({}, None) == {}
    settings = {"family": "sd15", "prediction_type": "v_prediction"}
    for kind, predicts in ((None, None), ("vp", "v_prediction"), ("flow", "flow")):
        monkeypatch.setattr("hcpgraph_nodes.families.file_marks.said", lambda name, entry, kind=kind: kind)
        assert new_process_fact("predicts")(settings, Path) == predicts
        assert new_process_fact("process")(settings, Path) == kind


@pytest.mark.parametrize("page", ["docs/processes.md", "docs/zh-CN/processes.md"])
def test_the_table_of_the_docs_is_that_of_the_samplers(page: str) -> None:
    text = (Path(__file__).resolve().parents[2] / page).read_text(encoding="utf-8")
    rows = [
        line.strip("| ").split("|")
        for line in text.splitlines()
        if re.match(r"\| `(euler|heun|dpmpp|unipc|ddim|pndm)", line)
    ]
    found: dict[str, list[str]] = {kind: [] for kind in ("vp", "flow", "edm")}
    limited = set()
    for row in rows:
        cells = [*(cell.strip() for cell in row), "", ""]
        for name in re.findall(r"`(\w+)`", cells[0]):
            for kind, cell in zip(found, cells[1:4], strict=True):
                found[kind] += [name] if cell else []
            limited |= {name} if len(cells[1]) > 3 else set()
    assert {kind: sorted(names) for kind, names in found.items()} == {kind: sorted(BY_KIND[kind]) for kind in BY_KIND}
    assert limited == NO_ZERO_SNR
