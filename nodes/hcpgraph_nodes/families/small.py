"""The sizes that `model.new` begins with, of families that are a UNet (torch-free)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hcpgraph.errors import Problem

from .table import said

SMALL: dict[str, Any] = {
    "resolution": 64,
    "channels": [32, 64],
    "layers": 1,
    "attention": None,
    "heads": 4,
    "text_width": 64,
    "text_layers": 2,
    "text_heads": 4,
    "text_length": 77,
    "vocab_size": 8192,
    "vae_channels": [],
    "latent_channels": 4,
    "scaling_factor": None,
}


def unread(family: Any, settings: Mapping[str, Any]) -> Problem | None:
    """What is wrong where sizes of a UNet are given for a family that is made by configurations; None: nothing.

    Args:
        family: The family.
        settings: Those of `model.new`.
    """
    if not said(family, "configured"):
        return None
    found = [name for name, usual in SMALL.items() if name in settings and settings[name] != usual]
    if not found:
        return None
    message = f"{family} has no UNet: {', '.join(found)} would have no effect"
    return Problem(
        "E_SETTING", message, port=found[0], hint="reset it, and write sizes to config, by component of the model"
    )
