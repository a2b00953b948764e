"""`sample.denoise`."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Literal

import torch
from pydantic import Field

from hcpgraph import Context, Facts, Port, Whole, node
from hcpgraph.generators import seeded
from hcpgraph.rng import SEED_MAX
from hcpgraph.widgets import Hint, Seed, Slider

from ..families.auto import Auto, settled
from ..families.registry import family
from ..model.bundle import Model
from ..model.handles import Denoiser
from ..python.object import PythonObject
from ..types import Conditioning, Latents, Noise, Process
from .guidance import guided
from .progress import Progress
from .samplers import Sampler
from .schedulers import from_class, make_scheduler, set_steps
from .start import start_noise


@node(
    "sample.denoise",
    effects="random",
    packages=("diffusers",),
    gradient=False,
    takes={"model": Whole(Model, denoiser="denoiser", process="schedule")},
)
def denoise(
    ctx: Context,
    denoiser: Denoiser,
    schedule: Process,
    positive: Conditioning,
    latents: Latents,
    negative: Conditioning | None = None,
    noise: Noise | None = None,
    negative_denoiser: Denoiser | None = None,
    scheduler: PythonObject | None = None,
    *,
    sampler: Annotated[Literal["auto", Sampler], Hint(primary=True)] = "dpmpp_2m_karras",
    steps: Annotated[Annotated[int, Field(ge=1, le=1000)] | Auto, Slider(step=1)] = 25,
    guidance: Annotated[Annotated[float, Field(ge=0, le=100)] | Auto, Slider(step=0.5)] = 7.5,
    image_guidance: Annotated[float, Field(ge=1, le=100), Slider(step=0.1, advanced=True)] = 1.0,
    eta: Annotated[float, Field(ge=0, le=1), Slider(step=0.05, advanced=True)] = 0.0,
    seed: Annotated[int, Field(ge=0, le=SEED_MAX), Seed(primary=True)] = 0,
) -> Annotated[Latents, Facts(latents=Port("denoiser"))]:
    """Sample latents from noise.

    Sample i draws everything (start noise and the noise of stochastic samplers) from a generator seeded with
    `seed + i`, as diffusers pipelines do with a list of generators: equal seeds give equal pictures. In the step of a
    training loop and in flow.repeat every pass draws anew; a preview in train.every draws as outside. No gradients flow
    through it.

    Args:
        model: The model on one wire, instead of denoiser and schedule.
        denoiser: The model, with the plugins of its wire.
        schedule: The forward process it was trained with; a flow's shift spaces the steps.
        positive: Condition of B samples, or one for all.
        latents: Their size and number (B, C, h, w).
        negative: Condition to stay away from; guidance above 1 needs it, but for SDXL models that take zeros instead.
        noise: Start noise (B, C, h, w) instead of the seed's own draw.
        negative_denoiser: Model for the negative condition, such as one with another LoRA; by default the same.
        scheduler: A diffusers scheduler class of your own choice, from python.object, instead of the sampler.
        sampler: Solver and noise schedule. A rectified flow has euler, heun, lcm, unipc and dpmpp ones without
            karras, EDM has euler and the dpmpp_2m ones. auto: that of the denoiser's family.
        steps: Denoising steps; solvers of second order run the model twice a step. auto: as its family does.
        guidance: Scale of classifier-free guidance; 1 runs the positive condition alone, of Z-Image, which counts from
            there, 0. auto: as its family does.
        image_guidance: Scale of the guidance by the picture of condition.image, for models such as InstructPix2Pix; 1:
            the picture leads both sides alike.
        eta: Share of fresh noise in DDIM; other samplers do not read it.
        seed: Seed of the first sample.

    Returns:
        out: Clean scaled latents (B, C, h, w).

    Raises:
        GraphError: E_AUTO, nothing says what auto means; E_NO_NEGATIVE; E_PARTS, conditions that the model does not
            read, or no picture that could guide; E_BATCH, prompts or noise of other samples; E_OBJECT; E_SETTING, the
            sampler cannot do so many or so few steps, or not the model's process; E_CHANNELS, the denoiser reads other
            latents.
    """
    count = len(latents.data)
    predict = guided(
        family(denoiser.family),
        denoiser,
        negative_denoiser or denoiser,
        (positive, negative),
        count=count,
        scale=settled(guidance, "guidance"),
        image_scale=image_guidance,
    )
    if scheduler is None:
        solver = make_scheduler(settled(sampler, "sampler"), schedule)
    else:
        solver = from_class(scheduler, schedule)
    set_steps(solver, settled(steps, "steps"), denoiser.device, schedule, latents.data.shape)
    generators = ctx.generators(seed, count, latents.keys)
    start = start_noise(generators, latents, noise)
    sample = start.to(denoiser.device) * getattr(solver, "init_noise_sigma", 1.0)
    scale = getattr(solver, "scale_model_input", _as_it_is)  # flows have neither
    extra = _step_arguments(solver, generators, eta)
    total = len(solver.timesteps)
    (first,) = ctx.row_seeds(seed)
    with torch.no_grad(), seeded(first, denoiser.device):  # for schedulers that take no generator
        for index, timestep in enumerate(solver.timesteps):
            ctx.check()
            scaled = scale(sample, timestep)
            output = predict(scaled, timestep, Progress(index / total, (index + 1) / total))
            sample = solver.step(output, timestep, sample, **extra, return_dict=False)[0]
            ctx.progress(index + 1, total)
    return Latents(sample, latents.keys)


def _as_it_is(sample: torch.Tensor, timestep: Any) -> torch.Tensor:
    return sample


def _step_arguments(scheduler: Any, generators: list[torch.Generator], eta: float) -> dict[str, Any]:
    accepted = inspect.signature(scheduler.step).parameters
    return {name: value for name, value in (("generator", generators), ("eta", eta)) if name in accepted}
