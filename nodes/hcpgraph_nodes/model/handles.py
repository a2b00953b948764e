"""Handles: what a model is on a wire.

A handle is immutable: a shared `Root` (weights, read when first used) and a stack of plugins. Attaching a plugin makes
a new handle over the same root; the old one still means the model without it. `with handle.active() as module:`
switches on exactly the handle's own stack for the calls in the block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

import torch
from torch import nn

from hcpgraph import Context, GraphError
from hcpgraph.types import port_type

from .activation import Activation
from .call import Plugin
from .clip import Clip
from .compiled import Compiling
from .preprocessing import Preprocessing
from .root import Root, twin

P = TypeVar("P", bound=tuple[Any, ...])


@port_type(color="#c9a227", weights="runs", told=("family",))
class Weights:
    """What has weights that can be trained: a model, an adapter or a word."""

    __slots__ = ()

    def modules(self) -> tuple[nn.Module, ...]:
        """The modules that the weights belong to."""
        raise NotImplementedError

    @property
    def trained(self) -> bool:
        """Whether some of its weights are those of a training, which may be over."""
        return any(getattr(module, "trainable", False) for module in self.modules())

    def copy(self, values: Mapping[int, torch.Tensor]) -> Self:
        """The same over frozen copies of the weights; this one stays as it is.

        Args:
            values: What a parameter is in the copy, by id of the parameter, where it differs.
        """
        raise NotImplementedError


@port_type(color="#c9a227", weights="runs", told=("family",))
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Handle(Weights):
    """A network of a model on a wire: shared weights and its own stack of plugins, innermost first.

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

    @property
    def wants(self) -> frozenset[str]:
        """The side inputs that the plugins of its stack take."""
        return frozenset().union(*(plugin.wants for plugin in self.stack))

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

    def exchanged(self, plugin: Plugin, other: Plugin) -> Self:
        """A handle with another plugin in the place of one of its stack."""
        self.root.tap(other)
        return replace(self, stack=tuple(other if each is plugin else each for each in self.stack))

    def copy(self, values: Mapping[int, torch.Tensor]) -> Self:
        """A handle over frozen copies of the weights and the plugins; this one stays as it is."""
        result = replace(self, root=self.root.copy(values), stack=())
        for plugin in self.stack:
            result = result.attach(twin(plugin, values))
        return result

    def following(self, values: Mapping[int, nn.Parameter]) -> Self:
        """A handle with other parameters, by the ids of its own, which others may change; the rest is shared.

        The weights of a root of which some are named are copied, but for these.
        """
        named = self.root.trainable and any(id(each) in values for each in self.root.module.parameters())
        result = replace(self, root=self.root.copy(values) if named else self.root, stack=())
        for plugin in self.stack:
            own = {id(parameter) for parameter in plugin.parameters()}
            result = result.attach(plugin if own.isdisjoint(values) and not plugin.handles else twin(plugin, values))
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
    def trained(self) -> bool:
        """Whether some of its weights are those of a training, which may be over."""
        return self.trainable

    @property
    def device(self) -> torch.device:
        return self.root.placement.device


@port_type(color="#c9a227", weights="runs", facts=("family", "latents", "text"), told=("image",))
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Denoiser(Handle):
    """The network that predicts the noise; `prediction_type` is what its output means."""

    prediction_type: str = "epsilon"


@port_type(color="#5f9e6e", weights="runs", facts=("text",))
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TextEncoder(Handle):
    """The networks that turn text into a conditioning, with their tokenizers; several of them are one module."""

    clips: tuple[Clip, ...]


@port_type(color="#c7608f", weights="runs", facts=("latents",))
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Vae(Handle):
    """The autoencoder between pictures and latents."""


@port_type(color="#4f86b8", weights="runs", facts=("family", "latents", "text"))
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ControlNet(Handle):
    """A network that leads a denoiser by pictures, such as edge maps or poses."""


@port_type(color="#b98a5e", weights="runs", told=("encoder",))
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ImageEncoder(Handle):
    """A network that makes features of pictures, such as CLIP's or DINOv2.

    Attributes:
        preprocessing: How pictures become what it reads.
    """

    preprocessing: Preprocessing


@port_type(color="#8fbf7f", shape="triangle", weights="runs")
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Projection(Handle):
    """A small network that brings features or a part of a conditioning to another width or number of tokens."""


COMPONENTS: dict[type[Handle], str] = {
    Denoiser: "denoiser",
    TextEncoder: "text_encoder",
    Vae: "vae",
    ControlNet: "controlnet",
    ImageEncoder: "image_encoder",
    Projection: "projection",
}


def component(value: Any) -> str:
    """`denoiser`, `text_encoder`, `vae`, `controlnet`, `image_encoder` or `projection`.

    Raises:
        GraphError: E_NO_MODEL, the value is no model handle.
    """
    name = COMPONENTS.get(type(value))
    if name is None:
        raise GraphError(
            "E_NO_MODEL",
            f"this port takes a model, not {type(value).__name__}",
            hint="wire a denoiser, text encoder or vae of a model, a ControlNet, an image encoder or a projection",
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
