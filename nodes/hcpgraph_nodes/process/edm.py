"""`process.edm`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from hcpgraph import Facts, GraphError, node
from hcpgraph.widgets import Hint

from ..types import Process
from .kinds.edm import Edm

Level = Annotated[float, Field(gt=0, le=10000)]


@node("process.edm", title="EDM")
def edm(
    *,
    sigma_min: Level = 0.002,
    sigma_max: Level = 80.0,
    sigma_data: Level = 0.5,
    rho: Annotated[float, Field(gt=0, le=100), Hint(advanced=True)] = 7.0,
    sigma_schedule: Annotated[Literal["karras", "exponential"], Hint(advanced=True)] = "karras",
    prediction_type: Annotated[Literal["epsilon", "v_prediction"], Hint(advanced=True)] = "epsilon",
) -> Annotated[Process, Facts(process="edm", predicts="edm", zero_snr=False, num_train_timesteps=1000)]:
    """The process of EDM, x = x_0 + σ ε, with its preconditioning: c_skip, c_out, c_in and c_noise.

    Wire it in place of a model's own process, also into diffusion.predict, which runs the preconditioned network. The
    mean squared error of its prediction F is the loss of the paper (Karras et al. 2022,
    https://arxiv.org/abs/2206.00364, table 1).

    Args:
        sigma_min: The lowest noise level.
        sigma_max: The highest noise level, from which sampling begins.
        sigma_data: Standard deviation of the latents, which preconditioning makes 1.
        rho: How dense low noise levels are in the sampler's steps and in uniform draws.
        sigma_schedule: Noise levels as in the paper, or with equal steps of ln σ.
        prediction_type: Sign of the network's output: epsilon for F, v_prediction for −F. The names are those of
            diffusers' EDMEulerScheduler, whose configurations say it so.

    Returns:
        out: The process.

    Raises:
        GraphError: E_SETTING, sigma_min is not below sigma_max.
    """
    numbers: dict[str, Any] = {"sigma_min": sigma_min, "sigma_max": sigma_max, "sigma_data": sigma_data, "rho": rho}
    config = {"_class_name": "EDMEulerScheduler", "sigma_schedule": sigma_schedule, "prediction_type": prediction_type}
    if sigma_min >= sigma_max:
        message = f"sigma_min {sigma_min:g} is not below sigma_max {sigma_max:g}"
        raise GraphError("E_SETTING", message, port="sigma_min", hint="lower sigma_min or raise sigma_max")
    return Edm(
        **numbers,
        sigma_schedule=sigma_schedule,
        negative=prediction_type == "v_prediction",
        config={**config, **numbers, "num_train_timesteps": 1000},
    )
