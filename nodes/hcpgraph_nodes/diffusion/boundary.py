"""`diffusion.boundary`: what makes a network a consistency model.

Sources: Song et al. 2023, https://arxiv.org/abs/2303.01469 (equation 5; c_skip and c_out in appendix C); Luo et al.
2023, https://arxiv.org/abs/2310.04378, as diffusers' LCMScheduler writes it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Facts, node
from hcpgraph.widgets import Slider

from ..process.kinds.edm import Edm
from ..process.kinds.predictions import converted
from ..types import NoisyLatents, Prediction, Process, Timesteps, wide


@node("diffusion.boundary", title="Consistency function")
def boundary(
    prediction: Prediction,
    noisy: NoisyLatents,
    timesteps: Timesteps,
    process: Process,
    *,
    sigma_data: Annotated[float, Field(gt=0, le=10)] = 0.5,
    scaling: Annotated[float, Field(gt=0, le=1000), Slider(step=0.5)] = 10.0,
) -> Annotated[Prediction, Facts(prediction="sample")]:
    """What a consistency model says of the picture: c_skip x + c_out F, which is x itself at the lowest noise level.

    Of a table and of a flow F is what the prediction says of x_0, and with s = scaling · t, for t the number of the
    timestep, c_skip = σ_d² / (s² + σ_d²), c_out = s / √(s² + σ_d²). Of EDM F is the network's output, and with
    s = σ − σ_min, c_skip is the same and c_out = σ_d s / √(σ² + σ_d²). It carries gradients.

    Args:
        prediction: What the model says of the noisy latents (B, C, h, w), of any kind.
        noisy: What it was given x (B, C, h, w), before preconditioning.
        timesteps: Their timesteps (B,).
        process: The forward process.
        sigma_data: σ_d, standard deviation of the data.
        scaling: How fast the picture itself fades with the timestep; 10 in LCM. EDM does not read it.

    Returns:
        out: The picture (B, C, h, w), as a prediction of the kind sample.

    Raises:
        GraphError: E_SCHEDULE, the prediction says nothing of the picture at one of the timesteps (zero terminal SNR);
            E_PREDICTION; E_TIMESTEPS.
    """
    sigma = process.sigma(timesteps.data)
    if isinstance(process, Edm):
        rest = sigma - process.sigma_min
        out = sigma_data * rest / (sigma.square() + sigma_data**2).sqrt()
    else:
        number = timesteps.data if process.kind == "vp" else timesteps.data * process.num_train_timesteps
        rest = scaling * number.float()
        out = rest / (rest.square() + sigma_data**2).sqrt()
    skip = sigma_data**2 / (rest.square() + sigma_data**2)
    kind = "edm" if isinstance(process, Edm) else "sample"
    said = converted(process, prediction.kind, prediction.data, noisy.data, timesteps.data, kind)
    return Prediction(wide(skip, said) * noisy.data + wide(out, said) * said, "sample")
