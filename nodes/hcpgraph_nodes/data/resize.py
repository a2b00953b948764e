"""Bring a picture to a size: scale until it covers it, cut the excess."""

from __future__ import annotations

import numpy as np


def covering(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """The smallest (width, height) with the ratio of `size` that covers `target`."""
    scale = max(target[0] / size[0], target[1] / size[1])
    return max(target[0], round(size[0] * scale)), max(target[1], round(size[1] * scale))


def resize_cover(picture: np.ndarray, target: tuple[int, int]) -> np.ndarray:
    """Scale a picture (H, W, 3), uint8, until it covers (width, height): Lanczos when it shrinks, else bicubic."""
    from PIL import Image

    size = (picture.shape[1], picture.shape[0])
    wanted = covering(size, target)
    if wanted == size:
        return picture
    method = Image.Resampling.LANCZOS if wanted[0] < size[0] or wanted[1] < size[1] else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(picture).resize(wanted, method))


def crop_to(picture: np.ndarray, target: tuple[int, int], draw: int | None) -> np.ndarray:
    """Cut (width, height) out of a picture that covers it.

    Args:
        picture: (H, W, 3).
        target: (width, height).
        draw: A number that chooses one of all positions; None takes the centre.
    """
    free_x, free_y = picture.shape[1] - target[0], picture.shape[0] - target[1]
    if draw is None:
        left, top = free_x // 2, free_y // 2
    else:
        left, top = draw % (free_x + 1), draw // (free_x + 1) % (free_y + 1)
    return picture[top : top + target[1], left : left + target[0]]
