"""What comes out of templates, as their pictures: `python -m docs.generate.template_results [GROUP/NAME …]`.

Runs templates with the model that ships, on twelve cats, which it has never seen, and writes `graphs/GROUP/NAME.webp`
and `.dark.webp`: left what the model draws before, right what it draws after. A minute or two for each on two idle
cores; without names the quickstart and all of `MADE`. The other templates need models and pictures that do not ship:
`web/e2e/template_pictures.mjs` draws their graphs.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

import hcpgraph

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"
SIZE = (480, 270)
THEMES = {".webp": "#eceef1", ".dark.webp": "#131518"}
"""File ending -> background, that of the editor's canvas."""
ARROWS = {".webp": "#5c6470", ".dark.webp": "#9299a3"}
PIXELS = 64
STEPS = 150
PROMPTS = ["grinning cat", "cat face", "black cat", "cat with tears of joy"]

SMALL: Mapping[str, Mapping[str, Any]] = {
    "data.ratio_bucket": {"target_area": PIXELS**2, "step_size": 8, "num_buckets": 1},
    "data.auto_bucket": {"target_area": PIXELS**2, "step_size": 8, "batch_size": 8},
    "data.loader": {"batch_size": 8, "workers": 0},
    "optim.schedule": {"warmup_steps": 10, "total_steps": STEPS},
    "train.loop": {"steps": STEPS},
    "train.every": {"steps": STEPS, "at_start": True},
    "graph:draw": {"width": PIXELS, "height": PIXELS, "steps": 20, "sampler": "ddim", "guidance": 4, "count": 4},
    "text.prompt": {},
}
"""What a model of 64 pixels needs instead, by type of node."""

MADE: Mapping[str, Mapping[str, Any]] = {
    "train/lora": {"lr": 2e-3},
    "train/locon": {"lr": 2e-3},
    "train/dora": {"lr": 2e-3},
    "train/loha": {"lr": 4e-3},
    "train/lokr": {"lr": 4e-3},
    "train/full": {"lr": 2e-4},
}
"""Template -> inputs besides model, pictures and prompts: a learning rate for a hundred steps instead of thousands."""
QUICKSTART = ("quickstart/train_lora", "quickstart/generate")
"""These run as they are, the second with what the first leaves."""


def cats(workspace: Path) -> None:
    """The cats of OpenMoji with their captions, as a person's folder of pictures."""
    graph = hcpgraph.Graph()
    graph.add("data.openmoji", "cats", settings={"include": ["re:\\bcat\\b"], "size": PIXELS})
    graph.add("data.take", "take", settings={"count": 12, "width": PIXELS, "height": PIXELS})
    graph.connect("cats.out", "take.dataset")
    taken = hcpgraph.run(graph, workspace=workspace).outputs
    folder = workspace / "data/pictures"
    folder.mkdir(parents=True)
    for index, (picture, caption) in enumerate(
        zip(taken["take.images"].data, taken["take.captions"].texts, strict=True)
    ):
        pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(folder / f"{index}.png")
        (folder / f"{index}.txt").write_text(caption, encoding="utf-8")


def trained(name: str, workspace: Path) -> tuple[list[Image.Image], list[Image.Image]]:
    """Pictures of the same prompts before and after the training of a template."""
    graph = hcpgraph.load(GRAPHS / f"{name}.json")
    small = {
        f"{id}.{key}": value
        for id, node in graph.nodes.items()
        for key, value in SMALL.get(node.type, {}).items()
        if key in node.settings
    }
    inputs = {"model": "builtin:emoji", "pictures": "data:pictures", "preview_prompts": PROMPTS, "steps": STEPS}
    result = hcpgraph.run(graph, settings=small | inputs | dict(MADE[name]), workspace=workspace)
    if result.status != "done":
        raise SystemExit(f"{name}: {result.failed}")
    previews = sorted(file for file in (workspace / "out").rglob("preview-*.png"))
    return tiles(previews[0]), tiles(previews[-1])


def tiles(file: Path) -> list[Image.Image]:
    """The single pictures of a saved row or grid of square ones."""
    with Image.open(file) as whole:
        picture = whole.convert("RGB")
    return [
        picture.crop((x, y, x + PIXELS, y + PIXELS))
        for y in range(0, picture.height - PIXELS + 1, PIXELS)
        for x in range(0, picture.width - PIXELS + 1, PIXELS)
    ]


def compose(before: list[Image.Image], after: list[Image.Image], ending: str) -> Image.Image:
    """Four pictures, an arrow, four pictures; or a row of three where nothing was before."""
    card = Image.new("RGB", SIZE, THEMES[ending])
    if not before:
        for index, picture in enumerate(after[:3]):
            _paste(card, picture, 138, (18 + index * 153, (SIZE[1] - 138) // 2))
        return card
    side, gap = 104, 10
    top = (SIZE[1] - 2 * side - gap) // 2
    for left, four in ((8, before), (SIZE[0] - 8 - 2 * side - gap, after)):
        for index, picture in enumerate(four[:4]):
            _paste(card, picture, side, (left + (index % 2) * (side + gap), top + (index // 2) * (side + gap)))
    x, y = SIZE[0] // 2, SIZE[1] // 2
    ImageDraw.Draw(card).line((x - 3, y - 7, x + 4, y, x - 3, y + 7), fill=ARROWS[ending], width=3, joint="curve")
    return card


def _paste(card: Image.Image, picture: Image.Image, side: int, place: tuple[int, int]) -> None:
    """One picture with round corners."""
    mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, side - 1, side - 1), 8, fill=255)
    card.paste(picture.resize((side, side), Image.Resampling.LANCZOS), place, mask)


def write(name: str, before: list[Image.Image], after: list[Image.Image]) -> None:
    for ending in THEMES:
        compose(before, after, ending).save((GRAPHS / name).with_suffix(ending), quality=82, method=6)


def quickstart(workspace: Path) -> None:
    """Both of its graphs, as they are."""
    first, second = (hcpgraph.load(GRAPHS / f"{name}.json") for name in QUICKSTART)
    result = hcpgraph.run(first, targets=["before", "after", "save_lora"], workspace=workspace)
    before, after = (pictures(result.outputs[f"{node}.images"]) for node in ("before", "after"))
    write(QUICKSTART[0], before, after)
    drawn = pictures(hcpgraph.run(second, targets=["draw"], workspace=workspace).outputs["draw.images"])
    write(QUICKSTART[1], [], drawn)


def pictures(images: Any) -> list[Image.Image]:
    """Pictures (B, 3, H, W) in [0, 1]."""
    pixels = (images.data.float().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(picture) for picture in pixels]


def main(names: list[str]) -> None:
    for name in names or [QUICKSTART[0], *MADE]:
        with tempfile.TemporaryDirectory() as folder:
            workspace = Path(folder)
            if name in QUICKSTART:
                quickstart(workspace)
                continue
            cats(workspace)
            write(name, *trained(name, workspace))


if __name__ == "__main__":
    main(sys.argv[1:])
