"""Letters that Pillow's font lacks come from one of the system's fonts, or a warning says that they are boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hcpgraph_nodes.image import fonts
from hcpgraph_nodes.image.grid import grid
from hcpgraph_nodes.image.pixels import from_pixels, to_pixels
from hcpgraph_nodes.image.plot import plot
from hcpgraph_nodes.types import Captions, Curve
from PIL import ImageFont

from hcpgraph import GraphError
from hcpgraph.testing import context

CHINESE = "一只红色的猫"
PICTURE = from_pixels([np.full((8, 120, 3), 200, np.uint8)])


def told(draw: Any) -> tuple[np.ndarray, list[str]]:
    ctx, events = context(Path("workspace")), []
    ctx.run.events.listener = events.append
    return to_pixels(draw(ctx))[0], [event["message"] for event in events if event["kind"] == "log"]


def sheet(text: str) -> Any:
    return lambda ctx: grid(ctx, (PICTURE,), Captions((text,)))


def curve(text: str) -> Any:
    return lambda ctx: plot(ctx, (Curve({"loss": [(1, 0.5), (2, 0.2)]}),), title=text)


@pytest.fixture
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without fonts."""
    monkeypatch.delenv(fonts.VARIABLE, raising=False)
    monkeypatch.setattr(fonts, "SYSTEM", ("no such font.ttf",))


def with_chinese() -> str | None:
    return next((name for name in fonts.SYSTEM if fonts._lacking(name, CHINESE) == ""), None)


def test_pillows_own_font_stays_where_it_is_enough() -> None:
    chosen = fonts.font_for(context(Path("workspace")), ["a red cat, 3.5 (nan)"])(14)
    assert chosen.getname() == ImageFont.load_default(14).getname()  # type: ignore[union-attr]


@pytest.mark.usefixtures("nothing_else")
@pytest.mark.parametrize("draw", [sheet, curve])
def test_boxes_are_said_once_and_by_name(draw: Any) -> None:
    _, said = told(draw(f"{CHINESE} cat"))
    assert len(said) == 1 and all(letter in said[0] for letter in CHINESE) and "HCPGRAPH_FONT" in said[0]
    assert told(draw("a red cat"))[1] == []
    assert fonts._lacking(None, CHINESE + "cat") == CHINESE


@pytest.mark.skipif(with_chinese() is None, reason="no font with Chinese letters here")
@pytest.mark.parametrize("draw", [sheet, curve])
def test_chinese_is_drawn_where_the_system_has_a_font(draw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, said = told(draw(CHINESE))
    other, _ = told(draw("二只黑色的狗"))
    assert said == [] and not np.array_equal(drawn, other)
    monkeypatch.setattr(fonts, "SYSTEM", ())
    boxes, other_boxes = told(draw(CHINESE))[0], told(draw("二只黑色的狗"))[0]
    assert np.array_equal(boxes, other_boxes) and not np.array_equal(boxes, drawn)


def test_a_font_of_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "x.ttf").write_bytes(b"no font")
    monkeypatch.setenv(fonts.VARIABLE, str(tmp_path / "x.ttf"))
    with pytest.raises(GraphError, match="is no font file") as caught:
        fonts.font_for(context(tmp_path), ["a"])
    assert caught.value.problem.code == "E_FONT"
