"""`diffusion.add_noise`: the forward process x_t = α(t) x_0 + σ(t) noise.

Source: Ho et al. 2020, https://arxiv.org/abs/2006.11239 (eq. 4); the kinds in `process/kinds` have their own.
"""

from __future__ import annotations

from typing import Annotated

from hcpgraph import Facts, Port, node

from ..types import Latents, Noise, NoisyLatents, Process, Timesteps


@node("diffusion.add_noise")
def add_noise(
    latents: Latents, noise: Noise, timesteps: Timesteps, schedule: Process
) -> Annotated[NoisyLatents, Facts(latents=Port("latents"))]:
    """Bring latents to the noise level of their timesteps.

    Args:
        latents: Clean latents x_0 (B, C, h, w).
        noise: Noise (B, C, h, w).
        timesteps: Timesteps (B,).
        schedule: The forward process.

    Returns:
        out: α(t) x_0 + σ(t) noise.
    """
    return NoisyLatents(schedule.mix(latents.data, noise.data, timesteps.data), latents.keys)
