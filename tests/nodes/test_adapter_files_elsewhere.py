"""What docs/adapter-files.md says of other programs: where files are exact, and where they are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.handles import component
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.attach import adapted
from hcpgraph_nodes.plugins.base import Plugin, chosen
from hcpgraph_nodes.plugins.blocks.lora import LoraBlock
from hcpgraph_nodes.plugins.save import save_plugin
from hcpgraph_nodes.text.encode import encode_text
from torch import nn

from hcpgraph.testing import context

from .adapter_models import NOISY, PROMPT, TEXT, TEXT_LAYERS, TIME, UNET_LAYERS, random

ALPHAS: dict[str, Callable[[int], float]] = {"one": lambda layer: 2.0, "several": lambda layer: 1.0 + layer % 4}


def with_alphas(model: Any, layers: list[str], alpha: Callable[[int], float], ranks: int) -> Any:
    """A random LoRA at every layer, with an alpha of its own."""
    blocks = {}
    for number, point in enumerate(chosen(model, layers, (nn.Linear, nn.Conv2d), hooks=False)):
        out, inner, *kernel = point.layer.weight.shape
        rank = 2 + number % ranks
        weights = {
            "lora_down.weight": 0.2 * random(rank, inner, *kernel, seed=number),
            "lora_up.weight": 0.2 * random(out, rank, *[1] * len(kernel), seed=1000 + number),
            "alpha": torch.tensor(alpha(number)),
        }
        blocks[point.path] = LoraBlock.from_tensors(point.layer, weights, strength=1.0, path=point.path)
    return adapted(model, component(model), Plugin(blocks), "test", None)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The following alpha_pattern keys")
@pytest.mark.parametrize("layout", ["kohya", "peft"])
@pytest.mark.parametrize("alphas", ALPHAS)
def test_diffusers_with_one_alpha_and_with_several(workspace: Path, layout: Any, alphas: str) -> None:
    from diffusers import StableDiffusionPipeline

    model = load_model(context(workspace), path="models:tiny")
    unet = with_alphas(model.denoiser, UNET_LAYERS, ALPHAS[alphas], ranks=3)
    text = with_alphas(model.text_encoder, TEXT_LAYERS, ALPHAS[alphas], ranks=3)
    save_plugin(context(workspace), (unet.adapter, text.adapter), path="out:x.safetensors", layout=layout, dtype="fp32")
    pipe = StableDiffusionPipeline.from_pretrained(workspace / "models/tiny", local_files_only=True)
    pipe.load_lora_weights(workspace / "out/x.safetensors")
    with torch.no_grad():
        theirs = pipe.unet(NOISY.data, TIME.data, TEXT.data).sample
        encoded = pipe.encode_prompt(list(PROMPT.texts), "cpu", 1, False)[0]
    off = float((theirs - predict(unet.model, NOISY, TIME, TEXT).data).detach().abs().max())
    off_text = float((encoded - encode_text(text.model, PROMPT).data).detach().abs().max())
    if alphas == "one" or layout == "peft":
        assert off <= 1e-5 and off_text <= 1e-5
    else:
        assert off > 1e-2 and off_text > 1e-1


def test_a_dora_divides_by_the_norm_of_the_changed_weight_which_comfyui_does_not() -> None:
    """`weight_decompose` of comfy/weight_adapter/base.py, typed: by the norm of W for scales of outputs."""
    layer = nn.Linear(12, 8)
    block = LoraBlock(layer, rank=2, alpha=2.0, decomposed=True)
    with torch.no_grad():
        layer.weight.copy_(random(8, 12))
        block.down.weight.copy_(random(2, 12, seed=1))
        block.up.weight.copy_(random(8, 2, seed=2))
        block.dora_scale.copy_(random(8, 1, seed=3).abs() + 0.5)
    weight = layer.weight.detach()
    changed = weight + block.up.weight.detach() @ block.down.weight.detach()
    scale = block.dora_scale.detach()
    ours = weight + block.delta(layer.weight).detach()
    assert torch.allclose(ours, scale * changed / changed.norm(dim=1, keepdim=True), atol=1e-6)
    comfy = scale * changed / weight.norm(dim=1, keepdim=True)
    assert (ours - comfy).norm() > 0.2 * ours.norm()
