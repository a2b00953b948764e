"""`text_encoder.load`."""

from __future__ import annotations

from typing import Annotated

from hcpgraph import Context, Facts, GraphError, Probe, node
from hcpgraph.widgets import ModelPicker, RowPicker

from ..families.contradiction import refuse_other
from ..families.file_header import SUFFIXES
from ..families.registry import family as implementation
from ..families.table import NAME
from ..families.text_probe import probe_text_encoder
from ..model.handles import TextEncoder, named
from ..model.root import Placement


@node("text_encoder.load", effects=("read", "resource"), packages=("transformers",), title="Load text encoder")
def load_text_encoder(
    ctx: Context,
    *,
    path: Annotated[str, ModelPicker(primary=True, suffixes=SUFFIXES)],
    path_2: Annotated[str | None, ModelPicker(suffixes=SUFFIXES)] = None,
    path_3: Annotated[str | None, ModelPicker(suffixes=SUFFIXES)] = None,
    family: Annotated[str, RowPicker(table=NAME, also=("auto",))] = "auto",
    config: Annotated[str | None, ModelPicker(kind_of="folder", advanced=True)] = None,
) -> Annotated[
    TextEncoder,
    Facts(
        family=Probe("text_encoder family"),
        text=Probe("text_encoder text"),
        contradicts=Probe("contradicts text_encoder.load"),
    ),
]:
    """Open a text encoder without the rest of a model, such as files of ComfyUI's text_encoders.

    Of a whole model nothing else is read. A family with several text networks, such as SDXL, has them in one place or
    one in each, in the order of diffusers: clip_l in path, clip_g in path_2. The tokenizer is that of the folder or
    beside it, or of `config`; files of CLIP's networks have CLIP's.
    Weights are read when they are first used, in the precision of the run, and are frozen until a node makes them
    trainable. Pickles are never read; no network is used.

    Args:
        path: The folder of a text network as diffusers saved it, or of a whole model; or a .safetensors or .gguf file
            of text networks or of a whole model.
        path_2: The second text network of the family, if it lies elsewhere.
        path_3: The third one, such as T5 of Stable Diffusion 3, which may do without.
        family: Model family; auto reads it from the files. Files that are of another one are refused.
        config: For files of networks other than CLIP's: a diffusers folder of the family with their tokenizers, and for
            unusual sizes with their configurations. Weights in it are not read.

    Returns:
        out: The text encoder with its tokenizers; the networks of a family are one.

    Raises:
        GraphError: E_FAMILY, E_SETTING (more paths than networks, or fewer), E_TOKENIZER, E_MODEL_FOLDER,
            E_MODEL_CLASS, E_NO_SAFETENSORS, E_FILE, E_PACKAGE (the extra of .gguf), E_WEIGHTS; at first use E_WEIGHTS,
            E_QUANTISED, E_NOT_FINITE.
    """
    if path_3 is not None and path_2 is None:
        raise GraphError("E_SETTING", "path_3 without path_2", port="path_2", hint="give the second text network too")
    paths = [each for each in (path, path_2, path_3) if each is not None]
    sources = [ctx.path(each) for each in paths]
    refuse_other("text_encoder.load", family, sources, " and ".join(paths))
    name = probe_text_encoder(sources) if family == "auto" else family
    if name is None:
        raise GraphError("E_FAMILY", f"'{path}' is no text encoder of a known family", port="path", hint="set family")
    described = None if config is None else ctx.path(config)
    encoder: TextEncoder = implementation(name).load_text_encoder(sources, Placement(ctx.device, ctx.dtype), described)
    return named(ctx, (encoder,))[0]
