"""Photographs, from the file to the batch: against Pillow, with decoding at a smaller size, and found again as duplicates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hcpgraph_nodes.data.auto_bucket import auto_bucket
from hcpgraph_nodes.data.folder import folder
from hcpgraph_nodes.data.loader import Loader
from hcpgraph_nodes.image.read import read_picture
from hcpgraph_nodes.report import Options, report
from PIL import Image, ImageDraw
from skimage import data as photographs

import hcpgraph
from hcpgraph.checking.analyse import analyse, default_roots
from hcpgraph.declaring.registry import default_registry
from hcpgraph.testing import context

NAMES = ("astronaut", "chelsea", "coffee", "rocket", "cat", "immunohistochemistry", "retina")
WIDE, TALL = 96, 64


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photographs")
    (root / "data/photos").mkdir(parents=True)
    for name in NAMES:
        photograph(name).save(root / f"data/photos/{name}.jpg", quality=95)
        (root / f"data/photos/{name}.txt").write_text(f"a photograph of {name}")
    return root


def photograph(name: str) -> Image.Image:
    return Image.fromarray(getattr(photographs, name)()).convert("RGB")


def test_a_batch_is_what_pillow_makes_of_the_files(workspace: Path) -> None:
    pictures = folder(context(workspace), path="data:photos")
    data = auto_bucket(context(workspace), pictures, target_area=WIDE * TALL, batch_size=2, crop="center")
    loader = Loader(data, 2, seed=1)
    seen = set()
    for step in range(loader.batches_per_epoch):
        got = loader.batch(step)
        pixels = (got.images.data * 255).round().permute(0, 2, 3, 1).numpy()
        for row, text in enumerate(got.captions.texts):
            name = text.rpartition(" ")[2]
            seen.add(name)
            height, width = pixels.shape[1:3]
            with Image.open(workspace / f"data/photos/{name}.jpg") as picture:
                scale = max(width / picture.width, height / picture.height)
                size = max(width, round(picture.width * scale)), max(height, round(picture.height * scale))
                left, top = (size[0] - width) // 2, (size[1] - height) // 2
                wanted = picture.resize(size, Image.Resampling.LANCZOS).crop((left, top, left + width, top + height))
            off = np.abs(pixels[row] - np.asarray(wanted, np.float32))
            # files of more than five times the size are decoded at half of it or less
            small = min(picture.width / width, picture.height / height) < 5
            assert off.max() <= 2 if small else off.mean() <= 1, (name, off.max(), off.mean())
    assert seen == set(NAMES)


def test_a_photograph_of_a_phone_is_decoded_small_and_looks_the_same(tmp_path: Path) -> None:
    sheet = Image.new("RGB", (2000, 1500))
    parts = [photograph(name).resize((500, 500), Image.Resampling.LANCZOS) for name in NAMES]
    for place in range(12):
        sheet.paste(parts[place % len(parts)], (place % 4 * 500, place // 4 * 500))
    file = tmp_path / "phone.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    sheet.save(file, quality=92, exif=exif)
    whole, small = read_picture(file), read_picture(file, at_least=(192, 256))
    assert whole.shape == (2000, 1500, 3) and small.shape == (1000, 750, 3), "upright, and at half its size"
    assert read_picture(file, at_least=(600, 800)).shape == whole.shape, "not where it would show"
    one, other = (
        np.asarray(Image.fromarray(x).resize((192, 256), Image.Resampling.LANCZOS), int) for x in (whole, small)
    )
    off = np.abs(one - other)
    assert off.mean() < 0.5 and (off.max(axis=-1) > 2).mean() <= 0.05


def test_how_far_off_a_line_drawing_is_that_was_decoded_small(tmp_path: Path) -> None:
    """What read_picture says of it."""
    sheet, rng = Image.new("RGB", (2000, 1500), "white"), np.random.default_rng(0)
    draw = ImageDraw.Draw(sheet)
    for x, y, u, v, *color in rng.integers(0, [2000, 1500, 2000, 1500, 200, 200, 200], (300, 7)).tolist():
        draw.line([x, y, u, v], fill=tuple(color), width=4)
    sheet.save(tmp_path / "lines.jpg", quality=92)
    whole, small = (read_picture(tmp_path / "lines.jpg", at_least=size) for size in (None, (256, 192)))
    assert small.shape[0] < whole.shape[0]
    one, other = (
        np.asarray(Image.fromarray(x).resize((256, 192), Image.Resampling.LANCZOS), int) for x in (whole, small)
    )
    off = np.abs(one - other)
    assert 0.5 < off.mean() < 2.5 and 0.1 < (off.max(axis=-1) > 2).mean() < 0.6


def test_a_photograph_saved_again_is_reported_as_a_duplicate(workspace: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "data/pictures"
    pictures.mkdir(parents=True)
    for name in NAMES:
        photograph(name).save(pictures / f"{name}.png")
    photograph("coffee").resize((420, 280)).save(pictures / "again.jpg", quality=70)
    graph = hcpgraph.load(Path(__file__).resolve().parents[2] / "graphs/data/bucket_report.json")
    roots = default_roots(tmp_path)
    found = report(analyse(graph, default_registry(), roots), roots, Options())
    (told,) = (one for one in found["loaders"][0]["warnings"] if one["code"] == "W_DUPLICATES")
    assert "again.jpg = coffee.png" in str(told)
