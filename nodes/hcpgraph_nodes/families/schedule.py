"""The forward process of a model, read from a diffusers scheduler configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hcpgraph import GraphError

from ..messages import first_line
from ..process.kinds.vp import VariancePreserving
from .file_marks import HINT, IMPOSSIBLE, message

PREDICTIONS = ("epsilon", "v_prediction", "sample")
KNOWN_SCHEDULERS = frozenset(
    {
        "DDIMScheduler",
        "DDPMScheduler",
        "DEISMultistepScheduler",
        "DPMSolverMultistepScheduler",
        "DPMSolverSinglestepScheduler",
        "EulerAncestralDiscreteScheduler",
        "EulerDiscreteScheduler",
        "HeunDiscreteScheduler",
        "KDPM2AncestralDiscreteScheduler",
        "KDPM2DiscreteScheduler",
        "LCMScheduler",
        "LMSDiscreteScheduler",
        "PNDMScheduler",
        "UniPCMultistepScheduler",
    }
)
FORWARD = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "rescale_betas_zero_snr")
"""Entries of a configuration that make the table of alphas_cumprod."""


def read(config: Mapping[str, Any], device: torch.device) -> VariancePreserving:
    """The forward process of a configuration; its table is kept on the device so that a step needs no transfer.

    Raises:
        GraphError: E_SCHEDULE, a scheduler that is no denoising diffusion process, or an unknown prediction type, or
            numbers that make no process, or one that cannot give what is predicted.
    """
    from diffusers import DDPMScheduler

    name = config.get("_class_name", "DDIMScheduler")
    kind = config.get("prediction_type") or "epsilon"
    if not isinstance(name, str) or name not in KNOWN_SCHEDULERS or kind not in PREDICTIONS:
        raise GraphError(
            "E_SCHEDULE",
            f"cannot read a {name} that predicts '{kind}'",
            hint=f"schedulers: {', '.join(sorted(KNOWN_SCHEDULERS))}; predictions: {', '.join(PREDICTIONS)}",
        )
    kept = {key: value for key, value in config.items() if not key.startswith("_")}
    settings = {key: kept[key] for key in FORWARD if kept.get(key) is not None}
    try:
        forward: Any = DDPMScheduler(**settings)
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        raise GraphError(
            "E_SCHEDULE",
            f"the scheduler's configuration describes no forward process: {first_line(error)}",
            hint=f"its entries are {', '.join(f'{key} = {value!r}' for key, value in settings.items())}",
        ) from None
    if kind == IMPOSSIBLE and not float(forward.alphas_cumprod[-1]) > 0:
        raise GraphError("E_SCHEDULE", message(kind), port="prediction_type", hint=HINT)
    return VariancePreserving(
        forward.alphas_cumprod.to(device), kind, {**kept, "prediction_type": kind, "_class_name": name}
    )
