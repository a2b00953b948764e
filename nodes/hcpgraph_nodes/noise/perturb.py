"""`noise.perturb`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.widgets import Slider

from ..types import Noise
from .draws import normal_rows


@node("noise.perturb", effects="random", title="Input perturbation")
def perturb_noise(
    ctx: Context,
    noise: Noise,
    *,
    strength: Annotated[float, Field(ge=0, le=1), Slider(step=0.01, primary=True)] = 0.1,
) -> Noise:
    """Disturb the noise that the network sees, ε + γ ξ, as errors of earlier steps do in sampling.

    Wire it to diffusion.add_noise alone: the target stays the noise ε that came in. Source: Ning et al. 2023,
    https://arxiv.org/abs/2301.11706.

    Args:
        noise: Gaussian noise ε (B, C, h, w).
        strength: γ; 0.1 in the paper, 0 leaves the noise as it is.

    Returns:
        out: ε + γ ξ (B, C, h, w), of variance 1 + γ².
    """
    return Noise(noise.data + strength * normal_rows(ctx, noise.data.shape, noise.keys), noise.keys)
