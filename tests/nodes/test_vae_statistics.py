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
