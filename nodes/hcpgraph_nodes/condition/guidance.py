"""`condition.guidance`."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from hcpgraph import Facts, Port, node
from hcpgraph.widgets import Hint, Slider

from ..types import Conditioning


@node("condition.guidance", title="Embedded guidance")
def guidance(
    conditioning: Conditioning,
    *,
    value: Annotated[float, Field(ge=0, le=100), Slider(step=0.1), Hint(primary=True)] = 3.5,
) -> Annotated[Conditioning, Facts(text=Port("conditioning"), guidance="embedded")]:
    """Tell a model that was distilled from guidance how strong it is to be; the model reads it, and runs once a step.

    Source: Meng et al. 2023, "On Distillation of Guided Diffusion Models", https://arxiv.org/abs/2210.03142. Models
    that do not read it refuse it; their guidance is a setting of sample.denoise.

    Args:
        conditioning: The text.
        value: The scale, as the model was trained with it.

    Returns:
        out: The conditioning with the part `guidance` (B,).
    """
    data = conditioning.data
    return conditioning.with_parts(guidance=torch.full((conditioning.count,), float(value), device=data.device))
