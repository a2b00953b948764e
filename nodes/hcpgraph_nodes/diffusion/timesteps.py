"""`diffusion.timesteps`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from hcpgraph import Context, GraphError, node
from hcpgraph.widgets import Hint, Slider

from ..families.auto import settled
from ..noise.draws import row_keys
from ..process.kinds import draws
from ..process.kinds.edm import Edm
from ..process.kinds.flow import RectifiedFlow
from ..process.tables import DISTRIBUTIONS, Distribution, no_distribution, no_numbers, no_timestep
from ..types import Latents, Process, Timesteps

Shape = Annotated[float, Field(ge=0.1, le=100), Hint(advanced=True)]


@node("diffusion.timesteps", effects="random")
def draw_timesteps(
    ctx: Context,
    latents: Latents,
    schedule: Process,
    *,
    low: Annotated[int, Field(ge=0)] = 0,
    high: Annotated[int, Field(ge=1)] | None = None,
    distribution: Literal["auto", Distribution] = "uniform",
    mean: Annotated[Annotated[float, Field(ge=-20, le=20)] | None, Hint(advanced=True)] = None,
    std: Annotated[Annotated[float, Field(gt=0, le=20)] | None, Hint(advanced=True)] = None,
    mode_scale: Annotated[float, Field(ge=-1, le=1.75), Slider(step=0.05, advanced=True)] = 1.29,
    alpha: Shape = 2.0,
    beta: Shape = 2.0,
) -> Timesteps:
    """Draw one timestep a sample.

    Distributions are those of the share of noise, from 0 to 1, which a flow's shift then moves towards the noise, and
    which lies between low and high in the end. EDM draws noise levels: `edm` from a normal distribution of ln σ,
    `uniform` as dense as the sampler's steps.

    Args:
        latents: The samples (B, …); only their number, size and keys are read.
        schedule: The forward process of T timesteps.
        low: Smallest timestep; of a flow t is low / T.
        high: Timesteps stay below it; none given: T.
        distribution: `uniform`; `logit_normal`, `mode` and `cosmap` of SD 3, `beta`; `edm`; auto: that
            of the model's family.
        mean: Mean of the logit (logit_normal; none given: 0), above 0 with more noise, or of ln σ (edm; −1.2).
        std: Standard deviation of the logit (logit_normal; none given: 1) or of ln σ (edm; 1.2).
        mode_scale: Of `mode`: above 0 most draws are in the middle, below 0 at the ends.
        alpha: Of `beta`, Beta(α, β): the larger, the more noise.
        beta: Of `beta`: the larger, the less noise.

    Returns:
        out: Timesteps (B,): of a table int64 in [low, high); of a flow shares of noise, of EDM noise levels, float32.

    Raises:
        GraphError: E_RANGE, nothing lies between the two; E_DISTRIBUTION, the process has no such times;
            E_AUTO, nothing says what auto means.
    """
    distribution = settled(distribution, "distribution")
    if distribution not in DISTRIBUTIONS[schedule.kind]:
        message = no_distribution(schedule.kind, distribution)
        raise GraphError("E_DISTRIBUTION", message, port="distribution", hint="take one that it has")
    keys = row_keys(latents.keys, len(latents.data))
    if distribution == "beta":
        shares = draws.beta((ctx.seed(key) for key in keys), alpha, beta)
    else:
        shares = _shares(ctx.uniform(keys), distribution, mean, std, mode_scale)
    if isinstance(schedule, Edm):
        if low > 0 or high is not None:
            raise GraphError("E_RANGE", no_numbers(), port="low", hint="leave both as they are and set mean and std")
        levels = shares if distribution == "edm" else schedule.at(shares)
        times = levels.clamp(schedule.sigma_min, schedule.sigma_max).float()
        return Timesteps(times.to(latents.data.device), latents.keys)
    count = schedule.num_train_timesteps
    end = count if high is None else min(high, count)
    if low >= end:
        raise GraphError("E_RANGE", no_timestep(low, end), hint="lower low or raise high")
    if isinstance(schedule, RectifiedFlow):
        shares = schedule.shift.apply(shares, latents.data.shape)
        times = ((low + shares * (end - low)) / count).float()
    else:
        times = (low + shares * (end - low)).long().clamp(max=end - 1)
    return Timesteps(times.to(latents.data.device), latents.keys)


def _shares(uniform: Tensor, distribution: str, mean: float | None, std: float | None, mode_scale: float) -> Tensor:
    """Shares of noise (B,), float64, of uniform numbers; of `edm` noise levels."""
    usual = draws.EDM if distribution == "edm" else draws.SD3
    centre, width = (own if given is None else given for own, given in zip(usual, (mean, std), strict=True))
    if distribution == "logit_normal":
        return draws.logit_normal(uniform, centre, width)
    if distribution == "mode":
        return draws.mode(uniform, mode_scale)
    if distribution == "cosmap":
        return draws.cosmap(uniform)
    return draws.log_normal(uniform, centre, width) if distribution == "edm" else uniform
