"""What comes out of the quickstart, as the pictures of its templates: `python -m docs.generate.template_results`.

Runs both graphs as they are, with the model that ships, and writes `graphs/quickstart/NAME.webp` and `.dark.webp`: of
the training, left what the model draws before and right what it draws after; of the drawing, what it draws. It takes
some minutes. The other templates need models and pictures that do not ship: `web/e2e/template_pictures.mjs` draws their
graphs.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

import hcpgraph

GRAPHS = Path(__file__).resolve().parents[2] / "graphs/quickstart"
SIZE = (480, 270)
THEMES = {".webp": ("#eceef1", "#5c6470"), ".dark.webp": ("#131518", "#9299a3")}
"""File ending -> background, that of the editor's canvas, and the colour of the arrow."""


def main() -> None:
    train, generate = (hcpgraph.load(GRAPHS / f"{name}.json") for name in ("train_lora", "generate"))
    with tempfile.TemporaryDirectory() as folder:
        trained = hcpgraph.run(train, targets=["before", "after", "save_lora"], workspace=folder).outputs
        drawn = hcpgraph.run(generate, targets=["draw"], workspace=folder).outputs
    before, after = (pictures(trained[f"{node}.images"]) for node in ("before", "after"))
    for ending in THEMES:
        pair(before, after, ending).save((GRAPHS / "train_lora").with_suffix(ending), quality=82, method=6)
        row(pictures(drawn["draw.images"]), ending).save(
            (GRAPHS / "generate").with_suffix(ending), quality=82, method=6
        )


def pictures(images: Any) -> list[Image.Image]:
    """Pictures (B, 3, H, W) in [0, 1]."""
    pixels = (images.data.float().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(picture) for picture in pixels]


def pair(before: list[Image.Image], after: list[Image.Image], ending: str) -> Image.Image:
    """Four pictures, an arrow, four pictures."""
    background, line = THEMES[ending]
    card = Image.new("RGB", SIZE, background)
    side, gap, margin = 104, 10, 8
    top = (SIZE[1] - 2 * side - gap) // 2
    for left, four in ((margin, before), (SIZE[0] - margin - 2 * side - gap, after)):
        for index, picture in enumerate(four[:4]):
            _paste(card, picture, side, (left + (index % 2) * (side + gap), top + (index // 2) * (side + gap)))
    x, y = SIZE[0] // 2, SIZE[1] // 2
    ImageDraw.Draw(card).line((x - 3, y - 7, x + 4, y, x - 3, y + 7), fill=line, width=3, joint="curve")
    return card


def row(drawn: list[Image.Image], ending: str) -> Image.Image:
    """Three pictures."""
    side, step = 138, 153
    card = Image.new("RGB", SIZE, THEMES[ending][0])
    for index, picture in enumerate(drawn[:3]):
        _paste(card, picture, side, (18 + index * step, (SIZE[1] - side) // 2))
    return card


def _paste(card: Image.Image, picture: Image.Image, side: int, place: tuple[int, int]) -> None:
    """One picture with round corners."""
    mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, side - 1, side - 1), 8, fill=255)
    card.paste(picture.resize((side, side), Image.Resampling.LANCZOS), place, mask)


if __name__ == "__main__":
    main()
