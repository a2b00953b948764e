"""sample.denoise against the diffusers pipelines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import diffusers
import pytest
import torch
from hcpgraph_nodes.image.decode import decode
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.noise.gaussian import gaussian_noise
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.python.object import PythonObject
from hcpgraph_nodes.sample.denoise import denoise
from hcpgraph_nodes.sample.empty_latents import empty_latents
from hcpgraph_nodes.sample.samplers import SAMPLERS, Sampler
from hcpgraph_nodes.sample.schedulers import make_scheduler
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions, Noise

import hcpgraph
from hcpgraph import GraphError
from hcpgraph.errors import Cancelled
from hcpgraph.testing import context

PROMPTS = ("a red cat", "two dogs on the beach")
NEGATIVE = ("blurry", "bad picture")
SIZE = {"width": 16, "height": 24}


def ours(ctx, model, sampler: str, **settings) -> torch.Tensor:
    positive = encode_text(model.text_encoder, Captions(PROMPTS))
    negative = encode_text(model.text_encoder, Captions(NEGATIVE)) if settings.get("guidance", 7.5) > 1 else None
    latents = empty_latents(model.vae, **SIZE, count=2)
    out = denoise(ctx, model.denoiser, model.schedule, positive, latents, negative, sampler=sampler, **settings)
    return decode(ctx, model.vae, out).data


def theirs(folder: Path, model, sampler: str, seed: int, **arguments) -> torch.Tensor:
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = make_scheduler(sampler, model.schedule)
    generators = [torch.Generator("cpu").manual_seed(seed + index) for index in range(2)]
    return pipe(
        list(PROMPTS), negative_prompt=list(NEGATIVE), generator=generators, output_type="pt", **SIZE, **arguments
    ).images


@pytest.mark.parametrize("sampler", get_args(Sampler))
def test_equals_the_pipeline(workspace: Path, sampler: str) -> None:
    ctx = context(workspace)
    model = load_model(ctx, path="models:tiny")
    image = ours(ctx, model, sampler, steps=6, guidance=4.0, seed=11)
    reference = theirs(workspace / "models/tiny", model, sampler, 11, num_inference_steps=6, guidance_scale=4.0)
    assert (image - reference).abs().max() <= 1e-4
    assert image.std() > 0.01


@pytest.mark.parametrize("arguments", [{"eta": 0.7, "guidance": 3.0}, {"guidance": 1.0}])
def test_eta_and_no_guidance(workspace: Path, arguments: dict[str, float]) -> None:
    ctx = context(workspace)
    model = load_model(ctx, path="models:tiny")
    image = ours(ctx, model, "ddim", steps=5, seed=3, **arguments)
    reference = theirs(
        workspace / "models/tiny",
        model,
        "ddim",
        3,
        num_inference_steps=5,
        guidance_scale=arguments["guidance"],
        eta=arguments.get("eta", 0.0),
    )
    assert (image - reference).abs().max() <= 1e-4


def test_wired_noise_of_the_same_seed_changes_nothing(workspace: Path) -> None:
    ctx = context(workspace)
    model = load_model(ctx, path="models:tiny")
    text = encode_text(model.text_encoder, Captions(("a cat",)))
    latents = empty_latents(model.vae, **SIZE, count=2)
    noise = gaussian_noise(ctx, latents, seed=5)
    common = {"sampler": "euler_a", "steps": 4, "guidance": 1.0, "seed": 5}
    alone = denoise(ctx, model.denoiser, model.schedule, text, latents, **common)
    wired = denoise(ctx, model.denoiser, model.schedule, text, latents, None, noise, **common)
    other = denoise(ctx, model.denoiser, model.schedule, text, latents, None, Noise(noise.data + 1), **common)
    assert torch.equal(alone.data, wired.data)
    assert not torch.equal(alone.data, other.data)


def test_a_sample_does_not_depend_on_its_neighbours(workspace: Path) -> None:
    ctx = context(workspace)
    model = load_model(ctx, path="models:tiny")
    text = encode_text(model.text_encoder, Captions(("a cat",)))
    common = {"sampler": "euler_a", "steps": 4, "guidance": 1.0}
    args = (ctx, model.denoiser, model.schedule, text)
    both = denoise(*args, empty_latents(model.vae, **SIZE, count=2), seed=8, **common).data
    second = denoise(*args, empty_latents(model.vae, **SIZE, count=1), seed=9, **common).data
    assert torch.allclose(both[1:], second, atol=1e-5)


class Careless(diffusers.DDIMScheduler):
    """A stochastic scheduler that takes no generator and draws from the global one."""

    def step(self, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, return_dict: bool = True) -> Any:
        after, *_ = super().step(model_output, timestep, sample, return_dict=False)
        return (after + 0.1 * torch.randn(after.shape),)


def test_a_scheduler_that_takes_no_generator_draws_from_the_seed_too(workspace: Path) -> None:
    ctx = context(workspace)
    model = load_model(ctx, path="models:tiny")
    text = encode_text(model.text_encoder, Captions(("a cat",)))
    latents = empty_latents(model.vae, **SIZE)
    found = []
    for seed in (1, 1, 2):
        before = torch.get_rng_state()
        args = (model.denoiser, model.schedule, text, latents)
        kind = PythonObject(Careless, {})
        found.append(denoise(ctx, *args, scheduler=kind, steps=2, guidance=1.0, seed=seed).data)
        assert torch.equal(torch.get_rng_state(), before)
        torch.rand(3)
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_another_model_for_the_negative(workspace: Path) -> None:
    ctx = context(workspace)
    model = load_model(ctx, path="models:tiny")
    changed = lora(ctx, model.denoiser, layers=["re:.*attn1"], rank=2)
    with torch.no_grad():
        for parameter in changed.adapter.plugin.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    positive, negative = (encode_text(model.text_encoder, Captions((t,))) for t in ("a cat", "a dog"))
    latents = empty_latents(model.vae, **SIZE)
    args = (ctx, model.denoiser, model.schedule, positive, latents, negative, None)
    common = {"sampler": "ddim", "steps": 2, "guidance": 3.0}
    same, split, other = (
        denoise(*args, handle, **common).data
        for handle in (None, changed.model.without(changed.adapter.plugin), changed.model)
    )
    assert torch.allclose(same, split, atol=1e-5)
    assert (same - other).abs().max() > 1e-3
    alone, unread = (denoise(*args, handle, **{**common, "guidance": 1.0}).data for handle in (None, changed.model))
    assert torch.equal(alone, unread), "without guidance there is no negative side to run it for"


def test_errors(workspace: Path) -> None:
    ctx = context(workspace)
    model = load_model(ctx, path="models:tiny")
    latents = empty_latents(model.vae, **SIZE, count=3)
    text = encode_text(model.text_encoder, Captions(PROMPTS))
    with pytest.raises(GraphError) as caught:
        denoise(ctx, model.denoiser, model.schedule, text, latents, guidance=2.0)
    assert caught.value.problem.code == "E_NO_NEGATIVE"
    with pytest.raises(GraphError) as caught:
        denoise(ctx, model.denoiser, model.schedule, text, latents, guidance=1.0)
    assert caught.value.problem.code == "E_BATCH"
    with pytest.raises(GraphError) as caught:
        empty_latents(model.vae, width=17, height=16)
    assert caught.value.problem.code == "E_SIZE"
    ctx.run.cancel.set()
    with pytest.raises(Cancelled):
        denoise(ctx, model.denoiser, model.schedule, text, empty_latents(model.vae, **SIZE, count=2), guidance=1.0)


def test_prompts_of_two_lengths(workspace: Path) -> None:
    """One call for both sides of guidance where they have one length, else a call for each: the same numbers."""
    ctx = context(workspace)
    model = load_model(ctx, path="models:tiny")
    positive, negative = (encode_text(model.text_encoder, Captions(each)) for each in (PROMPTS, NEGATIVE))
    latents = empty_latents(model.vae, **SIZE, count=2)
    twice = negative.with_parts(text=torch.cat([negative.data, negative.data], dim=1))
    one, two = (denoise(ctx, model.denoiser, model.schedule, positive, latents, n, steps=2) for n in (negative, twice))
    torch.testing.assert_close(one.data, two.data, rtol=1e-3, atol=1e-3)  # attention to all tokens twice is the same


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"noise": Noise(torch.zeros(1, 4, 12, 8))}, "E_BATCH"),
        ({"noise": Noise(torch.zeros(2, 4, 12, 12))}, "E_BATCH"),
        ({"sampler": "pndm", "steps": 2}, "E_SETTING"),
        ({"sampler": "ddim", "steps": 1000}, "E_SETTING"),
        ({"scheduler": PythonObject(diffusers.UNet2DModel, {})}, "E_OBJECT"),
        ({"scheduler": PythonObject(diffusers.FlowMatchEulerDiscreteScheduler, {})}, "E_OBJECT"),
        ({"scheduler": PythonObject(diffusers.RePaintScheduler, {})}, "E_OBJECT"),
        ({"scheduler": PythonObject(diffusers.EulerDiscreteScheduler, {"use_karas_sigmas": True})}, "E_OBJECT"),
        ({"scheduler": PythonObject(diffusers.EulerDiscreteScheduler, {"beta_schedule": "magic"})}, "E_OBJECT"),
    ],
)
def test_what_cannot_be_sampled_is_told_in_words(workspace: Path, settings: dict[str, Any], code: str) -> None:
    ctx = context(workspace)
    model = load_model(ctx, path="models:tiny")
    schedule = replace(model.schedule, config={**model.schedule.config, "skip_prk_steps": False, "steps_offset": 1})
    text = encode_text(model.text_encoder, Captions(PROMPTS))
    latents = empty_latents(model.vae, **SIZE, count=2)
    with pytest.raises(GraphError) as caught:
        denoise(ctx, model.denoiser, schedule, text, latents, text, **settings)
    assert caught.value.problem.code == code


def test_every_sampler_name_is_a_class_of_diffusers() -> None:
    import diffusers

    assert set(get_args(Sampler)) == set(SAMPLERS)
    assert all(hasattr(diffusers, cls) for cls, _ in SAMPLERS.values())


WIRED = {"text": ("text.encode", {}), "one": ("loss.mean", {}), "two": ("loss.mean", {})}
UNRELATED = {"E_PORT_MISSING", "E_SCOPE", "W_UNUSED"}


def told(type: str, wires: dict[str, str], settings: dict[str, object]) -> list[str]:
    """What the rules say of a node that stands in a graph with hardly anything else."""
    g = hcpgraph.Graph()
    g.add(type, "n", **settings)
    for port, source in wires.items():
        kind, own = WIRED[source]
        g.add(kind, source, **own)
        g.connect(f"{source}.out", f"n.{port}")
    return [each.code for each in hcpgraph.validate(g) if each.node == "n" and each.code not in UNRELATED]


@pytest.mark.parametrize(
    ("type", "wires", "settings", "codes"),
    [
        ("sample.denoise", {}, {"guidance": 7.5}, ["E_NO_NEGATIVE"]),
        ("sample.denoise", {"negative": "text"}, {"guidance": 7.5}, []),
        ("sample.denoise", {"negative": "text"}, {"guidance": 1.0}, ["W_NEGATIVE_UNUSED"]),
        ("optim.schedule", {}, {"kind": "cosine", "warmup_steps": 20, "total_steps": 6}, ["E_SETTING"]),
        ("optim.schedule", {}, {"kind": "constant_with_warmup", "warmup_steps": 20, "total_steps": 0}, []),
        ("diffusion.timesteps", {}, {"low": 5, "high": 5}, ["E_RANGE"]),
        ("diffusion.timesteps", {}, {"low": 5, "high": None}, []),
        ("loss.weighted_sum", {"losses.0": "one", "losses.1": "two"}, {"weights": [1.0]}, ["E_WEIGHTS_COUNT"]),
        (
            "model.new",
            {},
            {"channels": [32, 36], "heads": 8, "text_width": 64, "text_heads": 3},
            ["E_SIZE", "E_SIZE"],
        ),
        ("model.new", {}, {"channels": [32], "heads": 4, "text_width": 64, "text_heads": 4}, []),
    ],
)
def test_rules(type: str, wires: dict[str, str], settings: dict[str, object], codes: list[str]) -> None:
    assert told(type, wires, settings) == codes
