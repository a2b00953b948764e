"""`projection.load`."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import nn

from hcpgraph import Context, GraphError, node
from hcpgraph.widgets import ModelPicker

from ..families.safetensors_file import safetensors_header
from ..families.tensor_files import read
from ..families.weights import build
from ..model.handles import Projection
from ..model.root import Root
from .network import described, handle, placement


@node("projection.load", effects=("read", "resource"), title="Load projection")
def load_projection(
    ctx: Context, *, path: Annotated[str, ModelPicker(kind_of="file", primary=True, suffixes=(".safetensors",))]
) -> Projection:
    """Open a projection that projection.save wrote.

    Weights are read when they are first used, float32 in every precision of a run, and are frozen until a node makes
    them trainable.

    Args:
        path: The file.

    Returns:
        out: The projection.

    Raises:
        GraphError: E_NO_SAFETENSORS; E_WEIGHTS, it holds no projection; at first use E_WEIGHTS, E_NOT_FINITE.
    """
    file = ctx.path(path)
    if file.suffix != ".safetensors" or not file.is_file():
        raise GraphError("E_NO_SAFETENSORS", f"{file.name} is no .safetensors file", port="path")
    try:
        metadata = safetensors_header(file).get("__metadata__") or {}
    except (OSError, ValueError, RecursionError) as error:
        hint = "save or fetch it again"
        raise GraphError("E_NO_SAFETENSORS", f"{file.name} cannot be read: {error}", port="path", hint=hint) from None
    network = described(metadata, file.name)

    def empty() -> nn.Module:
        with torch.device("meta"):  # a header that lies about sizes takes no memory
            return network.made()

    root = Root(lambda: build(empty, read(file, lambda _: True), "projection"), placement(ctx))
    return handle(ctx, root, network)
