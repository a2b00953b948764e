"""Odd picture files, made with Pillow, must come out as upright RGB."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hcpgraph_nodes.image.load import load
from hcpgraph_nodes.image.read import read_header, read_picture
from PIL import Image, ImageOps

from hcpgraph.errors import GraphError
from hcpgraph.testing import context


def gradient(width: int = 40, height: int = 24) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), (x + y) * 2], -1).astype(np.uint8)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_orientation_agrees_with_pillow(tmp_path: Path, suffix: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    path = tmp_path / f"turned.{suffix}"
    Image.fromarray(gradient()).save(path, exif=exif, quality=95, lossless=True)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(read_picture(path), expected)
    for decode in (False, True):
        assert read_header(path, decode=decode).size == expected.shape[1::-1]


def test_tiff_is_turned_once(tmp_path: Path) -> None:
    path = tmp_path / "turned.tif"
    Image.fromarray(gradient()).save(path, tiffinfo={0x0112: 6})
    assert np.array_equal(read_picture(path), np.rot90(gradient(), -1))
    assert read_header(path, decode=False).size == (24, 40)


def test_transparency_shows_the_background(tmp_path: Path) -> None:
    pixels = np.dstack([gradient(), np.tile(np.linspace(0, 255, 40).astype(np.uint8), (24, 1))])
    Image.fromarray(pixels, "RGBA").save(tmp_path / "rgba.png")
    alpha = pixels[..., 3:] / 255
    expected = pixels[..., :3] * alpha + np.array([10, 200, 30]) * (1 - alpha)
    assert np.abs(read_picture(tmp_path / "rgba.png", (10, 200, 30)) - expected).max() <= 1

    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 1), 1)
    palette.save(tmp_path / "palette.png", transparency=0)
    got = read_picture(tmp_path / "palette.png", (1, 2, 3))
    assert got[0, 0].tolist() == [1, 2, 3] and got[1, 1].tolist() == [0, 0, 255]

    Image.fromarray(np.full((4, 4, 2), [100, 0], np.uint8), "LA").save(tmp_path / "la.png")
    assert (read_picture(tmp_path / "la.png", (7, 8, 9)) == [7, 8, 9]).all()


def test_deep_grey_keeps_its_upper_bits(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 24 * 40).reshape(24, 40).astype(np.uint16)
    for suffix in ("png", "tif"):
        Image.fromarray(values).save(tmp_path / f"deep.{suffix}")
        assert np.array_equal(read_picture(tmp_path / f"deep.{suffix}")[..., 0], values >> 8)
    Image.fromarray(np.array([[0.0, 0.5, 1.0, 2.0]], np.float32)).save(tmp_path / "float.tif")
    assert read_picture(tmp_path / "float.tif")[0, :, 0].tolist() == [0, 128, 255, 255]


def test_cmyk_bilevel_and_animation(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=95)
    red = read_picture(tmp_path / "cmyk.jpg")[4, 4]
    assert red[0] > 240 and red[1] < 15 and red[2] < 15
    Image.new("1", (8, 8), 1).save(tmp_path / "bits.png")
    assert (read_picture(tmp_path / "bits.png") == 255).all()
    frames = [Image.new("RGB", (8, 8), color) for color in ("#ff0000", "#0000ff")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert read_picture(tmp_path / "moving.gif")[0, 0].tolist() == [255, 0, 0]


def test_the_content_tells_the_format(tmp_path: Path) -> None:
    path = tmp_path / "wirklich ein bär 🐻.jpg"
    Image.fromarray(gradient()).save(path, "PNG")
    assert np.array_equal(read_picture(path), gradient())


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"%!PS-Adobe-3.0"]
)
def test_what_is_no_picture_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(GraphError, match=r"E_PICTURE.*'broken\.png'") as error:
        read_picture(path)
    assert str(tmp_path) not in str(error.value)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_truncated_files_are_found(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(GraphError, match="E_PICTURE"):
        read_picture(path)
    with pytest.raises(Exception):  # noqa: B017 - whatever Pillow raises
        read_header(path, decode=True)


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("1", (2000, 2000)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
    with warnings.catch_warnings(), pytest.raises(GraphError, match="E_PICTURE"):
        warnings.simplefilter("error")
        read_picture(tmp_path / "bomb.png")


def test_image_load(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    Image.fromarray(gradient()).save(tmp_path / "data" / "a picture.png")
    images = load(context(tmp_path), path="data:a picture.png")
    assert images.data.shape == (1, 3, 24, 40) and images.keys is None
    assert np.array_equal((images.data[0].permute(1, 2, 0) * 255).round().byte().numpy(), gradient())
    with pytest.raises(GraphError, match="E_NOT_FOUND"):
        load(context(tmp_path), path="data:other.png")
    with pytest.raises(GraphError, match="folder"):
        load(context(tmp_path), path="data:")
