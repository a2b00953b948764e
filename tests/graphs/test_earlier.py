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


@pytest.mark.parametrize("name", TRAINED)
def test_one_weight_that_learns_nothing_is_found(name: str) -> None:
    """In each kind the one that counts least, if it is no bias of keys: the allowance for rounding does not hide it."""
    expected = earlier.numbers()[name]
    kinds: dict[str, list[str]] = {}
    for key, sketch in expected.items():
        if len(sketch) == 2 and sketch[0] and not key.endswith("k_proj.bias"):
            kinds.setdefault(earlier.kind(key), []).append(key)
    for keys in kinds.values():
        least = min(keys, key=lambda key: expected[key][0])
        (found,) = earlier.differences(expected | {least: [0.0, 0.0]}, expected)
        assert found.startswith(f"{least}: ")


def test_rounding_is_no_difference() -> None:
    """What the code that wrote the numbers gives with AVX-512; two hundredths in all layers are a difference."""
    up, expected = "lora_up.weight", earlier.numbers()["train/dreamartist_plus_sdxl"]
    layer = "lora_unet_output_blocks_0_1_transformer_blocks_0_attn1_to_out_0"
    noise = {f"dreamartist_plus_sdxl/lora-neg.safetensors:{layer}.{up}": [0.0003579324, -1.991327e-05]}
    assert earlier.differences(expected | noise, expected) == []
    more = {key: [number * 1.02 for number in sketch] for key, sketch in expected.items() if key.endswith(up)}
    assert len(earlier.differences(expected | more, expected)) == len(more) > 100
    bias = "scratch/model/text_encoder/model.safetensors:text_model.encoder.layers.{}.self_attn.{}_proj.bias"
    expected = earlier.numbers()["train/scratch"]
    noise = {bias.format(0, "k"): [3.96689e-06, 2.911602e-06], bias.format(1, "k"): [1.107186e-06, -6.161189e-07]}
    assert earlier.differences(expected | noise, expected) == []
    assert earlier.differences(expected | {bias.format(0, "k"): [1e-3, 1e-3]}, expected)
