"""The forward process of a model, read from a diffusers scheduler configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch

from hcpgraph import GraphError

from ..messages import first_line
from ..process.kinds.classes import EDM, FLOW, TABLE, kind_of
from ..process.kinds.edm import Edm
from ..process.kinds.flow import RectifiedFlow
from ..process.kinds.shift import Shift
from ..process.kinds.vp import VariancePreserving
from ..process.refusals import IMPOSSIBLE, no_signal
from ..types import Process
from .file_marks import HINT

PREDICTIONS = {
    "vp": ("epsilon", "v_prediction", "sample"),
    "edm": ("epsilon", "v_prediction"),
    "flow": ("flow_prediction",),
}
"""Kind of process -> what its configurations may say of the prediction; the first where they do not."""
FORWARD = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "rescale_betas_zero_snr")
"""Entries of a configuration that make the table of alphas_cumprod."""
LEVELS = frozenset(each.name for each in fields(Edm)) - {"negative", "config", "prediction_type"}
"""Entries of a configuration that make the noise levels of EDM."""


def read(config: Mapping[str, Any], device: torch.device, **shift: Any) -> Process:
    """The forward process of a configuration; its table is kept on the device so that a step needs no transfer.

    Args:
        config: As diffusers has it.
        device: Of the table.
        shift: What only the family knows of a flow's shift: patch, mu_rule, grid, see `Shift`.

    Raises:
        GraphError: E_SCHEDULE, a scheduler of a process that is not known, or an unknown prediction type, or numbers
            that make no process, or one that cannot give what is predicted.
    """
    name, kind = config.get("_class_name", "DDIMScheduler"), kind_of(config)
    if kind is None:
        known = ", ".join(sorted(TABLE | FLOW | EDM))
        raise GraphError("E_SCHEDULE", f"cannot read a {name}", hint=f"schedulers: {known}")
    asked = config.get("prediction_type") or PREDICTIONS[kind][0]
    if asked not in PREDICTIONS[kind]:
        raise GraphError(
            "E_SCHEDULE",
            f"cannot read a {name} that predicts '{asked}'",
            port="prediction_type",
            hint=f"predictions of this kind of process, {kind}: {', '.join(PREDICTIONS[kind])}",
        )
    kept = {key: value for key, value in config.items() if not key.startswith("_")}
    whole = {**kept, "_class_name": name}
    try:
        if kind == "flow":
            return _flow(kept, whole, shift)
        if kind == "edm":
            levels = {key: kept[key] for key in LEVELS if kept.get(key) is not None}
            return Edm(**levels, negative=asked == "v_prediction", config={**whole, "prediction_type": asked})
        return _table(kept, {**whole, "prediction_type": asked}, device)
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        used = {"vp": FORWARD, "edm": LEVELS, "flow": Shift.read({}).config()}[kind]
        raise GraphError(
            "E_SCHEDULE",
            f"the scheduler's configuration describes no forward process: {first_line(error)}",
            hint="its entries are " + ", ".join(f"{key} = {kept[key]!r}" for key in used if kept.get(key) is not None),
        ) from None


def _table(kept: Mapping[str, Any], config: dict[str, Any], device: torch.device) -> VariancePreserving:
    from diffusers import DDPMScheduler

    forward: Any = DDPMScheduler(**{key: kept[key] for key in FORWARD if kept.get(key) is not None})
    kind = config["prediction_type"]
    if kind == IMPOSSIBLE and not float(forward.alphas_cumprod[-1]) > 0:
        raise GraphError("E_SCHEDULE", no_signal(kind), port="prediction_type", hint=HINT)
    return VariancePreserving(forward.alphas_cumprod.to(device), kind, config)


def _flow(kept: Mapping[str, Any], config: dict[str, Any], of_family: Mapping[str, Any]) -> RectifiedFlow:
    if kept.get("invert_sigmas"):
        raise ValueError("invert_sigmas counts the noise from the other end")
    return RectifiedFlow(Shift.read(kept, **of_family), config, kept.get("num_train_timesteps") or 1000)
