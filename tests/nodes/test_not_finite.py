"""What is not finite: weights neither come in nor go out, pictures and numbers carry a mark and the run says so."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from hcpgraph_nodes.adapter_files.load import load_plugin
from hcpgraph_nodes.adapter_files.save import save_plugin
from hcpgraph_nodes.controlnet.load import load_controlnet
from hcpgraph_nodes.controlnet.save import save_controlnet
from hcpgraph_nodes.editor import tensor_picture
from hcpgraph_nodes.image.grid import grid
from hcpgraph_nodes.image.plot import plot
from hcpgraph_nodes.image.resize import resize
from hcpgraph_nodes.image.save import save as save_image
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.part import load_part, save_part
from hcpgraph_nodes.model.save import save_model
from hcpgraph_nodes.plugins.attach import lora
from hcpgraph_nodes.text.encode import encode
from hcpgraph_nodes.train.checkpoint import Checkpoints
from hcpgraph_nodes.types import Captions, Curve, Images
from hcpgraph_nodes.vae.load import load_vae
from hcpgraph_nodes.vae.save import save_vae
from hcpgraph_nodes.words.block import attach
from hcpgraph_nodes.words.load import load as load_word
from hcpgraph_nodes.words.save import save as save_word
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import hcpgraph
from hcpgraph import Graph, GraphError
from hcpgraph.cli import main
from hcpgraph.finite import all_finite, is_finite
from hcpgraph.testing import context

from .control_sets import control

SPECS = hcpgraph.default_registry().specs
NAN, INF = math.nan, math.inf


def kinds(write: bool) -> set[str]:
    """Nodes with a setting that is a model, read or written."""
    return {
        spec.id
        for spec in SPECS.values()
        for schema in spec.settings.values()
        if (widget := schema.get("x-widget", {})).get("kind") == "model" and bool(widget.get("write")) == write
    }


@pytest.fixture
def model(workspace: Path) -> Any:
    return load_model(context(workspace), path="models:tiny")


def spoil(handle: Any, value: float) -> Any:
    """A handle whose last weight has one number that is not finite, as a diverged training leaves it."""
    with torch.no_grad():
        list(handle.root.module.parameters())[-1].view(-1)[-1] = value
    return handle


def adapter(workspace: Path, model: Any, value: float = 1.0) -> Any:
    made = lora(context(workspace), model.denoiser, layers=["re:.*attn2"], rank=2)
    with torch.no_grad():
        list(made.adapter.plugin.parameters())[-1].view(-1)[-1] = value
    return made.adapter


def word(model: Any, value: float = 1.0) -> Any:
    return attach(model.text_encoder, "cat", {"text_encoder": torch.full((2, 32), value)}, trainable=True)[1]


def parts(model: Any, spoilt: str, value: float) -> tuple[Any, ...]:
    return tuple(spoil(part, value) if name == spoilt else part for name, part in model._asdict().items())


EXITS: dict[str, list[Callable[[Any, Path, Any, float], Any]]] = {
    "model.save": [
        lambda ctx, ws, m, v: save_model(ctx, *parts(m, "denoiser", v)),
        lambda ctx, ws, m, v: save_model(ctx, *parts(m, "text_encoder", v)),
        lambda ctx, ws, m, v: save_model(ctx, *parts(m, "vae", v), path="out:m.safetensors", layout="single_file"),
    ],
    "model.save_part": [lambda ctx, ws, m, v: save_part(ctx, spoil(m.denoiser, v))],
    "vae.save": [lambda ctx, ws, m, v: save_vae(ctx, spoil(m.vae, v))],
    "controlnet.save": [
        lambda ctx, ws, m, v: save_controlnet(ctx, spoil(control(ws, m.denoiser), v)),
        lambda ctx, ws, m, v: save_controlnet(
            ctx, spoil(control(ws, m.denoiser), v), path="out:c.safetensors", layout="single_file"
        ),
    ],
    "plugin.save": [lambda ctx, ws, m, v: save_plugin(ctx, (adapter(ws, m, v),), dtype="fp32")],
    "word.save": [
        lambda ctx, ws, m, v: save_word(ctx, word(m, v)),
        lambda ctx, ws, m, v: save_word(ctx, word(m, v), format="a1111"),
    ],
}


def test_every_exit_of_weights_is_here() -> None:
    assert EXITS.keys() == kinds(write=True)


@pytest.mark.parametrize("value", [NAN, -INF])
@pytest.mark.parametrize(("type_id", "number"), [(id, n) for id, calls in EXITS.items() for n in range(len(calls))])
def test_no_exit_writes_them(workspace: Path, model: Any, type_id: str, number: int, value: float) -> None:
    with pytest.raises(GraphError) as caught:
        EXITS[type_id][number](context(workspace), workspace, model, value)
    problem = caught.value.problem
    assert problem.code == "E_NOT_FINITE" and problem.hint
    assert not (workspace / "out").exists() or not list((workspace / "out").iterdir()), "nothing is left behind"


def spoil_file(path: Path, value: float) -> None:
    """Put a number that is not finite into the last tensor of a file."""
    with safe_open(path, "pt") as opened:
        header = opened.metadata()
    state = load_file(path)
    last = [name for name, tensor in state.items() if tensor.is_floating_point() and tensor.numel() > 1][-1]
    state[last].view(-1)[0] = value
    save_file(state, path, header)


def opened_model(ctx: Any, workspace: Path, model: Any, value: float) -> Any:
    spoil_file(workspace / "models/tiny/unet/diffusion_pytorch_model.safetensors", value)
    return load_model(ctx, path="models:tiny").denoiser.root.module


def opened_text(ctx: Any, workspace: Path, model: Any, value: float) -> Any:
    spoil_file(workspace / "models/tiny/text_encoder/model.safetensors", value)
    return load_model(ctx, path="models:tiny").text_encoder.root.module


def opened_single_file(ctx: Any, workspace: Path, model: Any, value: float) -> Any:
    save_model(context(workspace), *model, path="models:one.safetensors", layout="single_file")
    spoil_file(workspace / "models/one.safetensors", value)
    opened = load_model(ctx, path="models:one.safetensors")
    return [part.root.module for part in opened[:3]]


def opened_part(ctx: Any, workspace: Path, model: Any, value: float) -> Any:
    save_part(context(workspace), model.denoiser, layers=["re:.*attn2"], path="models:part.safetensors")
    spoil_file(workspace / "models/part.safetensors", value)
    return load_part(ctx, model.denoiser, path="models:part.safetensors")


def opened_vae(ctx: Any, workspace: Path, model: Any, value: float) -> Any:
    save_vae(context(workspace), model.vae, path="models:vae")
    spoil_file(workspace / "models/vae/diffusion_pytorch_model.safetensors", value)
    return load_vae(ctx, path="models:vae", family="sd15").root.module


def opened_controlnet(ctx: Any, workspace: Path, model: Any, value: float) -> Any:
    save_controlnet(
        context(workspace), control(workspace, model.denoiser), path="models:c.safetensors", layout="single_file"
    )
    spoil_file(workspace / "models/c.safetensors", value)
    return load_controlnet(ctx, path="models:c.safetensors", family="sd15").root.module


def opened_plugin(ctx: Any, workspace: Path, model: Any, value: float) -> Any:
    save_plugin(context(workspace), (adapter(workspace, model),), path="models:l.safetensors")
    spoil_file(workspace / "models/l.safetensors", value)
    return load_plugin(ctx, model.denoiser, path="models:l.safetensors")


def opened_word(ctx: Any, workspace: Path, model: Any, value: float) -> Any:
    save_word(context(workspace), word(model), path="models:cat.safetensors")
    spoil_file(workspace / "models/cat.safetensors", value)
    return load_word(ctx, model.text_encoder, path="models:cat.safetensors")


ENTRANCES = {
    "model.load": [opened_model, opened_text, opened_single_file],
    "model.load_part": [opened_part],
    "vae.load": [opened_vae],
    "controlnet.load": [opened_controlnet],
    "plugin.load": [opened_plugin],
    "word.load": [opened_word],
}


def test_every_entrance_of_weights_is_here() -> None:
    assert ENTRANCES.keys() == kinds(write=False)


@pytest.mark.parametrize("value", [NAN, INF])
@pytest.mark.parametrize("call", [call for calls in ENTRANCES.values() for call in calls])
def test_no_entrance_takes_them(workspace: Path, model: Any, call: Callable[..., Any], value: float) -> None:
    with pytest.raises(GraphError) as caught:
        call(context(workspace, node="load"), workspace, model, value)
    problem = caught.value.problem
    assert problem.code == "E_NOT_FINITE" and problem.hint and "infinite or not numbers" in problem.message
    assert problem.node in (None, "load"), "the node that opened the file is named, not the first that uses it"


def test_weights_that_overflow_in_the_precision_of_the_run_are_refused(workspace: Path) -> None:
    spoil_file(workspace / "models/tiny/unet/diffusion_pytorch_model.safetensors", 1e6)
    with pytest.raises(GraphError, match="in float16 are infinite"):
        _ = load_model(context(workspace, precision="fp16"), path="models:tiny").denoiser.root.module
    assert load_model(context(workspace, precision="bf16"), path="models:tiny").denoiser.root.module


def test_checkpoints(tmp_path: Path) -> None:
    """A diverged training does not push its good checkpoints out, nor does a run go on from a bad one."""

    def state(step: int, weight: float, average: float = 0.0) -> dict[str, Any]:
        shadow = {"shadow_params": [torch.tensor([average])]}
        return {"step": step, "params": [{"w": torch.tensor([weight])}], "averages": [shadow]}

    store = Checkpoints(tmp_path / "loop", keep=1)
    store.save(1, state(1, 0.5))
    for bad in (state(2, NAN), state(2, 0.5, INF)):
        with pytest.raises(GraphError, match="E_NOT_FINITE"):
            store.save(2, bad)
    assert store.steps() == [1]
    tensors = store.path(1) / "tensors.safetensors"
    save_file({name: value * NAN for name, value in load_file(tensors).items()}, tensors)
    with pytest.raises(GraphError, match="E_NOT_FINITE") as caught:
        store.load(5)
    assert "--force" in caught.value.problem.hint


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_the_one_pass_sees_every_place(dtype: torch.dtype) -> None:
    """Sizes around the widths of vector registers, every position, and views that are not contiguous."""
    for size in (1, 7, 8, 31, 67):
        plain = torch.linspace(-2, 2, size).to(dtype)
        assert is_finite(plain) and is_finite(plain[:0])
        for value in (NAN,) if dtype is torch.float8_e4m3fn else (NAN, INF, -INF):
            for place in range(size):
                wrong = plain.clone()
                wrong[place] = value
                assert not is_finite(wrong)
    wide = torch.ones(6, 6)
    wide[1, 1] = NAN
    assert is_finite(wide[::2, ::2]) and not is_finite(wide.T) and is_finite(torch.tensor([2**40]))
    assert not is_finite(torch.complex(torch.ones(2), torch.tensor([0.0, INF])))
    assert (
        not all_finite({"a": [Images(wide[None, None])]}) and all_finite(("text", None, 3, 0.5)) and not all_finite(INF)
    )


def test_embeddings_that_would_be_kept(workspace: Path, model: Any) -> None:
    _ = model.text_encoder.root.module
    spoil(model.text_encoder, NAN)
    for _ in range(2):  # nothing is kept of the first time
        with pytest.raises(GraphError, match=r"E_NOT_FINITE .*'a cat'"):
            encode(context(workspace), model.text_encoder, Captions(("a cat",)), cache="disk")


def picture(*values: float) -> Images:
    return Images(torch.tensor(values).view(1, 1, 1, -1).expand(1, 3, 4, -1).clone())


def test_pictures_carry_a_mark(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    both = Images(torch.cat([picture(0.5, 1.0).data, picture(0.5, INF).data]))
    save_image(ctx, both, path="out:a.png")
    with Image.open(tmp_path / "out/a-0.png") as good, Image.open(tmp_path / "out/a-1.png") as bad:
        assert "hcpgraph.not_finite" not in good.text and "infinite" in bad.text["hcpgraph.not_finite"]  # type: ignore[attr-defined]
        assert bad.getpixel((0, 0)) == (128, 128, 128) and bad.getpixel((1, 0)) == (0, 0, 0)
    assert [entry.get("not_finite") for entry in ctx.run.artifacts] == [None, True]
    assert list(ctx.run.not_finite) == ["node"]


def test_what_is_made_of_pictures_keeps_the_mark() -> None:
    wrong = picture(0.5, NAN)
    for made in (grid((picture(0.1, 0.2), wrong), upscale=2), resize(wrong, width=8, height=8)):
        assert not is_finite(made.data)
    rows = grid((picture(0.1, 0.2), wrong), padding=0)
    assert rows.data.isnan().any(dim=1)[0].nonzero().tolist() == [[y, 1] for y in range(4, 8)]
    shown = tensor_picture(wrong)
    assert shown is not None and shown.getpixel((1, 0)) == (255, 0, 255) != shown.getpixel((0, 0))


def test_a_plot_counts_what_it_cannot_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageDraw

    texts: list[str] = []
    draw = ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw, "text", lambda self, xy, text, *a, **k: (texts.append(text), draw(self, xy, text, *a, **k))
    )
    plot((Curve({"loss": [(1, 0.5), (2, NAN), (3, 0.25)], "other": [(1, INF), (2, NAN)], "good": [(1, 1.0)]}),))
    assert any(text.startswith("loss (1 not finite)") for text in texts)
    assert "other (2 not finite)" in texts and any(text.startswith("good  ") for text in texts)


def test_numbers_are_told(tmp_path: Path) -> None:
    events: list[Any] = []
    ctx = context(tmp_path)
    ctx.run.events.listener = events.append
    ctx.metric(3, loss=1.0, kept=2)
    assert not ctx.run.not_finite
    ctx.metric(4, loss=NAN)
    ctx.metric(5, loss=INF)
    assert ctx.run.not_finite == {"node": "loss of step 4"}
    (told,) = [event for event in events if event["kind"] == "log"]
    assert told["level"] == "warning" and "loss of step 4" in told["message"]


def drawing(path: str = "models:tiny", **settings: Any) -> Graph:
    g = Graph()
    g.add("model.load", "model", path=path, **settings)
    g.add("text.prompt", "prompt", texts=["a cat"])
    g.add("text.encode", "encode")
    g.add("sample.empty_latents", "size", width=16, height=16)
    g.add("sample.denoise", "sample", steps=2, guidance=1.0, sampler="ddim")
    g.add("image.decode", "picture")
    g.add("image.save", "save", path="out:cat.png")
    for target, source in {
        "encode.captions": "prompt.out", "encode.text_encoder": "model.text_encoder", "size.vae": "model.vae",
        "sample.latents": "size.out", "sample.positive": "encode.out", "sample.denoiser": "model.denoiser",
        "sample.schedule": "model.schedule", "picture.latents": "sample.out", "picture.vae": "model.vae",
        "save.images": "picture.out",
    }.items():  # fmt: skip
        g.connect(source, target)
    return g


@pytest.mark.parametrize(
    ("file", "first"),
    [("unet/diffusion_pytorch_model.safetensors", "sample"), ("vae/diffusion_pytorch_model.safetensors", "picture")],
)
def test_the_run_says_so_and_where_it_began(workspace: Path, file: str, first: str) -> None:
    """Weights that are finite and far too large: the picture is written with its mark, and nothing serves it again."""
    path = workspace / "models/tiny" / file
    state = load_file(path)
    save_file({name: value * 1e25 if "conv" in name else value for name, value in state.items()}, path)
    (workspace / "graph.json").write_text(drawing().dump())
    for _ in range(2):
        told = CliRunner().invoke(main, ["run", str(workspace / "graph.json"), "--workspace", str(workspace), "--json"])
        assert told.exit_code == 0, told.stderr
        assert "image (not finite)" in told.stderr and f"first node that gave such values is '{first}'" in told.stderr
        result = json.loads(told.stdout)
        assert [entry.get("not_finite") for entry in result["artifacts"]] == [True]
        (problem,) = result["problems"]
        assert (problem["code"], problem["node"], problem["severity"]) == ("W_NOT_FINITE", "save", "warning")
        assert "save" in result["ran"]
        record = json.loads((Path(result["folder"]) / "run.json").read_text())
        assert record["not_finite"] == [problem]
        log = [json.loads(line) for line in (Path(result["folder"]) / "events.jsonl").read_text().splitlines()]
        warnings = [event["message"] for event in log if event["kind"] == "log" and event["level"] == "warning"]
        assert len(warnings) == 2 and first in warnings[1] and log[-1]["kind"] == "run_done"


def test_a_good_picture_has_no_mark_and_searches_nothing(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hcpgraph.origin.first_not_finite", lambda *_: pytest.fail("nothing was hit"))
    result = hcpgraph.run(drawing(), workspace=workspace)
    assert result.status == "done" and result.problems == []
    assert json.loads((result.folder / "run.json").read_text())["not_finite"] == []  # type: ignore[operator]


def prepared(workspace: Path, model: Any, schedule: dict[str, Any], *, single: bool) -> str:
    config = workspace / "models/tiny/scheduler/scheduler_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | schedule))
    if not single:
        return "models:tiny"
    opened = load_model(context(workspace), path="models:tiny", prediction_type="v_prediction")
    save_model(context(workspace), *opened, path="models:one.safetensors", layout="single_file")
    return "models:one.safetensors"


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize(
    ("schedule", "kind", "possible"),
    [
        ({"rescale_betas_zero_snr": True}, "epsilon", False),
        ({"rescale_betas_zero_snr": True}, "v_prediction", True),
        ({"rescale_betas_zero_snr": True}, "sample", True),
        ({"beta_end": 1.0, "beta_schedule": "linear"}, "epsilon", False),
        ({}, "epsilon", True),
    ],
)
def test_a_prediction_that_its_process_cannot_give_is_refused_before_the_run(
    workspace: Path, model: Any, schedule: dict[str, Any], kind: str, possible: bool, single: bool
) -> None:
    path = prepared(workspace, model, schedule, single=single)
    found = hcpgraph.validate(drawing(path, prediction_type=kind, family="sd15"), workspace=workspace)
    expected = [] if possible else [("E_SCHEDULE", "model.prediction_type")]
    assert [(problem.code, problem.where) for problem in found] == expected
    if possible:
        assert load_model(context(workspace), path=path, prediction_type=kind, family="sd15")  # type: ignore[arg-type]
    else:
        with pytest.raises(GraphError, match="no signal"):
            load_model(context(workspace), path=path, prediction_type=kind, family="sd15")  # type: ignore[arg-type]


def test_a_sampler_whose_first_step_would_be_infinite_is_refused(workspace: Path) -> None:
    """The process of the model is sound; what the object of the scheduler says of it is not."""
    g = drawing()
    g.add("python.object", "object", path="diffusers:DDIMScheduler",
          args={"rescale_betas_zero_snr": True, "prediction_type": "epsilon", "timestep_spacing": "trailing"})  # fmt: skip
    g.connect("object.out", "sample.scheduler")
    result = hcpgraph.run(g, workspace=workspace)
    assert (
        result.failed["sample"].problem.code == "E_SETTING" and "no signal" in result.failed["sample"].problem.message
    )
