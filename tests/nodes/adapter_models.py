"""What the tests of adapter files share: tiny models of every family, and adapters with random weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from hcpgraph_nodes.adapter_files.canonical import kind_at
from hcpgraph_nodes.model.handles import component
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.attach import adapted
from hcpgraph_nodes.plugins.base import Plugin, chosen
from hcpgraph_nodes.plugins.blocks.kinds import BLOCKS
from hcpgraph_nodes.types import Captions, Conditioning, NoisyLatents, Timesteps
from torch import nn

from hcpgraph.testing import context

UNET_LAYERS = [
    r"re:.*attn[12]",
    r"re:.*\.ff\.net",
    r"re:.*resnets\.\d+\.(conv|time_emb)",
    r"re:.*proj_(in|out)$",
    r"re:.*(down|up)samplers",
    "conv_in",
]
TEXT_LAYERS = [r"re:.*self_attn\.", r"re:.*mlp"]
PROMPT = Captions(("a red cat", "two dogs"))


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


NOISY = NoisyLatents(random(2, 4, 8, 8))
TIME = Timesteps(torch.tensor([10, 700]))
TEXT = Conditioning.of(random(2, 77, 32, seed=1))


def fill(made: Any, seed: int) -> Any:
    """Random weights instead of those at the start, which are the identity."""
    with torch.no_grad():
        for index, parameter in enumerate(made.adapter.plugin.parameters()):
            parameter.copy_(0.2 * random(*parameter.shape, seed=1000 * seed + index))
    return made


def opened(workspace: Path, folder: Path, name: str) -> Any:
    """A model from `models:name`, a copy of the folder."""
    target = workspace / "models" / name
    if not target.exists():
        shutil.copytree(folder, target)
    return load_model(context(workspace), path=f"models:{name}")


def weights_of(variant: str, layer: nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """Random tensors of one adapter for a layer, by LyCORIS' suffixes.

    Args:
        variant: lora, tucker, bias, dora, loha, lokr, full, or norm for a normalisation.
        layer: A Linear or Conv2d; for norm a GroupNorm or LayerNorm.
        seed: Of the draws.
    """
    out, *rest = layer.weight.shape
    inner, kernel = (rest or [1])[0], rest[1:]
    flat = layer.weight[0].numel()
    rank = 2 + seed % 2

    def draw(*shape: int) -> torch.Tensor:
        draw.calls += 1
        return 0.2 * random(*shape, seed=100 * seed + draw.calls)

    draw.calls = 0
    alpha = {"alpha": torch.tensor(1.5 + seed % 3)}
    up = {"lora_up.weight": draw(out, rank, *[1] * len(kernel))}
    if variant in ("lora", "bias", "dora"):
        found = {"lora_down.weight": draw(rank, inner, *kernel), **up, **alpha}
        if variant == "bias":
            found["diff_b"] = draw(out)
        if variant == "dora":
            found["dora_scale"] = draw(out, *[1] * (1 + len(kernel))).abs() + 0.5
        return found
    if variant == "tucker":
        if tuple(kernel) in ((), (1, 1)):
            return {"lora_down.weight": draw(rank, inner, *kernel), **up, **alpha}
        down, mid = draw(rank, inner, 1, 1), draw(rank, rank, *kernel)
        return {"lora_down.weight": down, "lora_mid.weight": mid, **up, **alpha}
    if variant == "loha":
        halves = {
            f"hada_w{n}_{side}": draw(*shape)
            for n in (1, 2)
            for side, shape in (("a", (out, rank)), ("b", (rank, flat)))
        }
        return {**halves, **alpha}
    if variant == "lokr":
        second = {"lokr_w2_a": draw(out // 2, rank), "lokr_w2_b": draw(rank, flat // 2)}
        return {"lokr_w1": draw(2, 2), **second, **alpha}
    assert variant in ("full", "norm")
    return {"diff": draw(*layer.weight.shape)} | ({"diff_b": draw(out)} if layer.bias is not None else {})


def attached(model: Any, layers: list[str], variant: str = "lora") -> Any:
    """A model with a random adapter at every Linear and Conv2d, or norm, that the selectors mean."""
    blocks = {}
    classes = (nn.GroupNorm, nn.LayerNorm) if variant == "norm" else (nn.Linear, nn.Conv2d)
    for seed, point in enumerate(chosen(model, layers, classes, hooks=False)):
        weights = weights_of(variant, point.layer, seed)
        blocks[point.path] = BLOCKS[kind_at(point.layer, weights)].from_tensors(
            point.layer, weights, strength=1.0, path=point.path
        )
    return adapted(model, component(model), Plugin(blocks), "test", None)
