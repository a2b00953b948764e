"""What a VAE's configuration says of its latents is used, as diffusers' pipelines use it, or refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.diffusion.encode_image import encode_image
from hcpgraph_nodes.image.decode import decode
from hcpgraph_nodes.model.handles import Vae
from hcpgraph_nodes.model.statistics import Statistics
from hcpgraph_nodes.types import Images, Latents
from hcpgraph_nodes.vae.calibrate import calibrate
from hcpgraph_nodes.vae.load import load_vae
from hcpgraph_nodes.vae.save import save_vae
from safetensors.torch import load_file, save_file

from hcpgraph.errors import GraphError
from hcpgraph.testing import context

from .latent_sets import bucketed, folder

__all__ = ["folder"]  # a fixture
MEAN, DEVIATION = [0.4, -0.2, 0.1, 0.3], [1.5, 0.5, 2.0, 0.8]


def vae(tiny_sdxl_folder: Path, workspace: Path, **entries: Any) -> Vae:
    """A copy of the small SDXL model, whose posterior hardly deviates, with other entries in the VAE's config.json."""
    model = workspace / "models/own"
    shutil.rmtree(model, ignore_errors=True)
    shutil.copytree(tiny_sdxl_folder, model)
    config, (weights,) = model / "vae/config.json", (model / "vae").glob("*.safetensors")
    config.write_text(json.dumps({**json.loads(config.read_text()), **entries}))
    state = load_file(weights)
    state["quant_conv.weight"][4:], state["quant_conv.bias"][4:] = 0, -30
    save_file(state, weights, {"format": "pt"})
    return load_vae(context(workspace), path="models:own", family="sdxl")


@pytest.mark.slow
@pytest.mark.parametrize(
    "entries", [{}, {"latents_mean": MEAN, "latents_std": DEVIATION}], ids=["scale", "mean and deviation"]
)
def test_pictures_become_latents_and_latents_pictures_as_in_the_pipelines_of_diffusers(
    tiny_sdxl_folder: Path, tmp_path: Path, entries: dict[str, Any]
) -> None:
    from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline

    own = vae(tiny_sdxl_folder, tmp_path, **entries)
    plain = StableDiffusionXLPipeline.from_pretrained(tmp_path / "models/own", local_files_only=True)
    plain.set_progress_bar_config(disable=True)
    asked = {"prompt": "cat", "num_inference_steps": 2, "height": 16, "width": 16, "guidance_scale": 1.0}
    latents, pictures = (
        plain(**asked, generator=torch.Generator().manual_seed(1), output_type=kind).images for kind in ("latent", "pt")
    )
    torch.testing.assert_close(decode(context(tmp_path), own, Latents(latents)).data, pictures, rtol=1e-4, atol=1e-5)

    drawn = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    other = StableDiffusionXLImg2ImgPipeline(**plain.components)
    expected = other.prepare_latents(drawn * 2 - 1, None, 2, 1, torch.float32, "cpu", add_noise=False)
    got = encode_image(context(tmp_path), own, Images(drawn)).data
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_a_shift_is_that_of_stable_diffusion_3(tiny_sdxl_folder: Path, tmp_path: Path) -> None:
    """`(latents - shift_factor) * scaling_factor` and back, in its pipelines."""
    drawn = Images(torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    own = vae(tiny_sdxl_folder, tmp_path, scaling_factor=1.5305, shift_factor=0.0609)
    plain = vae(tiny_sdxl_folder, tmp_path, scaling_factor=1.0)
    raw = encode_image(context(tmp_path), plain, drawn, mode="mean")
    got = encode_image(context(tmp_path), own, drawn, mode="mean")
    torch.testing.assert_close(got.data, (raw.data - 0.0609) * 1.5305)
    torch.testing.assert_close(decode(context(tmp_path), own, got).data, decode(context(tmp_path), plain, raw).data)


@pytest.mark.parametrize(
    "entries", [{"shift_factor": 0.2}, {"latents_mean": MEAN, "latents_std": DEVIATION}], ids=["shift", "statistics"]
)
def test_what_was_read_is_written_and_a_measured_factor_takes_its_place(
    tiny_sdxl_folder: Path, workspace: Path, folder: Path, entries: dict[str, Any]
) -> None:
    own = vae(tiny_sdxl_folder, workspace, **entries)
    save_vae(context(workspace), own, path="out:vae")
    written = json.loads((workspace / "out/vae/config.json").read_text())
    assert {name: written[name] for name in entries} == entries
    measured = calibrate(context(workspace), own, bucketed(folder))
    save_vae(context(workspace), measured, path="out:measured")
    written = json.loads((workspace / "out/measured/config.json").read_text())
    assert all(written[name] is None for name in entries) and written["scaling_factor"] != 0.13025


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"latents_mean": MEAN}, "of latents_mean and latents_std of the VAE one is missing"),
        ({"latents_mean": MEAN[:3], "latents_std": DEVIATION}, "latents_mean of the VAE .* not 4 numbers"),
        ({"latents_mean": MEAN, "latents_std": "x"}, "latents_std of the VAE is 'x', not 4 numbers"),
        ({"latents_mean": MEAN, "latents_std": [1, 1, 1, 0]}, "must be above 0"),
        ({"latents_mean": MEAN, "latents_std": DEVIATION, "shift_factor": 0.1}, "contradict each other"),
        ({"shift_factor": "0.1"}, "shift_factor of the VAE is '0.1', no number"),
        ({"scaling_factor": 0}, "must be above 0"),
        ({"scaling_factor": float("nan")}, "no number"),
    ],
)
def test_what_contradicts_itself_is_refused_when_it_is_opened(
    tiny_sdxl_folder: Path, tmp_path: Path, entries: dict[str, Any], message: str
) -> None:
    with pytest.raises(GraphError, match=f"E_MODEL_CLASS .*{message}"):
        vae(tiny_sdxl_folder, tmp_path, **entries)


def test_the_two_directions_are_inverse() -> None:
    drawn = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    for one in (Statistics(0.5), Statistics(0.5, 0.1), Statistics(0.5, 0.0, tuple(MEAN), tuple(DEVIATION))):
        torch.testing.assert_close(one.denormalise(one.normalise(drawn)), drawn)
        torch.testing.assert_close(one.normalise(drawn)[1], one.normalise(drawn[1]))
        assert Statistics.of(one.config(), 9.0, 4) == one


def flux2(channels: int = 4) -> Any:
    """The small VAE of FLUX.2, whose batch norm has seen something."""
    from diffusers import AutoencoderKLFlux2

    sizes = {"block_out_channels": (4, 8), "layers_per_block": 1, "norm_num_groups": 2, "latent_channels": channels}
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        made = AutoencoderKLFlux2(**sizes, **blocks).eval()
        made.bn.running_mean.normal_()
        made.bn.running_var.uniform_(0.2, 3.0)
    return made


def test_statistics_of_a_batch_norm_are_those_of_flux_2() -> None:
    """Bit for bit as `Flux2Pipeline._encode_vae_image` and its decoding have them."""
    from diffusers import Flux2Pipeline

    made = flux2()
    own = Statistics.of_norm(made.bn.running_mean, made.bn.running_var, made.config.batch_norm_eps, 2)
    pictures = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        encoded = made.encode(pictures).latent_dist.mode()
        pipe: Any = object.__new__(Flux2Pipeline)
        object.__setattr__(pipe, "vae", made)
        theirs = Flux2Pipeline._encode_vae_image(pipe, pictures, generator=None)
    normal = own.normalise(encoded)
    assert torch.equal(normal, theirs) and normal.shape[1:] == own.shape(*encoded.shape[1:])
    variance = made.bn.running_var.view(1, -1, 1, 1) + made.config.batch_norm_eps
    back = Flux2Pipeline._unpatchify_latents(normal * torch.sqrt(variance) + made.bn.running_mean.view(1, -1, 1, 1))
    assert torch.equal(own.denormalise(normal), back)
    torch.testing.assert_close(back, encoded)
    plain = Statistics(1.0, 0.0, own.mean, own.deviation)
    assert (plain.normalise(encoded.repeat(1, 4, 1, 1))[..., :4, :6] - normal).abs().max() > 0.1, "squares count"
    with pytest.raises(GraphError, match="E_SIZE"):
        own.normalise(encoded[..., :3])
    assert own.config() == {}


def test_empty_latents_and_draws_have_the_shape_that_the_denoiser_sees(
    workspace: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hcpgraph_nodes.families.kl_vae import KlVae
    from hcpgraph_nodes.noise.gaussian import gaussian_noise as gaussian
    from hcpgraph_nodes.sample.empty_latents import empty_latents

    patched = Statistics(1.0, mean=(0.5,) * 16, deviation=(2.0,) * 16, patch=2)
    monkeypatch.setattr(KlVae, "statistics", lambda self, vae: patched)
    monkeypatch.setattr(KlVae, "vae_patch", lambda self, config: 2)
    ctx = context(workspace)
    own = load_vae(ctx, path="models:tiny")
    empty = empty_latents(own, width=16, height=24, count=2)
    assert empty.data.shape == (2, 16, 6, 4) and gaussian(ctx, empty).data.shape == empty.data.shape
    encoded = encode_image(ctx, own, Images(torch.rand(2, 3, 24, 16)))
    assert encoded.data.shape == empty.data.shape and decode(ctx, own, encoded).data.shape == (2, 3, 24, 16)
    with pytest.raises(GraphError, match="one latent of 4 pixels"):
        empty_latents(own, width=18, height=24)
    with pytest.raises(GraphError, match="E_LATENTS"):
        calibrate(ctx, own, bucketed(folder))
