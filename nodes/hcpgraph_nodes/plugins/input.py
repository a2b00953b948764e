"""`plugin.input`: a side input of plugins."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import Field

from hcpgraph import Facts, Port, node
from hcpgraph.widgets import Hint

from ..model.handles import component
from .attach import M

T = TypeVar("T")


@node("plugin.input", cache="none", title="Plugin input")
def side_input(
    model: M,
    value: T,
    *,
    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"), Hint(primary=True)],
) -> Annotated[M, Facts(family=Port("model"))]:
    """Hand a value to the plugins of a model; the wire it came on still means the model without it.

    Plugins that want an input of this name get it in every call through this wire, also when parts of the model are
    computed again in backward. Without this node a denoiser's plugins can have noisy, timesteps and conditioning, a
    text encoder's have ids.

    Args:
        model: A denoiser, text encoder, VAE or ControlNet with plugins.
        value: Any value, as the plugin expects it.
        name: The name by which plugins ask for it.

    Returns:
        out: The model with the value.

    Raises:
        GraphError: E_NO_MODEL.
    """
    component(model)
    return model.with_inputs(**{name: value})
