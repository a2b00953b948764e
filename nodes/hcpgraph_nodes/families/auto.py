"""What settings that are `auto` stand for: the defaults of the family of a model (torch-free).

The engine puts the value in the place of `auto` before the run, by the fact `family` of a wire. A family says them
under `defaults` in its table:

* `area`, width times height of its pictures, pixels; `width` and `height` of one of them; `bucket_step`, of which sides
  are multiples;
* `sampler`, `steps` and `guidance` of `sample.denoise`;
* `distribution` of `diffusion.timesteps` and `weighting`, the scheme of `loss.weighting`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from hcpgraph import GraphError

from .table import families, said

Auto = Literal["auto"]
StandsFor = Callable[[Mapping[str, Mapping[str, Any]]], tuple[Any, str] | None]


def of_family(port: str, entry: str) -> StandsFor:
    """A default of the family of what is wired to a port."""

    def stands_for(inputs: Mapping[str, Mapping[str, Any]]) -> tuple[Any, str] | None:
        if port not in inputs:
            message = f"auto is what fits a model, and none is wired to '{port}'"
            raise GraphError("E_AUTO", message, hint=f"wire the model to '{port}', or write a value")
        family = inputs[port].get("family")
        if family not in families():
            return None
        value = (said(family, "defaults") or {}).get(entry)
        if value is None:
            message = f"the family {family} does not say what auto means here ({entry})"
            raise GraphError("E_AUTO", message, hint="write a value")
        return value, str(family)

    return stands_for


def settled(value: Any, setting: str) -> Any:
    """The value of a setting that may have been `auto`.

    Raises:
        GraphError: E_AUTO, it still is: which family the model is of was not known before the run.
    """
    if value == "auto":
        hint = "set family in the node that opens the model, or write a value"
        message = f"{setting} is auto, and before the run nothing says of which family the model is"
        raise GraphError("E_AUTO", message, port=setting, hint=hint)
    return value


STEP = of_family("model", "bucket_step")
AREA = of_family("model", "area")
DEFAULTS: Mapping[str, Mapping[str, StandsFor]] = {
    "data.ratio_bucket": {"target_area": AREA, "step_size": STEP},
    "data.ratio_grid_bucket": {"target_area": AREA, "step_size": STEP},
    "data.ratio_size_bucket": {"max_area": AREA, "step_size": STEP},
    "data.auto_bucket": {"target_area": AREA, "step_size": STEP},
    "data.size_bucket": {"step_size": STEP},
    "data.long_edge_bucket": {"step_size": STEP},
    "data.fixed_bucket": {"width": of_family("model", "width"), "height": of_family("model", "height")},
    "sample.empty_latents": {"width": of_family("vae", "width"), "height": of_family("vae", "height")},
    "sample.caption_latents": {"width": of_family("vae", "width"), "height": of_family("vae", "height")},
    "sample.denoise": {name: of_family("denoiser", name) for name in ("sampler", "steps", "guidance")},
    "diffusion.timesteps": {"distribution": of_family("schedule", "distribution")},
    "loss.weighting": {"scheme": of_family("process", "weighting")},
}
ASKED: Mapping[str, tuple[str, ...]] = {node: ("model",) for node in DEFAULTS if node.startswith("data.")}
"""Nodes that ask a model for nothing but its family."""
