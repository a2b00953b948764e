"""`image.grid`: where pictures and letters land."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hcpgraph_nodes.image.grid import grid
from hcpgraph_nodes.image.pixels import from_pixels, to_pixels
from hcpgraph_nodes.image.wrap import wrapped
from hcpgraph_nodes.types import Captions, Images
from PIL import ImageFont

from hcpgraph.errors import GraphError
from hcpgraph.testing import context

CTX = context(Path("workspace"))


def pictures(count: int, height: int = 4, width: int = 6, seed: int = 0) -> Images:
    return from_pixels(list(np.random.default_rng(seed).integers(1, 250, (count, height, width, 3), np.uint8)))


def test_rows_are_wires() -> None:
    a, b = pictures(3), pictures(2, seed=1)
    out = to_pixels(grid(CTX, (a, b), padding=2))[0]
    assert out.shape == (2 + 4 + 2 + 4 + 2, 2 + 3 * 8, 3)
    for row, wire in enumerate((a, b)):
        for column, picture in enumerate(to_pixels(wire)):
            y, x = 2 + row * 6, 2 + column * 8
            assert np.array_equal(out[y : y + 4, x : x + 6], picture)
            out[y : y + 4, x : x + 6] = 255
    assert (out == 255).all()


def test_columns_and_upscale_and_background() -> None:
    images = pictures(5)
    out = to_pixels(grid(CTX, (images,), columns=2, padding=0, upscale=3, background="#102030"))[0]
    assert out.shape == (36, 36, 3)
    assert np.array_equal(out[24:36:3, 0:18:3], to_pixels(images)[4])
    assert np.array_equal(out[:12, :18], np.kron(to_pixels(images)[0], np.ones((3, 3, 1), np.uint8)))
    assert (out[24:, 18:] == [0x10, 0x20, 0x30]).all()


def test_sizes_may_differ() -> None:
    small, large = pictures(1, 2, 2), pictures(1, 6, 8)
    out = to_pixels(grid(CTX, (small, large), padding=1))[0]
    assert out.shape == (1 + 6 + 1 + 6 + 1, 10, 3)
    assert np.array_equal(out[3:5, 4:6], to_pixels(small)[0])


def test_captions_below_and_titles_above() -> None:
    images = pictures(2, 40, 60)
    plain = to_pixels(grid(CTX, (images, images)))[0]
    each = to_pixels(grid(CTX, (images, images), Captions(("a", "b", "c", "d"))))[0]
    columns = to_pixels(grid(CTX, (images, images), Captions(("a", "b"))))[0]
    titled = to_pixels(grid(CTX, (images, images), row_titles=["before"]))[0]
    assert each.shape[0] - plain.shape[0] == 2 * (columns.shape[0] - plain.shape[0]) > 0
    assert (columns[plain.shape[0] :] < 128).any() and titled.shape[0] > plain.shape[0]
    assert np.array_equal(columns[: plain.shape[0] - 8], plain[:-8])
    dark = to_pixels(grid(CTX, (images,), Captions(("a", "b")), background="#000000"))[0]
    assert dark[60:].max() == 255


def test_a_single_caption_counts_for_every_column() -> None:
    images = pictures(3, 40, 60)
    one = grid(CTX, (images,), Captions(("fox",)))
    assert np.array_equal(to_pixels(one), to_pixels(grid(CTX, (images,), Captions(("fox",) * 3))))


def test_what_does_not_fit() -> None:
    with pytest.raises(GraphError, match=r"E_GRID.*3 captions for 4 pictures in 2 columns"):
        grid(CTX, (pictures(4),), Captions(("a",) * 3), columns=2)
    with pytest.raises(GraphError, match=r"E_GRID.*no pictures"):
        grid(CTX, ())
    with pytest.raises(GraphError, match="2 row_titles for 1 rows"):
        grid(CTX, (pictures(1),), row_titles=["a", "b"])


def test_wrapping() -> None:
    font = ImageFont.load_default(14)
    text = "an emoji of a cat with a wry smile and Donaudampfschifffahrtsgesellschaft"
    lines = wrapped(text, font, 80, 20)
    assert all(font.getlength(line) <= 80 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    short = wrapped(text, font, 80, 2)
    assert len(short) == 2 and short[0] == lines[0] and short[1].endswith("…")
    assert font.getlength(short[1]) <= 80
    assert wrapped("", font, 80, 2) == []
