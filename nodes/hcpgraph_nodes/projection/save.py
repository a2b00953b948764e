"""`projection.save`."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.widgets import ModelPicker

from ..families.networks import base_state
from ..families.weights import write_weights
from ..model.digest import file_digest
from ..model.folder import DTYPES
from ..model.handles import Projection
from ..types import SavedFile
from .network import CONFIG


@node("projection.save", effects="write", title="Save projection")
def save_projection(
    ctx: Context,
    projection: Projection,
    *,
    path: Annotated[
        str,
        Field(pattern=r"\.safetensors$"),
        ModelPicker(kind_of="file", suffixes=(".safetensors",), write=True, primary=True),
    ] = "out:projection.safetensors",
    dtype: Literal["fp32", "fp16", "bf16"] = "fp32",
    overwrite: bool = False,
) -> SavedFile:
    """Write a projection into one file that projection.load reads.

    The header describes the network and carries the graph that made it. Plugins of the wire are not part of it.

    Args:
        projection: The projection.
        path: File to write.
        dtype: Precision of the weights in the file.
        overwrite: Replace a file of that name; otherwise the new one gets a number.

    Returns:
        out: The file.

    Raises:
        GraphError: E_NOT_FINITE.
    """
    target = ctx.output(path, overwrite=overwrite, weights=True)
    told = {"format": "pt", CONFIG: json.dumps(dict(projection.config), sort_keys=True)}
    state = base_state(projection, DTYPES[dtype])
    write_weights(target, state, told | ({"hcpgraph": ctx.run.embed} if ctx.run.embed else {}))
    ctx.artifact(target, "weights")
    return SavedFile(ctx.run.roots.uri(target), file_digest(target))
