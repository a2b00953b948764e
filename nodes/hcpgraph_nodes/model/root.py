"""The weights that handles share: one module, read when first used, with taps at the layers that plugins reach."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from types import MethodType
from typing import Any, TypeVar

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from hcpgraph import GraphError
from hcpgraph.finite import READ, refuse_not_finite

from ..families.tensor_files import reading_for
from .call import Call, Plugin

N = TypeVar("N", bound=nn.Module)
P = TypeVar("P", bound=Plugin)


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
        self.compiled: dict[tuple[Any, ...], Any] = {}
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
                place = self.placement
                # when weights are read changes no draw
                with torch.random.fork_rng(devices=[]), reading_for(place.device, place.dtype):
                    module = self._load().requires_grad_(False).eval()
                nn.Module.to(module, device=place.device, dtype=place.dtype)
                self._check(module)
                if place.checkpointing:
                    self._recompute(module)
                self._module = module
                self.reads += 1
            return self._module

    def _recompute(self, module: Any) -> None:
        try:
            module.enable_gradient_checkpointing(partial(checkpointed, self))
        except ValueError:  # of classes in diffusers that were not made for it
            message, hint = f"a {type(module).__name__} cannot recompute its activations", "switch checkpointing off"
            raise GraphError("E_SETTING", message, port="checkpointing", node=self.node, hint=hint) from None

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
    """A frozen deep copy in eval mode with `values` in the place of the parameters whose ids it names: copies of them,
    or a value itself that is a parameter.
    """
    own = {id(parameter): parameter.dtype for parameter in module.parameters()}
    replaced = {
        key: value
        if isinstance(value, nn.Parameter)
        else nn.Parameter(value.to(own[key], copy=True), requires_grad=False)
        for key, value in values.items()
        if key in own
    }
    return deepcopy(module, {**memo, **replaced}).requires_grad_(False).eval()


def twin(plugin: P, values: Mapping[int, torch.Tensor]) -> P:
    """A frozen copy of a plugin and of the models that it calls; `values` as in `copied`."""
    made = copied(plugin, {id(handle): handle.copy(values) for handle in plugin.handles}, values)
    made.trainable = False
    return made


def tap(root: Root, path: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """The `forward` that stands in front of a layer's own.

    What changes inputs runs first, in the order of the stack; then the layer, with what wraps it or changes its output
    around it, each around what was declared before.
    """

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        call = root.active
        if call is None:
            return original(self, *args, **kwargs)
        host: Callable[..., Any] = partial(original, self)
        for plugin, notes in zip(call.stack, call.notes, strict=True):
            for hook in plugin.hooks.get(path, ()):
                if hook.pre:
                    args, kwargs = hook.before(args, kwargs, call.inputs, notes)
                else:
                    host = hook.around(host, call.inputs, notes)
        return host(*args, **kwargs)

    return forward


def checkpointed(root: Root, call: Callable[..., Any], *args: Any) -> Any:
    """`torch.utils.checkpoint` whose recomputation sees the stack, side inputs and notes of the first time.

    A compiled graph has the plugins in it, and computes parts of itself again.
    """
    if torch.compiler.is_compiling():
        return checkpoint(call, *args, use_reentrant=False)
    active = root.active
    begin = None if active is None else active.again()
    first = True

    def run(*args: Any) -> Any:
        nonlocal first
        if first:
            first = False
            return call(*args)
        previous, root.active = root.active, None if begin is None else begin.again()
        try:
            return call(*args)
        finally:
            root.active = previous

    return checkpoint(run, *args, use_reentrant=False)
