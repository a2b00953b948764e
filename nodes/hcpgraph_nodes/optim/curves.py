"""What is known of learning rate curves without torch: which of them have a length, and how long a warm-up is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

Kind = Literal["constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial"]
ENDING = ("linear", "cosine", "cosine_with_restarts", "polynomial")
"""Curves that come down to an end."""


def depends(settings: Mapping[str, Any]) -> bool:
    """Whether a schedule changes with its length: it comes down, or its warm-up is a share of it."""
    warmup = settings.get("warmup_steps", 0)
    share = isinstance(warmup, int | float) and 0 < warmup < 1
    return settings.get("kind") in ENDING or (share and settings.get("kind") == "constant_with_warmup")


def goes(settings: Mapping[str, Any]) -> bool:
    """Whether `value.curve` changes with its length: it goes somewhere, or its warm-up is a share of it."""
    asked = settings.get("warmup_steps", 0)
    return settings.get("shape") != "constant" or (isinstance(asked, int | float) and 0 < asked < 1)


def named(settings: Mapping[str, Any]) -> bool:
    """Whether `optim.custom_schedule` hands its length to the class."""
    return bool(settings.get("steps_argument"))


def warmup(asked: float, total: int | None) -> int:
    """Steps of a warm-up: below 1 it is a share of all steps, rounded up, as in transformers' warmup_ratio."""
    return math.ceil(round(asked * (total or 0), 9)) if 0 < asked < 1 else int(asked)
