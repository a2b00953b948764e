"""`diffusion.guide`: classifier-free guidance inside a training step, as DreamArtist trains with it.

A scale that depends on the timestep is HCP-Diffusion's: `DreamArtistPTContext` in `hcpdiff/models/cfg_context.py` of
https://github.com/IrisRainbowNeko/HCP-Diffusion, where it is written `L-H:shape`.
"""

from __future__ import annotations

from math import pi
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from hcpgraph import GraphError, node
from hcpgraph.widgets import Hint, Slider

from ..types import Prediction, Process, Timesteps

Shape = Literal["linear", "cos", "cos2"]
Scale = Annotated[float, Field(ge=-100, le=100), Slider(step=0.5)]


@node("diffusion.guide")
def guide(
    positive: Prediction,
    negative: Prediction,
    timesteps: Timesteps | None = None,
    schedule: Process | None = None,
    *,
    scale: Scale = 3.0,
    scale_high: Annotated[Scale | None, Hint(advanced=True)] = None,
    shape: Annotated[Shape, Hint(advanced=True)] = "linear",
) -> Prediction:
    """Classifier-free guidance: away from the negative, towards the positive prediction.

    Gradients flow through both predictions. That is what DreamArtist trains with: a positive and a negative word, or
    LoRA, learn together what each adds to a guided picture (Dong et al. 2022, https://arxiv.org/abs/2211.11337). The
    scale may rise with the noise, as in HCP-Diffusion: from `scale` at timestep 0 to `scale_high` at the last one.

    Args:
        positive: Prediction with the wanted condition (B, C, h, w).
        negative: Prediction with the unwanted or empty condition (B, C, h, w).
        timesteps: Timesteps of the samples (B,); needed for scale_high.
        schedule: The forward process, which says how many timesteps there are; needed for scale_high.
        scale: 1 gives the positive prediction, 0 the negative one. Source: Ho & Salimans 2022,
            https://arxiv.org/abs/2207.12598. Below 0 it leads away from the positive one: −η is the target with which
            a model unlearns a concept (Gandikota et al. 2023, https://arxiv.org/abs/2303.07345, equation 6).
        scale_high: Scale at the last timestep; none given: the same everywhere.
        shape: How the scale rises with r, which goes from 0 at the picture to 1 at the noise, of a table the
            timestep divided by the last one: `linear`; `cos` early, as cos((r − 1) π / 2); `cos2` late, as
            1 − cos(r π / 2).

    Returns:
        out: negative + scale · (positive − negative).

    Raises:
        GraphError: E_PREDICTION, the two mean different things; E_BATCH, they or the timesteps are of other samples;
            E_NO_TIMESTEPS, scale_high without timesteps and schedule.
    """
    if positive.kind != negative.kind:
        raise GraphError(
            "E_PREDICTION",
            f"the positive prediction is {positive.kind}, the negative one {negative.kind}",
            hint="predict both with models of one prediction type",
        )
    if positive.data.shape != negative.data.shape:
        raise GraphError(
            "E_BATCH",
            f"predictions of the shapes {list(positive.data.shape)} and {list(negative.data.shape)}",
            hint="predict both from the same noisy latents",
        )
    factor: float | Tensor = scale
    if scale_high is not None:
        if timesteps is None or schedule is None:
            raise GraphError(
                "E_NO_TIMESTEPS",
                f"the scale goes from {scale:g} to {scale_high:g}, and no timesteps and schedule are wired",
                port="schedule" if schedule is None and timesteps is not None else "timesteps",
                hint="wire diffusion.timesteps and the model's schedule to it, or leave scale_high empty",
            )
        if len(timesteps.data) != len(positive.data):
            raise GraphError(
                "E_BATCH",
                f"{len(timesteps.data)} timesteps for {len(positive.data)} samples",
                port="timesteps",
                hint="wire the timesteps that both predictions were made with",
            )
        each = scales(schedule.rate(timesteps.data), scale, scale_high, shape)
        factor = each.to(positive.data).view(-1, *[1] * (positive.data.dim() - 1))
    return Prediction(negative.data + factor * (positive.data - negative.data), positive.kind)


def scales(rate: Tensor, low: float, high: float, shape: Shape) -> Tensor:
    """The scale of every sample (B,), float32: low + (high − low) · f(r).

    Args:
        rate: r (B,), how far each is from the picture, 0, to the noise, 1.
        low: Scale at timestep 0.
        high: Scale at the last timestep.
        shape: f: r itself, cos((r − 1) π / 2), or 1 − cos(r π / 2).
    """
    if shape == "cos":
        rate = torch.cos((rate - 1) * pi / 2)
    elif shape == "cos2":
        rate = 1 - torch.cos(rate * pi / 2)
    return low + (high - low) * rate
