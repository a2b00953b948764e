"""`sample.until`: sampling that stops on the way, with gradients where they are asked for."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from hcpgraph import Context, Facts, GraphError, Port, Whole, node
from hcpgraph.rng import SEED_MAX
from hcpgraph.widgets import Hint, Seed, Slider

from ..families.registry import family
from ..model.bundle import Model
from ..model.handles import Denoiser
from ..process.kinds.predictions import moved
from ..types import Conditioning, Latents, Noise, NoisyLatents, Process, Timesteps, wide
from .grid import Spacing, grid, size_of
from .guidance import Guided, guided
from .progress import Progress
from .start import start_noise

Gradient = Literal["none", "last", "all"]


class Reached(NamedTuple):
    """Latents on the way, and where they are."""

    noisy: Annotated[NoisyLatents, Facts(latents=Port("denoiser"))]
    timesteps: Timesteps


@node(
    "sample.until",
    effects="random",
    packages=("diffusers",),
    takes={"model": Whole(Model, denoiser="denoiser", process="schedule")},
    title="Sample until",
)
def until(
    ctx: Context,
    denoiser: Denoiser,
    schedule: Process,
    positive: Conditioning,
    latents: Latents,
    to: Timesteps | None = None,
    negative: Conditioning | None = None,
    noise: Noise | None = None,
    negative_denoiser: Denoiser | None = None,
    *,
    steps: Annotated[int, Field(ge=1, le=1000), Slider(step=1, primary=True)] = 50,
    spacing: Annotated[Spacing, Hint(advanced=True)] = "auto",
    guidance: Annotated[float, Field(ge=0, le=100), Slider(step=0.5, primary=True)] = 1.0,
    image_guidance: Annotated[float, Field(ge=1, le=100), Slider(step=0.1, advanced=True)] = 1.0,
    gradient: Annotated[Gradient, Hint(primary=True)] = "none",
    seed: Annotated[int, Field(ge=0, le=SEED_MAX), Seed()] = 0,
) -> Reached:
    """Sample from noise down to timesteps on the way, with DDIM, of a flow and of EDM with Euler's steps.

    Each sample goes from point to point of the sampler's grid, as sample.denoise does, and its final step ends
    exactly at its timestep, on the grid or not. Samples that have arrived wait for the others: with one timestep for
    every sample, such as timesteps.grid gives with `same`, nothing is computed in vain. Concepts are erased at such
    latents (Gandikota et al. 2023, https://arxiv.org/abs/2303.07345, section 4.1), and models are judged or taught by
    what they sample. Draws are those of sample.denoise.

    Args:
        model: The model on one wire, instead of denoiser and schedule.
        denoiser: The model, with the plugins of its wire.
        schedule: The forward process it was trained with; a flow's shift spaces the steps.
        positive: Condition of B samples, or one for every sample.
        latents: Their size and number (B, C, h, w), and their sample keys.
        to: Timesteps (B,) at which samples end, of timesteps.grid, diffusion.timesteps or others; without a wire the
            end, which is timestep 0 of a table and no noise of flows and EDM.
        negative: Condition to stay away from; guidance above 1 needs it, but for models that have one of their own.
        noise: Start noise (B, C, h, w) instead of the seed's own draw.
        negative_denoiser: Model for the negative condition; by default the same.
        steps: Points of the grid from the noise to the end.
        spacing: How a table is divided, as in timesteps.grid.
        guidance: Scale of classifier-free guidance; 1 runs the positive condition alone, of Z-Image 0.
        image_guidance: Scale of the guidance by the picture of condition.image; 1: the picture leads both sides alike.
        gradient: `none` cuts gradients, `last` lets them through the last step of every sample alone, which takes the
            latents before it as they are, `all` through all steps, which keeps the activations of all.
        seed: Seed of the first sample, for latents that came from no data set.

    Returns:
        noisy: The latents (B, C, h, w) at their timesteps.
        timesteps: Those timesteps (B,): `to`, or the first point of the grid where that has less noise.

    Raises:
        GraphError: E_NO_NEGATIVE; E_PARTS, conditions that the model does not read, or no picture that could guide;
            E_BATCH, prompts, noise or timesteps of other samples; E_SETTING, the process has not so many points, or no
            such spacing; E_TIMESTEPS, times of another process; E_CHANNELS, the denoiser reads other latents.
    """
    count, device = len(latents.data), denoiser.device
    if to is not None and len(to.data) != count:
        message = f"{len(to.data)} timesteps for {count} samples"
        raise GraphError("E_BATCH", message, port="to", hint="wire timesteps of the same samples")
    predict = guided(
        family(denoiser.family),
        denoiser,
        negative_denoiser or denoiser,
        (positive, negative),
        count=count,
        scale=guidance,
        image_scale=image_guidance,
    )
    points, factor = grid(schedule, steps, spacing, size_of(latents.data.shape), device)
    ends = torch.zeros_like(points[:1]).expand(count) if to is None else to.data.to(device)
    schedule.sigma(ends)  # refuses times of another process
    noisy = start_noise(ctx.generators(seed, count, latents.keys), latents, noise).to(device) * factor
    lowest, levels = float(ends.min()), points.tolist()
    for index, level in enumerate(levels):
        if level <= lowest:
            break
        ctx.check()
        following = points[index + 1] if index + 1 < len(levels) else torch.zeros_like(points[0])
        told = Progress(index / len(levels), (index + 1) / len(levels))
        noisy = _step(predict, schedule, noisy, points[index], following, ends, gradient, told)
        ctx.progress(index + 1, len(levels))
    return Reached(NoisyLatents(noisy, latents.keys), Timesteps(torch.minimum(ends, points[0]), latents.keys))


def _step(
    predict: Guided,
    schedule: Process,
    noisy: Tensor,
    level: Tensor,
    following: Tensor,
    ends: Tensor,
    gradient: Gradient,
    progress: Progress,
) -> Tensor:
    """The latents (B, C, h, w) after a step from one point, where all are that have not arrived, towards the next one.

    Args:
        predict: What predicts.
        schedule: The forward process.
        noisy: The latents (B, C, h, w).
        level: The time of those that go on, a single number.
        following: That of the next point.
        ends: Where each sample ends (B,).
        gradient: Through which steps gradients flow.
        progress: Where sampling is.
    """
    going, last = ends < level, (ends >= following) & (ends < level)
    carried = gradient == "all" or (gradient == "last" and bool(last.any()))
    before = noisy.detach() if gradient == "last" else noisy
    with torch.set_grad_enabled(carried and torch.is_grad_enabled()):
        told, time = schedule.network_input(before, level)
        output = schedule.network_output(predict(told, time, progress))
        aims = schedule.coefficients(torch.maximum(ends, following))
        after = moved(schedule, schedule.prediction_type, output, before, level.expand(len(noisy)), aims)
    if gradient == "last":
        after = torch.where(wide(last, after), after, after.detach())
    return torch.where(wide(going, after), after, noisy)
