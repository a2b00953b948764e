"""Which family a part of a model on disk belongs to, read from its small files only (torch-free)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .file_header import header
from .file_marks import written_configs
from .probe import Shapes, damaged_is_none, family_of_config, family_of_shapes, probe_family

PREFIX = "model.diffusion_model."
FIRST = ("input_blocks.0.0.weight", "conv_in.weight")
LAST = ("out.2.weight", "conv_out.weight")
"""A UNet's first and last layer, in the original layout and in that of diffusers."""


def probe_denoiser(path: Path, named: str | None = None) -> str | None:
    """The family of a denoiser alone or in a whole model; None if it is not recognised.

    Args:
        path: Its folder, that of a whole model, or a file.
        named: The family that a setting names.
    """
    with damaged_is_none():
        config = denoiser_config(path)
        if config is not None and (found := family_of_config("denoiser", config, named)):
            return found
        if path.is_dir():
            return probe_family(path, named)
        names = _unet_names(header(path).shapes)
        return family_of_shapes("denoiser_file", names, named) or probe_family(path, named)
    return None


def denoiser_config(path: Path) -> dict[str, Any] | None:
    """The configuration of a denoiser: of its folder, of that of a whole model, or as our files and neighbours say."""
    if path.is_dir():
        inside = next((path / name for name in ("unet", "transformer") if (path / name).is_dir()), path)
        return _json(inside / "config.json")
    found = header(path)
    written = written_configs(found.metadata) or {}
    for name, kind in (("unet", {"_class_name": "UNet2DConditionModel"}), ("transformer", {})):
        if name in written:
            return {**kind, **written[name]}
    beside = path.parent / "config.json"
    return _json(beside) if FIRST[1] in found.shapes and beside.is_file() else None


def unet_channels(path: Path) -> tuple[int, int]:
    """The channels that a UNet reads and gives."""
    config = denoiser_config(path)
    if config is not None:
        if config.get("_class_name") != "UNet2DConditionModel":
            raise ValueError("no UNet")
        return config.get("in_channels", 4), config.get("out_channels", 4)
    names = _unet_names(header(path).shapes)
    first, last = (next(names[name] for name in known if name in names) for known in (FIRST, LAST))
    return first[1], last[0]


def denoiser_channels(path: Path, first: Sequence[str], last: Sequence[str]) -> tuple[int, int]:
    """The channels that a denoiser reads and gives, as its configuration or its tensors say.

    Args:
        path: Its folder, that of a whole model, or a single file.
        first: Names of tensors whose second size is what it reads.
        last: Names of tensors whose first size is what it gives.
    """
    config = denoiser_config(path)
    if config is not None and "in_channels" in config:
        return config["in_channels"], config.get("out_channels") or config["in_channels"]
    names = _unet_names(header(path).shapes)
    reads, gives = (next((names[each] for each in known if each in names), None) for known in (first, last))
    if reads is None or gives is None:
        raise ValueError(f"{path.name} has neither {first} nor {last}")
    return reads[1], gives[0]


def _unet_names(shapes: Shapes) -> Shapes:
    """The sizes of a UNet's weights by their names without prefix."""
    return {name.removeprefix(PREFIX): size for name, size in shapes.items() if name.startswith(PREFIX)} or shapes


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is no JSON object") from error
