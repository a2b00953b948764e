"""`plugin.without`."""

from __future__ import annotations

from typing import Annotated

from hcpgraph import Facts, Port, Probe, node

from ..model.bundle import Model
from ..model.handles import component
from .attach import M, standing
from .base import Adapter


@node("plugin.without", cache="none", changes=Probe("parts of the wire"), title="Without plugin")
def without(model: M, adapter: Adapter) -> Annotated[M, Facts(family=Port("model"))]:
    """Take one plugin out of a model's stack and leave the others, in their order; the wire it came on keeps it.

    Where nothing was attached after the plugin, the wire before it is the same.

    Args:
        model: A denoiser, text encoder, VAE or ControlNet with the plugin.
        adapter: The plugin.

    Returns:
        out: The model without it.

    Raises:
        GraphError: E_NO_MODEL; E_NOT_ATTACHED, the plugin is not on this wire.
    """
    if isinstance(model, Model):
        return model.changed({each.component: without(model.part(each.component), each) for each in adapter.each})
    name = component(model)
    adapter = next((each for each in adapter.each if each.component == name), adapter)
    return model.without(standing(model, adapter))
