"""FLUX.2 klein against its pipeline in diffusers, and what the models of FLUX.2 share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.condition.image import image
from hcpgraph_nodes.families.dit.flux2 import LAYOUT, mu, sized
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.model.load import LoadedModel
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.process.kinds.shift import Shift
from hcpgraph_nodes.types import Images
from PIL import Image

from hcpgraph import GraphError
from hcpgraph.testing import context

from . import files, harness
from .harness import PROMPTS, TOLERANCE, Case, drawn, encoded, far, opened, pipeline, theirs, without

WIDE = {"attention_head_dim": 128, "num_attention_heads": 1, "axes_dims_rope": [32, 32, 32, 32]}
"""Heads whose axes are known, so that tensors tell every size."""
CASE = Case("flux2_klein", guidance=4.0, negative=("", ""), told=False, called={"guidance_scale": 4.0}, louder=2.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a batch norm that is not that of an untrained autoencoder."""
    root = tmp_path_factory.mktemp("flux2_klein")
    normed(root, CASE)
    return root


def normed(root: Path, case: Case) -> None:
    path = harness.made(root, case) / "vae/diffusion_pytorch_model.safetensors"
    state, generator = files.load_file(path), torch.Generator().manual_seed(9)
    state["bn.running_mean"] = torch.randn(16, generator=generator)
    state["bn.running_var"] = torch.rand(16, generator=generator) * 4 + 0.5
    files.save_file(state, path, {"format": "pt"})


def test_prompts_are_those_of_the_pipeline(root: Path) -> None:
    model, pipe = opened(root, CASE), pipeline(root, CASE)
    with torch.no_grad():
        told, _ = pipe.encode_prompt(list(PROMPTS))
    found = encoded(model, PROMPTS)
    assert far(found.data, told) <= 1e-4 and not found.masks and found.data.shape == (2, 512, 48)


def test_pictures_are_those_of_the_pipeline(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened(root, CASE)
    positive = encoded(model, PROMPTS)
    reference = theirs(root, CASE)
    assert far(drawn(root, CASE, model, positive), reference) <= TOLERANCE
    plain = model._replace(schedule=replace(model.schedule, shift=Shift(patch=1)))
    twins = {
        "prompt": drawn(root, CASE, model, without(positive, "text")),
        "negative": drawn(root, CASE, model, positive, negative=encoded(model, PROMPTS[::-1])),
        "guidance": drawn(root, CASE, model, positive, guidance=1.0),
        "shift": drawn(root, CASE, plain, positive),
    }
    norm: Any = model.vae.root.module.bn
    monkeypatch.setattr(norm, "running_var", torch.ones(16))
    twins["batch norm"] = drawn(root, CASE, model, positive)
    assert {name: far(twin, reference) for name, twin in twins.items() if far(twin, reference) < 100 * TOLERANCE} == {}


def test_steps_and_tokens_shift_as_in_the_pipeline() -> None:
    from diffusers.pipelines.flux2.pipeline_flux2 import compute_empirical_mu

    for tokens in (64, 4096, 4300, 4301, 8192):
        for steps in (4, 28, 50):
            assert mu(tokens, steps) == pytest.approx(compute_empirical_mu(tokens, steps), abs=1e-6)
    assert mu(4096, None) == mu(4096, 50)


def led(model: LoadedModel, *pictures: torch.Tensor) -> Any:
    made = encoded(model, PROMPTS)
    for each in pictures:
        made = image(context(Path()), made, model.vae, Images(each.expand(2, -1, -1, -1)), by="tokens")
    return made


def pictures() -> tuple[list[Image.Image], list[torch.Tensor]]:
    """Two of other sizes than what is made, for the pipeline and for us."""
    generator = torch.Generator().manual_seed(3)
    pixels = [torch.randint(256, shape, generator=generator).byte() for shape in ((64, 72, 3), (96, 64, 3))]
    ours = [each.permute(2, 0, 1)[None].float() / 255 for each in pixels]
    return [Image.fromarray(each.numpy()) for each in pixels], ours


def test_reference_pictures_equal_the_pipeline(root: Path) -> None:
    """All prompts of the pipeline share them."""
    model = opened(root, CASE)
    given, (first, second) = pictures()
    found = drawn(root, CASE, model, led(model, first, second))
    assert far(found, theirs(root, CASE, image=given)) <= TOLERANCE
    assert far(found, drawn(root, CASE, model, led(model, second, first))) >= 100 * TOLERANCE
    assert far(found, drawn(root, CASE, model, led(model))) >= 100 * TOLERANCE


def test_it_learns(root: Path) -> None:
    harness.learns_by_a_lora(root, CASE)
    harness.learns_whole(root, CASE)
    harness.learns_whole(root, CASE, layout="single_file")


@pytest.mark.parametrize("layout", ["kohya", "peft"])
def test_the_pipeline_reads_its_loras(root: Path, layout: str) -> None:
    harness.the_pipeline_reads_a_lora(root, CASE, layout)


def test_the_files_that_people_have(tmp_path: Path) -> None:
    case = replace(CASE, config={"transformer": WIDE})
    normed(tmp_path, case)
    files.denoiser_files_are_read(tmp_path, case)
    files.parts_are_read(tmp_path, case)


def test_sides_are_multiples_of_squares(root: Path) -> None:
    model = opened(root, CASE)
    with pytest.raises(GraphError, match="multiples of 4"):
        family("flux2_klein").latent_shape(model.vae, 18, 16)
    assert family("flux2_klein").latent_shape(model.vae, 16, 32) == (16, 8, 4)


def test_text_networks_of_too_few_layers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="after layer 27"):
        new_model(context(tmp_path), family="flux2_klein", config={"text_encoder": {"num_hidden_layers": 9}})


@pytest.mark.parametrize("name", ["flux2", "flux2_klein"])
def test_released_sizes_are_told_by_tensors_and_the_layout_is_that_of_diffusers(name: str) -> None:
    from accelerate import init_empty_weights
    from diffusers import Flux2Transformer2DModel
    from diffusers.loaders.single_file_utils import convert_flux2_transformer_checkpoint_to_diffusers

    config = family(name).transformer.released  # type: ignore[attr-defined]
    with init_empty_weights():
        state = Flux2Transformer2DModel.from_config(config).state_dict()
    original = LAYOUT.write(state)
    for known in (state, original):
        shapes = {key: tuple(value.shape) for key, value in known.items()}
        assert {**config, **sized(shapes)} == config and sized(shapes)
    converted = convert_flux2_transformer_checkpoint_to_diffusers(dict(original))
    assert {key: value.shape for key, value in converted.items()} == {key: one.shape for key, one in state.items()}


def test_values_lie_where_the_converter_of_diffusers_looks_for_them(root: Path) -> None:
    from diffusers.loaders.single_file_utils import convert_flux2_transformer_checkpoint_to_diffusers

    state = files.denoisers(root, CASE)
    converted = convert_flux2_transformer_checkpoint_to_diffusers(dict(state["bare"]))
    assert converted.keys() == state["diffusers"].keys()
    assert all(torch.equal(converted[name], value) for name, value in state["diffusers"].items())
