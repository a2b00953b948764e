"""Graphs of the first stage, and what they gave then on tiny models: `earlier.zip` holds both.

Of every weight and every picture a few numbers are kept, which hardly depend on the machine.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import zipfile
from collections import defaultdict
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
KEY_BIAS = re.compile(r"\bk(?=_proj\.bias$)|(?<=\bto_)k(?=\.bias$)")


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
    """What is missing, new, or not close.

    A weight is close if its numbers are, by its own norm. The first steps of Adam are the signs of gradients: what has
    hardly any gradient but rounding, as the biases of keys, which no softmax sees, goes another way with other
    instructions of the processor. So weights that are not close are wrong only if their differences, taken together,
    are not small by the norm of all weights of their kind. In a kind of two hundred one may be three hundredths off.
    """
    wrong = [f"{key}: only in one" for key in sorted(found.keys() ^ expected.keys())]
    kinds: dict[str, list[str]] = defaultdict(list)
    for key in sorted(found.keys() & expected.keys()):
        if len(expected[key]) == 2:
            kinds[kind(key)].append(key)
        elif max(_apart(found[key], expected[key])) > CLOSE_PICTURE:
            wrong.append(f"{key}: {found[key]} for {expected[key]}")
    for keys in kinds.values():
        apart = {key: max(_apart(found[key], expected[key])) for key in keys}
        far = [key for key in keys if apart[key] > CLOSE * max(expected[key][0], 1e-6)]
        if math.hypot(*(apart[key] for key in far)) > CLOSE * math.hypot(*(expected[key][0] for key in keys)):
            wrong += [f"{key}: {found[key]} for {expected[key]}" for key in far]
    return wrong


def kind(key: str) -> str:
    """The weights of a file that are alike: those whose names end alike, numbers left out, biases of keys and queries.

    All biases of keys may be rounding and nothing else, and say nothing of how much others move.
    """
    path, _, name = key.partition(":")
    words = [part for part in name.split(".") if not part.isdigit()]
    ending = ".".join(words[1:] if name.startswith("lora_") else words[-2:])
    return f"{path}:{KEY_BIAS.sub('q', ending)}"


def _apart(one: list[float], other: list[float]) -> list[float]:
    return [abs(a - b) for a, b in zip(one, other, strict=True)]


def clean(workspace: Path) -> None:
    """Leave what was there before any graph ran."""
    for folder in workspace.iterdir():
        if folder.name not in ("data", "models"):
            shutil.rmtree(folder)
