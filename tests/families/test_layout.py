"""The two names of a layer, and weights that stand together in one of the layouts."""

from __future__ import annotations

import pytest
import torch
from hcpgraph_nodes.families.dit.layout import Layout, Place, Row, rows

LAYOUT = Layout(
    [
        Row("blocks.7.norm", ("layers.7.norm.linear",), swapped=True),
        *rows({"first": "embed", "blocks.*.out": "layers.*.to_out.0"}),
        *rows({"last.mod.1": "norm_out.linear"}, ["last.mod.1"]),
        *rows({"blocks.*.qkv": [f"layers.*.to_{part}" for part in "qkv"], "blocks.*.norm": "layers.*.norm.linear"}),
    ],
    dropped=("unused.",),
)


def test_both_names_of_a_layer() -> None:
    whole = tuple(f"layers.3.to_{part}" for part in "qkv")
    assert LAYOUT.own("blocks.3.qkv") == whole
    for index, own in enumerate(whole):
        assert LAYOUT.place(own) == Place("blocks.3.qkv", index, whole, swapped=False)
    assert LAYOUT.own("blocks.12.out.weight") == ("layers.12.to_out.0.weight",)
    assert LAYOUT.place("layers.12.to_out.0.weight").original == "blocks.12.out.weight"
    assert LAYOUT.place("norm_out.linear") == Place("last.mod.1", 0, ("norm_out.linear",), swapped=True)


def test_the_longest_name_is_meant() -> None:
    assert LAYOUT.place("layers.7.norm.linear").swapped and not LAYOUT.place("layers.6.norm.linear").swapped


@pytest.mark.parametrize("name", ["other", "layers.3.to_qk", "layers.x.to_q", "embedding", "layers.3"])
def test_what_no_row_names_is_called_alike(name: str) -> None:
    assert LAYOUT.own(name) == (name,) and LAYOUT.place(name) == Place(name, 0, (name,), swapped=False)


def test_weights_there_and_back() -> None:
    own = {
        "embed.weight": torch.randn(4, 2),
        **{f"layers.0.to_{part}.weight": torch.randn(size, 3) for part, size in (("q", 4), ("k", 2), ("v", 2))},
        "norm_out.linear.bias": torch.arange(4.0),
    }
    original = LAYOUT.write(own)
    assert set(original) == {"first.weight", "blocks.0.qkv.weight", "last.mod.1.bias"}
    assert original["last.mod.1.bias"].tolist() == [2, 3, 0, 1]
    assert torch.equal(original["blocks.0.qkv.weight"][4:6], own["layers.0.to_k.weight"])
    again = LAYOUT.read({**original, "unused.weight": torch.zeros(1)}, {name: each.shape for name, each in own.items()})
    assert again.keys() == own.keys() and all(torch.equal(again[name], value) for name, value in own.items())
    assert LAYOUT.is_original(original) and not LAYOUT.is_original(own)


def test_a_file_of_other_sizes_is_cut_in_equal_parts() -> None:
    """Whoever puts the weights in says which of them does not fit."""
    shapes = {f"layers.0.to_{part}.weight": (4, 3) for part in "qkv"}
    found = LAYOUT.read({"blocks.0.qkv.weight": torch.zeros(9, 3)}, shapes)
    assert [len(value) for value in found.values()] == [3, 3, 3]
