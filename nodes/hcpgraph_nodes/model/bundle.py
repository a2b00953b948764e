"""A model on one wire: its networks and its forward process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import nn

from hcpgraph import Context, GraphError
from hcpgraph.types import port_type

from ..types import Process
from .handles import Denoiser, Handle, TextEncoder, Vae, Weights


@port_type(
    color="#d9a441",
    shape="diamond",
    facts=("latents", "text"),
    parts={"denoiser": Denoiser, "text_encoder": TextEncoder, "vae": Vae, "process": Process},
    join="model.join",
    split="model.split",
)
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Model(Weights):
    """The parts of a model: networks, each with the plugins of its wire, and the forward process; any may be missing.

    The engine takes its wires apart (docs/adr/022-bundles.md): nodes see it only where a bundle is needed as one value.
    """

    denoiser: Denoiser | None = None
    text_encoder: TextEncoder | None = None
    vae: Vae | None = None
    process: Process | None = None

    @property
    def handles(self) -> dict[str, Handle]:
        """The networks that are there, by the names of their components."""
        named = {"denoiser": self.denoiser, "text_encoder": self.text_encoder, "vae": self.vae}
        return {name: handle for name, handle in named.items() if handle is not None}

    def part(self, name: str) -> Any:
        """A network of the model.

        Raises:
            GraphError: E_NO_MODEL, it has not that one.
        """
        if name not in self.handles:
            message = f"the model on this wire has no {name}"
            raise GraphError("E_NO_MODEL", message, port="model", hint="put one to it with model.join")
        return self.handles[name]

    def changed(self, parts: Mapping[str, Any]) -> Self:
        """The same with other parts."""
        return replace(self, **parts)

    def modules(self) -> tuple[nn.Module, ...]:
        return tuple(module for handle in self.handles.values() for module in handle.modules())

    def copy(self, values: Mapping[int, torch.Tensor]) -> Self:
        return self.changed({name: handle.copy(values) for name, handle in self.handles.items()})

    @property
    def trained(self) -> bool:
        return any(handle.trained for handle in self.handles.values())

    @property
    def trainable(self) -> bool:
        """Whether any weight that a call runs is trained."""
        return any(handle.trainable for handle in self.handles.values())


def part_context(ctx: Context, name: str) -> Context:
    """The context of a node for one part of several: draws and parameter groups of its own, but for the denoiser."""
    if name == "denoiser":
        return ctx
    node, stream = f"{ctx.node}/{name}", f"{ctx.stream}/{name}"
    return Context(node, ctx.run, ctx.scope, stream=stream, key=ctx.key, kin=ctx.kin, reads=ctx.reads)
