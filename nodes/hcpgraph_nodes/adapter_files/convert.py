"""Adapter files in another layout, without running a graph; `hcpgraph convert` calls this."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hcpgraph import Context, GraphError
from hcpgraph.context import RunState, Scope
from hcpgraph.errors import listed
from hcpgraph.paths import Roots

from ..families.registry import family as implementation
from ..families.table import families, said
from ..model.folder import DTYPES
from ..model.handles import Handle
from ..model.load import load_model
from ..model.root import Placement
from ..plugins.blocks.kinds import BLOCKS
from ..plugins.save import write
from .canonical import TITLES, Components, kind_at
from .names import DENOISER, TEXT
from .peft_config import METADATA
from .reading import left_out, read, refuse_nothing, refuse_unknown
from .source import Source, open_source
from .stems import Names

STALE = (METADATA, "format", "sshs_model_hash", "sshs_legacy_hash", "modelspec.hash_sha256")
"""Header entries that are no longer true of the tensors in another layout."""
SAID_BY = {"base_version": "ss_base_model_version", "architecture": "modelspec.architecture"}
"""Entry of a family's marks of adapters -> the header's entry that begins with it."""
PREDICTIONS = {"v": "v_prediction"}


def convert_adapter(
    source: Path,
    target: Path,
    layout: str,
    *,
    model: str | None,
    roots: Roots,
    family: str | None = None,
    part: str | None = None,
    dtype: str | None = None,
    averages: bool = False,
    unknown: str = "error",
) -> dict[str, Any]:
    """Read a file in any layout and write it in another.

    Args:
        source: The file.
        target: The file to write.
        layout: One of `layouts.LAYOUTS`.
        model: The model that names the layers, as `model.load` takes it; None: the released model of the family.
        roots: Where named roots lie.
        family: The family; None: as the file says.
        part: The component to write; None: all.
        dtype: fp32, fp16 or bf16; None: as it is.
        averages: Take the moving averages of HCP-Diffusion's files.
        unknown: For keys that fit no layer: `error` lists them, `ignore` leaves them out.

    Returns:
        What was written: the number of layers and the kinds of each component, and notes about what was left out.

    Raises:
        GraphError: what plugin.load and plugin.save raise; E_FAMILY, nothing says which model the file is for.
    """
    opened = open_source(source)
    handles = _released(opened, family) if model is None else _of_model(model, roots)
    names = Names({part: handles[part]} if part else handles)
    found = read(opened, names, averages=averages)
    wanted = part or "model"
    if unknown == "error":
        refuse_unknown(found, opened, wanted)
    refuse_nothing(found, opened, wanted)
    _check_sizes(found.components, names)
    components = {component: found.components[component] for component in handles if component in found.components}
    kept = {key: value for key, value in opened.metadata.items() if key not in STALE}
    prediction = kept.get("modelspec.prediction_type")
    kind = (
        getattr(handles[DENOISER], "prediction_type", None) if model else PREDICTIONS.get(str(prediction), prediction)
    )
    write(
        target,
        components,
        names,
        handles[DENOISER].config if model else {},
        layout=layout,
        dtype=DTYPES[dtype] if dtype else None,
        prediction_type=kind,
        kept=kept,
    )
    notes = [f"the words {listed(found.words)} were left out: words have files of their own"] if found.words else []
    if missing := left_out(found):
        notes.append(missing)
    if found.elsewhere:
        notes.append(f"{found.elsewhere} tensors of other components were left out")
    return {
        "layout": layout,
        "family": names.family.name,
        "layers": {component: len(layers) for component, layers in components.items()},
        "kinds": {
            component: sorted({TITLES[kind_at(names.layers[component][path], w)] for path, w in layers.items()})
            for component, layers in components.items()
        },
        "notes": notes,
    }


def family_of(source: Source) -> str | None:
    """The family that a file is for: as its header says, or else the only one whose released layers all its keys fit.

    Names of layers that few families have say which ones are tried first.
    """
    marks = {name: said(name, "adapters") or {} for name in families()}
    for entry, header in SAID_BY.items():
        text = source.metadata.get(header, "")
        begun = {name: mark[entry] for name, mark in marks.items() if entry in mark and text.startswith(mark[entry])}
        if begun:
            return max(begun, key=lambda name: len(begun[name]))
    marked = [
        name
        for name, mark in marks.items()
        if any(part in key for part in mark.get("keys", ()) for key in source.state)
    ]
    for tried in (marked, [name for name in marks if name not in marked]):
        if found := [name for name in tried if _fits(source, name)]:
            return found[0] if len(found) == 1 else None
    return marked[0] if len(marked) == 1 else None


def _fits(source: Source, family: str) -> bool:
    """Whether all that a file holds is of layers of the released model of a family."""
    names = Names(_outline(family))
    try:
        found = read(source, names)
        _check_sizes(found.components, names)
    except GraphError:
        return False
    return bool(found.components) and not (found.unknown or found.broken)


def _of_model(model: str, roots: Roots) -> Mapping[str, Handle]:
    loaded = load_model(Context("convert", RunState(roots=roots, device="meta"), Scope()), path=model)
    return {DENOISER: loaded.denoiser, TEXT: loaded.text_encoder}


def _released(source: Source, family: str | None) -> Mapping[str, Handle]:
    """The model of a family in its released sizes, without weights."""
    name = family or family_of(source)
    if name is None:
        raise GraphError(
            "E_FAMILY",
            f"{source.name} does not say which model it is for",
            hint=f"say the family ({', '.join(families())}) or give the model",
        )
    return _outline(name)


def _outline(family: str) -> Mapping[str, Handle]:
    """The networks of a family in their released sizes; they take no memory."""
    denoiser, text_encoder = implementation(family).outline(Placement(torch.device("meta")))
    with torch.device("meta"):
        for handle in (denoiser, text_encoder):
            assert handle.root.module is not None  # made now, where weights stay empty
    return {DENOISER: denoiser, TEXT: text_encoder}


def _check_sizes(components: Components, names: Names) -> None:
    """Whether every tensor fits its layer.

    Raises:
        GraphError: E_LORA_SHAPE.
    """
    kinds = BLOCKS
    for component, layers in components.items():
        for path, weights in layers.items():
            layer = names.layers[component][path]
            kinds[kind_at(layer, weights)].from_tensors(layer, weights, strength=1.0, path=path)
