"""Which family a model on disk belongs to, read from its small files only (torch-free)."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

HEADER_LIMIT = 100 * 1024 * 1024
WIDTHS = {768: "sd15", 1024: "sd2"}
"""Width of the text embeddings that the UNet reads."""
OPEN_CLIP_ACT = "gelu"
"""Activation of OpenCLIP's text model in SD 2.x; that of SD 1.x has quick_gelu."""
LDM_UNET = "model.diffusion_model."
LDM_SIZES = LDM_UNET + "label_emb.0.0.weight"
LDM_TEXT = {
    "sd15": "cond_stage_model.transformer.",
    "sd2": "cond_stage_model.model.",
    "sdxl": "conditioner.embedders.1.model.",
}
"""What the keys of a family's text network, of SDXL its second one, begin with."""
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
        try:
            header = json.loads(file.read(length))
        except RecursionError:
            raise ValueError(f"{path.name} is no safetensors file") from None
    if not isinstance(header, dict):
        raise ValueError(f"{path.name} is no safetensors file")
    return header


def probe_family(path: Path) -> str | None:
    """The family of a diffusers folder or a .safetensors checkpoint, or None if it is not recognised."""
    try:
        return _folder(path) if path.is_dir() else _checkpoint(path)
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError, IndexError):
        return None


def _folder(path: Path) -> str | None:
    """SDXL has two text networks; those of SD 1.x and 2.x differ in their activation."""
    index = json.loads((path / "model_index.json").read_text("utf-8"))
    unet, first, second = (index.get(name, [None, None])[1] for name in ("unet", "text_encoder", "text_encoder_2"))
    if unet != "UNet2DConditionModel" or first != "CLIPTextModel":
        return None
    if second is not None:
        return "sdxl" if second == "CLIPTextModelWithProjection" else None
    text = json.loads((path / "text_encoder" / "config.json").read_text("utf-8"))
    return "sd2" if text.get("hidden_act") == OPEN_CLIP_ACT else "sd15"


def _checkpoint(path: Path) -> str | None:
    """Families name their text networks differently; a file without them is told by what its UNet reads."""
    if path.suffix != ".safetensors":
        return None
    header = safetensors_header(path)
    if not any(key.startswith(LDM_UNET) for key in header):
        return None
    named = [name for name, prefix in LDM_TEXT.items() if any(key.startswith(prefix) for key in header)]
    if LDM_SIZES in header or named:
        reads_sizes = LDM_SIZES in header
        return named[0] if len(named) == 1 and reads_sizes == (named[0] == "sdxl") else None
    shape = header.get(LDM_CROSS_ATTENTION, {}).get("shape")
    return None if shape is None else WIDTHS.get(shape[1])
