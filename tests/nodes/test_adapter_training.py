"""Adapters trained by a graph: resumed bit for bit, merged, and nothing but themselves changed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.types import Conditioning, NoisyLatents, Timesteps

import hcpgraph
from hcpgraph import Graph

from ..graphs.hand_written import drawn
from .plugin_page import random

ADAPTERS = {
    "plugin.lora": {
        "rank": 0.25,
        "ranks": {"re:.*attn2": 2},
        "lrs": {"re:down_blocks": 1e-2},
        "lora_plus_ratio": 4,
        "init": "svd",
        "decompose": True,
        "dropout": 0.1,
    },
    "plugin.loha": {"rank": 2, "alpha": None, "dropout": 0.1},
    "plugin.lokr": {"rank": 1, "factor": 2, "decompose_both": True},
    "plugin.full": {},
}


def training(steps: int, adapter: str) -> Graph:
    """The hand-written step, with an adapter instead of the whole UNet."""
    g = drawn(steps, checkpoint_every=2)
    g.remove("whole")
    g.add(adapter, "whole", **ADAPTERS[adapter])
    for source, target in (
        ("new.denoiser", "whole.model"),
        ("whole.params", "adamw.params"),
        ("whole.model", "predict.denoiser"),
    ):
        g.connect(source, target)
    for id, type_id, source, port in (
        ("last", "flow.after", "whole.model", "value"),
        ("merged", "plugin.merge", "last.out", "model"),
    ):
        g.add(type_id, id)
        g.connect(source, f"{id}.{port}")
    g.connect("train.trained", "last.trained")
    return g


def trained(workspace: Path, steps: int, adapter: str):
    g = training(steps, adapter)
    assert [p for p in hcpgraph.validate(g, workspace=workspace) if p.severity == "error"] == []
    result = hcpgraph.run(g, workspace=workspace, targets=["last", "merged", "new"])
    assert result.status == "done", result.failed
    return result.outputs


def output(handle) -> torch.Tensor:
    text = Conditioning.of(random(1, 77, handle.config["cross_attention_dim"], seed=1))
    noisy = NoisyLatents(random(1, handle.config["in_channels"], 8, 8))
    with torch.no_grad():
        return predict(handle, noisy, Timesteps(torch.tensor([500])), text).data


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_training_in_two_parts_is_that_in_one_and_can_be_merged(tmp_path: Path, adapter: str) -> None:
    trained(tmp_path / "parts", 2, adapter)
    parts, whole = trained(tmp_path / "parts", 4, adapter), trained(tmp_path / "whole", 4, adapter)
    (one,), (other,) = (outputs["last.out"].stack for outputs in (parts, whole))
    first, second = one.state(), other.state()
    assert first.keys() == second.keys() and all(torch.equal(first[key], value) for key, value in second.items())
    handle, base = whole["last.out"], whole["new.denoiser"]
    assert torch.allclose(output(whole["merged.out"]), output(handle), atol=2e-5)
    assert (output(handle) - output(base)).abs().max() > 1e-4
    assert torch.equal(output(base), output(handle.without(other)))
    assert not other.training
