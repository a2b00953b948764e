"""`denoiser.load`."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from hcpgraph import Context, Facts, GraphError, Probe, node
from hcpgraph.widgets import Hint, ModelPicker, RowPicker

from ..families.contradiction import refuse_other
from ..families.file_header import SUFFIXES, refuse_quantised
from ..families.part_probe import probe_denoiser
from ..families.registry import family as implementation
from ..families.table import NAME
from ..model.handles import Denoiser, named
from ..model.root import Placement
from ..types import Process


class LoadedDenoiser(NamedTuple):
    """A denoiser and its process."""

    denoiser: Annotated[
        Denoiser,
        Facts(
            family=Probe("denoiser family"),
            latents=Probe("denoiser latents"),
            text=Probe("denoiser text"),
            image=Probe("image"),
            contradicts=Probe("contradicts denoiser.load"),
        ),
    ]
    schedule: Annotated[
        Process,
        Facts(
            family=Probe("denoiser family"),
            impossible=Probe("impossible"),
            process=Probe("process of the files"),
            predicts=Probe("predicts of the files"),
            zero_snr=Probe("zero_snr of the files"),
            num_train_timesteps=Probe("num_train_timesteps of the files"),
        ),
    ]


@node("denoiser.load", effects=("read", "resource"), packages=("diffusers",), title="Load denoiser")
def load_denoiser(
    ctx: Context,
    *,
    path: Annotated[str, ModelPicker(primary=True, suffixes=SUFFIXES)],
    family: Annotated[str, RowPicker(table=NAME, also=("auto",))] = "auto",
    prediction_type: Literal["auto", "epsilon", "v_prediction", "sample"] = "auto",
    config: Annotated[str | None, ModelPicker(kind_of="folder", advanced=True)] = None,
    checkpointing: Annotated[bool, Hint(advanced=True)] = False,
) -> LoadedDenoiser:
    """Open a denoiser without the rest of a model, such as a file of ComfyUI's diffusion_models.

    Of a whole model nothing else is read. Weights are read when they are first used, in the precision of the run, and
    are frozen until a node makes them trainable. Pickles are never read; no network is used.

    Args:
        path: The folder of a UNet as diffusers saved it, or of a whole model; or a .safetensors or .gguf file of a
            UNet alone or of a whole model.
        family: Model family; auto reads it from the files. Files that are of another one are refused.
        prediction_type: What the denoiser predicts; auto: as the scheduler of its model or the file's header says. A
            UNet alone that does not say it has epsilon, but of SD 2.x that would be a guess and is asked for.
        config: For a file of unusual sizes: the folder of a UNet or of a whole model that describes it.
        checkpointing: Recompute its activations in backward: less memory, about a third more time, the same gradients.

    Returns:
        denoiser: The UNet.
        schedule: The forward process: of the model that it lies in, or the one of the released model.

    Raises:
        GraphError: E_FAMILY, E_PREDICTION, E_SCHEDULE, E_MODEL_FOLDER, E_MODEL_CLASS, E_NO_SAFETENSORS, E_FILE,
            E_PACKAGE (the extra of .gguf), E_QUANTISED; at first use E_WEIGHTS, E_NOT_FINITE.
    """
    source = ctx.path(path)
    refuse_other("denoiser.load", family, source, path)
    name = probe_denoiser(source) if family == "auto" else family
    if name is None:
        refuse_quantised(source)
        raise GraphError("E_FAMILY", f"'{path}' is no denoiser of a known family", port="path", hint="set family")
    placement = Placement(ctx.device, ctx.dtype, checkpointing)
    kind = None if prediction_type == "auto" else prediction_type
    described = None if config is None else ctx.path(config)
    denoiser, process = implementation(name).load_denoiser(source, placement, kind, described, ctx.log)
    return LoadedDenoiser(*named(ctx, (denoiser, process)))
