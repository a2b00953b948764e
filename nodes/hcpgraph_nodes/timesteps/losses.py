"""`timesteps.losses`, and what losses say of timesteps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from hcpgraph import node
from hcpgraph.types import port_type
from hcpgraph.widgets import Slider

from ..process.kinds.edm import Edm
from ..types import Process


@port_type(color="#b5544d", shape="diamond", gradient=False)
@dataclass(frozen=True, slots=True)
class LossHistory:
    """The last losses of bands of timesteps that are equally wide, from the picture to the noise.

    Attributes:
        data: The last m losses of n bands (n, m), float32, each row a ring.
        count: How many losses a band has had (n,), int64; the first m of them are all there is.
    """

    data: Tensor
    count: Tensor


def shares_of(process: Process, t: Tensor) -> Tensor:
    """Where process times (B,) are between the picture, 0, and the noise, 1; of a table the middle of a timestep."""
    if process.kind == "vp":
        return (t.float() + 0.5) / process.num_train_timesteps
    return process.rate(t)


def times_at(process: Process, shares: Tensor) -> Tensor:
    """The process times (B,) at shares in [0, 1)."""
    if process.kind == "vp":
        last = process.num_train_timesteps - 1
        return (shares * process.num_train_timesteps).long().clamp(0, last)
    if isinstance(process, Edm):
        return process.at(shares).clamp(process.sigma_min, process.sigma_max).float()
    return shares.float()


@node("timesteps.losses", title="Losses of timesteps")
def losses(
    *,
    bands: Annotated[int, Field(ge=1, le=10_000), Slider(step=1, primary=True)] = 50,
    length: Annotated[int, Field(ge=1, le=1000)] = 10,
) -> LossHistory:
    """A history of losses by timestep that is empty yet: where train.state begins.

    timesteps.record adds the losses of a step, timesteps.importance draws by them.

    Args:
        bands: How many bands timesteps are divided into, equally wide; one for each timestep in improved DDPM.
        length: How many of the last losses of a band are kept; it draws alike everywhere until all bands have so many.

    Returns:
        out: The empty history.
    """
    return LossHistory(torch.zeros(bands, length), torch.zeros(bands, dtype=torch.int64))
