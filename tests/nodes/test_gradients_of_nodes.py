"""Every node that takes and gives tensors carries gradients from the first to the last, or is declared not to."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.image_encoder.new import new_image_encoder
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.process.kinds.flow import RectifiedFlow
from hcpgraph_nodes.projection.new import new_projection
from hcpgraph_nodes.python.object import PythonObject
from hcpgraph_nodes.types import (
    Captions,
    Conditioning,
    CropInfo,
    Features,
    Images,
    Latents,
    Loss,
    LossMask,
    Noise,
    NoisyLatents,
    Posterior,
    Prediction,
    Reconstruction,
    SampleLoss,
    Target,
    Timesteps,
)
from torch import Tensor

import hcpgraph
from hcpgraph.declaring.node import Impl
from hcpgraph.declaring.registry import default_registry
from hcpgraph.running.gradients import parts
from hcpgraph.testing import context

SEEDS = count()
"""Features that are compared differ."""
TENSORS = {
    "Images": lambda: Images(leaf(2, 3, 16, 16).sigmoid()),
    "Pictures": lambda: Images(leaf(2, 3, 28, 28).sigmoid()),
    "Features": lambda: Features(leaf(2, 6, 32, seed=next(SEEDS)), (2, 3)),
    "Latents": lambda: Latents(leaf(2, 4, 8, 8)),
    "Posterior": lambda: Posterior(leaf(2, 4, 8, 8), leaf(2, 4, 8, 8).abs() + 0.1),
    "Reconstruction": lambda: Reconstruction(leaf(2, 3, 16, 16)),
    "NoisyLatents": lambda: NoisyLatents(leaf(2, 4, 8, 8)),
    "Noise": lambda: Noise(leaf(2, 4, 8, 8)),
    "Conditioning": lambda: Conditioning.of(leaf(2, 77, 32)),
    "Prediction": lambda: Prediction(leaf(2, 4, 8, 8)),
    "Target": lambda: Target(leaf(2, 4, 8, 8, seed=1)),
    "SampleLoss": lambda: SampleLoss(leaf(2, 4, 8, 8)),
    "Loss": lambda: Loss(leaf(1).sum(), 2),
    "LossMask": lambda: LossMask(leaf(2, 1, 16, 16).abs()),
    "$T": lambda: Latents(leaf(2, 4, 8, 8)),
    "Numbers": lambda: SampleLoss(leaf(2, 4, 8, 8, seed=1)),
    "Rows": lambda: SampleLoss(leaf(2, 4, 8, 8, seed=1)),
    "$T:Numbers": lambda: Latents(leaf(2, 4, 8, 8)),
    "$T:Rows": lambda: Latents(leaf(2, 4, 8, 8)),
    "any": lambda: Latents(leaf(2, 4, 8, 8)),
}
"""What can carry gradients, and asks for them here."""
SETTINGS: dict[str, dict[str, Any]] = {
    "sample.denoise": {"steps": 1, "guidance": 1.0},
    "sample.until": {"steps": 1, "gradient": "all"},
    "image.resize": {"width": 8, "height": 8},
    "diffusion.features": {"layers": ["mid_block"]},
    "tensor.formula": {"rows": [{"op": "mul", "of": ["in0", "in1"]}]},
}
EYE = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28}
FLOW = {"Process": RectifiedFlow(), "Timesteps": Timesteps(torch.tensor([0.1, 0.5]))}
OTHERS: dict[str, dict[str, Any]] = {"loss.weighting": FLOW}
"""Nodes that want another process than that of the model."""
NO_PICTURES = "text.encode"
"""The text encoder of SD 1.x takes no pictures, which are all that could carry gradients into it."""
ALONE = {"sample.denoise", "sample.until", "timesteps.importance"}
"""Nodes that are called without what they can do without."""
LOOKED_AT = {"image.grid"}
"""Pictures of it are made to be looked at; on the way to a loss the first pass names it."""


def leaf(*shape: int, seed: int = 0) -> Tensor:
    """Values, not weights, that ask for gradients."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)).requires_grad_() * 1.0


def concerned() -> list[str]:
    registry = default_registry()
    found = []
    for id, spec in sorted(registry.specs.items()):
        through = (any(port.ref.name in TENSORS for port in side) for side in (spec.inputs, spec.outputs))
        if (
            all(through) and not spec.body and not id.startswith("flow.") and id != NO_PICTURES
        ):  # what hands on whatever it gets
            found.append(id)
    return found


@pytest.fixture(scope="module")
def others(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What carries none: a frozen model, texts, timesteps, sizes."""
    workspace = tmp_path_factory.mktemp("gradients")
    shutil.copytree(tiny_folder, workspace / "models/tiny")
    model = load_model(context(workspace), path="models:tiny")
    return {
        "Denoiser": model.denoiser,
        "TextEncoder": model.text_encoder,
        "Vae": model.vae,
        "ImageEncoder": new_image_encoder(context(workspace), config=EYE),
        "Projection": new_projection(context(workspace), width=32, out_width=16),
        "Process": model.schedule,
        "Captions": Captions(("a cat", "a dog")),
        "Timesteps": Timesteps(torch.tensor([3, 500])),
        "CropInfo": CropInfo(torch.tensor([[16, 16, 0, 0, 16, 16]] * 2)),
        "PythonObject": PythonObject(torch.nn.L1Loss, {}),
    }


def call(impl: Impl, workspace: Path, others: dict[str, Any]) -> tuple[list[Tensor], Any]:
    """The tensors that went in asking for gradients, and what came out."""
    ports = []
    for port in impl.spec.inputs:
        if impl.spec.id in ALONE and port.optional:
            ports.append(None)
            continue
        known = {**others, **OTHERS.get(impl.spec.id, {})}
        made = TENSORS[port.ref.name]() if port.ref.name in TENSORS else known[port.ref.name]
        ports.append((made,) if port.many else made)
    ctx = (context(workspace),) if impl.spec.takes_ctx else ()
    settings = SETTINGS.get(impl.spec.id, {})
    result = impl.target(**settings)(*ctx, *ports) if impl.spec.is_class else impl.target(*ctx, *ports, **settings)
    return [part for port in ports for part in parts(port) if isinstance(part, Tensor) and part.requires_grad], result


@pytest.mark.parametrize("id", concerned())
def test_gradients_go_through_or_end_by_declaration(id: str, tmp_path: Path, others: dict[str, Any]) -> None:
    impl = default_registry().impl(id)
    asked, result = call(impl, tmp_path, others)
    assert asked
    gave = [part for part in parts(result) if isinstance(part, Tensor)]
    carrying = [tensor for tensor in gave if tensor.requires_grad]
    if not impl.spec.gradient or id in LOOKED_AT:
        assert not carrying, "it is declared to end gradients and does not"
        return
    assert carrying, "gradients end here: mend the node, or declare it with gradient=False"
    found = torch.autograd.grad(sum(tensor.sum() for tensor in carrying), asked, allow_unused=True)
    assert any(gradient is not None and gradient.abs().sum() > 0 for gradient in found)


def test_the_nodes_that_end_gradients_are_these() -> None:
    cut = {id for id, spec in hcpgraph.default_registry().specs.items() if not spec.gradient}
    assert cut == {
        "diffusion.as_target",
        "noise.coarse",
        "noise.gaussian",
        "sample.denoise",
        "tensor.stop_gradient",
    } | {"timesteps.importance"}


def test_gradients_go_through_a_model_that_is_frozen(others: dict[str, Any], tmp_path: Path) -> None:
    decoder = others["Vae"]
    assert not decoder.trainable and not any(p.requires_grad for p in decoder.root.module.parameters())
    asked, result = call(default_registry().impl("vae.reconstruct"), tmp_path, others)
    module = decoder.root.module
    (expected,) = torch.autograd.grad((module.decode(asked[0] / 0.18215).sample / 2 + 0.5).sum(), asked[0])
    assert torch.equal(torch.autograd.grad(result.data.sum(), asked)[0], expected)
