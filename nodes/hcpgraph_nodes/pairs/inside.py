"""Settings and wires of one node, or of its wires' neighbours, that contradict each other."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from hcpgraph.errors import Problem

from ..families.table import said
from ..sample.samplers import NODES
from ..selectors import components
from .told import error, number, origin, warning

WORD_ENDINGS = {"safetensors": ".safetensors", "diffusers": ".safetensors", "a1111": ".pt"}
READS_ETA = ("ddim",)
OTHERS = ("plugin.loha", "plugin.lokr", "plugin.full")
"""Adapters that kohya's layout alone has a place for."""


def word_fits_its_format(view: Any) -> list[Problem]:
    """The path of `word.save` ends as its format is written, and A1111's .pt has one text network."""
    if view.type != "word.save":
        return []
    family = view.facts.get("word", {}).get("family")
    networks = said(family, "text_networks") or 1
    if view.settings.get("format") == "a1111" and networks > 1:
        message = f"A1111's .pt has no place for the {networks} text networks of {family}"
        hint = "set format to safetensors, which A1111 reads too"
        return [error(view, "E_WORD_FORMAT", "format", message, hint)]
    path, ending = view.settings.get("path"), WORD_ENDINGS.get(str(view.settings.get("format")))
    if not isinstance(path, str) or ending is None or path.endswith(ending):
        return []
    message = f"the format {view.settings['format']} is written as {ending}, and the path ends with "
    message += PurePosixPath(path).suffix or "nothing"
    return [error(view, "E_WORD_FORMAT", "path", message, f"end it with {ending}")]


def layout_has_a_place(view: Any) -> list[Problem]:
    """The layout of `plugin.save` has a place for its adapters: PEFT's and HCP's have one for LoRA alone."""
    layout = view.settings.get("layout")
    if view.type != "plugin.save" or layout not in ("peft", "hcp"):
        return []
    hint = "set layout to auto, or make a plain LoRA of it first with plugin.convert_to_lora"
    found = []
    for giver in view.givers("adapter"):
        made = giver if giver.type.startswith("plugin.") else origin(giver, "value", "plugin.")
        what = None if made is None else _without_place(made, layout)
        if what is not None:
            found.append(error(view, "E_ADAPTER", "layout", f"the {layout} layout has no place for {what}", hint))
    if layout == "hcp" and (count := sum(_components(giver) for giver in view.givers("adapter"))) > 1:
        message = f"a file of HCP-Diffusion is for one component, and adapters of {count} are wired"
        found.append(error(view, "E_ADAPTER", "layout", message, "save each into a file of its own"))
    return found


def _components(giver: Any) -> int:
    """How many components an adapter is for, as far as its selectors say."""
    made = giver if giver.type.startswith("plugin.") else origin(giver, "value", "plugin.")
    selectors = made.settings.get("layers") if made is not None else None
    return len(components(selectors)) if isinstance(selectors, list) else 1


def _without_place(adapter: Any, layout: str) -> str | None:
    """What of an adapter a layout has no place for."""
    if adapter.type in OTHERS:
        return str(adapter.type)
    if adapter.type != "plugin.lora":
        return None
    if adapter.settings.get("bias"):
        return "a bias"
    return "a DoRA" if layout == "hcp" and adapter.settings.get("decompose") else None


def sampler_reads_it(view: Any) -> list[Problem]:
    """What is set for nodes that sample is read: eta by ddim, a model for the negative side by guidance above 1."""
    if view.type not in NODES:
        return []
    found, eta, sampler = [], view.settings.get("eta"), view.settings.get("sampler")
    own = "scheduler" in view.connected
    if isinstance(eta, int | float) and eta > 0 and sampler not in (*READS_ETA, "auto") and not own:
        message = f"eta {eta:g} is read by ddim alone, and the sampler is {sampler}"
        found.append(warning(view, "W_UNREAD", "eta", message, "set eta to 0, or sampler to ddim"))
    guidance = view.settings.get("guidance")
    if isinstance(guidance, int | float) and guidance <= 1 and "negative_denoiser" in view.connected:
        message = f"the model for the negative side is not used at guidance {guidance:g}"
        found.append(warning(view, "W_UNREAD", "negative_denoiser", message, "raise guidance above 1"))
    return found


def lists_fit_their_wires(view: Any) -> list[Problem]:
    """`data.merge` has a number a data set in its repeats and weights, or none."""
    if view.type != "data.merge":
        return []
    wires, found = view.wires.get("datasets", 0), []
    for port in ("repeats", "weights"):
        given = view.settings.get(port)
        if isinstance(given, list) and given and wires and len(given) != wires:
            message = f"{len(given)} {port} for {wires} data sets"
            found.append(error(view, "E_WEIGHTS_COUNT", port, message, "write one a data set, or none"))
    return found


def smallest_below_largest(view: Any) -> list[Problem]:
    """A smallest value lies below its largest: `data.crop_jitter`, and the limits of `data.filter`."""
    pairs = {
        "data.crop_jitter": (("min_zoom", "max_zoom"),),
        "data.filter": (("min_side", "max_side"), ("min_pixels", "max_pixels"), ("min_ratio", "max_ratio")),
    }
    found = []
    for low, high in pairs.get(view.type, ()):
        least, most = view.settings.get(low), view.settings.get(high)
        if isinstance(least, int | float) and isinstance(most, int | float) and most and least > most:
            found.append(error(view, "E_RANGE", low, f"{low} {least:g} is above {high} {most:g}", "exchange them"))
    return found


def leftovers_need_a_batch(view: Any) -> list[Problem]:
    """`data.latents` knows the batch size where its buckets merge leftovers."""
    if view.type != "data.latents" or number(view, "batch_size") != 0:
        return []
    buckets = origin(view, "data")
    if buckets is None or buckets.settings.get("leftover") != "merge":
        return []
    message = f"the leftovers of '{buckets.node}' are merged, and which ones depends on the batch size"
    hint = "set batch_size to that of data.latent_loader, or leftover to pad_repeat, partial or drop"
    return [error(view, "E_DATA", "batch_size", message, hint)]


def one_source_of_templates(view: Any) -> list[Problem]:
    """Templates are written or read from a file, not both."""
    if view.type != "text.template" or not view.settings.get("file"):
        return []
    if view.settings.get("templates") in (None, [], ["{caption}"]):
        return []
    return [error(view, "E_TEMPLATE", "file", "templates and file are both set", "empty one of them")]


def backend_has_the_mode(view: Any) -> list[Problem]:
    """`model.compile` has a mode other than default for inductor alone."""
    backend, mode = view.settings.get("backend"), view.settings.get("mode")
    if view.type != "model.compile" or backend in (None, "inductor") or mode in (None, "default"):
        return []
    return [error(view, "E_SETTING", "mode", f"{backend} has no mode '{mode}'", "set mode to default")]


RULES = (
    word_fits_its_format,
    layout_has_a_place,
    sampler_reads_it,
    lists_fit_their_wires,
    smallest_below_largest,
    leftovers_need_a_batch,
    one_source_of_templates,
    backend_has_the_mode,
)
