"""Uniform numbers for the samples of a batch: one each, one for all, or spread evenly over the batch."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from hcpgraph import Context
from hcpgraph.widgets import Hint

from ..noise.draws import row_keys
from ..types import Latents

Same = Annotated[bool, Hint(advanced=True)]
Strata = Annotated[int, Field(ge=0, le=65_536), Hint(advanced=True)]


def uniform_shares(ctx: Context, latents: Latents, same: bool, strata: int) -> Tensor:
    """Numbers u in [0, 1) (B,), float64, on the CPU.

    Args:
        ctx: Of the node that draws.
        latents: The samples; their number and keys are read.
        same: One number for all samples of a pass, instead of one each, which the sample's key decides.
        strata: n > 0: u = (u_0 + p / n) mod 1, with one u_0 a pass and the sample's position p in its epoch, or in a
            batch without keys; n samples in a row lie evenly. Source: Kingma et al. 2021, "Variational Diffusion
            Models", https://arxiv.org/abs/2107.00630 (appendix I.1).
    """
    keys = row_keys(latents.keys, len(latents.data))
    if same or strata:
        common = torch.rand((), dtype=torch.float64, generator=ctx.generator())
        places = [0.0 if same else key[2] % strata / strata for key in keys]
        return (common + torch.tensor(places, dtype=torch.float64)) % 1.0
    return ctx.uniform(keys)
