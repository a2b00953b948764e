"""Graphs of the first stage, and what they gave then on tiny models: `earlier.zip` holds both.

Of every weight and every picture a few numbers are kept, which hardly depend on the machine.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file

import hcpgraph
from hcpgraph.document import loads

from .small import small

ARCHIVE = Path(__file__).with_name("earlier.zip")
CLOSE = 2e-3
"""Relative difference of a weight's numbers that another machine may make."""
CLOSE_PICTURE = 2.0
"""Difference of a picture's mean colours, of 255."""


def names() -> list[str]:
    with zipfile.ZipFile(ARCHIVE) as archive:
        return sorted(name.removesuffix(".json") for name in archive.namelist() if name != "numbers.json")


def text(name: str) -> str:
    with zipfile.ZipFile(ARCHIVE) as archive:
        return archive.read(f"{name}.json").decode()


def numbers() -> dict[str, dict[str, list[float]]]:
    with zipfile.ZipFile(ARCHIVE) as archive:
        found: dict[str, dict[str, list[float]]] = json.loads(archive.read("numbers.json"))
        return found


def run(name: str, graph_text: str, workspace: Path) -> dict[str, list[float]]:
    """Run a graph on the models and pictures of `small.furnish`, and take the numbers of what it wrote."""
    graph = loads(graph_text)
    settings: dict[str, Any] = {} if name.startswith("quickstart") else small(graph)
    if name.startswith("quickstart"):
        settings = (
            {"train.steps": 2, "before.steps": 1, "after.steps": 1}
            if name.endswith("train_lora")
            else {"draw.steps": 1}
        )
    for given in ("preview_condition", "condition"):
        if given in graph.interface.inputs:
            settings[given] = "data:conditions/0.png"
    out = workspace / "out"
    before = set(out.rglob("*")) if out.exists() else set()
    result = hcpgraph.run(graph, settings=settings, workspace=workspace, disk_cache=False)
    assert result.status == "done", result.failed
    return {
        key: sketch
        for path in sorted(set(out.rglob("*")) - before)
        for key, sketch in sketches(path, path.relative_to(out).as_posix()).items()
    }


def sketches(path: Path, name: str) -> dict[str, list[float]]:
    """Of a weight file norm and one projection of every tensor; of a picture the mean colour of its four quarters."""
    if path.suffix == ".safetensors":
        return {f"{name}:{key}": _of_tensor(value.double().flatten()) for key, value in load_file(path).items()}
    if path.suffix == ".png" and "loss" not in path.stem and "report" not in path.stem:
        with Image.open(path) as picture:
            quarters = picture.convert("RGB").resize((2, 2), Image.Resampling.BOX)
        return {name: [float(value) for value in quarters.tobytes()]}
    return {}


def _of_tensor(value: torch.Tensor) -> list[float]:
    direction = torch.cos(torch.arange(1, len(value) + 1, dtype=torch.float64) * 0.7)
    return [float(f"{number:.7g}") for number in (value.norm(), value @ direction)]


def differences(found: dict[str, list[float]], expected: dict[str, list[float]]) -> list[str]:
    """What is missing, new, or not close."""
    wrong = [f"{key}: only in one" for key in sorted(found.keys() ^ expected.keys())]
    for key in sorted(found.keys() & expected.keys()):
        one, other = found[key], expected[key]
        weight = len(other) == 2
        allowed = CLOSE * max(abs(other[0]), 1e-6) if weight else CLOSE_PICTURE
        if any(abs(a - b) > allowed for a, b in zip(one, other, strict=True)):
            wrong.append(f"{key}: {one} for {other}")
    return wrong


def clean(workspace: Path) -> None:
    """Leave what was there before any graph ran."""
    for folder in workspace.iterdir():
        if folder.name not in ("data", "models"):
            shutil.rmtree(folder)
