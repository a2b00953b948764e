"""Plugins: modules attached to the layers of a model that leave the model itself as it is."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from hcpgraph import GraphError
from hcpgraph.errors import listed
from hcpgraph.types import port_type

from ..model import call
from ..model.handles import Handle, Weights
from ..model.root import twin
from .blocks.block import Block
from .blocks.hooks import Hook, Wrap
from .blocks.selector import Asked, Point, near_misses, points, within


class WrapPluginBlock(Block):
    """A block in front of one layer; it holds the call of the original and decides what becomes of it.

    A subclass overrides `forward(host, *args, **kwargs)`, where `host` runs the layer with the plugins below.
    """

    def forward(self, host: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run the layer unchanged."""
        return host(*args, **kwargs)

    @classmethod
    def on(
        cls,
        model: Handle,
        layers: Sequence[str],
        make: Callable[[Point], Self] | None = None,
        *,
        trainable: bool = True,
    ) -> Plugin:
        """A plugin with one block a layer.

        Args:
            model: What it will be attached to.
            layers: Selectors.
            make: Makes the block of a layer; by default `cls(layer)`.
            trainable: Whether its weights are trained.

        Raises:
            GraphError: E_SELECTOR, E_NO_LAYER.
        """
        found = chosen(model, layers, cls.wraps, hooks=False)
        blocks = {point.path: placed(cls(point.layer) if make is None else make(point), model) for point in found}
        return Plugin(blocks, trainable=trainable)


class Plugin(call.Plugin):
    """All blocks that one node attaches to a model.

    Its weights live here, never in the model. It acts only while a handle with it in its stack is active.

    Args:
        blocks: Blocks by name; that of a block at one layer is the layer's.
        trainable: Whether its weights are trained; those that a block itself has frozen stay so.
        hooks: What stands at which layer; by default every block wraps the layer of its name.

    Attributes:
        blocks: Blocks by name.
        hooks: Layer name -> what stands there, as the taps look it up.
        handles: The models that its blocks call.
        wants: The side inputs that its blocks take.
        revision: How often its numbers were set: what was computed with another revision is out of date.
    """

    def __init__(
        self,
        blocks: Mapping[str, Block],
        *,
        trainable: bool = True,
        hooks: Mapping[str, Sequence[Hook]] | None = None,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({"/" + path.replace(".", "/"): block for path, block in blocks.items()})
        self.blocks: dict[str, Block] = dict(blocks)
        wrapped: Mapping[str, Sequence[Hook]] = {path: (Wrap(block),) for path, block in blocks.items()}
        self.hooks = {path: tuple(found) for path, found in (wrapped if hooks is None else hooks).items()}
        self.handles = tuple(handle for block in blocks.values() for handle in block.handles)
        self.wants = frozenset(name for block in blocks.values() for name in block.wants)
        self.trainable = trainable
        self._choosy = tuple(block for block in blocks.values() if type(block).acts is not Block.acts)
        self._revision = 0
        self._source: weakref.ref[call.Plugin] | None = None
        if not trainable:
            self.requires_grad_(False)

    @property
    def revision(self) -> int:
        return self._revision

    @property
    def source(self) -> call.Plugin:
        found = None if self._source is None else self._source()
        return self if found is None else found

    @property
    def identity(self) -> Hashable:
        """Plugins of one identity are compiled together: what they do is the same, and only their values differ."""
        return id(self.source)

    def scaled(self, factor: float) -> Self:
        """A plugin over the same weights whose blocks have `factor` times the strength; this one stays as it is.

        Raises:
            GraphError: E_HYPER_PARAM, a block has no strength.
        """
        blocks = {id(block): block.scaled(factor) for block in self.blocks.values()}
        made = type(self).__new__(type(self))
        nn.Module.__init__(made)
        made.__dict__.update((name, value) for name, value in vars(self).items() if name not in vars(nn.Module()))
        made.training = self.training
        made.layers = nn.ModuleDict({name: blocks[id(block)] for name, block in self.layers.items()})
        made.blocks = {path: blocks[id(block)] for path, block in self.blocks.items()}
        made.hooks = {path: tuple(_over(hook, blocks) for hook in hooks) for path, hooks in self.hooks.items()}
        made._choosy = tuple(blocks[id(block)] for block in self._choosy)
        made._source = weakref.ref(self.source)
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_source": None}  # a copy has weights of its own

    def acts(self, inputs: Mapping[str, Any]) -> bool:
        """Whether it takes part in a call with these side inputs."""
        return all(block.acts(inputs) for block in self._choosy)

    def file_parameters(self) -> dict[str, nn.Parameter]:
        """The trained parameters by names that are unique within the plugin: `layer.parameter`."""
        return {
            f"{path}.{name}": parameter
            for path, block in self.blocks.items()
            for name, parameter in block.named_parameters()
            if parameter.requires_grad
        }

    def set_hyper_params(self, **values: Any) -> None:
        """Change numbers of all blocks, such as a strength.

        Raises:
            GraphError: E_HYPER_PARAM, a block has no such number; then none is changed.
        """
        for block in self.blocks.values():
            block.check_hyper_params(values)
        for block in self.blocks.values():
            block.set_hyper_params(**values)
        self._revision += 1

    def state(self) -> dict[str, Tensor]:
        """All its weights and buffers, without those of the model, by `layer.name`."""
        return {
            f"{path}.{name}": value for path, block in self.blocks.items() for name, value in block.state_dict().items()
        }

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave.

        Raises:
            GraphError: E_STATE, keys that are missing, unknown or of another shape; then nothing is taken over.
        """
        fill(self.state(), state)
        self._revision += 1


def _over(hook: call.Hook, blocks: Mapping[int, Block]) -> call.Hook:
    """What stands at a layer, with other blocks by id of the one they stand for; what only reads has none."""
    block = getattr(hook, "block", None)
    changed: Any = hook
    return hook if block is None else replace(changed, block=blocks[id(block)])


def fill(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Copy a state into tensors of the same names.

    Raises:
        GraphError: E_STATE.
    """
    wrong = [f"{name} is missing" for name in own if name not in state]
    wrong += [f"{name} is unknown" for name in state if name not in own]
    wrong += [
        f"{name} has the shape {list(state[name].shape)} instead of {list(value.shape)}"
        for name, value in own.items()
        if name in state and state[name].shape != value.shape
    ]
    if wrong:
        raise GraphError(
            "E_STATE",
            f"the weights do not fit: {listed(wrong, '; ')}",
            hint="attach plugins of the same kinds to the same layers, in the same order",
        )
    for name, value in own.items():
        value.copy_(state[name])


def model_state(model: Handle, *, host: bool = True) -> dict[str, Tensor]:
    """The weights that a handle runs: the model's by their names in files, then `plugins.<place in the stack>.<name>`.

    Args:
        model: The handle.
        host: Whether the model's own weights are among them.
    """
    root = model.root
    own = root.module.state_dict() if host else {}
    return {root.parameter_name(name): value for name, value in own.items()} | {
        f"plugins.{place}.{name}": value
        for place, plugin in enumerate(model.stack)
        for name, value in plugin.state().items()
    }


@torch.no_grad()
def load_model_state(model: Handle, state: Mapping[str, Tensor], *, host: bool = True) -> None:
    """Take over what `model_state` gave.

    Raises:
        GraphError: E_STATE; then nothing is taken over.
    """
    fill(model_state(model, host=host), state)


def chosen(
    model: Handle, selectors: Sequence[str], classes: tuple[type[nn.Module], ...] = (), *, hooks: bool = True
) -> list[Point]:
    """The layers that selectors mean for a block: themselves, or those of its classes among and below them.

    Raises:
        GraphError: E_SELECTOR, E_NO_LAYER; the hint lists near misses.
    """
    layers = model.root.layers
    selected = points(layers, selectors, Asked.of(model), hooks=hooks)
    if not classes:
        return selected
    below = [Point(path, layers[path], at.pre) for at in selected for path in within(layers, [at.path], classes)]
    found = list(dict.fromkeys(below))
    if not found:
        kinds = " or ".join(cls.__name__ for cls in classes)
        candidates = within(layers, [""], classes)
        raise GraphError(
            "E_NO_LAYER",
            f"{', '.join(selectors)}: there is no {kinds} layer",
            hint=f"near misses: {', '.join(near_misses(selectors[0], candidates)) if selectors else 'give a selector'}",
        )
    return found


def placed(block: Any, model: Handle) -> Any:
    """The block on the model's device."""
    return block.to(model.device)


@port_type(color="#d08770", weights="carries", facts=("family", "latents", "text"))
@dataclass(frozen=True, slots=True, eq=False)
class Adapter(Weights):
    """A plugin that can be saved: its weights, and the component, the family and the configuration it was made for.

    Attributes:
        more: What the same node attached to other components of the model.
    """

    plugin: Plugin
    component: str
    family: str
    prediction_type: str = "epsilon"
    config: Mapping[str, Any] = field(default_factory=dict)
    more: tuple[Adapter, ...] = ()

    @property
    def each(self) -> tuple[Adapter, ...]:
        """One adapter a component."""
        return (replace(self, more=()), *self.more)

    def modules(self) -> tuple[nn.Module, ...]:
        return tuple(each.plugin for each in self.each)

    def copy(self, values: Mapping[int, Tensor]) -> Self:
        more = tuple(each.copy(values) for each in self.more)
        return replace(self, plugin=twin(self.plugin, values), more=more)
