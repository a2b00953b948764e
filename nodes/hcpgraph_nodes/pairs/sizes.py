"""Pictures of a size that the model can make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hcpgraph.errors import Problem

from ..families.table import said
from ..sample.samplers import NODES
from .told import error, number, origin, warning


def pictures_fit_the_model(view: Any) -> list[Problem]:
    """The sides of `sample.empty_latents` are multiples of what the VAE makes one latent of."""
    if view.type != "sample.empty_latents":
        return []
    factor, squares = _factor(origin(view, "vae")), _squares(view)
    factor = None if factor is None else factor * squares
    sides = [side for side in (number(view, "width"), number(view, "height")) if side is not None]
    if factor is None or not any(side % factor for side in sides):
        return []
    message = f"{' × '.join(map(str, sides))} pixels do not fit a model that makes squares of {factor} pixels"
    further = "" if squares > 1 else "; the UNet halves the latents further"
    return [error(view, "E_SIZE", "width", message, f"use multiples of {factor}{further}")]


def pictures_are_usual(view: Any) -> list[Problem]:
    """Pictures are not far from the size that the model was trained with."""
    if view.type not in NODES:
        return []
    canvas, model = origin(view, "latents"), origin(view, "denoiser")
    if canvas is None or canvas.type not in ("sample.empty_latents", "sample.caption_latents"):
        return []
    width, height, usual = number(canvas, "width"), number(canvas, "height"), _usual(model)
    if width is None or height is None or usual is None or usual / 4 <= width * height / usual <= usual * 4:
        return []
    message = f"pictures of {width} × {height} pixels from a model that was trained with {usual} × {usual}"
    return [warning(view, "W_SIZE", "latents", message, f"take about {usual} × {usual} pixels in all")]


def _squares(view: Any) -> int:
    """Latents a side that the denoiser of the VAE's family takes at once."""
    return said(view.facts.get("vae", {}).get("family"), "latent_multiple") or 1


def _factor(source: Any | None) -> int | None:
    """Pixels a side that one latent stands for."""
    if source is None:
        return None
    if said(source.settings.get("family"), "configured"):
        return None
    if source.type in ("model.new", "vae.new"):
        channels = source.settings.get("vae_channels" if source.type == "model.new" else "channels")
        return 2 ** max(len(channels) - 1, 0) if isinstance(channels, list) else None
    config = _config(source, "vae") or (_config(source, "") if source.type == "vae.load" else None)
    channels = (config or {}).get("block_out_channels")
    return 2 ** (len(channels) - 1) if isinstance(channels, list) and channels else None


def _usual(source: Any | None) -> int | None:
    """Side of the pictures that a model was trained with, pixels."""
    if source is None or source.type != "model.load":
        return None
    factor, size = _factor(source), (_config(source, "unet") or {}).get("sample_size")
    return factor * size if factor and type(size) is int else None


def _config(source: Any, part: str) -> dict[str, Any] | None:
    """The configuration of a part of a model in a diffusers folder."""
    path = source.settings.get("path") if source.type in ("model.load", "vae.load") else None
    folder = source.path(path) if isinstance(path, str) and path else None
    if folder is None:
        return None
    try:
        found = json.loads((Path(folder) / part / "config.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


RULES = (pictures_fit_the_model, pictures_are_usual)
