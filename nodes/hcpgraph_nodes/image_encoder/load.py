"""`image_encoder.load`."""

from __future__ import annotations

from typing import Annotated

from hcpgraph import Context, Facts, GraphError, Probe, node
from hcpgraph.widgets import ModelPicker, RowPicker

from ..model.handles import ImageEncoder, named
from ..model.root import Placement
from .kinds import NAME, kind
from .probe import probe


@node("image_encoder.load", effects=("read", "resource"), packages=("transformers",), title="Load image encoder")
def load_image_encoder(
    ctx: Context,
    *,
    path: Annotated[str, ModelPicker(kind_of="folder", primary=True)],
    encoder: Annotated[str, RowPicker(table=NAME, also=("auto",))] = "auto",
) -> Annotated[ImageEncoder, Facts(encoder=Probe("image encoder"))]:
    """Open a network that makes features of pictures: CLIP's vision network, DINOv2 or SigLIP.

    Of a model that reads text too only the vision network is kept. Weights are read when they are first used, in the
    precision of the run, and are frozen until a node makes them trainable. Only safetensors are read; no network is
    used, and no code of the folder.

    Args:
        path: A folder that transformers saved, such as models:dinov2-base, or that of a pipeline with an image_encoder
            in it. What is in its preprocessor_config.json is done to the pictures.
        encoder: What kind it is; auto reads it from config.json.

    Returns:
        out: The image encoder.

    Raises:
        GraphError: E_FAMILY, it is of no known kind; E_MODEL_FOLDER, E_MODEL_CLASS; at first use E_NO_SAFETENSORS,
            E_WEIGHTS, E_NOT_FINITE.
    """
    source = ctx.path(path)
    name = probe(source) if encoder == "auto" else encoder
    if name is None:
        hint = "give a folder with a config.json that transformers saved, or set encoder"
        raise GraphError("E_FAMILY", f"'{path}' is no image encoder of a known kind", port="path", hint=hint)
    made = kind(name).load(source, Placement(ctx.device, ctx.dtype))
    return named(ctx, (made,))[0]
