"""`model.load`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from hcpgraph import Context, Facts, GraphError, Probe, Whole, node
from hcpgraph.widgets import Hint, ModelPicker, RowPicker

from ..adapter_files.suffixes import take_apart
from ..families.contradiction import refuse_other
from ..families.file_header import SUFFIXES, header, refuse_quantised
from ..families.probe import probe_family
from ..families.registry import family as implementation
from ..families.table import NAME, families
from ..types import Process
from .bundle import Model
from .handles import Denoiser, TextEncoder, Vae, named
from .root import Placement


class LoadedModel(NamedTuple):
    """The parts of a model."""

    denoiser: Annotated[
        Denoiser,
        Facts(
            family=Probe("family"),
            latents=Probe("latents"),
            text=Probe("text"),
            image=Probe("image"),
            weights="denoiser",
        ),
    ]
    text_encoder: Annotated[TextEncoder, Facts(family=Probe("family"), text=Probe("text"), weights="text_encoder")]
    vae: Annotated[Vae, Facts(family=Probe("family"), latents=Probe("latents"), weights="vae")]
    schedule: Annotated[
        Process,
        Facts(
            family=Probe("family"),
            impossible=Probe("impossible"),
            contradicts=Probe("contradicts model.load"),
            process=Probe("process of the files"),
            predicts=Probe("predicts of the files"),
            zero_snr=Probe("zero_snr of the files"),
            num_train_timesteps=Probe("num_train_timesteps of the files"),
        ),
    ]


@node(
    "model.load",
    effects=("read", "resource"),
    packages=("diffusers", "transformers"),
    gives={"model": Whole(Model, denoiser="denoiser", text_encoder="text_encoder", vae="vae", process="schedule")},
)
def load_model(
    ctx: Context,
    *,
    path: Annotated[str, ModelPicker(primary=True, suffixes=SUFFIXES)],
    family: Annotated[str, RowPicker(table=NAME, also=("auto",))] = "auto",
    prediction_type: Literal["auto", "epsilon", "v_prediction", "sample"] = "auto",
    config: Annotated[str | None, ModelPicker(kind_of="folder", advanced=True)] = None,
    checkpointing: Annotated[bool, Hint(advanced=True)] = False,
) -> LoadedModel:
    """Open a diffusers folder or a checkpoint in a single file, .safetensors or .gguf.

    Weights are read when they are first used, in the precision of the run, and are frozen until a node makes them
    trainable. Classes come from the family, never from the folder; pickles are never read; no network is used. Weights
    in 8-bit floats and quantised ones of .gguf, which need the extra `hcpgraph[gguf]`, become numbers of the run's
    precision.

    Args:
        path: A diffusers folder, or a .safetensors or .gguf file, such as models:sd15.
        family: Model family; auto reads it from the files. Files that are of another one are refused.
        prediction_type: What the denoiser predicts; auto: as the folder's scheduler or the file's header says. A single
            file that does not say it has epsilon, but of SD 2.x that would be a guess and is asked for.
        config: For a single file of unusual sizes: a diffusers folder whose configuration files describe it. Files of
            model.save need none.
        checkpointing: Recompute the denoiser's activations in backward: less memory, about a third more time, the
            same gradients.

    Returns:
        model: The model on one wire.
        denoiser: The UNet.
        text_encoder: The text encoder with its tokenizer; the two of SDXL are one.
        vae: The autoencoder; in float32 where it would overflow in float16, as its configuration says.
        schedule: The forward process it was trained with.

    Raises:
        GraphError: E_FAMILY, E_PREDICTION, E_SCHEDULE, E_MODEL_FOLDER, E_MODEL_CLASS, E_NO_SAFETENSORS, E_FILE
            (damaged), E_PACKAGE; E_QUANTISED, weights in fewer bits in a way that is not read; at first use E_WEIGHTS,
            E_NOT_FINITE.
    """
    source = ctx.path(path)
    refuse_other("model.load", family, source, path)
    name = probe_family(source) if family == "auto" else family
    if name is None:
        raise _unknown(source, path)
    placement = Placement(ctx.device, ctx.dtype, checkpointing)
    kind = None if prediction_type == "auto" else prediction_type
    if source.is_dir():
        parts = implementation(name).load_folder(source, placement, kind)
    else:
        described = None if config is None else ctx.path(config)
        parts = implementation(name).load_file(source, placement, kind, described, ctx.log)
    return LoadedModel(*named(ctx, parts))


def _unknown(source: Path, path: str) -> GraphError:
    """The error for what no family recognises: a damaged file, an adapter, or a model that nobody here knows."""
    if source.suffix in SUFFIXES and source.is_file():
        try:
            keys = header(source).shapes
        except GraphError:
            kind = source.suffix.removeprefix(".")
            return GraphError("E_FILE", f"'{path}' is damaged or no {kind} file", hint="download or save it again")
        refuse_quantised(source)
        if any(take_apart(key) for key in keys):
            return GraphError(
                "E_FAMILY", f"'{path}' is no model: it holds a LoRA or another adapter", hint="load it with plugin.load"
            )
    known = ", ".join(f"{name} ({row.values.get('title', name)})" for name, row in families().items())
    return GraphError(
        "E_FAMILY",
        f"'{path}' is of no known model family",
        hint=f"set family to one of: {known}; .ckpt files must be converted to safetensors first",
    )
