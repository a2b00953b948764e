"""`image.resize` against Pillow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hcpgraph_nodes.image.pixels import from_pixels, to_pixels
from hcpgraph_nodes.image.resize import resize
from hcpgraph_nodes.types import Images
from PIL import Image

SMOOTH = np.asarray(Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)).resize((80, 60)))


@pytest.mark.parametrize(("width", "height"), [(40, 30), (160, 120), (33, 47)])
@pytest.mark.parametrize(
    ("filter", "method"), [("bicubic", Image.Resampling.BICUBIC), ("bilinear", Image.Resampling.BILINEAR)]
)
def test_stretch_is_pillows(width: int, height: int, filter: str, method: Image.Resampling) -> None:
    images = from_pixels([SMOOTH], keys=(("d", 0, 0),))
    out = resize(images, width=width, height=height, fit="stretch", filter=filter)  # type: ignore[arg-type]
    expected = np.asarray(Image.fromarray(SMOOTH).resize((width, height), method)).astype(int)
    assert out.keys == images.keys
    assert np.abs(to_pixels(out)[0].astype(int) - expected).max() <= 3


def test_nearest_repeats_pixels() -> None:
    out = resize(from_pixels([SMOOTH]), width=240, height=180, filter="nearest")
    assert np.array_equal(to_pixels(out)[0], SMOOTH.repeat(3, 0).repeat(3, 1))


def test_cover_crops_and_contain_pads() -> None:
    images = Images(torch.rand(2, 3, 20, 40))
    cover = resize(images, width=20, height=20, filter="nearest")
    assert torch.equal(cover.data, images.data[..., 10:30])
    contain = resize(images, width=40, height=30, fit="contain", background="#ff0000")
    assert contain.data.shape == (2, 3, 30, 40)
    assert torch.equal(contain.data[..., 5:25, :], images.data)
    assert (contain.data[:, 0, :5] == 1).all() and (contain.data[:, 1:, 25:] == 0).all()
    assert torch.equal(resize(images, width=40, height=20).data, images.data)


@pytest.mark.parametrize("fit", ["cover", "contain", "stretch"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 100), (99, 3)])
def test_any_size_comes_out(fit: str, width: int, height: int) -> None:
    out = resize(Images(torch.rand(1, 3, 13, 29)), width=width, height=height, fit=fit).data  # type: ignore[arg-type]
    assert out.shape == (1, 3, height, width) and out.min() >= 0 and out.max() <= 1
