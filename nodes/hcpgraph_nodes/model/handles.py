"""Handles: what a model is on a wire.

A handle is immutable: a shared `Root` (weights, read when first used) and a stack of plugins. Attaching a plugin makes
a new handle over the same root; the old one still means the model without it. `with handle.active() as module:`
switches on exactly the handle's own stack for the calls in the block.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import torch
from torch import nn

from hcpgraph import Context, GraphError
from hcpgraph.finite import READ, refuse_not_finite
from hcpgraph.types import port_type

from .activation import Activation, Call, checkpointed, tap
from .clip import Clip
from .compiled import CompiledStack, Compiling

if TYPE_CHECKING:
    from ..plugins.base import Plugin

P = TypeVar("P", bound=tuple[Any, ...])
N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and in which precision weights are kept, and whether the denoiser's activations are recomputed."""

    device: torch.device
    dtype: torch.dtype = torch.float32
    checkpointing: bool = False


class Root:
    """The weights that handles share: one module, read when first used, and the stack that is switched on in it.

    Args:
        load: Makes the module on the CPU; called when weights are first used, and again after `release`.
        placement: Device, precision and gradient checkpointing.
        rename: Run-time module name -> the layer's name in files and selectors.

    A layer that a plugin reaches gets a tap: an instance attribute `forward` in front of the class's own. The module's
    classes, names and state dict stay as they are, and the tap goes when the last plugin that needs it is dropped.
    It is a bound method, so that a deep copy of the module calls its own layers.

    Attributes:
        active: The call that is going on; None when no stack is switched on.
        uses: How many calls are going on.
        trainable: Whether its own weights are, or ever were, trained.
        node: The node that opened or made it, for messages.
        origin: Names what the weights are made of, such as the key of the node that opened a file and the component;
            empty where nothing names it. Roots of one origin have the same weights while they are not trainable.
        reads: How often the weights were read.
        compiled: Compiled calls by how they are compiled, method and identities of the plugins; none keeps a plugin.
    """

    def __init__(
        self, load: Callable[[], nn.Module], placement: Placement, rename: Callable[[str], str] = lambda name: name
    ) -> None:
        self.placement = placement
        self.active: Call | None = None
        self.uses = 0
        self.trainable = False
        self.node: str | None = None
        self.origin = ""
        self.reads = 0
        self.compiled: dict[tuple[Any, ...], CompiledStack] = {}
        self._load = load
        self._rename = rename
        self._module: nn.Module | None = None
        self._copied = False
        self._lock = threading.RLock()
        self._layers: dict[str, nn.Module] = {}
        self._taps: dict[str, int] = {}
        self._attached: weakref.WeakSet[Plugin] = weakref.WeakSet()

    @property
    def module(self) -> nn.Module:
        """The module, in eval mode, frozen, on its device; weights are read here."""
        module = self._module
        return self._read() if module is None else module

    @property
    def loaded(self) -> bool:
        return self._module is not None

    @property
    def layers(self) -> Mapping[str, nn.Module]:
        """Every submodule by its name in files and selectors; `''` is the module itself."""
        if not self._layers:
            self._layers = {self._rename(name) if name else "": layer for name, layer in self.module.named_modules()}
        return self._layers

    def parameter_name(self, name: str) -> str:
        """The name in files of a run-time parameter name."""
        return self._rename(name)

    def _read(self) -> nn.Module:
        with self._lock:
            if self._module is None:
                with torch.random.fork_rng(devices=[]):  # when weights are read changes no draw
                    module = self._load().requires_grad_(False).eval()
                nn.Module.to(module, device=self.placement.device, dtype=self.placement.dtype)
                self._check(module)
                if self.placement.checkpointing:
                    module.enable_gradient_checkpointing(partial(checkpointed, self))  # type: ignore[operator]
                self._module = module
                self.reads += 1
            return self._module

    def _check(self, module: nn.Module) -> None:
        """Every model comes in here, whatever read it, in the precision in which it will be used."""
        weights = ((self._rename(name), value) for name, value in module.state_dict().items())
        what = f"the {type(module).__name__} in {str(self.placement.dtype).removeprefix('torch.')}"
        refuse_not_finite(weights, what, READ, node=self.node)

    def release(self) -> bool:
        """Forget the weights if reading them again gives the same, and say whether they were forgotten.

        Weights that were trained or copied from others are in memory alone; those that plugins hang on or that a call
        is using are needed.
        """
        with self._lock:
            if self._module is None or self.trainable or self._copied or self.uses or self._taps:
                return False
            self._module = None
            self._layers = {}
            self.compiled.clear()
            return True

    def copy(self, values: Mapping[int, torch.Tensor]) -> Root:
        """Frozen weights of its own, without taps: a copy of the module, but with `values` by id of the parameter."""
        fresh = Root(self._load, self.placement, self._rename)
        fresh._module = copied(self.module, {id(self): fresh}, values)
        fresh._copied = True
        for path in self._taps:
            del fresh.layers[path].forward
        return fresh

    def autocast(self) -> AbstractContextManager[Any]:
        """Frozen weights in half precision run together with trainable ones, which stay in float32."""
        if self.placement.dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self.placement.device.type, dtype=self.placement.dtype)

    def tap(self, plugin: Plugin) -> None:
        """Put a tap on every layer that the plugin reaches; removed when the plugin is garbage."""
        with self._lock:
            if plugin in self._attached:
                return
            for path in plugin.hooks:
                if path not in self._taps:
                    layer = self.layers[path]
                    layer.forward = MethodType(tap(self, path, type(layer).forward), layer)
                self._taps[path] = self._taps.get(path, 0) + 1
            self._attached.add(plugin)
            weakref.finalize(plugin, _release, weakref.ref(self), tuple(plugin.hooks), id(plugin)).atexit = False

    def untap(self, paths: tuple[str, ...], plugin: int) -> None:
        """Remove taps that only a dead plugin needed, and what was compiled with it, by its id."""
        with self._lock:
            for key in [key for key in self.compiled if plugin in key[2:]]:
                del self.compiled[key]
            for path in paths:
                self._taps[path] -= 1
                if not self._taps[path]:
                    del self._taps[path]
                    del self.layers[path].forward

    @property
    def tapped(self) -> tuple[str, ...]:
        """Names of the layers that have a tap."""
        return tuple(self._taps)


def _release(root: weakref.ref[Root], paths: tuple[str, ...], plugin: int) -> None:
    alive = root()
    if alive is not None:
        alive.untap(paths, plugin)


def copied(module: N, memo: dict[int, Any], values: Mapping[int, torch.Tensor]) -> N:
    """A frozen deep copy in eval mode whose parameters are those in `values`, by id, where it names them."""
    own = {id(parameter): parameter.dtype for parameter in module.parameters()}
    replaced = {
        key: nn.Parameter(value.to(own[key], copy=True), requires_grad=False)
        for key, value in values.items()
        if key in own
    }
    return deepcopy(module, {**memo, **replaced}).requires_grad_(False).eval()


def twin(plugin: Plugin, values: Mapping[int, torch.Tensor]) -> Plugin:
    """A frozen copy of a plugin and of the models that it calls; `values` as in `copied`."""
    made = copied(plugin, {id(handle): handle.copy(values) for handle in plugin.handles}, values)
    made.trainable = False
    return made


@port_type(color="#c9a227", weights="runs", facts=("family",))
class Weights:
    """What has weights that can be trained: a model, an adapter or a word."""

    __slots__ = ()

    def modules(self) -> tuple[nn.Module, ...]:
        """The modules that the weights belong to."""
        raise NotImplementedError

    def copy(self, values: Mapping[int, torch.Tensor]) -> Self:
        """The same over frozen copies of the weights; this one stays as it is.

        Args:
            values: What a parameter is in the copy, by id of the parameter, where it differs.
        """
        raise NotImplementedError


@port_type(color="#c9a227", weights="runs", facts=("family",), name="Model")
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Handle(Weights):
    """A model on a wire: shared weights and its own stack of plugins, innermost first.

    Attributes:
        root: The weights.
        family: Name of the model family.
        config: The component's configuration, known without reading weights.
        stack: The plugins that this handle switches on.
        inputs: Side inputs by name, for the plugins that want them.
        compiling: How its calls are compiled; None: they are not.
    """

    root: Root
    family: str
    config: Mapping[str, Any] = field(default_factory=dict)
    stack: tuple[Plugin, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    compiling: Compiling | None = None

    def active(self, **inputs: Any) -> Activation:
        """Switch on exactly this handle's stack, but for plugins that do not act with these inputs; gives the module.

        Args:
            inputs: Side inputs of this call; those of `with_inputs` win over them.
        """
        given = {**inputs, **self.inputs}
        stack = self.stack
        if not all(plugin.acts(given) for plugin in stack):
            stack = tuple(plugin for plugin in stack if plugin.acts(given))
        return Activation(self.root, stack, given, self.compiling)

    def with_inputs(self, **inputs: Any) -> Self:
        """A handle whose plugins also see these side inputs, in every call."""
        return replace(self, inputs={**self.inputs, **inputs})

    def attach(self, plugin: Plugin) -> Self:
        """A handle with the plugin on top of the stack."""
        if plugin in self.stack:
            raise GraphError("E_ATTACHED", "the plugin is already attached", hint="wire the model without it")
        self.root.tap(plugin)
        return replace(self, stack=(*self.stack, plugin))

    def without(self, plugin: Plugin) -> Self:
        """A handle without the plugin.

        Raises:
            GraphError: E_NOT_ATTACHED.
        """
        if plugin not in self.stack:
            raise GraphError(
                "E_NOT_ATTACHED",
                "the plugin is not attached to this model",
                hint="take it off a wire that comes from the node that attached it",
            )
        return replace(self, stack=tuple(other for other in self.stack if other is not plugin))

    def copy(self, values: Mapping[int, torch.Tensor]) -> Self:
        """A handle over frozen copies of the weights and the plugins; this one stays as it is."""
        result = replace(self, root=self.root.copy(values), stack=())
        for plugin in self.stack:
            result = result.attach(twin(plugin, values))
        return result

    def modules(self) -> tuple[nn.Module, ...]:
        """Every module that a call of this handle runs: the root, the plugins of the stack, and the models they call.

        Weights that nobody has used yet are frozen and not read for this: it may be that none of them is ever needed.
        """
        own = (self.root.module, *self.stack) if self.root.loaded else self.stack
        return (*own, *(module for plugin in self.stack for handle in plugin.handles for module in handle.modules()))

    @property
    def trainable(self) -> bool:
        """Whether any weight that a call runs is trained."""
        called = (handle for plugin in self.stack for handle in plugin.handles)
        return (
            self.root.trainable
            or any(plugin.trainable for plugin in self.stack)
            or any(handle.trainable for handle in called)
        )

    @property
    def device(self) -> torch.device:
        return self.root.placement.device


@port_type(color="#c9a227", weights="runs", facts=("family",))
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Denoiser(Handle):
    """The network that predicts the noise; `prediction_type` is what its output means."""

    prediction_type: str = "epsilon"


@port_type(color="#5f9e6e", weights="runs", facts=("family",))
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TextEncoder(Handle):
    """The networks that turn text into a conditioning, with their tokenizers; several of them are one module."""

    clips: tuple[Clip, ...]


@port_type(color="#c7608f", weights="runs", facts=("family",))
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Vae(Handle):
    """The autoencoder between pictures and latents."""


@port_type(color="#4f86b8", weights="runs", facts=("family",))
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ControlNet(Handle):
    """A network that leads a denoiser by pictures, such as edge maps or poses."""


COMPONENTS: dict[type[Handle], str] = {
    Denoiser: "denoiser",
    TextEncoder: "text_encoder",
    Vae: "vae",
    ControlNet: "controlnet",
}


def component(value: Any) -> str:
    """`denoiser`, `text_encoder`, `vae` or `controlnet`.

    Raises:
        GraphError: E_NO_MODEL, the value is no model handle.
    """
    name = COMPONENTS.get(type(value))
    if name is None:
        raise GraphError(
            "E_NO_MODEL",
            f"this port takes a model, not {type(value).__name__}",
            hint="wire the denoiser, the text encoder or the vae of a model, or a ControlNet",
        )
    return name


def named(ctx: Context, parts: P) -> P:
    """The parts of a model, each root with its node and its origin: the node's key, and the component.

    Inside a region a node has no key, and its roots no origin.
    """
    for part in parts:
        if isinstance(part, Handle):
            part.root.node = ctx.node
            part.root.origin = f"{ctx.key}:{component(part)}" if ctx.key else ""
    return parts
