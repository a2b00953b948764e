"""Models of every family as diffusers folders and as single files: there and back, and read by diffusers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.families.file_marks import CONFIGS
from hcpgraph_nodes.families.probe import probe_family
from hcpgraph_nodes.families.safetensors_file import safetensors_header
from hcpgraph_nodes.families.weights import write_weights
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.model.save import save_model
from hcpgraph_nodes.vae.load import load_vae
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hcpgraph import GraphError
from hcpgraph.testing import context

FAMILIES = ("sd15", "sd2", "sdxl")
SMALL: dict[str, Any] = {
    "channels": [8, 16],
    "heads": 4,
    "text_width": 32,
    "vocab_size": 600,
    "resolution": 16,
    "text_length": 16,
}


def states(model: Any) -> list[dict[str, torch.Tensor]]:
    return [handle.root.module.state_dict() for handle in model[:3]]


def assert_equal(first: Any, second: Any) -> None:
    for one, other in zip(states(first), states(second), strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("name", FAMILIES)
def test_folder_there_and_back(family_files: Path, name: str) -> None:
    ctx = context(family_files)
    model = load_model(ctx, path=f"models:{name}")
    assert model.denoiser.family == name
    save_model(ctx, *model, path=f"out:{name}")
    copy = load_model(ctx, path=f"out:{name}")
    assert_equal(model, copy)
    assert copy.schedule.config == model.schedule.config
    first, second = (
        json.loads((family_files / at / name / "model_index.json").read_text()) for at in ("models", "out")
    )
    assert {key: value for key, value in first.items() if key in second} == second
    for one, two in zip(model.text_encoder.clips, copy.text_encoder.clips, strict=True):
        assert one.name == two.name
        ids = [clip.tokens.tokenizer("a dog", padding="max_length").input_ids for clip in (one, two)]
        assert ids[0] == ids[1]


@pytest.mark.parametrize("name", FAMILIES)
def test_single_file_there_and_back(family_files: Path, name: str) -> None:
    ctx = context(family_files)
    path = family_files / "models" / f"{name}.safetensors"
    assert probe_family(path) == name
    model, copy = (load_model(ctx, path=f"models:{each}") for each in (name, path.name))
    assert_equal(model, copy)
    assert copy.schedule.config == model.schedule.config
    assert copy.denoiser.prediction_type == model.denoiser.prediction_type
    with safe_open(path, "pt") as file:
        assert file.metadata()["hcpgraph"] == '{"format":"hcpgraph/1"}'
        assert file.metadata()["modelspec.prediction_type"] == ("v" if name == "sd2" else "epsilon")
    save_model(ctx, *copy, path=f"out:{name}.safetensors", layout="single_file")
    first, second = (load_file(family_files / at / f"{name}.safetensors") for at in ("models", "out"))
    assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", FAMILIES)
def test_diffusers_reads_the_single_file(family_files: Path, name: str) -> None:
    """The same weights and pictures as the folder's."""
    import diffusers

    cls = diffusers.StableDiffusionXLPipeline if name == "sdxl" else diffusers.StableDiffusionPipeline
    extra = {} if name == "sdxl" else {"safety_checker": None}
    folder = family_files / "models" / name
    single = cls.from_single_file(
        str(folder.with_suffix(".safetensors")),
        config=str(folder),
        local_files_only=True,
        torch_dtype=torch.float32,
        **extra,
    )
    whole = cls.from_pretrained(folder, local_files_only=True, torch_dtype=torch.float32, **extra)
    for part in ("unet", "vae", "text_encoder", *(["text_encoder_2"] if name == "sdxl" else [])):
        one, other = getattr(single, part).state_dict(), getattr(whole, part).state_dict()
        assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one), part


@pytest.mark.parametrize("name", FAMILIES)
def test_the_keys_are_those_of_the_released_files(family_files: Path, name: str) -> None:
    keys = safetensors_header(family_files / "models" / f"{name}.safetensors").keys()
    known = {
        "model.diffusion_model.time_embed.0.weight",
        "model.diffusion_model.input_blocks.0.0.weight",
        "model.diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_q.weight",
        "first_stage_model.encoder.down.0.block.0.norm1.weight",
        "first_stage_model.decoder.up.1.upsample.conv.weight",
        "first_stage_model.decoder.mid.attn_1.q.weight",
        "first_stage_model.quant_conv.weight",
    }
    texts = {
        "sd15": ["cond_stage_model.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight"],
        "sd2": [
            "cond_stage_model.model.transformer.resblocks.0.attn.in_proj_weight",
            "cond_stage_model.model.ln_final.bias",
        ],
        "sdxl": [
            "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight",
            "conditioner.embedders.1.model.text_projection",
            "conditioner.embedders.1.model.transformer.resblocks.2.mlp.c_fc.weight",
            "model.diffusion_model.label_emb.0.0.weight",
        ],
    }
    assert known | set(texts[name]) <= keys
    header = safetensors_header(family_files / "models" / f"{name}.safetensors")
    assert len(header["first_stage_model.decoder.mid.attn_1.q.weight"]["shape"]) == 4


@pytest.mark.parametrize("name", FAMILIES)
def test_new_models_of_every_family(tmp_path: Path, name: str) -> None:
    """Saved as folder and file, they are the same model, and diffusers makes a picture."""
    import diffusers

    ctx = context(tmp_path)
    model = new_model(ctx, **SMALL, family=name)  # type: ignore[arg-type]
    assert model.denoiser.family == model.vae.family == name
    save_model(ctx, *model, path="out:folder")
    save_model(ctx, *model, path="out:one.safetensors", layout="single_file")
    for saved in ("out:folder", "out:one.safetensors"):
        copy = load_model(ctx, path=saved)
        assert copy.denoiser.family == name
        assert_equal(copy, model)
    cls = diffusers.StableDiffusionXLPipeline if name == "sdxl" else diffusers.StableDiffusionPipeline
    pipe = cls.from_pretrained(tmp_path / "out/folder", local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    picture = pipe("a cat", num_inference_steps=2, output_type="pt", height=16, width=16).images
    assert picture.shape == (1, 3, 16, 16) and picture.isfinite().all()


def test_one_text_layer_is_too_few_for_sdxl(tmp_path: Path) -> None:
    with pytest.raises(GraphError) as caught:
        new_model(context(tmp_path), **SMALL, family="sdxl", text_layers=1)
    assert caught.value.problem.code == "E_SIZE"


@pytest.mark.parametrize("name", FAMILIES)
def test_default_sizes_are_those_of_the_released_models(name: str) -> None:
    """Parameters of the released UNets, text networks and VAE."""
    from accelerate import init_empty_weights
    from hcpgraph_nodes.families import networks
    from hcpgraph_nodes.families.registry import family
    from hcpgraph_nodes.families.sizes import text_configs, unet_config, vae_config

    implementation = family(name)
    sizes = implementation.sizes
    with init_empty_weights():
        texts = [
            networks.text_model(part, config)
            for part, config in zip(implementation.texts, text_configs(sizes), strict=True)
        ]
        modules = [networks.unet(unet_config(sizes)), *texts, networks.autoencoder("AutoencoderKL", vae_config(sizes))]
    assert [sum(p.numel() for p in module.parameters()) for module in modules] == {
        "sd15": [859_520_964, 123_060_480, 83_653_863],
        "sd2": [865_910_724, 340_387_840, 83_653_863],
        "sdxl": [2_567_463_684, 123_060_480, 694_659_840, 83_653_863],
    }[name]


def test_openclip_last_layer_of_a_released_sd2_file_is_left_out(family_files: Path) -> None:
    """The file has 24 layers and a projection, the model 23 and none."""
    from hcpgraph_nodes.families.open_clip import from_open_clip, to_open_clip

    layers = {"width": 8, "prefix": "cond_stage_model.model."}
    state = {}
    for number in range(24):
        for part in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"):
            state[f"text_model.encoder.layers.{number}.{part}.weight"] = torch.randn(8, 8)
            state[f"text_model.encoder.layers.{number}.{part}.bias"] = torch.randn(8)
    state["text_projection.weight"] = torch.randn(8, 8)
    file = {f"{layers['prefix']}{key}": value for key, value in to_open_clip(state).items()}
    found = from_open_clip(file, str(layers["prefix"]), {"hidden_size": 8})
    kept = {key: value for key, value in state.items() if ".23." not in key and "projection" not in key}
    assert found.keys() == kept.keys() and all(torch.equal(found[key], kept[key]) for key in kept)


def test_precision_of_a_single_file(family_files: Path, tmp_path: Path) -> None:
    ctx = context(family_files)
    model = load_model(ctx, path="models:sdxl")
    save_model(ctx, *model, path="out:half.safetensors", layout="single_file", dtype="fp16")
    assert {value.dtype for value in load_file(family_files / "out/half.safetensors").values()} == {torch.float16}


def test_vae_of_a_family(family_files: Path) -> None:
    vae = load_vae(context(family_files, precision="fp16"), path="models:sdxl", family="sdxl")
    assert vae.family == "sdxl" and vae.config["scaling_factor"] == 0.13025
    assert {p.dtype for p in vae.root.module.parameters()} == {torch.float32}


@pytest.mark.parametrize("kind", ["checkpoint", "original", "diffusers"])
def test_vae_of_a_file(family_files: Path, tmp_path: Path, kind: str) -> None:
    ctx = context(tmp_path)
    (tmp_path / "models").mkdir()
    with safe_open(family_files / "models/sdxl.safetensors", "pt") as file:
        header = {CONFIGS: file.metadata()[CONFIGS]}
    state = load_file(family_files / "models/sdxl.safetensors")
    if kind == "original":  # as sdxl_vae.safetensors; some carry weights of the loss that trained them
        state = {
            key.removeprefix("first_stage_model."): v
            for key, v in state.items()
            if key.startswith("first_stage_model.")
        }
        state["loss.logvar"] = torch.zeros(1)
    if kind == "diffusers":
        state = load_file(family_files / "models/sdxl/vae/diffusion_pytorch_model.safetensors")
    save_file(state, tmp_path / "models/vae.safetensors", header)
    own = load_model(context(family_files), path="models:sdxl").vae.root.module.state_dict()
    vae = load_vae(ctx, path="models:vae.safetensors", family="sdxl")
    found = vae.root.module.state_dict()
    assert vae.config["scaling_factor"] == 0.13025
    assert own.keys() == found.keys() and all(torch.equal(own[key], found[key]) for key in own)


def test_equal_weights_make_equal_files_that_others_may_read(tmp_path: Path) -> None:
    state = {"b": torch.ones(3), "a": torch.zeros(2, 2)}
    metadata = {"z": "1", "ss_tag": 'ü"\\\n\x01', "format": "pt", "hcpgraph": '{"format":"hcpgraph/1"}', "m": "猫"}
    for number in range(4):
        turned = dict([*metadata.items()][number:] + [*metadata.items()][:number])
        write_weights(tmp_path / f"{number}.safetensors", state, turned)
    files = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    assert len(set(files)) == 1
    with safe_open(tmp_path / "0.safetensors", "pt") as file:
        assert file.metadata() == metadata and file.get_tensor("b").equal(state["b"])
    (tmp_path / "plain").touch()
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_weights_without_metadata_are_written_too(tmp_path: Path) -> None:
    write_weights(tmp_path / "a.safetensors", {"a": torch.ones(1)}, {})
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        assert file.get_tensor("a").item() == 1
