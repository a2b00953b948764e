"""`image.save` and `image.log`: complete PNG files that carry the graph."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from hcpgraph_nodes.image.log import log
from hcpgraph_nodes.image.pixels import from_pixels, to_pixels
from hcpgraph_nodes.image.save import save
from hcpgraph_nodes.types import Images
from PIL import Image

from hcpgraph.context import Context
from hcpgraph.errors import GraphError
from hcpgraph.testing import context

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), np.uint8)


def graph_context(tmp_path: Path, graph: str | None = '{"format": "hcpgraph/1"}', **fields: int) -> Context:
    return context(tmp_path, graph_text=lambda: graph, **fields)


def test_pixels_round_trip() -> None:
    images = from_pixels(list(PIXELS), keys=(("d", 0, 0), ("d", 0, 1), ("d", 0, 2)))
    assert images.data.shape == (3, 3, 5, 7) and images.data.dtype == torch.float32
    assert np.array_equal(np.stack(to_pixels(images)), PIXELS)
    wild = Images(torch.tensor([-1.0, 2.0, float("nan")]).view(1, 3, 1, 1))
    assert to_pixels(wild)[0].tolist() == [[[0, 255, 0]]]


def test_one_picture(tmp_path: Path) -> None:
    ctx = graph_context(tmp_path)
    (saved,) = save(ctx, from_pixels([PIXELS[0]]), path="out:pictures/a cat.png")
    path = tmp_path / "out/pictures/a cat.png"
    assert saved.uri == "out:pictures/a cat.png" and saved.sha256 == sha256(path.read_bytes()).hexdigest()
    with Image.open(path) as image:
        assert image.text == {"hcpgraph": '{"format": "hcpgraph/1"}'}  # type: ignore[attr-defined]
        assert np.array_equal(np.asarray(image), PIXELS[0])
    assert ctx.run.artifacts == [
        {"node": "node", "uri": "out:pictures/a cat.png", "type": "image", "width": 7, "height": 5}
    ]


def test_several_pictures_and_taken_names(tmp_path: Path) -> None:
    images = from_pixels(list(PIXELS))
    first = save(graph_context(tmp_path), images, path="out:cat.png")
    assert [s.uri for s in first] == ["out:cat-0.png", "out:cat-1.png", "out:cat-2.png"]
    second = save(graph_context(tmp_path), images, path="out:cat.png")
    assert [s.uri for s in second] == ["out:cat-0-2.png", "out:cat-1-2.png", "out:cat-2-2.png"]
    third = save(graph_context(tmp_path), images, path="out:cat.png", overwrite=True)
    assert third == first and len(list((tmp_path / "out").iterdir())) == 6


@pytest.mark.parametrize("graph", ["plain", "größe", "猫 🐈", "x" * 200_000])
def test_any_text_is_carried(tmp_path: Path, graph: str) -> None:
    save(graph_context(tmp_path, graph), from_pixels([PIXELS[0]]), path="out:cat.png")
    with Image.open(tmp_path / "out/cat.png") as image:
        assert image.text["hcpgraph"] == graph  # type: ignore[attr-defined]


def test_without_a_graph(tmp_path: Path) -> None:
    save(graph_context(tmp_path, None), from_pixels([PIXELS[0]]), path="out:cat")
    with Image.open(tmp_path / "out/cat.png") as image:
        assert image.text == {}  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["out:cat.jpg", "out:", "out:../cat.png", "cat.png", "nowhere:cat.png"])
def test_names_that_do_not_fit(tmp_path: Path, path: str) -> None:
    with pytest.raises(GraphError, match="E_PATH"):
        save(graph_context(tmp_path), from_pixels([PIXELS[0]]), path=path)
    assert not list(tmp_path.rglob("*.png"))


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("hcpgraph.atomic.os.replace", full)
    with pytest.raises(OSError, match="no space"):
        save(graph_context(tmp_path), from_pixels([PIXELS[0]]), path="out:cat.png")
    assert list((tmp_path / "out").iterdir()) == []


def test_log_names_the_step_and_overwrites(tmp_path: Path) -> None:
    for pixels in PIXELS[:2]:
        (saved,) = log(graph_context(tmp_path, step=250), from_pixels([pixels]))
        assert saved.uri == "out:previews/preview-000250.png"
    with Image.open(tmp_path / "out/previews/preview-000250.png") as image:
        assert np.array_equal(np.asarray(image), PIXELS[1])
        assert "hcpgraph" in image.text  # type: ignore[attr-defined]
    several = log(graph_context(tmp_path, step=7), from_pixels(list(PIXELS)), path="out:x")
    assert [s.uri for s in several] == ["out:x-000007-0.png", "out:x-000007-1.png", "out:x-000007-2.png"]
