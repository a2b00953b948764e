"""`diffusion.denoised`."""

from __future__ import annotations

from typing import Annotated

from hcpgraph import Facts, Port, node

from ..process.kinds.predictions import converted
from ..types import Latents, NoisyLatents, Prediction, Process, Timesteps


@node("diffusion.denoised", title="Denoised latents")
def denoised(
    prediction: Prediction, noisy: NoisyLatents, timesteps: Timesteps, process: Process
) -> Annotated[Latents, Facts(latents=Port("noisy"))]:
    """The clean latents x_0 that a prediction says: for a decoder, a loss in picture space, or to be noised anew.

    It carries gradients.

    Args:
        prediction: What the model says of the noisy latents (B, C, h, w), of any kind.
        noisy: What it was given (B, C, h, w), before preconditioning.
        timesteps: Their timesteps (B,).
        process: The forward process.

    Returns:
        out: x_0 (B, C, h, w), with the sample keys of the noisy latents.

    Raises:
        GraphError: E_SCHEDULE, the prediction says nothing of the picture at one of the timesteps (zero terminal SNR);
            E_PREDICTION; E_TIMESTEPS.
    """
    return Latents(
        converted(process, prediction.kind, prediction.data, noisy.data, timesteps.data, "sample"), noisy.keys
    )
