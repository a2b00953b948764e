"""`diffusion.target`: what a model predicts of the forward process.

Sources: Ho et al. 2020, https://arxiv.org/abs/2006.11239 (eq. 4); Salimans & Ho 2022,
https://arxiv.org/abs/2202.00512 (v); Liu et al. 2022, https://arxiv.org/abs/2209.03003 (flow); Karras et al. 2022,
https://arxiv.org/abs/2206.00364 (eq. 8, F).
"""

from __future__ import annotations

from typing import Annotated

from hcpgraph import Facts, Port, node

from ..process.kinds.predictions import prediction_of
from ..types import Latents, Noise, Process, Target, Timesteps


@node("diffusion.target")
def target(
    latents: Latents, noise: Noise, timesteps: Timesteps, schedule: Process
) -> Annotated[Target, Facts(prediction=Port("schedule", "predicts"))]:
    """What the denoiser should predict, as the process says.

    Args:
        latents: Clean latents x_0 (B, C, h, w).
        noise: The noise that was added (B, C, h, w).
        timesteps: Timesteps (B,).
        schedule: The forward process, which says what is predicted.

    Returns:
        out: The noise (epsilon), x_0 (sample), α(t) noise - σ(t) x_0 (v_prediction), noise - x_0 (flow), or the F of
            EDM, (x_0 - c_skip x) / c_out (edm).
    """
    kind = schedule.prediction_type
    return Target(prediction_of(schedule, kind, latents.data, noise.data, timesteps.data), kind)
