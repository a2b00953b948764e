"""`plugin.save` and `plugin.load`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from hcpgraph import Context, GraphError, Many, node
from hcpgraph.widgets import Hint, ModelPicker, PathPicker, Slider

from ..families.registry import family
from ..families.weights import write_weights
from ..model.digest import file_digest
from ..model.handles import component
from ..model.save import DTYPES
from ..types import SavedFile
from .attach import Adapted, M, adapted
from .base import Adapter, Plugin
from .lora import LoraBlock
from .lora_file import kohya_state, match, read_peft_config

PEFT_FILE = "adapter_model.safetensors"


@node("plugin.save", effects="write")
def save_plugin(
    ctx: Context,
    adapter: Many[Adapter],
    *,
    path: Annotated[
        str,
        Field(pattern=r"\.safetensors$"),
        PathPicker(kind_of="file", suffixes=(".safetensors",), write=True, primary=True),
    ] = "out:lora.safetensors",
    dtype: Literal["fp32", "fp16", "bf16"] = "fp16",
    overwrite: bool = False,
) -> SavedFile:
    """Write LoRAs of one model (denoiser, text encoder) into one file that other programs read.

    The layout is kohya's, which ComfyUI, A1111, Forge and diffusers load, with the true alpha; the header carries the
    usual `ss_*` and modelspec entries and the graph that made it.

    Args:
        adapter: At most one adapter a component.
        path: File to write.
        dtype: Precision of the weights in the file.
        overwrite: Replace a file of that name; otherwise the new one gets a number.

    Returns:
        out: The file.

    Raises:
        GraphError: E_ADAPTER (two for one component, of two families, or a component without a place in LoRA files).
    """
    parts = [each.component for each in adapter]
    families = {each.family for each in adapter}
    if not adapter or len(set(parts)) < len(parts) or len(families) > 1:
        raise GraphError(
            "E_ADAPTER",
            f"cannot write adapters for {', '.join(parts) or 'nothing'} of {', '.join(sorted(families))} into one file",
            hint="one file takes one adapter a component of one model; use a plugin.save each",
        )
    state = {key: value for each in adapter for key, value in kohya_state(each).items()}
    target = ctx.output(path, overwrite=overwrite)
    metadata = header(adapter, target.stem)
    if ctx.run.embed:
        metadata["hcpgraph"] = ctx.run.embed
    converted = {key: value if key.endswith(".alpha") else value.to(DTYPES[dtype]) for key, value in state.items()}
    write_weights(target, converted, metadata)
    ctx.artifact(target, "weights")
    return SavedFile(ctx.run.roots.uri(target), file_digest(target))


def header(adapters: tuple[Adapter, ...], title: str) -> dict[str, str]:
    """kohya's `ss_*` and Stability's modelspec 1.0.1 entries; all values are text."""
    implementation = family(adapters[0].family)
    blocks = [b for each in adapters for b in each.plugin.blocks.values() if isinstance(b, LoraBlock)]
    ranks = {b.rank for b in blocks}
    alphas = {float(b.alpha) for b in blocks}
    kind = next((each.prediction_type for each in adapters if each.component == "denoiser"), "epsilon")
    return {
        "format": "pt",
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(ranks.pop()) if len(ranks) == 1 else "Dynamic",
        "ss_network_alpha": str(alphas.pop()) if len(alphas) == 1 else "Dynamic",
        "ss_base_model_version": implementation.base_version,
        "ss_output_name": title,
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": f"{implementation.architecture}/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.title": title,
        "modelspec.resolution": implementation.resolution,
        "modelspec.prediction_type": "v" if kind == "v_prediction" else kind,
    }


@node("plugin.load", effects=("read", "resource"))
def load_plugin(
    ctx: Context,
    model: M,
    *,
    path: Annotated[str, ModelPicker(primary=True, suffixes=(".safetensors",))],
    strength: Annotated[float, Field(ge=-10, le=10), Slider(step=0.05, primary=True)] = 1.0,
    trainable: Annotated[bool, Hint(advanced=True)] = False,
) -> Adapted[M]:
    """Attach a LoRA from a file (kohya, PEFT or diffusers layout).

    Only the part for this component is used; a file for denoiser and text encoder is loaded once for each.

    Args:
        model: A denoiser or text encoder.
        path: A .safetensors file, or a folder that PEFT saved.
        strength: Factor of the LoRA; 0 switches it off, negative values turn it around.
        trainable: Whether its weights are trained further.

    Returns:
        model: The model with the LoRA.
        params: Its weights if they are trainable, else nothing.
        adapter: The LoRA alone, for plugin.save; strength is not stored.

    Raises:
        GraphError: E_NO_MODEL, E_NO_SAFETENSORS, E_LORA_KEYS, E_LORA_SHAPE, E_LORA_KIND.
    """
    from safetensors import safe_open

    name = component(model)
    file = _file(ctx.path(path))
    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata() or {}
        state = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    config = read_peft_config(file, metadata, model, name)
    found = match(state, config, model, name)
    layers = model.root.layers
    blocks = {
        at: LoraBlock.from_tensors(layers[at], weights.tensors(), strength=strength, path=at)
        for at, weights in found.items()
    }
    return adapted(model, name, Plugin(blocks, trainable=trainable), ctx.node, None)


def _file(path: Path) -> Path:
    file = path / PEFT_FILE if path.is_dir() else path
    if file.suffix != ".safetensors" or not file.is_file():
        raise GraphError("E_NO_SAFETENSORS", f"{path.name} is no .safetensors file", hint="convert it to safetensors")
    return file
