"""Noise: independence of the batch, equality with diffusers, moments."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers.utils.torch_utils import randn_tensor
from hcpgraph_nodes.diffusion.add_noise import add_noise
from hcpgraph_nodes.diffusion.target import target
from hcpgraph_nodes.families.schedule import read
from hcpgraph_nodes.noise.channel_offset import channel_offset
from hcpgraph_nodes.noise.coarse import coarse_noise
from hcpgraph_nodes.noise.gaussian import gaussian_noise
from hcpgraph_nodes.noise.offset import offset_noise
from hcpgraph_nodes.noise.perturb import perturb_noise
from hcpgraph_nodes.noise.pyramid import pyramid_noise
from hcpgraph_nodes.types import Latents, Noise, Timesteps

from hcpgraph import Context, GraphError
from hcpgraph.testing import context

from .conftest import SCHEDULE

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


def keyed(count: int, *shape: int, zeros: bool = False) -> Noise:
    keys = tuple(("d", 0, index) for index in range(count))
    drawn = torch.randn(count, *shape, generator=torch.Generator().manual_seed(9))
    return Noise(torch.zeros(count, *shape) if zeros else drawn, keys)


def row(noise: Noise, index: int) -> Noise:
    return Noise(noise.data[index : index + 1], noise.keys and noise.keys[index : index + 1])


def test_channel_offset_is_noise_offset_with_one_strength(tmp_path: Path) -> None:
    ctx, noise = context(tmp_path, node="offset", path=(2,)), keyed(5, 4, 3, 3)
    assert torch.equal(channel_offset(ctx, noise, strengths=[0.1]).data, offset_noise(ctx, noise, strength=0.1).data)
    assert not torch.equal(
        channel_offset(ctx, noise, strengths=[0.2]).data, offset_noise(ctx, noise, strength=0.1).data
    )


def test_channel_offset_by_channel_sample_and_chance(tmp_path: Path) -> None:
    ctx, noise = context(tmp_path, node="offset"), keyed(4000, 3, 1, 2, zeros=True)
    shifted = channel_offset(ctx, noise, strengths=[0.1, 0.0, 0.5]).data
    assert torch.equal(shifted[..., 0], shifted[..., 1])
    assert torch.allclose(shifted[:, :, 0, 0].std(0), torch.tensor([0.1, 0.0, 0.5]), rtol=0.05)
    some = channel_offset(ctx, noise, strengths=[0.1, 0.0, 0.5], probability=0.3).data
    hit = some[:, 0, 0, 0] != 0
    assert abs(hit.float().mean() - 0.3) < 0.03 and torch.equal(some[hit], shifted[hit])
    varied = channel_offset(ctx, noise, strengths=[0.3], vary=True).data[:, :, 0, 0]
    assert abs(varied.var().item() - 0.09 / 3) < 0.003, "s² E[u²] = s² / 3"
    factors = varied / channel_offset(ctx, noise, strengths=[0.3]).data[:, :, 0, 0]
    assert torch.allclose(factors[:, 0], factors[:, 2], rtol=1e-3) and factors.min() >= 0 and factors.max() <= 1
    settings = {"strengths": [0.1], "probability": 0.5, "vary": True}
    assert torch.equal(
        channel_offset(ctx, row(noise, 7), **settings).data, channel_offset(ctx, noise, **settings).data[7:8]
    )
    with pytest.raises(GraphError, match="E_WEIGHTS_COUNT"):
        channel_offset(ctx, noise, strengths=[0.1, 0.2])


def whitaker(ctx: Context, noise: Noise, levels: int, discount: float, factor: float, vary: float) -> torch.Tensor:
    """The source's loop, a sample at a time and with the finest level once, without its last line."""
    _, c, h, w = noise.data.shape
    found = []
    for data, key in zip(noise.data, noise.keys or (), strict=True):
        generator, whole = ctx.generator(key), data[None].clone()
        for i in range(1, levels + 1):
            r = factor + vary * torch.rand((), generator=generator).item() if vary else factor
            high, wide = max(1, int(h / r**i)), max(1, int(w / r**i))
            field = torch.randn(1, c, high, wide, generator=generator)
            whole += torch.nn.Upsample(size=(h, w), mode="bilinear")(field) * discount**i
            if high == 1 or wide == 1:
                break
        found.append(whole)
    return torch.cat(found)


@pytest.mark.parametrize("vary", [0.0, 2.0])
def test_pyramid_is_the_sources_sum_of_variance_one(tmp_path: Path, vary: float) -> None:
    ctx, noise = context(tmp_path, node="pyramid", path=(3,)), keyed(2000, 2, 9, 12)
    found = pyramid_noise(ctx, noise, levels=5, discount=0.8, vary=vary).data
    source = whitaker(ctx, noise, 5, 0.8, 2.0, vary)
    ratio = source / found
    assert (ratio[:, :1] - ratio[:, 1:]).abs().quantile(0.99) < 1e-2, "one standard deviation a place"
    assert (found.var(0) - 1).abs().max() < 0.2 and abs(found.var().item() - 1) < 0.02
    assert (source.var(0) - 1).min() > 0.3, "the twin without the division"
    near = (found[..., :-1] * found[..., 1:]).mean()
    assert near > 0.3 and abs((noise.data[..., :-1] * noise.data[..., 1:]).mean()) < 0.02, "neighbours go together"
    again = pyramid_noise(ctx, row(noise, 11), levels=5, discount=0.8, vary=vary).data
    assert torch.allclose(again, found[11:12], atol=1e-6)


def test_pyramid_without_weight_leaves_the_noise(tmp_path: Path) -> None:
    noise = keyed(3, 4, 8, 8)
    assert torch.equal(pyramid_noise(context(tmp_path), noise, discount=0.0).data, noise.data)
    assert pyramid_noise(context(tmp_path), noise).keys == noise.keys


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_coarse_noise_has_variance_one_at_every_place(tmp_path: Path, mode: str) -> None:
    keys = tuple(("d", 0, index) for index in range(6000))
    ctx, latents = context(tmp_path, node="coarse"), Latents(torch.zeros(6000, 1, 10, 7), keys)
    found = coarse_noise(ctx, latents, factor=3.0, mode=mode).data  # type: ignore[arg-type]
    assert (found.var(0) - 1).abs().max() < 0.1 and found.mean(0).abs().max() < 0.06
    drawn = ctx.normal((6000, 1, 3, 2), keys)
    plain = torch.nn.functional.interpolate(drawn, size=(10, 7), mode=mode)
    if mode == "nearest":
        assert torch.equal(found, plain)
    else:
        assert plain.var(0).min() < 0.5, "what interpolation alone leaves"
        assert torch.allclose(found, plain / plain.var(0).sqrt(), atol=0.25)
    assert torch.equal(coarse_noise(ctx, latents, factor=1.0).data, ctx.normal((6000, 1, 10, 7), keys))


def test_coarse_noise_outside_is_drawn_with_the_seed(tmp_path: Path) -> None:
    latents = Latents(torch.zeros(3, 4, 8, 8))
    found = coarse_noise(context(tmp_path), latents, factor=2.0, mode="nearest", seed=42).data
    generators = [torch.Generator("cpu").manual_seed(42 + index) for index in range(3)]
    assert torch.equal(found[..., ::2, ::2], randn_tensor((3, 4, 4, 4), generator=generators))


def test_perturbed_noise_reaches_the_network_and_not_the_target(tmp_path: Path) -> None:
    ctx, noise = context(tmp_path, node="perturb"), keyed(3000, 4, 4, 4)
    found = perturb_noise(ctx, noise, strength=0.3)
    more = found.data - noise.data
    assert abs(found.data.var().item() - 1.09) < 0.01 and abs(more.std().item() - 0.3) < 0.003
    assert abs((more * noise.data).mean().item()) < 0.005
    process = read(SCHEDULE, torch.device("cpu"))
    picture, t = Latents(torch.ones(3000, 4, 4, 4), noise.keys), Timesteps(torch.full((3000,), 300))
    seen = add_noise(picture, found, t, process).data
    alpha, sigma = process.alpha(t.data)[0], process.sigma(t.data)[0]
    assert torch.allclose(seen, alpha * picture.data + sigma * (noise.data + more), atol=1e-6)
    assert torch.equal(target(picture, noise, t, process).data, noise.data)
    assert torch.equal(perturb_noise(ctx, row(noise, 5), strength=0.3).data, found.data[5:6])
