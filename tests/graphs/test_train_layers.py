"""The selectors of the graphs that train, on the released sizes of SD 1.5 and SDXL: layers without weights."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.model.handles import Denoiser, TextEncoder
from hcpgraph_nodes.model.root import Placement
from hcpgraph_nodes.plugins.blocks.adapter import AdapterBlock
from hcpgraph_nodes.plugins.blocks.selector import Asked, select, within

import hcpgraph

GRAPHS = Path(__file__).resolve().parents[2] / "graphs/train"
ATTENTION = {"sd15": 16 * 2 * 4, "sdxl": 70 * 2 * 4}
TEXT = {"sd15": 12 * 4, "sdxl": (12 + 32) * 4}
LEFT_OUT = re.compile(r"(time|add)_embedding\.linear_[12]|.*time_emb_proj|.*proj_(in|out)")
"""What LoCon, LoHa and LoKr leave as it is: the embeddings of the timestep and of the sizes, the ends of transformers."""


@pytest.fixture(scope="module", params=["sd15", "sdxl"])
def big(request: pytest.FixtureRequest) -> tuple[str, Denoiser, TextEncoder]:
    """A released model as it is on paper."""
    of = family(request.param)
    denoiser, text_encoder, *_ = of.new(of.sizes, {}, Placement(torch.device("meta")), "epsilon", lambda _: 0)
    with torch.device("meta"):
        assert denoiser.root.layers and text_encoder.root.layers
    return request.param, denoiser, text_encoder


def of_graph(name: str, node: str, handle: Denoiser | TextEncoder) -> list[str]:
    """The layers that get an adapter."""
    graph = hcpgraph.load(GRAPHS / f"{name}.json")
    layers = handle.root.layers
    return within(layers, select(layers, graph.nodes[node].settings["layers"], Asked.of(handle)), AdapterBlock.wraps)


@pytest.mark.parametrize("name", ["lora", "lora_text_encoder", "dora", "lora_word", "dreamartist_plus"])
def test_attention(big: tuple[str, Denoiser, TextEncoder], name: str) -> None:
    of, denoiser, text_encoder = big
    assert len(of_graph(name, "lora", denoiser)) == ATTENTION[of]
    if name in ("lora_text_encoder", "lora_word"):
        assert len(of_graph(name, "text_lora", text_encoder)) == TEXT[of]


@pytest.mark.parametrize("name", ["locon", "loha", "lokr"])
def test_attention_feed_forward_and_convolutions(big: tuple[str, Denoiser, TextEncoder], name: str) -> None:
    _, denoiser, _ = big
    layers = denoiser.root.layers
    everything = within(layers, [""], AdapterBlock.wraps)
    kept = {
        path
        for path in everything
        if not LEFT_OUT.fullmatch(path)
        or (path.endswith(("proj_in", "proj_out")) and type(layers[path]).__name__ == "Conv2d")
    }
    assert set(of_graph(name, "lora", denoiser)) == kept


def test_keys_and_values_of_cross_attention(big: tuple[str, Denoiser, TextEncoder]) -> None:
    of, denoiser, _ = big
    assert len(of_graph("custom_diffusion", "key_value", denoiser)) == ATTENTION[of] // 4
