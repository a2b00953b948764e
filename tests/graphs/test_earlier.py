"""Graphs of the first stage still run, unchanged, and give the weights and pictures that they gave then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import earlier
from .small import furnish

TRAINED = [name for name in earlier.names() if name.startswith(("train/", "data/"))]
FEW = ("train/lora", "train/dreamartist_sdxl", "data/two_data_sets")
"""What runs in every suite; the others are long."""
DRAWN = {
    "quickstart/generate": "quickstart/train_lora",
    "sample/controlnet": "train/controlnet",
    "sample/dreamartist_plus": "train/dreamartist_plus",
    "sample/lora_word": "train/lora_word",
}
"""Graphs that draw with what another one left."""


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path, tiny_sdxl_folder: Path) -> Path:
    root = tmp_path_factory.mktemp("earlier")
    furnish(root, tiny_folder, tiny_sdxl_folder)
    return root


@pytest.fixture
def workspace(furnished: Path) -> Iterator[Path]:
    yield furnished
    earlier.clean(furnished)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FEW else pytest.mark.long) for name in TRAINED]
)
def test_a_graph_gives_what_it_gave(name: str, workspace: Path) -> None:
    assert earlier.differences(earlier.run(name, earlier.text(name), workspace), earlier.numbers()[name]) == []


@pytest.mark.long
@pytest.mark.parametrize("name", DRAWN)
def test_what_it_left_draws_what_it_drew(name: str, workspace: Path) -> None:
    maker = DRAWN[name]
    earlier.run(maker, earlier.text(maker), workspace)
    assert earlier.differences(earlier.run(name, earlier.text(name), workspace), earlier.numbers()[name]) == []


def test_another_seed_is_found(workspace: Path) -> None:
    text = earlier.text("train/lora")
    assert '"seed": 42' in text
    found = earlier.run("train/lora", text.replace('"seed": 42', '"seed": 43'), workspace)
    assert len(earlier.differences(found, earlier.numbers()["train/lora"])) > 20
