"""Sampling with ControlNets against diffusers' pipelines."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.controlnet.apply import apply_controlnet
from hcpgraph_nodes.image.decode import decode
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.kinds import WrapPluginBlock
from hcpgraph_nodes.sample.denoise import denoise
from hcpgraph_nodes.sample.empty_latents import empty_latents
from hcpgraph_nodes.sample.progress import Progress
from hcpgraph_nodes.sample.schedulers import make_scheduler
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions, Images

from hcpgraph import GraphError
from hcpgraph.testing import context

from .control_sets import control, pictures

pytestmark = pytest.mark.slow

PROMPTS = ("a red cat", "two dogs on the beach")
NEGATIVE = ("blurry", "bad picture")
SIZE = {"width": 16, "height": 24}
BOTH = pictures(2, 24, 16)


@pytest.fixture
def model(workspace: Path):
    return load_model(context(workspace), path="models:tiny")


def ours(workspace: Path, model, denoiser, *, guidance: float, sampler: str = "ddim", steps: int = 6, **inputs):
    ctx = context(workspace)
    positive = encode_text(model.text_encoder, Captions(PROMPTS))
    negative = encode_text(model.text_encoder, Captions(NEGATIVE)) if guidance > 1 else None
    latents = empty_latents(model.vae, **SIZE, count=2)
    out = denoise(
        ctx,
        denoiser,
        model.schedule,
        positive,
        latents,
        negative,
        sampler=sampler,
        steps=steps,
        guidance=guidance,
        seed=11,
        **inputs,
    )
    return decode(ctx, model.vae, out).data


def theirs(workspace: Path, model, nets, images, *, guidance: float, sampler: str = "ddim", steps: int = 6, **more):
    from diffusers import StableDiffusionControlNetPipeline

    pipe = StableDiffusionControlNetPipeline.from_pretrained(
        workspace / "models/tiny",
        controlnet=[net.root.module for net in nets] if len(nets) > 1 else nets[0].root.module,
        local_files_only=True,
        safety_checker=None,
    )
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = make_scheduler(sampler, model.schedule)
    return pipe(
        list(PROMPTS),
        image=[image.data for image in images] if len(nets) > 1 else images[0].data,
        negative_prompt=list(NEGATIVE),
        generator=[torch.Generator("cpu").manual_seed(11 + index) for index in range(2)],
        output_type="pt",
        guidance_scale=guidance,
        num_inference_steps=steps,
        **SIZE,
        **more,
    ).images


@pytest.mark.parametrize(
    ("guidance", "sampler", "strength", "start", "end"),
    [
        (4.0, "ddim", 1.0, 0.0, 1.0),
        (1.0, "dpmpp_2m_karras", 0.6, 0.0, 1.0),
        (4.0, "ddim", 0.8, 0.34, 1.0),
        (3.0, "heun", 1.5, 0.0, 0.5),
        (3.0, "euler_a", 1.0, 1 / 6, 4 / 6),
    ],
)
def test_equals_the_pipeline(
    workspace: Path, model, guidance: float, sampler: str, strength: float, start: float, end: float
) -> None:
    net = control(workspace, model.denoiser)
    led = apply_controlnet(model.denoiser, net, BOTH, strength=strength, start=start, end=end)
    found = ours(workspace, model, led, guidance=guidance, sampler=sampler)
    reference = theirs(
        workspace,
        model,
        [net],
        [BOTH],
        guidance=guidance,
        sampler=sampler,
        controlnet_conditioning_scale=strength,
        control_guidance_start=start,
        control_guidance_end=end,
    )
    assert (found - reference).abs().max() <= 1e-4
    always = apply_controlnet(model.denoiser, net, BOTH, strength=strength)
    for other in (model.denoiser, always if (start, end) != (0.0, 1.0) else model.denoiser):
        assert (found - ours(workspace, model, other, guidance=guidance, sampler=sampler)).abs().max() > 1e-3


def test_two_nets_equal_the_pipeline_with_two(workspace: Path, model) -> None:
    nets = [control(workspace, model.denoiser, seed) for seed in (1, 2)]
    images = [BOTH, pictures(2, 24, 16, seed=9)]
    led = apply_controlnet(model.denoiser, nets[0], images[0], strength=0.7, start=0.2)
    led = apply_controlnet(led, nets[1], images[1], strength=1.2, end=0.7)
    found = ours(workspace, model, led, guidance=3.0)
    reference = theirs(
        workspace,
        model,
        nets,
        images,
        guidance=3.0,
        controlnet_conditioning_scale=[0.7, 1.2],
        control_guidance_start=[0.2, 0.0],
        control_guidance_end=[1.0, 0.7],
    )
    assert (found - reference).abs().max() <= 1e-4
    alone = apply_controlnet(model.denoiser, nets[0], images[0], strength=0.7, start=0.2)
    assert (found - ours(workspace, model, alone, guidance=3.0)).abs().max() > 1e-3


def test_one_net_twice_with_two_pictures(workspace: Path, model) -> None:
    net = control(workspace, model.denoiser)
    images = [BOTH, pictures(2, 24, 16, seed=9)]
    led = model.denoiser
    for image in images:
        led = apply_controlnet(led, net, image, strength=0.5)
    found = ours(workspace, model, led, guidance=3.0, steps=3)
    reference = theirs(
        workspace, model, [net, net], images, guidance=3.0, steps=3, controlnet_conditioning_scale=[0.5, 0.5]
    )
    assert (found - reference).abs().max() <= 1e-4


def test_one_picture_for_all_samples(workspace: Path, model) -> None:
    net = control(workspace, model.denoiser)
    one = Images(BOTH.data[:1])
    found = ours(workspace, model, apply_controlnet(model.denoiser, net, one), guidance=3.0, steps=3)
    reference = theirs(workspace, model, [net], [one], guidance=3.0, steps=3)
    assert (found - reference).abs().max() <= 1e-4


def test_guidance_in_two_calls_is_guidance_in_one(workspace: Path, model) -> None:
    net = control(workspace, model.denoiser)
    led, again = (apply_controlnet(model.denoiser, net, BOTH, start=0.4) for _ in range(2))
    together = ours(workspace, model, led, guidance=3.0)
    apart = ours(workspace, model, led, guidance=3.0, negative_denoiser=again)
    one_side = ours(workspace, model, led, guidance=3.0, negative_denoiser=model.denoiser)
    assert (together - apart).abs().max() <= 1e-4
    assert (together - one_side).abs().max() > 1e-3


def test_plugins_see_how_far_sampling_is(workspace: Path, model) -> None:
    seen: dict[str, list[Progress]] = {"one": [], "other": []}

    class Watch(WrapPluginBlock):
        wants = ("progress",)

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def forward(self, host, *args, progress, **kwargs):
            seen[self.name].append(progress)
            return host(*args, **kwargs)

    one, other = (
        model.denoiser.attach(Watch.on(model.denoiser, [""], lambda at, name=name: Watch(name))) for name in seen
    )
    ours(workspace, model, one, guidance=3.0, steps=4)
    assert seen["one"] == [Progress(index / 4, (index + 1) / 4, 2) for index in range(4)]
    seen["one"].clear()
    ours(workspace, model, one, guidance=3.0, steps=2, negative_denoiser=other)
    assert seen["one"] == seen["other"] == [Progress(0.0, 0.5), Progress(0.5, 1.0)]


def test_pictures_for_half_of_the_doubled_batch_are_refused(workspace: Path, model) -> None:
    net = control(workspace, model.denoiser)
    with pytest.raises(GraphError) as caught:
        ours(workspace, model, apply_controlnet(model.denoiser, net, pictures(4, 24, 16)), guidance=3.0)
    assert caught.value.problem.code == "E_BATCH" and "4 conditions for 2 samples" in caught.value.problem.message
