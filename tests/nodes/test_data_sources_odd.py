"""`data.folder` on odd picture files: what can be read is read right, what cannot is named."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hcpgraph_nodes.data.folder import folder
from hcpgraph_nodes.data.sources.dataset import Dataset
from hcpgraph_nodes.image.read import read_brightness, read_header, read_opacity, read_picture
from PIL import Image

from hcpgraph.errors import GraphError
from hcpgraph.testing import context

from .sources import logging_context, noise, opened_files, png, warnings

GOOD = {
    "cmyk.jpg": (24, 16),
    "deep16.png": (6, 4),
    "palette.png": (24, 16),
    "animated.gif": (24, 16),
    "animated.webp": (24, 16),
    "turned.jpg": (16, 24),
    "one.png": (1, 1),
    "long.png": (20000, 10),
    "wrong ending.png": (24, 16),
    "Größe 猫 (1).final.v2.png": (24, 16),
    "float.tiff": (24, 16),
}
BAD = {"bomb.png": "bomb", "text.png": "cannot identify", "empty.jpg": "cannot identify", "half header.png": ""}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("odd")
    root = workspace / "data" / "odd"
    root.mkdir(parents=True)
    pixels = noise((24, 16))
    plain = Image.fromarray(pixels)
    plain.convert("CMYK").save(root / "cmyk.jpg")
    Image.fromarray(np.arange(24, dtype=np.uint16).reshape(4, 6) * 2800).save(root / "deep16.png")
    palette = plain.quantize(16)
    palette.info["transparency"] = 3
    palette.save(root / "palette.png", transparency=3)
    frames = [Image.fromarray(noise((24, 16), seed)) for seed in (1, 2)]
    plain.save(root / "animated.gif", save_all=True, append_images=frames)
    plain.save(root / "animated.webp", save_all=True, append_images=frames, lossless=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    plain.save(root / "turned.jpg", exif=exif)
    Image.new("RGB", (1, 1), "#102030").save(root / "one.png")
    Image.new("L", (20000, 10), 77).save(root / "long.png")
    plain.save(root / "wrong ending.png", format="JPEG")
    plain.save(root / "Größe 猫 (1).final.v2.png")
    Image.fromarray(np.linspace(-0.5, 1.5, 24 * 16, dtype=np.float32).reshape(16, 24)).save(root / "float.tiff")
    bomb = png(20000, 20000, zlib.compress(bytes(1 << 16), 9))
    assert len(bomb) < 4096
    (root / "bomb.png").write_bytes(bomb)
    (root / "text.png").write_text("this is no picture")
    (root / "empty.jpg").write_bytes(b"")
    (root / "half header.png").write_bytes((root / "one.png").read_bytes()[:20])
    Image.fromarray(noise((64, 64))).save(root / "truncated.jpg")
    (root / "truncated.jpg").write_bytes((root / "truncated.jpg").read_bytes()[:2000])
    return workspace


def read(workspace: Path, **settings: Any) -> Dataset:
    return folder(context(workspace), path="data:odd", captions="none", **settings)


def test_every_bad_picture_is_named(odd: Path) -> None:
    with pytest.raises(GraphError) as error:
        read(odd)
    problem = error.value.problem
    assert problem.code == "E_PICTURE" and problem.message.startswith("4 of 16 pictures")
    for name, why in BAD.items():
        assert name in problem.message and why in problem.message
    assert not any(name in problem.message for name in (*GOOD, "truncated.jpg"))
    assert str(odd) not in problem.message and "object at" not in problem.message
    with pytest.raises(GraphError, match=r"5 of 16 pictures.*truncated\.jpg"):
        read(odd, check="decode")


def test_the_rest_has_its_right_size_and_decodes(odd: Path) -> None:
    ctx, events = logging_context(odd)
    data = folder(ctx, path="data:odd", captions="none", on_bad="skip", check="decode")
    assert {s.id: data.size(i) for i, s in enumerate(data.samples)} == GOOD
    for i, (width, height) in enumerate(map(data.size, range(len(data)))):
        assert data.load(i).shape == (height, width, 3)
    (told,) = warnings(events)
    assert told.startswith("left out, 5 of 16") and "bomb.png" in told and "truncated.jpg" in told


def test_a_truncated_picture_that_passed_the_header_is_named_when_it_is_read(odd: Path) -> None:
    data = read(odd, on_bad="skip")
    index = [s.id for s in data.samples].index("truncated.jpg")
    with pytest.raises(GraphError, match=r"E_PICTURE.*'truncated\.jpg' cannot be read"):
        data.load(index)


def test_pixels_of_odd_modes(odd: Path) -> None:
    root = odd / "data" / "odd"
    deep = read_picture(root / "deep16.png")
    assert np.array_equal(deep[..., 0].ravel(), (np.arange(24) * 2800) >> 8)
    upright = np.asarray(Image.open(root / "turned.jpg").convert("RGB").transpose(Image.Transpose.ROTATE_270))
    assert np.array_equal(read_picture(root / "turned.jpg"), upright)
    first = noise((24, 16))
    assert np.array_equal(read_picture(root / "animated.webp"), first)
    shown = read_picture(root / "palette.png", (1, 2, 3))
    indices = np.asarray(Image.open(root / "palette.png"))
    assert (shown[indices == 3] == [1, 2, 3]).all() and (indices == 3).any()
    assert np.array_equal(read_opacity(root / "palette.png"), np.where(indices == 3, 0, 255))
    assert (read_brightness(root / "long.png") == 77).all()
    assert read_header(root / "palette.png").alpha and not read_header(root / "one.png").alpha
    ramp = read_picture(root / "float.tiff")[..., 0]
    assert ramp.min() == 0 and ramp.max() == 255 and (np.diff(ramp.ravel().astype(int)) >= 0).all()


def test_an_unchanged_folder_opens_no_picture_again(odd: Path, tmp_path: Path) -> None:
    root = tmp_path / "data" / "many"
    root.mkdir(parents=True)
    for i in range(60):
        Image.new("RGB", (8 + i % 5, 8)).save(root / f"{i:02}.png")
    (root / "bad.png").write_bytes(b"no")

    def again(**settings: Any) -> tuple[Dataset, list[str]]:
        with opened_files() as opened:
            data = folder(context(tmp_path), path="data:many", captions="none", on_bad="skip", **settings)
        return data, [Path(name).name for name in opened if name.endswith(".png")]

    first, opened = again()
    assert set(opened) >= {f"{i:02}.png" for i in range(60)}
    second, opened = again()
    assert second == first and opened == []
    _, opened = again(check="decode")
    assert len(set(opened)) == 60, "a header is no proof that a picture decodes; a bad header is proof that it does not"
    assert again(check="decode") == (first, [])
    Image.new("RGB", (50, 8)).save(root / "07.png")
    changed, opened = again()
    assert set(opened) == {"07.png"} and changed.size(7) == (50, 8)
    (tmp_path / "cache" / "pictures.sqlite").write_bytes(b"damaged" * 500)
    assert again()[0] == changed


def test_what_is_remembered_depends_on_no_history(tmp_path: Path) -> None:
    root = tmp_path / "data" / "cut"
    root.mkdir(parents=True)
    Image.fromarray(noise((64, 64))).save(root / "a.jpg")
    (root / "a.jpg").write_bytes((root / "a.jpg").read_bytes()[:2000])
    for _ in range(2):
        with pytest.raises(GraphError, match=r"a\.jpg"):
            folder(context(tmp_path), path="data:cut", captions="none", check="decode")
        assert len(folder(context(tmp_path), path="data:cut", captions="none")) == 1


def test_a_name_that_is_no_unicode_is_said(tmp_path: Path) -> None:
    root = tmp_path / "data" / "raw"
    root.mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(root / "a.png")
    try:
        os.rename(root / "a.png", os.fsencode(root) + b"/caf\xe9.png")
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    with pytest.raises(GraphError, match=r"E_DATA.*caf\\udce9\.png"):
        folder(context(tmp_path), path="data:raw", captions="none")
