"""`plugin.save`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from hcpgraph import Context, GraphError, Many, node
from hcpgraph.errors import listed
from hcpgraph.widgets import ModelPicker

from ..adapter_files import header
from ..adapter_files.canonical import ALPHA, Components
from ..adapter_files.layouts import Layout, fitting, written
from ..adapter_files.names import DENOISER, TEXT, Spelling
from ..adapter_files.own import content, is_own
from ..families.weights import write_weights
from ..model.digest import file_digest
from ..model.folder import DTYPES
from ..types import SavedFile
from .base import Adapter
from .blocks.adapter import AdapterBlock


@node("plugin.save", effects="write")
def save_plugin(
    ctx: Context,
    adapter: Many[Adapter],
    *,
    path: Annotated[
        str,
        Field(pattern=r"\.safetensors$"),
        ModelPicker(kind_of="file", suffixes=(".safetensors",), write=True, primary=True),
    ] = "out:lora.safetensors",
    layout: Layout = "auto",
    dtype: Literal["fp32", "fp16", "bf16"] = "fp16",
    overwrite: bool = False,
) -> SavedFile:
    """Write the adapters of one model (denoiser, text encoder) into one file that other programs read.

    The header carries what is known of the network, modelspec entries and the graph that made the file. Plugins of
    kinds of their own (plugin.custom, decoupled attention, those of other packs) have a layout of ours, which
    plugin.load reads where their pack is installed.

    Args:
        adapter: At most one adapter a component.
        path: File to write.
        layout: kohya's, which ComfyUI, A1111, Forge and diffusers load, for every kind of adapter, but where the
            original network of a transformer has one layer of several, which takes LoRA alone; ComfyUI's
            (`diffusion_model.` and the original names), for every kind; PEFT's, which diffusers loads exactly and which
            holds LoRA and DoRA; or that of HCP-Diffusion 0.9, one component a file. auto: kohya's, or ComfyUI's where
            kohya's has no place for something.
        dtype: Precision of the weights in the file.
        overwrite: Replace a file of that name; otherwise the new one gets a number.

    Returns:
        out: The file.

    Raises:
        GraphError: E_ADAPTER (two for one component, of two families, without a place in the layout), E_NOT_FINITE.
    """
    adapters = [each for one in adapter for each in one.each]
    parts = [each.component for each in adapters]
    families = {each.family for each in adapters}
    if not adapters or len(set(parts)) < len(parts) or len(families) > 1:
        raise GraphError(
            "E_ADAPTER",
            f"cannot write adapters for {', '.join(parts) or 'nothing'} of {', '.join(sorted(families))} into one file",
            hint="one file takes one adapter a component of one model; use a plugin.save each",
        )
    own = [is_own(each) for each in adapters]
    if any(own):
        if not all(own) or layout != "auto":
            raise GraphError(
                "E_ADAPTER",
                "plugins of kinds of their own have a file of their own, which other programs do not read",
                port="adapter" if layout == "auto" else "layout",
                hint="set layout to auto, and write LoRAs and the like with a plugin.save of their own",
            )
        return save_own(ctx, adapters, path, DTYPES[dtype], overwrite)
    components = {each.component: canonical(each) for each in adapters}
    unet = next((each for each in adapters if each.component == DENOISER), None)
    kind = None if unet is None else unet.prediction_type
    configs = {each.component: each.config for each in adapters}
    names = Spelling(adapters[0].family, configs.get(DENOISER, {}), configs.get(TEXT))
    chosen: str = layout
    if layout == "auto":
        chosen, reasons = fitting(components, names)
        if reasons:
            ctx.log(f"written in ComfyUI's layout: {listed(reasons, '; ')}")
    target = ctx.output(path, overwrite=overwrite, weights=True)
    write(
        target,
        components,
        names,
        (unet or adapters[0]).config,
        layout=chosen,
        dtype=DTYPES[dtype],
        prediction_type=kind,
        graph=ctx.run.embed,
    )
    ctx.artifact(target, "weights")
    return SavedFile(ctx.run.roots.uri(target), file_digest(target))


def save_own(ctx: Context, adapters: list[Adapter], path: str, dtype: torch.dtype, overwrite: bool) -> SavedFile:
    """Write plugins of any kind into one file, see `adapter_files.own`."""
    state, told = content(adapters)
    target = ctx.output(path, overwrite=overwrite, weights=True)
    ready = {key: value.to(dtype) if value.is_floating_point() else value for key, value in state.items()}
    write_weights(target, ready, {"format": "pt", **told, **({"hcpgraph": ctx.run.embed} if ctx.run.embed else {})})
    ctx.artifact(target, "weights")
    return SavedFile(ctx.run.roots.uri(target), file_digest(target))


def canonical(adapter: Adapter) -> dict[str, dict[str, Tensor]]:
    """The tensors of an adapter, layer by layer.

    Raises:
        GraphError: E_ADAPTER, a block of it is no adapter.
    """
    others = {type(block).__name__ for block in adapter.plugin.blocks.values() if not isinstance(block, AdapterBlock)}
    if others:
        raise GraphError(
            "E_ADAPTER",
            f"{', '.join(sorted(others))} cannot be written as an adapter file",
            hint="adapters are changes of the weights of layers, such as LoRA",
        )
    return {
        path: {suffix: value.detach() for suffix, value in block.tensors().items()}
        for path, block in adapter.plugin.blocks.items()
        if isinstance(block, AdapterBlock)
    }


def write(
    target: Path,
    components: Components,
    names: Spelling,
    config: Mapping[str, Any],
    *,
    layout: str,
    dtype: torch.dtype | None,
    prediction_type: str | None,
    graph: str | None = None,
    kept: Mapping[str, str] | None = None,
) -> None:
    """Write a file; nothing is written where something does not fit.

    Args:
        target: The file.
        components: The adapters in the canonical form.
        names: How the model's layers are called.
        config: The configuration of the denoiser, or of the text encoder alone; empty: the released model's.
        layout: One of `layouts.LAYOUTS`.
        dtype: Precision of the weights; None keeps that of the tensors. Scales of HCP-Diffusion and alpha stay float32.
        prediction_type: What the model predicts; None: nobody knows.
        graph: The graph that made them.
        kept: Header entries that other entries win over.

    Raises:
        GraphError: E_ADAPTER, the layout has no place for them; E_NOT_FINITE, in that precision.
    """
    state, entries = written(layout, components, names)
    state = {key: value if dtype is None or _exact(key) else value.to(dtype) for key, value in state.items()}
    told = header.modelspec(names.family, config, target.stem, prediction_type) | entries
    if layout == "kohya":
        told |= header.kohya(components, names.family, config, target.stem, prediction_type)
        told["sshs_model_hash"] = header.tensor_hash(target, state)
    if graph:
        told["hcpgraph"] = graph
    write_weights(target, state, {**(kept or {}), **told})


def _exact(key: str) -> bool:
    return key.endswith(f".{ALPHA}")
