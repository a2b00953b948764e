"""Which family a model on disk belongs to, read from its small files only (torch-free)."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

HEADER_LIMIT = 100 * 1024 * 1024
SD15_WIDTH = 768
LDM_UNET = "model.diffusion_model."
LDM_CROSS_ATTENTION = LDM_UNET + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"


def safetensors_header(path: Path) -> dict[str, Any]:
    """The header of a .safetensors file: tensor name -> dtype, shape and offsets, and `__metadata__`.

    Raises:
        ValueError: not a safetensors file.
    """
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            raise ValueError(f"{path.name} is too short for a safetensors file")
        (length,) = struct.unpack("<Q", start)
        if length > HEADER_LIMIT:
            raise ValueError(f"{path.name} is no safetensors file")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError(f"{path.name} is no safetensors file")
    return header


def probe_family(path: Path) -> str | None:
    """The family of a diffusers folder or a .safetensors checkpoint, or None if it is not recognised."""
    try:
        return _folder(path) if path.is_dir() else _checkpoint(path)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _folder(path: Path) -> str | None:
    index = json.loads((path / "model_index.json").read_text("utf-8"))
    unet = index.get("unet", [None, None])[1]
    text = index.get("text_encoder", [None, None])[1]
    if (unet, text) == ("UNet2DConditionModel", "CLIPTextModel") and "text_encoder_2" not in index:
        return "sd15"
    return None


def _checkpoint(path: Path) -> str | None:
    if path.suffix != ".safetensors":
        return None
    shape = safetensors_header(path).get(LDM_CROSS_ATTENTION, {}).get("shape")
    if shape is None:
        return None
    clip = any(key.startswith("cond_stage_model.transformer.") for key in safetensors_header(path))
    return "sd15" if clip or shape[1] == SD15_WIDTH else None
