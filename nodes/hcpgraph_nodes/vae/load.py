"""`vae.load`."""

from __future__ import annotations

from typing import Annotated

from hcpgraph import Context, Facts, Probe, Setting, node
from hcpgraph.widgets import ModelPicker, RowPicker

from ..families.contradiction import refuse_other
from ..families.file_header import SUFFIXES
from ..families.registry import family as implementation
from ..families.table import NAME
from ..model.handles import Vae, named
from ..model.root import Placement


@node("vae.load", effects=("read", "resource"), packages=("diffusers",), title="Load VAE")
def load_vae(
    ctx: Context,
    *,
    path: Annotated[str, ModelPicker(primary=True, suffixes=SUFFIXES)],
    family: Annotated[str, RowPicker(table=NAME)] = "sd15",
) -> Annotated[
    Vae, Facts(family=Setting("family"), latents=Probe("latents"), contradicts=Probe("contradicts vae.load"))
]:
    """Open an autoencoder without the rest of a model.

    Weights are read when they are first used, in the precision of the run, and are frozen until a node makes them
    trainable. Pickles are never read; no network is used.

    Args:
        path: The folder of an AutoencoderKL, such as models:sd-vae-ft-mse, or of a whole model that has one; or a
            .safetensors or .gguf file of a VAE or of a whole model, in the sizes of the family's released model.
        family: Model family that its latents belong to.

    Returns:
        out: The autoencoder.

    Raises:
        GraphError: E_MODEL_FOLDER, E_MODEL_CLASS, E_NO_SAFETENSORS, E_FILE, E_PACKAGE (the extra of .gguf); E_FAMILY, a
            whole model of a family with another VAE; at first use E_WEIGHTS, E_QUANTISED.
    """
    source = ctx.path(path)
    refuse_other("vae.load", family, source, path)
    vae: Vae = implementation(family).load_vae(source, Placement(ctx.device, ctx.dtype))
    return named(ctx, (vae,))[0]
