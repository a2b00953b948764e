"""`noise.offset`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.widgets import Slider

from ..types import Noise
from .draws import normal_rows


@node("noise.offset", effects="random")
def offset_noise(
    ctx: Context, noise: Noise, *, strength: Annotated[float, Field(ge=0, le=1), Slider(step=0.01)] = 0.05
) -> Noise:
    """Shift noise by a constant per channel so that the model learns overall brightness.

    Args:
        noise: Gaussian noise (B, C, h, w).
        strength: Size of the shift; 0 leaves the noise unchanged.
            Source: https://www.crosslabs.org/blog/diffusion-with-offset-noise
    """
    rows, channels = noise.data.shape[:2]
    shift = normal_rows(ctx, (rows, channels, 1, 1), noise.keys)
    return Noise(noise.data + strength * shift, noise.keys)
