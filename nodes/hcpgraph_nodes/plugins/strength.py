"""`plugin.strength`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Facts, Port, Probe, node
from hcpgraph.widgets import Slider

from ..model.bundle import Model
from ..model.handles import component
from .attach import M, standing
from .base import Adapter


@node("plugin.strength", cache="none", changes=Probe("parts of the wire"), title="Strength of a plugin")
def strength(
    model: M,
    adapter: Adapter,
    *,
    strength: Annotated[float, Field(ge=-10, le=10), Slider(step=0.05, primary=True)] = -1.0,
) -> Annotated[M, Facts(family=Port("model"))]:
    """The same model with one plugin of its stack stronger, weaker or turned around; the wire it came on keeps it.

    The weights are shared: what trains through this wire trains the plugin, so that one LoRA learns at 1 and at −1 in
    the same step, as concept sliders do (Gandikota et al. 2023, https://arxiv.org/abs/2311.12092). Strengths multiply:
    two of these nodes in a row, or one behind plugin.load with a strength. Files hold none.

    Args:
        model: A denoiser, text encoder, VAE or ControlNet with the plugin.
        adapter: The plugin.
        strength: Factor of what the plugin changes: 1 as it is on the wire, 0 nothing, below 0 turned around.

    Returns:
        out: The model.

    Raises:
        GraphError: E_NO_MODEL; E_NOT_ATTACHED, the plugin is not on this wire; E_HYPER_PARAM, it has no strength, such
            as a word.
    """
    if isinstance(model, Model):
        return model.changed(
            {each.component: _scaled(model.part(each.component), each, strength) for each in adapter.each}
        )
    name = component(model)
    return _scaled(model, next((each for each in adapter.each if each.component == name), adapter), strength)


def _scaled(model: M, adapter: Adapter, factor: float) -> M:
    plugin = standing(model, adapter)
    made: M = model.exchanged(plugin, plugin.scaled(factor))
    return made
