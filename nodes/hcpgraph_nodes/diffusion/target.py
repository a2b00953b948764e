"""`diffusion.target`: what a model predicts of the forward process.

Sources: Ho et al. 2020, https://arxiv.org/abs/2006.11239 (eq. 4); Salimans & Ho 2022,
https://arxiv.org/abs/2202.00512 (v).
"""

from __future__ import annotations

from hcpgraph import node

from ..types import Latents, Noise, Process, Target, Timesteps, wide


@node("diffusion.target")
def target(latents: Latents, noise: Noise, timesteps: Timesteps, schedule: Process) -> Target:
    """What the denoiser should predict, as the schedule's prediction type says.

    Args:
        latents: Clean latents x_0 (B, C, h, w).
        noise: The noise that was added (B, C, h, w).
        timesteps: Timesteps (B,).
        schedule: The forward process and its prediction type.

    Returns:
        out: The noise (epsilon), x_0 (sample), or sqrt(a_t) noise - sqrt(1 - a_t) x_0 (v_prediction).
    """
    kind = schedule.prediction_type
    if kind == "epsilon":
        return Target(noise.data, kind)
    if kind == "sample":
        return Target(latents.data, kind)
    signal, spread = (wide(each(timesteps.data), latents.data) for each in (schedule.alpha, schedule.sigma))
    return Target(signal * noise.data - spread * latents.data, kind)
