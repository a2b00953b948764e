"""Which family a part of a model on disk belongs to, read from its small files only (torch-free)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .file_marks import written_configs
from .probe import UNREADABLE, family_of_config, family_of_header, probe_family, safetensors_header

PREFIX = "model.diffusion_model."
FIRST = ("input_blocks.0.0.weight", "conv_in.weight")
LAST = ("out.2.weight", "conv_out.weight")
"""A UNet's first and last layer, in the original layout and in that of diffusers."""


def probe_denoiser(path: Path) -> str | None:
    """The family of a denoiser alone or in a whole model; None if it is not recognised."""
    try:
        config = denoiser_config(path)
        if config is not None and (found := family_of_config("denoiser", config)):
            return found
        if path.is_dir():
            return probe_family(path)
        return family_of_header("denoiser_file", _unet_names(safetensors_header(path))) or probe_family(path)
    except UNREADABLE:
        return None


def denoiser_config(path: Path) -> dict[str, Any] | None:
    """The configuration of a denoiser: of its folder, of that of a whole model, or as our files and neighbours say."""
    if path.is_dir():
        inside = next((path / name for name in ("unet", "transformer") if (path / name).is_dir()), path)
        return _json(inside / "config.json")
    header = safetensors_header(path)
    written = written_configs(header.get("__metadata__", {})) or {}
    for name, kind in (("unet", {"_class_name": "UNet2DConditionModel"}), ("transformer", {})):
        if name in written:
            return {**kind, **written[name]}
    beside = path.parent / "config.json"
    return _json(beside) if FIRST[1] in header and beside.is_file() else None


def unet_channels(path: Path) -> tuple[int, int]:
    """The channels that a UNet reads and gives."""
    config = denoiser_config(path)
    if config is not None:
        if config.get("_class_name") != "UNet2DConditionModel":
            raise ValueError("no UNet")
        return config.get("in_channels", 4), config.get("out_channels", 4)
    names = _unet_names(safetensors_header(path))
    first, last = (next(names[name] for name in known if name in names)["shape"] for known in (FIRST, LAST))
    return first[1], last[0]


def denoiser_channels(path: Path, first: Sequence[str], last: Sequence[str]) -> tuple[int, int]:
    """The channels that a denoiser reads and gives, as its configuration or its tensors say.

    Args:
        path: Its folder, that of a whole model, or a .safetensors file.
        first: Names of tensors whose second size is what it reads.
        last: Names of tensors whose first size is what it gives.
    """
    config = denoiser_config(path)
    if config is not None and "in_channels" in config:
        return config["in_channels"], config.get("out_channels") or config["in_channels"]
    names = _unet_names(safetensors_header(path))
    reads, gives = (next((names[each]["shape"] for each in known if each in names), None) for known in (first, last))
    if reads is None or gives is None:
        raise ValueError(f"{path.name} has neither {first} nor {last}")
    return reads[1], gives[0]


def _unet_names(header: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors of a UNet by their names without prefix."""
    inside = {name.removeprefix(PREFIX): value for name, value in header.items() if name.startswith(PREFIX)}
    return inside or dict(header)


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is no JSON object") from error
