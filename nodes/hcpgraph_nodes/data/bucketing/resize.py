"""Bring a picture to a size: scale until it covers it, cut the excess."""

from __future__ import annotations

import numpy as np

from ... import private

Size = tuple[int, int]


def covering(size: Size, target: Size, zoom: float = 1.0) -> Size:
    """The smallest (width, height) with the ratio of `size` that covers `target`, times `zoom`."""
    scale = max(target[0] / size[0], target[1] / size[1]) * zoom
    return max(target[0], round(size[0] * scale)), max(target[1], round(size[1] * scale))


def resized(picture: np.ndarray, size: Size) -> np.ndarray:
    """A picture (H, W, 3), uint8, at (width, height): Lanczos (three lobes) when it shrinks, else bicubic.

    Both with antialiasing, as Pillow does it, whose values they are to within 2 of 255; torch does it five times as
    fast. A torch that knows no Lanczos leaves it to Pillow.
    """
    before = (picture.shape[1], picture.shape[0])
    if size == before:
        return picture
    import torch
    from torch.nn.functional import interpolate

    shrinks = size[0] < before[0] or size[1] < before[1]
    if shrinks and not private.scales_with_lanczos():
        from PIL import Image

        return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))
    pixels = torch.from_numpy(np.require(picture, requirements=["C", "W"])).permute(2, 0, 1)[None]
    mode = "lanczos" if shrinks else "bicubic"
    scaled = interpolate(pixels, size=(size[1], size[0]), mode=mode, antialias=True)
    return np.ascontiguousarray(scaled[0].permute(1, 2, 0).numpy())


def resized_weights(weights: np.ndarray, size: Size) -> np.ndarray:
    """Weights (H, W), float32, at (width, height): bilinear, which makes no value that was not between two others."""
    from PIL import Image

    if size == (weights.shape[1], weights.shape[0]):
        return weights
    return np.asarray(Image.fromarray(weights, "F").resize(size, Image.Resampling.BILINEAR))


def resize_cover(picture: np.ndarray, target: Size) -> np.ndarray:
    """Scale a picture (H, W, 3), uint8, until it covers (width, height)."""
    return resized(picture, covering((picture.shape[1], picture.shape[0]), target))


def corner(size: Size, target: Size, draw: int | None) -> tuple[int, int]:
    """(left, top) of a crop of `target` in a picture of `size`; where it is too small, 0.

    Args:
        size: (width, height) of the picture.
        target: (width, height) of the crop.
        draw: A number that chooses one of all positions; None takes the centre.
    """
    free_x, free_y = max(0, size[0] - target[0]), max(0, size[1] - target[1])
    if draw is None:
        return free_x // 2, free_y // 2
    return draw % (free_x + 1), draw // (free_x + 1) % (free_y + 1)


def crop_to(picture: np.ndarray, target: Size, draw: int | None) -> np.ndarray:
    """Cut (width, height) out of a picture (H, W, …) that covers it; `draw` as in `corner`."""
    left, top = corner((picture.shape[1], picture.shape[0]), target, draw)
    return picture[top : top + target[1], left : left + target[0]]
