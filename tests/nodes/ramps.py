"""Pictures whose pixels tell where they come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ramp:
    """A picture whose red is its column and whose green is its row."""

    size: tuple[int, int]
    shade: int = 0

    def load(self) -> np.ndarray:
        width, height = self.size
        red, green = np.meshgrid(np.arange(width), np.arange(height))
        return np.stack([red, green, np.full_like(red, self.shade)], axis=2).astype(np.uint8)


@dataclass(frozen=True)
class RampMask:
    size: tuple[int, int]

    def load(self) -> np.ndarray:
        return Ramp(self.size).load()[..., 0].astype(np.float32)
