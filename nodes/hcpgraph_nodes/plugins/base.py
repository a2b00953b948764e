"""Plugins: modules attached to the layers of a model that leave the model itself as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from hcpgraph import GraphError
from hcpgraph.types import port_type

from ..model.handles import Handle
from .selector import near_misses, select, within


class WrapPluginBlock(nn.Module):
    """A block in front of one layer; it holds the call of the original and decides what becomes of it.

    A subclass overrides `forward(host, *args, **kwargs)`, where `host` runs the layer with the plugins below.
    """

    wraps: ClassVar[tuple[type[nn.Module], ...]] = (nn.Module,)

    def forward(self, host: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run the layer unchanged."""
        return host(*args, **kwargs)


class Plugin(nn.Module):
    """All blocks that one node attaches to a model.

    Its weights live here, never in the model. It acts only while a handle with it in its stack is active.

    Args:
        blocks: Layer name -> block.
        trainable: Whether its weights are trained.

    Attributes:
        blocks: Layer name -> block, as the taps look it up.
    """

    def __init__(self, blocks: Mapping[str, nn.Module], *, trainable: bool = True) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({path.replace(".", "/"): block for path, block in blocks.items()})
        self.blocks = dict(blocks)
        self.trainable = trainable
        self.requires_grad_(trainable)

    def file_parameters(self) -> dict[str, nn.Parameter]:
        """The trained parameters by names that are unique within the plugin: `layer.parameter`."""
        return {
            f"{path}.{name}": parameter
            for path, block in self.blocks.items()
            for name, parameter in block.named_parameters()
        }


def wrap(
    handle: Handle,
    selectors: Sequence[str],
    block: type[WrapPluginBlock],
    make: Callable[[str, nn.Module], WrapPluginBlock],
) -> dict[str, WrapPluginBlock]:
    """A block for every layer of the block's classes among and below the selected ones.

    Raises:
        GraphError: E_SELECTOR, E_NO_LAYER; the hint lists near misses.
    """
    layers = handle.root.layers
    selected = select(layers, selectors)
    paths = within(layers, selected, block.wraps)
    if not paths:
        kinds = " or ".join(cls.__name__ for cls in block.wraps)
        candidates = within(layers, [""], block.wraps)
        raise GraphError(
            "E_NO_LAYER",
            f"{', '.join(selectors)}: there is no {kinds} layer",
            hint=f"near misses: {', '.join(near_misses(selectors[0], candidates)) if selectors else 'give a selector'}",
        )
    return {path: make(path, layers[path]) for path in paths}


@port_type(color="#d08770", weights="carries", facts=("family",))
@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """A plugin that can be saved: its weights, the component and the family it was made for."""

    plugin: Plugin
    component: str
    family: str
    prediction_type: str = "epsilon"
