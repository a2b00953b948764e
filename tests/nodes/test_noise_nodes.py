"""Noise: independence of the batch, equality with diffusers, moments."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers.utils.torch_utils import randn_tensor
from hcpgraph_nodes.noise.gaussian import gaussian_noise
from hcpgraph_nodes.noise.offset import offset_noise
from hcpgraph_nodes.types import Latents, Noise

from hcpgraph.testing import context

KEYS = (("cats", 0, 3), ("cats", 0, 4), ("dogs", 1, 0))


def test_gaussian_depends_on_the_sample_not_on_its_place(tmp_path: Path) -> None:
    ctx = context(tmp_path, node="noise", seed=1, path=(5,))
    whole = gaussian_noise(ctx, Latents(torch.zeros(3, 4, 8, 8), KEYS))
    turned = gaussian_noise(ctx, Latents(torch.zeros(2, 4, 8, 8), (KEYS[2], KEYS[0])))
    assert torch.equal(turned.data, whole.data[[2, 0]])
    assert whole.keys == KEYS


def test_gaussian_changes_with_step_seed_and_node(tmp_path: Path) -> None:
    latents = Latents(torch.zeros(3, 4, 8, 8), KEYS)
    base = {"node": "noise", "seed": 1, "path": (5,)}
    changes = ({}, {"path": (6,)}, {"seed": 2}, {"node": "other"})
    draws = [gaussian_noise(context(tmp_path, **{**base, **change}), latents).data for change in changes]
    again = gaussian_noise(context(tmp_path, **base, step=9), latents).data
    assert torch.equal(draws[0], again)
    assert not any(torch.equal(draws[0], other) for other in draws[1:])


def test_gaussian_outside_equals_diffusers_with_a_list_of_generators(tmp_path: Path) -> None:
    noise = gaussian_noise(context(tmp_path), Latents(torch.zeros(3, 4, 8, 8)), seed=42).data
    generators = [torch.Generator("cpu").manual_seed(42 + index) for index in range(3)]
    assert torch.equal(noise, randn_tensor((3, 4, 8, 8), generator=generators))


def test_noise_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    for keys in (KEYS, None):
        offset_noise(context(tmp_path), gaussian_noise(context(tmp_path), Latents(torch.zeros(3, 4, 8, 8), keys)))
    assert torch.equal(before, torch.random.get_rng_state())


def test_offset_shifts_whole_channels_by_its_strength(tmp_path: Path) -> None:
    keys = tuple(("d", 0, index) for index in range(2000))
    ctx = context(tmp_path, node="offset")
    noise = Noise(torch.zeros(2000, 4, 2, 2), keys)
    shifted = offset_noise(ctx, noise, strength=0.1).data
    assert torch.equal(shifted, shifted[:, :, :1, :1].expand_as(shifted))
    assert abs(shifted[:, :, 0, 0].std().item() - 0.1) < 0.003
    assert abs(shifted.mean().item()) < 0.005
    assert torch.equal(offset_noise(ctx, noise, strength=0.0).data, noise.data)
    part = offset_noise(ctx, Noise(noise.data[5:6], keys[5:6]), strength=0.1).data
    assert torch.equal(part, shifted[5:6])
