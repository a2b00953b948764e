"""ControlNets of SD 2.x and SDXL: the pipelines of diffusers, training, and files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.controlnet.apply import apply_controlnet
from hcpgraph_nodes.controlnet.load import load_controlnet
from hcpgraph_nodes.controlnet.new import new_controlnet
from hcpgraph_nodes.controlnet.probe import probe_control
from hcpgraph_nodes.controlnet.save import save_controlnet
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.image.decode import decode
from hcpgraph_nodes.loss.mse import mse
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.sample.denoise import denoise
from hcpgraph_nodes.sample.empty_latents import empty_latents
from hcpgraph_nodes.sample.schedulers import make_scheduler
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions, CropInfo, Images, Target

from hcpgraph.testing import context

from .control_sets import CHANNELS, NOISY, TIME, control, pictures, random

pytestmark = pytest.mark.slow

PROMPTS, NEGATIVE = ("a red cat", "two dogs on the beach"), ("blurry", "bad picture")
SIZE = {"width": 16, "height": 24}
PIPELINES = {"sd2": "StableDiffusionControlNetPipeline", "sdxl": "StableDiffusionXLControlNetPipeline"}


@pytest.fixture(params=["sd2", "sdxl"])
def family(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    shutil.copytree(request.getfixturevalue(f"tiny_{request.param}_folder"), tmp_path / "models/tiny")
    return request.param


@pytest.fixture
def model(family: str, tmp_path: Path):
    return load_model(context(tmp_path), path="models:tiny")


def text(model, texts: tuple[str, ...]):
    return encode_text(model.text_encoder, Captions(texts))


@pytest.mark.parametrize(("start", "end", "guidance"), [(0.0, 1.0, 4.0), (0.25, 0.75, 3.0), (0.0, 0.5, 1.0)])
def test_equals_the_pipeline(tmp_path: Path, family: str, model, start: float, end: float, guidance: float) -> None:
    import diffusers

    ctx = context(tmp_path)
    nets = [control(tmp_path, model.denoiser, seed) for seed in (1, 2)]
    images = [pictures(2, 24, 16, seed=seed) for seed in (5, 9)]
    led = model.denoiser
    for net, image, strength in zip(nets, images, (0.7, 1.2), strict=True):
        led = apply_controlnet(led, net, image, strength=strength, start=start, end=end)
    latents = empty_latents(model.vae, **SIZE, count=2)
    negative = text(model, NEGATIVE) if guidance > 1 else None
    settings = {"sampler": "ddim", "steps": 4, "guidance": guidance, "seed": 11}
    sides = (model.schedule, text(model, PROMPTS), latents, negative)
    found = decode(ctx, model.vae, denoise(ctx, led, *sides, **settings)).data
    pipe = getattr(diffusers, PIPELINES[family]).from_pretrained(
        tmp_path / "models/tiny", controlnet=[net.root.module for net in nets], local_files_only=True
    )
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = make_scheduler("ddim", model.schedule)
    reference = pipe(
        list(PROMPTS),
        negative_prompt=list(NEGATIVE),
        image=[image.data for image in images],
        controlnet_conditioning_scale=[0.7, 1.2],
        control_guidance_start=[start, start],
        control_guidance_end=[end, end],
        generator=[torch.Generator("cpu").manual_seed(11 + index) for index in range(2)],
        output_type="pt",
        num_inference_steps=4,
        guidance_scale=guidance,
        **SIZE,
    ).images
    assert (found - reference).abs().max() <= 1e-4
    plain = decode(ctx, model.vae, denoise(ctx, model.denoiser, *sides, **settings)).data
    assert (found - plain).abs().max() > 1e-3


def test_the_start_is_the_identity(tmp_path: Path, model) -> None:
    conditioning = text(model, PROMPTS)
    made = new_controlnet(context(tmp_path), model.denoiser, channels=CHANNELS)
    led = apply_controlnet(model.denoiser, made, pictures(2))
    base, same = (predict(each, NOISY, TIME, conditioning).data for each in (model.denoiser, led))
    assert torch.equal(base, same)


def test_gradients_with_sizes_of_the_pictures(tmp_path: Path, family: str, model) -> None:
    """SDXL's sizes and pooled embedding reach the ControlNet too."""
    made = trainable(context(tmp_path), control(tmp_path, model.denoiser)).model
    conditioning = text(model, PROMPTS)
    sizes = CropInfo(torch.tensor([[32, 32, 0, 4, 16, 16], [24, 16, 2, 0, 16, 16]]))
    target = Target(random(2, 4, 8, 8, seed=2), model.denoiser.prediction_type)
    led = apply_controlnet(model.denoiser, made, pictures(2))
    loss = mse(predict(led, NOISY, TIME, conditioning, sizes), target).data.mean()
    loss.backward()
    net, unet = made.root.module, model.denoiser.root.module
    own = {name: parameter.grad.clone() for name, parameter in net.named_parameters()}
    net.zero_grad()
    del led
    added = {"text_embeds": conditioning.pooled, "time_ids": sizes.data.float()} if family == "sdxl" else None
    inputs = (NOISY.data, TIME.data, conditioning.data)
    down, mid = net(*inputs, controlnet_cond=pictures(2).data, added_cond_kwargs=added, return_dict=False)
    prediction = unet(
        *inputs,
        added_cond_kwargs=added,
        down_block_additional_residuals=down,
        mid_block_additional_residual=mid,
    ).sample
    expected = ((prediction - target.data) ** 2).mean()
    expected.backward()
    torch.testing.assert_close(loss, expected)
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(own[name], parameter.grad, rtol=1e-4, atol=1e-7)
    assert all(own[name].any() for name in own)


@pytest.mark.parametrize(("path", "layout"), [("out:net", "diffusers"), ("out:net.safetensors", "single_file")])
def test_files_go_round(tmp_path: Path, family: str, model, path: str, layout: str) -> None:
    ctx = context(tmp_path)
    made = control(tmp_path, model.denoiser, channels=[16, 32, 96, 256])
    save_controlnet(ctx, made, path=path, layout=layout)
    assert probe_control(ctx.path(path)) == family
    back = load_controlnet(ctx, path=path)
    own, other = made.root.module.state_dict(), back.root.module.state_dict()
    assert own.keys() == other.keys() and all(torch.equal(own[key], other[key]) for key in own)
    assert back.family == family
    led = [apply_controlnet(model.denoiser, net, Images(pictures(2, 64, 64).data)) for net in (made, back)]
    one, two = (predict(each, NOISY, TIME, text(model, PROMPTS)).data for each in led)
    assert torch.equal(one, two)
