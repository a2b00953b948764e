"""plugin.convert_to_lora: the nearest LoRA, what it loses, and that diffusers loads what came of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.convert_to_lora import convert_to_lora, nearest
from hcpgraph_nodes.plugins.load import load_plugin
from hcpgraph_nodes.plugins.merge import merge
from hcpgraph_nodes.plugins.save import save_plugin

from hcpgraph import GraphError
from hcpgraph.testing import context

from .adapter_models import NOISY, TEXT, TEXT_LAYERS, TIME, UNET_LAYERS, attached, random


@pytest.fixture
def model(workspace: Path):
    return load_model(context(workspace), path="models:tiny")


@pytest.mark.parametrize("shape", [(12, 8), (6, 4, 3, 3), (7, 5, 1, 1)])
def test_nearest_is_the_truncated_singular_value_decomposition(shape) -> None:
    change = random(*shape, seed=3)
    found, error = nearest(change, 3)
    down, up = found["lora_down.weight"], found["lora_up.weight"]
    assert down.shape == (3, *shape[1:]) and up.shape == (shape[0], 3, *[1] * (len(shape) - 2))
    product = (up.flatten(1) @ down.flatten(1)).reshape(shape)
    u, s, vh = torch.linalg.svd(change.flatten(1).double())
    reference = (u[:, :3] * s[:3] @ vh[:3]).reshape(shape)
    assert torch.allclose(product.double(), reference, atol=1e-5)
    assert error == pytest.approx(float((change - product).square().sum()), rel=1e-4)
    assert found["alpha"] == 3


@pytest.mark.parametrize("variant", ["tucker", "bias", "dora", "loha", "lokr", "full"])
def test_full_rank_gives_the_same_and_goes_into_diffusers(workspace: Path, model, variant: str) -> None:
    from diffusers import StableDiffusionPipeline

    ctx, events = context(workspace), []
    ctx.run.events.listener = events.append
    made = attached(model.denoiser, UNET_LAYERS, variant)
    converted = convert_to_lora(ctx, made.model, made.adapter, rank=1024)
    assert converted.model.stack == (converted.adapter.plugin,) and converted.params.groups == ()
    wanted, given = (predict(each.model, NOISY, TIME, TEXT).data for each in (made, converted))
    assert (wanted - given).abs().max() <= 2e-5 * wanted.abs().max()
    assert (wanted - predict(model.denoiser, NOISY, TIME, TEXT).data).abs().max() > 1e-2
    assert any("loses 0.00%" in event.get("message", "") for event in events)
    if variant in ("bias", "full"):
        return
    save_plugin(ctx, (converted.adapter,), path="out:c.safetensors", layout="peft", dtype="fp32")
    pipe = StableDiffusionPipeline.from_pretrained(workspace / "models/tiny", local_files_only=True)
    pipe.load_lora_weights(workspace / "out", weight_name="c.safetensors")
    with torch.no_grad():
        reference = pipe.unet(NOISY.data, TIME.data, TEXT.data).sample
    assert (reference - wanted).abs().max() <= 2e-5 * wanted.abs().max()


def test_the_loss_that_is_told_is_the_loss(workspace: Path, model) -> None:
    ctx, events = context(workspace), []
    ctx.run.events.listener = events.append
    made = attached(model.text_encoder, TEXT_LAYERS, "full")
    converted = convert_to_lora(ctx, model.text_encoder, made.adapter, rank=2)
    lost = whole = 0.0
    for path, block in made.adapter.plugin.blocks.items():
        other = converted.adapter.plugin.blocks[path].delta()
        lost += float((block.delta() - other).square().sum())
        whole += float(block.delta().square().sum())
    (told,) = [event["message"] for event in events if event["kind"] == "log"]
    assert f"loses {(lost / whole) ** 0.5:.2%} of the change" in told


def test_strength_stays_outside(workspace: Path, model) -> None:
    made = attached(model.denoiser, UNET_LAYERS, "loha")
    ctx = context(workspace)
    save_plugin(ctx, (made.adapter,), path="out:h.safetensors", dtype="fp32")
    for strength in (0.0, 0.5):
        half = load_plugin(ctx, model.denoiser, path="out:h.safetensors", strength=strength)
        converted = convert_to_lora(ctx, half.model, half.adapter, rank=64)
        one, two = (merge(each.model).root.module.state_dict() for each in (half, converted))
        assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)
        (weights, *_) = converted.adapter.plugin.blocks.values()
        assert weights.strength == strength and weights.tensors()["lora_up.weight"].abs().max() > 0.1


def test_what_has_no_lora(workspace: Path, model) -> None:
    ctx = context(workspace)
    norms = attached(model.denoiser, [""], "norm")
    with pytest.raises(GraphError, match="NormBlock at") as caught:
        convert_to_lora(ctx, norms.model, norms.adapter)
    assert caught.value.problem.code == "E_ADAPTER"
    made = attached(model.denoiser, UNET_LAYERS)
    with pytest.raises(GraphError, match="denoiser of sd15, the model is a text_encoder"):
        convert_to_lora(ctx, model.text_encoder, made.adapter)
