"""Between pictures on wires (B, 3, H, W), float in [0, 1], and pixels (H, W, 3), uint8."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..types import Images, Keys


def to_pixels(images: Images) -> list[np.ndarray]:
    """Every picture as (H, W, 3), uint8; values are rounded, what lies outside of [0, 1] is cut off."""
    data = images.data.detach().to("cpu", torch.float32).nan_to_num().clamp(0, 1)
    return list((data * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy())


def from_pixels(pictures: Sequence[np.ndarray], keys: Keys | None = None) -> Images:
    """Pictures of one size (H, W, 3), uint8, as Images on the CPU."""
    data = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return Images(data.to(torch.float32, memory_format=torch.contiguous_format).div_(255), keys)
