"""`controlnet.apply`."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import Field

from hcpgraph import Facts, GraphError, Port, node
from hcpgraph.widgets import Slider

from ..model.handles import ControlNet, Denoiser
from ..types import Images
from .block import ControlBlock
from .network import misfits

D = TypeVar("D", bound=Denoiser)


@node("controlnet.apply", cache="none", title="Apply ControlNet")
def apply_controlnet(
    denoiser: D,
    controlnet: ControlNet,
    image: Images,
    *,
    strength: Annotated[float, Field(ge=0, le=10), Slider(step=0.05, primary=True)] = 1.0,
    start: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 0.0,
    end: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 1.0,
) -> Annotated[D, Facts(family=Port("denoiser"))]:
    """Lead a denoiser by pictures; the wire it came on still means the denoiser alone.

    Several of these nodes one after another add up. In a training region it takes the conditions of the step and always
    acts; the weights of the ControlNet are trained if model.trainable made them so.

    Args:
        denoiser: The model.
        controlnet: A ControlNet of its family, with the plugins of its wire.
        image: Conditions in [0, 1], of the size of the pictures: one for all samples or one for each.
        strength: Factor of what the ControlNet adds; at 0 it does not run.
        start: Share of the sampling steps after which it begins to act, as control_guidance_start in diffusers.
        end: Share of the sampling steps after which it no longer acts, as control_guidance_end.

    Returns:
        out: The denoiser with the ControlNet.

    Raises:
        GraphError: E_FAMILY, the ControlNet was made for another model; E_RANGE, start does not lie before end;
            E_CONDITION, conditions with other channels; when the denoiser runs, E_BATCH and E_CONDITION, conditions of
            another number or size than the samples.
    """
    if start >= end:
        raise GraphError(
            "E_RANGE",
            f"no step of sampling lies between start = {start:g} and end = {end:g}",
            port="end",
            hint="start is a smaller share of the steps than end",
        )
    if denoiser.family != controlnet.family:
        raise GraphError(
            "E_FAMILY",
            f"a ControlNet for {controlnet.family} does not fit a denoiser of the family {denoiser.family}",
            port="controlnet",
            hint="take both from models of the same family",
        )
    if wrong := misfits(denoiser.config, controlnet.config):
        raise GraphError(
            "E_FAMILY",
            f"the ControlNet was made for another denoiser: {'; '.join(wrong)}",
            port="controlnet",
            hint="make one of this denoiser with controlnet.new",
        )
    channels = controlnet.config["conditioning_channels"]
    if image.data.dim() != 4 or image.data.shape[1] != channels or not len(image.data):
        raise GraphError(
            "E_CONDITION",
            f"the conditions have the shape {list(image.data.shape)}; the ControlNet takes (B, {channels}, H, W)",
            port="image",
            hint="wire a batch of pictures, such as data.batch_conditions or image.load",
        )
    block = ControlBlock(controlnet, image.data.to(denoiser.device), strength=strength, start=start, end=end)
    return denoiser.attach(block.plugin())
