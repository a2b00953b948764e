"""Weights that are not finite neither come in nor go out, and no process is left with a prediction it cannot give."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hcpgraph_nodes.controlnet.load import load_controlnet
from hcpgraph_nodes.controlnet.save import save_controlnet
from hcpgraph_nodes.denoiser.load import load_denoiser
from hcpgraph_nodes.image_encoder.load import load_image_encoder
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.load_part import load_part
from hcpgraph_nodes.model.save import save_model
from hcpgraph_nodes.model.save_part import save_part
from hcpgraph_nodes.plugins.load import load_plugin
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.plugins.save import save_plugin
from hcpgraph_nodes.projection.load import load_projection
from hcpgraph_nodes.projection.new import new_projection
from hcpgraph_nodes.projection.save import save_projection
from hcpgraph_nodes.text.encode import encode
from hcpgraph_nodes.text_encoder.load import load_text_encoder
from hcpgraph_nodes.train.checkpoint import Checkpoints
from hcpgraph_nodes.types import Captions, Images
from hcpgraph_nodes.vae.load import load_vae
from hcpgraph_nodes.vae.save import save_vae
from hcpgraph_nodes.words.block import attach
from hcpgraph_nodes.words.load import load as load_word
from hcpgraph_nodes.words.save import save as save_word
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import hcpgraph
from hcpgraph import GraphError
from hcpgraph.finite import all_finite, is_finite
from hcpgraph.testing import context

from .control_sets import control
from .test_not_finite_pictures import drawing

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


def projection(workspace: Path) -> Any:
    return new_projection(context(workspace), width=4, out_width=4)


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
    "projection.save": [lambda ctx, ws, m, v: save_projection(ctx, spoil(projection(ws), v))],
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


def opened_denoiser(ctx: Any, workspace: Path, model: Any, value: float) -> Any:
    spoil_file(workspace / "models/tiny/unet/diffusion_pytorch_model.safetensors", value)
    return load_denoiser(ctx, path="models:tiny").denoiser.root.module


def opened_text_encoder(ctx: Any, workspace: Path, model: Any, value: float) -> Any:
    spoil_file(workspace / "models/tiny/text_encoder/model.safetensors", value)
    return load_text_encoder(ctx, path="models:tiny").root.module


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


def opened_projection(ctx: Any, workspace: Path, model: Any, value: float) -> Any:
    save_projection(context(workspace), projection(workspace), path="out:p.safetensors")
    spoil_file(workspace / "out/p.safetensors", value)
    return load_projection(ctx, path="out:p.safetensors").root.module


def opened_image_encoder(ctx: Any, workspace: Path, model: Any, value: float) -> Any:
    settings = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    transformers.Dinov2Model(transformers.Dinov2Config(**settings)).save_pretrained(workspace / "models/dino")
    transformers.BitImageProcessor().save_pretrained(workspace / "models/dino")
    spoil_file(workspace / "models/dino/model.safetensors", value)
    return load_image_encoder(ctx, path="models:dino").root.module


ENTRANCES = {
    "model.load": [opened_model, opened_text, opened_single_file],
    "model.load_part": [opened_part],
    "denoiser.load": [opened_denoiser],
    "text_encoder.load": [opened_text_encoder],
    "vae.load": [opened_vae],
    "controlnet.load": [opened_controlnet],
    "plugin.load": [opened_plugin],
    "projection.load": [opened_projection],
    "image_encoder.load": [opened_image_encoder],
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
