"""Stable Diffusion 3 against its pipeline in diffusers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.add_noise import add_noise
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.diffusion.target import target
from hcpgraph_nodes.loss.mse import mse
from hcpgraph_nodes.loss.weighting import weighting
from hcpgraph_nodes.process.kinds.flow import RectifiedFlow
from hcpgraph_nodes.process.kinds.shift import Shift
from hcpgraph_nodes.types import Latents, Noise, Timesteps

from . import files, harness
from .harness import NEGATIVE, PROMPTS, TOLERANCE, Case, drawn, encoded, far, opened, pipeline, theirs, without

CASE = Case("sd3", guidance=7.0, called={"guidance_scale": 7.0}, louder=2.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sd3")


def test_prompts_are_those_of_the_pipeline(root: Path) -> None:
    model, pipe = opened(root, CASE), pipeline(root, CASE)
    with torch.no_grad():
        told = pipe.encode_prompt(list(PROMPTS), None, None, negative_prompt=list(NEGATIVE))
    positive, negative = encoded(model, PROMPTS), encoded(model, NEGATIVE)
    assert far(positive.data, told[0]) <= 1e-4 and far(negative.data, told[1]) <= 1e-4
    assert positive.pooled is not None and torch.equal(positive.pooled, told[2])
    assert positive.data.shape == (2, 77 + 256, 32) and not positive.masks


def test_pictures_are_those_of_the_pipeline(root: Path) -> None:
    model = opened(root, CASE)
    positive = encoded(model, PROMPTS)
    reference = theirs(root, CASE)
    assert far(drawn(root, CASE, model, positive), reference) <= TOLERANCE
    plain = model._replace(schedule=replace(model.schedule, shift=Shift(grid="table")))
    assert isinstance(plain.schedule, RectifiedFlow)
    twins = {
        "prompt": drawn(root, CASE, model, without(positive, "text")),
        "pooled": drawn(root, CASE, model, without(positive, "pooled")),
        "guidance": drawn(root, CASE, model, positive, guidance=3.0),
        "shift": drawn(root, CASE, plain, positive),
    }
    assert {name: far(twin, reference) for name, twin in twins.items() if far(twin, reference) < 100 * TOLERANCE} == {}


def test_it_draws_without_t5(root: Path) -> None:
    """A pipeline without its third encoder takes zeros for it; so does a folder that has none."""
    harness.made(root, CASE)
    pipe = pipeline(root, CASE)
    pipe.text_encoder_3 = pipe.tokenizer_3 = None
    folder = root / "models/small"
    if not folder.exists():
        pipe.save_pretrained(folder)
    small = harness.load_model(harness.context(root), path="models:small")
    assert [clip.name for clip in small.text_encoder.clips] == ["text_encoder", "text_encoder_2"]
    case = replace(CASE, name="small")
    found = drawn(root, case, small, encoded(small, PROMPTS))
    assert far(found, theirs(root, CASE, pipe)) <= TOLERANCE


def test_it_learns(root: Path) -> None:
    harness.learns_by_a_lora(root, CASE)
    harness.learns_whole(root, CASE)
    harness.learns_whole(root, CASE, layout="single_file")


def test_the_files_that_people_have(root: Path) -> None:
    files.denoiser_files_are_read(root, CASE, told=True)
    files.parts_are_read(root, CASE)


def test_the_layout_is_that_of_diffusers(root: Path) -> None:
    """Its converter, the other way: from the authors' file to the weights of the transformer."""
    from diffusers.loaders.single_file_utils import convert_sd3_transformer_checkpoint_to_diffusers

    state = files.denoisers(root, CASE)
    converted = convert_sd3_transformer_checkpoint_to_diffusers(dict(state["bare"]))
    assert converted.keys() == state["diffusers"].keys()
    assert all(torch.equal(converted[name], value) for name, value in state["diffusers"].items())


def test_the_loss_is_that_of_the_example_scripts(root: Path) -> None:
    """`train_dreambooth_lora_sd3.py` of diffusers with its defaults, retyped: logit-normal draws of an index of the
    shifted table, and the prediction of x_0 (`precondition_outputs`), which weighs the velocity's error by sigma²."""
    model = opened(root, CASE)
    shape = (4, 4, 8, 8)
    clean, noise = (torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    scheduler = pipeline(root, CASE).scheduler
    u = torch.sigmoid(torch.randn(4, generator=torch.Generator().manual_seed(3)))
    index = (u * scheduler.config.num_train_timesteps).long()
    sigmas = scheduler.sigmas[index].view(-1, 1, 1, 1)
    text = encoded(model, PROMPTS * 2)
    noisy = (1 - sigmas) * clean + sigmas * noise
    given = {"encoder_hidden_states": text.data, "pooled_projections": text.pooled, "return_dict": False}
    with torch.no_grad():
        raw = pipeline(root, CASE).transformer(noisy, timestep=scheduler.timesteps[index], **given)[0]
        expected = (noisy - sigmas * raw - clean).square().flatten(1).mean(1)
        times = Timesteps(sigmas.flatten())
        ours = predict(
            model.denoiser,
            add_noise(Latents(clean), Noise(noise), times, model.schedule),
            times,
            text,
            schedule=model.schedule,
        )
        errors = mse(ours, target(Latents(clean), Noise(noise), times, model.schedule))
        weighed = weighting(errors, times, model.schedule, scheme="sigma_squared")
    assert torch.allclose(weighed.data.flatten(1).mean(1), expected, rtol=1e-4, atol=1e-6)
