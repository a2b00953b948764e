"""Layer selectors."""

from __future__ import annotations

import time

import pytest
from hcpgraph_nodes.plugins.blocks.selector import near_misses, select, within
from torch import nn

from hcpgraph import GraphError

MODEL = nn.ModuleDict(
    {
        "attn1": nn.ModuleDict({"to_q": nn.Linear(2, 2), "to_k": nn.Linear(2, 2)}),
        "attn2": nn.ModuleDict({"to_q": nn.Linear(2, 2), "norm": nn.LayerNorm(2)}),
        "conv": nn.Conv2d(2, 2, 3),
    }
)
LAYERS = dict(MODEL.named_modules())


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        (["attn1.to_q"], ["attn1.to_q"]),
        ([""], [""]),
        (["re:attn"], ["attn1", "attn1.to_q", "attn1.to_k", "attn2", "attn2.to_q", "attn2.norm"]),
        (["re:.*to_q$", "attn1.to_k", "attn1.to_q"], ["attn1.to_q", "attn2.to_q", "attn1.to_k"]),
        (["cls:Conv2d"], ["conv"]),
        (["cls:Linear:re:attn1"], ["attn1.to_q", "attn1.to_k"]),
        (["re:(?:attn1|conv)$"], ["attn1", "conv"]),
    ],
)
def test_select(selectors: list[str], expected: list[str]) -> None:
    assert select(LAYERS, selectors) == expected


def test_within_finds_layers_below() -> None:
    assert within(LAYERS, ["attn1", "attn2"], (nn.Linear,)) == ["attn1.to_q", "attn1.to_k", "attn2.to_q"]
    assert within(LAYERS, [""], (nn.Conv2d,)) == ["conv"]
    assert within(LAYERS, ["attn"], (nn.Linear,)) == []


@pytest.mark.parametrize(("selector", "miss"), [("attn1.to_kk", "attn1.to_k"), (r"re:attn2\.norms$", "attn2.norm")])
def test_nothing_matched_lists_near_misses(selector: str, miss: str) -> None:
    with pytest.raises(GraphError) as caught:
        select(LAYERS, [selector])
    assert caught.value.problem.code == "E_NO_LAYER"
    assert (caught.value.problem.hint or "").startswith(f"near misses: {miss}")


@pytest.mark.parametrize("selector", ["cls:Lineer", "cls:linear", "cls:Lineer:re:attn1"])
def test_a_class_that_no_layer_has_is_suggested_by_its_name(selector: str) -> None:
    with pytest.raises(GraphError) as caught:
        select(LAYERS, [selector])
    assert caught.value.problem.hint == "near misses: cls:Linear"


@pytest.mark.parametrize("selector", ["re:(", "pre_hook:conv", "cls:"])
def test_unreadable_selectors(selector: str) -> None:
    with pytest.raises(GraphError) as caught:
        select(LAYERS, [selector])
    assert caught.value.problem.code == "E_SELECTOR"


def test_a_slow_expression_is_stopped() -> None:
    layers = {"a" * 60 + "c": nn.Linear(1, 1)}
    begin = time.process_time()
    with pytest.raises(GraphError) as caught:
        select(layers, ["re:(?:a|aa)+$"])
    assert caught.value.problem.code == "E_SELECTOR"
    assert time.process_time() - begin < 10


def test_near_misses_look_at_parts_of_long_names():
    names = ["", "conv_act", "mid_block.attentions.0.attn1", "mid_block.attentions.0.attn2", "up_blocks.0.attn2.to_q"]
    assert near_misses("re:.*atn2$", names)[:2] == ["mid_block.attentions.0.attn2", "mid_block.attentions.0.attn1"]
    assert near_misses(r"re:.*atn2\.to_k", names)[0] == "up_blocks.0.attn2.to_q"
