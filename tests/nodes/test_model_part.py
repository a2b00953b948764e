"""model.save_part and model.load_part: chosen layers there and back, mixed, refused in words."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.model.load import LoadedModel, load_model
from hcpgraph_nodes.model.load_part import load_part
from hcpgraph_nodes.model.save_part import save_part
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.plugins.lora import lora
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hcpgraph import GraphError
from hcpgraph.testing import context

ATTENTION = ["re:.*attn2"]


@pytest.fixture
def model(tiny_folder: Path, tiny_sdxl_folder: Path, tmp_path: Path) -> LoadedModel:
    shutil.copytree(tiny_folder, tmp_path / "models/tiny")
    shutil.copytree(tiny_sdxl_folder, tmp_path / "models/sdxl")
    return load_model(context(tmp_path), path="models:tiny")


def weights(handle: Any) -> dict[str, torch.Tensor]:
    return {handle.root.parameter_name(name): value.clone() for name, value in handle.root.module.state_dict().items()}


def test_a_trained_part_goes_into_a_fresh_model(model: LoadedModel, tmp_path: Path) -> None:
    ctx = context(tmp_path, graph_text=lambda: "{}")
    tuned = trainable(ctx, model.denoiser, layers=ATTENTION)
    with torch.no_grad():
        for parameter in tuned.params.groups[0]["params"].values():
            parameter.add_(torch.randn_like(parameter))
    saved = save_part(ctx, tuned.model, layers=ATTENTION, path="out:part.safetensors")
    assert saved.uri == "out:part.safetensors"
    file = load_file(tmp_path / "out/part.safetensors")
    assert file.keys() == {f"base:{name}" for name in tuned.params.groups[0]["params"]}
    with safe_open(tmp_path / "out/part.safetensors", "pt") as opened:
        assert opened.metadata()["hcpgraph.component"] == "denoiser" and opened.metadata()["hcpgraph"] == "{}"

    fresh = load_model(ctx, path="models:tiny").denoiser
    before = weights(fresh)
    loaded = load_part(ctx, fresh, path="out:part.safetensors")
    assert loaded.family == fresh.family and not loaded.trainable
    trained, found = weights(tuned.model), weights(loaded)
    assert all(torch.equal(found[name], trained[name]) for name in trained)
    assert any(not torch.equal(found[name], before[name]) for name in before)
    assert all(torch.equal(value, before[name]) for name, value in weights(fresh).items())


def part(ctx: Any, model: LoadedModel, **settings: Any) -> dict[str, torch.Tensor]:
    return weights(load_part(ctx, model.denoiser, path="models:part.safetensors", **settings))


def test_strength_and_layers(model: LoadedModel, tmp_path: Path) -> None:
    ctx = context(tmp_path)
    own = weights(model.denoiser)
    keys = [key for key in own if ".attn2." in key or key.startswith("conv_in.")]
    other = {key: torch.randn_like(own[key]) for key in keys}
    save_file(other, tmp_path / "models/part.safetensors")
    half = part(ctx, model, strength=0.25)
    assert all(torch.allclose(half[key], 0.75 * own[key] + 0.25 * other[key], atol=1e-6) for key in keys)
    assert all(torch.equal(half[key], own[key]) for key in own if key not in keys)
    only = part(ctx, model, layers=["conv_in"])
    assert all(torch.equal(only[key], (other if key.startswith("conv_in.") else own)[key]) for key in own)


def test_half_precision_is_read_and_kept(model: LoadedModel, tmp_path: Path) -> None:
    ctx = context(tmp_path, precision="bf16")
    half = load_model(ctx, path="models:tiny").denoiser
    save_part(ctx, half, layers=["conv_in"], path="models:part.safetensors", dtype="bf16")
    assert {value.dtype for value in load_file(tmp_path / "models/part.safetensors").values()} == {torch.bfloat16}
    loaded = load_part(ctx, half, path="models:part.safetensors", strength=0.5)
    assert all(torch.equal(value, weights(half)[name]) for name, value in weights(loaded).items())


def test_both_text_encoders_of_sdxl(model: LoadedModel, tmp_path: Path) -> None:
    ctx = context(tmp_path)
    encoder = load_model(ctx, path="models:sdxl").text_encoder
    save_part(
        ctx, encoder, layers=["re:.*final_layer_norm", "text_encoder_2.text_projection"], path="models:part.safetensors"
    )
    assert load_file(tmp_path / "models/part.safetensors").keys() == {
        "base:text_encoder.text_model.final_layer_norm.weight",
        "base:text_encoder.text_model.final_layer_norm.bias",
        "base:text_encoder_2.text_model.final_layer_norm.weight",
        "base:text_encoder_2.text_model.final_layer_norm.bias",
        "base:text_encoder_2.text_projection.weight",
    }
    loaded = load_part(ctx, encoder, path="models:part.safetensors")
    assert all(torch.equal(value, weights(encoder)[name]) for name, value in weights(loaded).items())


def refused(code: str, call: Any) -> str:
    with pytest.raises(GraphError) as caught:
        call()
    assert caught.value.problem.code == code
    return caught.value.problem.message


def test_what_does_not_fit_is_told_at_once(model: LoadedModel, tmp_path: Path) -> None:
    ctx = context(tmp_path)
    bad = {"base:conv_inn.weight": torch.zeros(1), "conv_out.bias": torch.zeros(9)}
    save_file(bad | {f"x{i}": torch.zeros(1) for i in range(30)}, tmp_path / "models/part.safetensors")
    message = refused("E_PART", lambda: part(ctx, model))
    assert "conv_inn.weight is not in the model" in message and "… and 12 more" in message
    assert "conv_out.bias is [9] in the file and [4] in the model" in refused(
        "E_PART", lambda: part(ctx, model, allow_unknown=True)
    )
    save_file({"conv_out.bias": torch.ones(4), "x": torch.zeros(1)}, tmp_path / "models/part.safetensors")
    assert torch.equal(part(ctx, model, allow_unknown=True)["conv_out.bias"], torch.ones(4))
    save_file({"conv_out.bias": torch.ones(4)}, tmp_path / "models/part.safetensors")
    refused("E_PART", lambda: part(ctx, model, layers=["conv_in"]))
    refused("E_NO_LAYER", lambda: part(ctx, model, layers=["conv_inn"]))
    refused("E_NO_LAYER", lambda: save_part(ctx, model.denoiser, layers=["cls:SiLU"]))
    refused("E_NO_MODEL", lambda: save_part(ctx, 3))
    (tmp_path / "models/part.safetensors").write_bytes(b"\x00" * 40)
    refused("E_NO_SAFETENSORS", lambda: part(ctx, model))
    assert not (tmp_path / "out").exists()


def test_a_part_goes_in_before_training_and_plugins(model: LoadedModel, tmp_path: Path) -> None:
    ctx = context(tmp_path)
    save_part(ctx, model.denoiser, layers=["conv_in"], path="models:part.safetensors")
    with_lora = lora(ctx, model.denoiser).model
    refused("E_PART", lambda: load_part(ctx, with_lora, path="models:part.safetensors"))
    tuned = trainable(ctx, model.denoiser, layers=["conv_in"]).model
    refused("E_PART", lambda: load_part(ctx, tuned, path="models:part.safetensors"))
