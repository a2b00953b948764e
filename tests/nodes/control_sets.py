"""ControlNets on the tiny model, with weights that change something."""

from __future__ import annotations

from pathlib import Path

import torch
from hcpgraph_nodes.controlnet.new import new_controlnet
from hcpgraph_nodes.model.handles import ControlNet, Denoiser
from hcpgraph_nodes.types import Conditioning, Images, NoisyLatents, Timesteps

from hcpgraph.testing import context

CHANNELS = [16, 32]
"""Halves the sides once, as the tiny VAE does."""


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def pictures(count: int, height: int = 16, width: int = 16, seed: int = 5) -> Images:
    return Images(torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed)))


NOISY = NoisyLatents(random(2, 4, 8, 8))
TIME = Timesteps(torch.tensor([10, 700]))
TEXT = Conditioning.of(random(2, 77, 32, seed=1))


def control(workspace: Path, denoiser: Denoiser, seed: int = 1, **settings) -> ControlNet:
    """A ControlNet that changes something: every weight that is zero at the start is drawn."""
    made = new_controlnet(context(workspace), denoiser, seed=seed, **{"channels": CHANNELS, **settings})
    with torch.no_grad():
        for index, parameter in enumerate(made.root.module.parameters()):
            if not parameter.any():
                parameter.copy_(0.3 * random(*parameter.shape, seed=1000 * seed + index))
    return made
