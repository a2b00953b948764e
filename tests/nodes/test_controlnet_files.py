"""ControlNet files: diffusers folders and single files in both layouts, against diffusers' own reading."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.controlnet.apply import apply_controlnet
from hcpgraph_nodes.controlnet.load import load_controlnet
from hcpgraph_nodes.controlnet.network import full_config, original_names
from hcpgraph_nodes.controlnet.probe import ControlFile, derived_config, family_of, probe_control
from hcpgraph_nodes.controlnet.save import save_controlnet
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.trainable import trainable
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import hcpgraph
from hcpgraph import Graph, GraphError
from hcpgraph.testing import context

from .control_sets import NOISY, TEXT, TIME, control, pictures

READER = [16, 32, 96, 256]
"""What diffusers' converter takes for granted in the original layout."""
SD15 = {"cross_attention_dim": 768, "attention_head_dim": 8}
SD21 = {"cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True}
SDXL = {
    "block_out_channels": [320, 640, 1280],
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "transformer_layers_per_block": [1, 2, 10],
    "cross_attention_dim": 2048,
    "attention_head_dim": [5, 10, 20],
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
SDXL_MID = {**SDXL, "transformer_layers_per_block": 1}
SDXL_SMALL = {
    **SDXL,
    "down_block_types": ["DownBlock2D"] * 3,
    "mid_block_type": "UNetMidBlock2D",
    "transformer_layers_per_block": 1,
}
RELEASED = {"sd15": SD15, "sd21": SD21, "sdxl": SDXL, "sdxl-mid": SDXL_MID, "sdxl-small": SDXL_SMALL}
"""Sizes of lllyasviel/control_v11p_sd15_canny, thibaud/controlnet-sd21, diffusers/controlnet-canny-sdxl-1.0 and its kin."""


@pytest.fixture
def ctx(workspace: Path):
    return context(workspace, graph_text=lambda: '{"format":"hcpgraph/1"}')


@pytest.fixture
def made(workspace: Path):
    return control(workspace, load_model(context(workspace), path="models:tiny").denoiser, channels=READER)


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def as_json(config):
    return json.loads(json.dumps(config))


def code(call, *args, **settings):
    with pytest.raises(GraphError) as caught:
        call(*args, **settings)
    return caught.value.problem


def test_a_folder_goes_round_and_loads_in_diffusers(workspace: Path, ctx, made) -> None:
    from diffusers import ControlNetModel

    saved = save_controlnet(ctx, made, path="out:net")
    assert saved.uri == "out:net"
    state = made.root.module.state_dict()
    theirs = ControlNetModel.from_pretrained(workspace / "out/net", local_files_only=True)
    assert same(theirs.state_dict(), state)
    back = load_controlnet(ctx, path="out:net")
    assert not back.root.loaded and back.family == "sd15"
    assert same(back.root.module.state_dict(), state) and back.config == as_json(made.config)
    assert as_json({name: theirs.config[name] for name in made.config}) == as_json(made.config)
    denoiser = load_model(ctx, path="models:tiny").denoiser
    one, two = (
        predict(apply_controlnet(denoiser, net, pictures(2, 64, 64)), NOISY, TIME, TEXT).data for net in (made, back)
    )
    assert torch.equal(one, two)
    with safe_open(workspace / "out/net/diffusion_pytorch_model.safetensors", "pt") as file:
        assert file.metadata()["hcpgraph"] == '{"format":"hcpgraph/1"}'


def test_a_file_goes_round_and_loads_in_diffusers(workspace: Path, ctx, made) -> None:
    from diffusers import ControlNetModel
    from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

    saved = save_controlnet(ctx, made, path="out:net.safetensors", layout="single_file")
    save_controlnet(ctx, made, path="out:net")
    state = made.root.module.state_dict()
    file = load_file(workspace / "out/net.safetensors")
    assert saved.uri == "out:net.safetensors" and all(key.startswith("control_model.") for key in file)
    for key in (
        "zero_convs.3.0.bias",
        "middle_block_out.0.weight",
        "input_hint_block.14.weight",
        "input_blocks.2.0.op.bias",
    ):
        assert f"control_model.{key}" in file
    assert same(convert_controlnet_checkpoint(dict(file), made.config), state)
    theirs = ControlNetModel.from_single_file(
        str(workspace / "out/net.safetensors"), config=str(workspace / "out/net"), local_files_only=True
    )
    assert same(theirs.state_dict(), state)
    back = load_controlnet(ctx, path="out:net.safetensors")
    assert same(back.root.module.state_dict(), state) and back.config == full_config(
        json.loads(json.dumps(made.config))
    )
    with safe_open(workspace / "out/net.safetensors", "pt") as opened:
        metadata = opened.metadata()
    assert "modelspec.architecture" not in metadata  # it is smaller than the released ones
    assert metadata["hcpgraph"] == '{"format":"hcpgraph/1"}' and metadata["modelspec.title"] == "net"


@pytest.mark.parametrize("layout", ["diffusers", "without prefix", "in a whole model"])
def test_files_of_others(workspace: Path, ctx, made, layout: str) -> None:
    """As others write them: without our configuration, below other prefixes, among other networks."""
    save_controlnet(ctx, made, path="out:net")
    save_controlnet(ctx, made, path="out:net.safetensors", layout="single_file")
    state = load_file(workspace / "out/net.safetensors")
    if layout == "diffusers":
        state = load_file(workspace / "out/net/diffusion_pytorch_model.safetensors")
    elif layout == "without prefix":
        state = {key.removeprefix("control_model."): value for key, value in state.items()}
    else:
        state["model.diffusion_model.input_blocks.0.0.bias"] = torch.ones(3)
    save_file(state, workspace / "models/other.safetensors")
    back = load_controlnet(ctx, path="models:other.safetensors", config="out:net")
    assert same(back.root.module.state_dict(), made.root.module.state_dict())
    assert back.config == as_json(made.config)
    unsaid = load_controlnet(ctx, path="models:other.safetensors")
    assert unsaid.family == "sd15" and same(unsaid.root.module.state_dict(), made.root.module.state_dict())


@pytest.mark.parametrize("original", [False, True])
@pytest.mark.parametrize("name", RELEASED)
def test_the_sizes_of_released_networks_are_read_off_their_shapes(name: str, original: bool) -> None:
    from accelerate import init_empty_weights
    from diffusers import ControlNetModel

    with init_empty_weights():
        shapes = {key: list(each.shape) for key, each in ControlNetModel(**RELEASED[name]).state_dict().items()}
    if original:
        rename = original_names(full_config(RELEASED[name]))
        renamed = {rename(key): shape for key, shape in shapes.items()}
        assert len(renamed) == len(shapes)
    found = derived_config(ControlFile(original, renamed if original else shapes, "", None))
    with init_empty_weights():
        rebuilt = ControlNetModel(**found)
    assert {key: list(each.shape) for key, each in rebuilt.state_dict().items()} == shapes
    assert {each: found[each] for each in RELEASED[name] if each in found and found[each] is not None} == {
        each: value for each, value in RELEASED[name].items() if found[each] is not None
    }
    assert family_of(found) == {"sd21": "sd2"}.get(name, name.partition("-")[0])


def test_half_precision_and_trained_weights(workspace: Path, made) -> None:
    ctx = context(workspace, precision="bf16")
    save_controlnet(context(workspace), made, path="out:net.safetensors", layout="single_file", dtype="fp16")
    file = load_file(workspace / "out/net.safetensors")
    assert {value.dtype for value in file.values()} == {torch.float16}
    back = trainable(ctx, load_controlnet(ctx, path="out:net.safetensors"), layers=["controlnet_mid_block"]).model
    weight = back.root.module.controlnet_mid_block.weight
    assert weight.dtype is torch.float32 and back.root.module.conv_in.weight.dtype is torch.bfloat16
    with torch.no_grad():
        weight.add_(1e-5)
    save_controlnet(ctx, back, path="out:again.safetensors", layout="single_file")
    again = load_file(workspace / "out/again.safetensors")
    assert torch.equal(again["control_model.middle_block_out.0.weight"], weight)
    assert {value.dtype for value in again.values()} == {torch.float32}


def test_families_are_known_without_torch(workspace: Path, ctx, made) -> None:
    save_controlnet(ctx, made, path="out:net")
    save_controlnet(ctx, made, path="out:net.safetensors", layout="single_file")
    script = (
        "import sys; from pathlib import Path; from hcpgraph_nodes.controlnet.rule import control_family as family\n"
        "for path in sys.argv[1:]: print(family({'path': path}, Path))\n"
        "print(family({'path': 'x', 'family': 'sd2'}, Path)); assert 'torch' not in sys.modules"
    )
    paths = [workspace / "out/net", workspace / "out/net.safetensors", workspace / "models/tiny", workspace / "no"]
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, paths)], capture_output=True, text=True, check=True
    ).stdout
    assert done.split() == ["sd15", "sd15", "None", "None", "sd2"]


def test_another_family_is_an_error_before_anything_runs(workspace: Path, ctx, made) -> None:
    folder = workspace / "models/xl"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**full_config(SDXL), "_class_name": "ControlNetModel"}))
    assert probe_control(folder) == "sdxl"
    g = Graph()
    g.add("model.load", "model", path="models:tiny")
    g.add("controlnet.load", "net", path="models:xl")
    g.add("image.load", "edge", path="data:edge.png")
    g.add("controlnet.apply", "apply", start=0.5, end=0.5)
    for source, target in [
        ("model.denoiser", "apply.denoiser"),
        ("net.out", "apply.controlnet"),
        ("edge.out", "apply.image"),
    ]:
        g.connect(source, target)
    codes = {problem.code for problem in hcpgraph.validate(g, workspace=workspace)}
    assert {"E_FACT", "E_RANGE"} <= codes


def test_a_pipelines_folder_has_its_controlnet(workspace: Path, ctx, made) -> None:
    save_controlnet(ctx, made, path="out:pipe/controlnet")
    back = load_controlnet(ctx, path="out:pipe")
    assert same(back.root.module.state_dict(), made.root.module.state_dict())
    assert probe_control(workspace / "out/pipe") == "sd15"


def test_mistakes_name_their_remedy(workspace: Path, ctx, made) -> None:
    assert code(load_controlnet, ctx, path="models:tiny/unet").code == "E_MODEL_CLASS"
    assert code(load_controlnet, ctx, path="models:tiny").code == "E_MODEL_FOLDER"
    assert code(load_controlnet, ctx, path="models:tiny/model_index.json").code == "E_NO_SAFETENSORS"
    unet = code(load_controlnet, ctx, path="models:tiny/unet/diffusion_pytorch_model.safetensors")
    assert unet.code == "E_WEIGHTS" and "holds no ControlNet" in unet.message
    (workspace / "models/broken.safetensors").write_bytes(b"\xff" * 40)
    assert code(load_controlnet, ctx, path="models:broken.safetensors").code == "E_WEIGHTS"
    assert probe_control(workspace / "models/broken.safetensors") is None

    save_controlnet(ctx, made, path="out:net")
    state = load_file(workspace / "out/net/diffusion_pytorch_model.safetensors")
    state["task_embedding"] = torch.zeros(2)
    del state["controlnet_mid_block.bias"]
    state["controlnet_mid_block.weight"] = torch.zeros(1)
    save_file(state, workspace / "models/wrong.safetensors")
    wrong = code(lambda: load_controlnet(ctx, path="models:wrong.safetensors").root.module)
    assert wrong.code == "E_WEIGHTS"
    for part in (
        "missing controlnet_mid_block.bias",
        "unknown task_embedding",
        "of another shape controlnet_mid_block.weight",
    ):
        assert part in wrong.message
    save_file(
        {"controlnet_cond_embedding.conv_in.weight": torch.zeros(4, 3, 3, 3)}, workspace / "models/bit.safetensors"
    )
    assert code(load_controlnet, ctx, path="models:bit.safetensors").code == "E_WEIGHTS"
    save_file(state, workspace / "models/odd.safetensors", {"hcpgraph.config": "[1]"})
    assert code(load_controlnet, ctx, path="models:odd.safetensors").code == "E_WEIGHTS"
    half = (workspace / "models/wrong.safetensors").read_bytes()[:-64]
    (workspace / "models/half.safetensors").write_bytes(half)
    broken = load_controlnet(ctx, path="models:half.safetensors", config="out:net")
    assert code(lambda: broken.root.module).code == "E_NO_SAFETENSORS"
    assert family_of({"cross_attention_dim": [768, 768]}) == "sd15"

    (workspace / "out/other").mkdir(parents=True)
    assert code(save_controlnet, ctx, made, path="out:other", overwrite=True).code == "E_NOT_A_MODEL"
    (workspace / "out/folder.safetensors").mkdir()
    one = partial(save_controlnet, layout="single_file")
    assert code(one, ctx, made, path="out:folder.safetensors", overwrite=True).code == "E_NOT_A_MODEL"
    first, second = (one(ctx, made, path="out:two.safetensors") for _ in range(2))
    assert first.uri == "out:two.safetensors" and second.uri == "out:two-2.safetensors"


@pytest.mark.parametrize(("path", "layout"), [("out:x", "single_file"), ("out:x.safetensors", "diffusers")])
def test_path_and_layout_fit(workspace: Path, path: str, layout: str) -> None:
    ctx = context(workspace)
    made = control(workspace, load_model(ctx, path="models:tiny").denoiser)
    problem = code(save_controlnet, ctx, made, path=path, layout=layout)
    assert problem.code == "E_SETTING" and problem.port == "path" and not list(workspace.glob("out/x*"))
    g = Graph()
    g.add("controlnet.save", "save", path=path, layout=layout)
    found = [each for each in hcpgraph.validate(g, workspace=workspace) if each.code == "E_SETTING"]
    assert [(each.node, each.port) for each in found] == [("save", "path")]
