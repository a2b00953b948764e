"""What the shipped graphs need to be run on tiny models, and a workspace with all that they read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from PIL import Image

import hcpgraph

SMALL: dict[str, dict[str, Any]] = {
    "data.auto_bucket": {"target_area": 256, "step_size": 8, "batch_size": 1},
    "data.ratio_bucket": {"target_area": 256, "step_size": 8},
    "data.loader": {"batch_size": 1},
    "optim.schedule": {"warmup_steps": 0},
    "train.loop": {"steps": 2},
    "train.every": {"steps": 2, "at_start": False},
    "graph:draw": {"width": 16, "height": 16, "steps": 1},
    "plugin.save": {"dtype": "fp32"},
    "controlnet.new": {"channels": [8, 16]},
    "image.resize": {"width": 16, "height": 16},
}
"""What a tiny model needs instead, by type of node."""


def small(graph: hcpgraph.Graph) -> dict[str, Any]:
    return {
        f"{id}.{key}": value
        for id, node in graph.nodes.items()
        for key, value in SMALL.get(node.type, {}).items()
        if key in node.settings
    }


def furnish(root: Path, sd15: Path, sdxl: Path) -> None:
    """Both models, the first also where graphs look for one; pictures of things and of their class, some with captions; conditions and masks for the first."""
    shutil.copytree(sd15, root / "models/sd15")
    shutil.copytree(sd15, root / "models/model")
    shutil.copytree(sdxl, root / "models/sdxl")
    for name, count in {"pictures": 3, "subject": 3, "style": 3, "class": 2, "conditions": 3, "masks": 3}.items():
        folder = root / "data" / name
        folder.mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (20, 18), (60 * index, 90, 200)).save(folder / f"{index}.png")
            if name in ("pictures", "subject", "style"):
                (folder / f"{index}.txt").write_text(f"a square, number {index}")
