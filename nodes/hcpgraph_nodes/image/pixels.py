"""Between pictures on wires (B, 3, H, W), float in [0, 1], and pixels (H, W, 3), uint8."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from hcpgraph.finite import is_finite

from ..types import Images, Keys


def to_pixels(images: Images) -> list[np.ndarray]:
    """Every picture as (H, W, 3), uint8: rounded, cut to [0, 1], black where a value is not finite."""
    data = cut(images.data.detach().to("cpu", torch.float32)).nan_to_num()
    return list((data * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy())


def finite(images: Images) -> list[bool]:
    """Of every picture whether all of its values are finite."""
    return [is_finite(picture) for picture in images.data]


def cut(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures cut to [0, 1]; what is infinite is no colour either, and becomes not a number."""
    return torch.where(pictures.isfinite(), pictures, torch.nan).clamp(0, 1)


def from_pixels(pictures: Sequence[np.ndarray], keys: Keys | None = None) -> Images:
    """Pictures of one size (H, W, 3), uint8, as Images on the CPU."""
    data = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return Images(data.to(torch.float32, memory_format=torch.contiguous_format).div_(255), keys)
