"""Handles under DDP: two processes train as one with the whole batch."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from torch import nn

from .plugin_page import random

LAYERS = [r"re:.*attn1\.to_q", r"re:.*resnets\.0\.conv1"]
ROWS, STEPS = 4, 2
SMALL = {"resolution": 8, "channels": [8], "heads": 2, "text_width": 16, "vae_channels": [4], "attention": []}
"""One resolution, and attention in the middle block alone: torch.compile takes seconds for every block."""


class Step(nn.Module):
    """The region's step: a guided prediction of two branches with LoRAs of their own over one UNet.

    What it registers is what an engine sees, as in `hcpgraph.running.step.StepModule`.
    """

    def __init__(self, positive, negative) -> None:
        super().__init__()
        self.handles = positive, negative
        found = {id(module): module for handle in self.handles for module in handle.modules()}
        self.parts = nn.ModuleList(found.values())

    def forward(self, rows: slice, step: int) -> torch.Tensor:
        from hcpgraph_nodes.diffusion.guide import guide
        from hcpgraph_nodes.diffusion.predict import predict
        from hcpgraph_nodes.loss.mse import mse
        from hcpgraph_nodes.types import Conditioning, NoisyLatents, Target, Timesteps

        noisy, text = (random(ROWS, *shape, seed=10 * step + n)[rows] for n, shape in enumerate([(4, 8, 8), (7, 16)]))
        inputs = NoisyLatents(noisy), Timesteps(torch.tensor([10, 700, 30, 500])[rows]), Conditioning.of(text)
        positive, negative = (predict(handle, *inputs) for handle in self.handles)
        goal = Target(random(ROWS, 4, 8, 8, seed=10 * step + 5)[rows])
        return mse(guide(positive, negative, scale=3.0), goal).data.mean()


def train(case: str, workspace: Path, rows: slice) -> dict[str, torch.Tensor]:
    """Gradients of the first step and weights after the last one, by name."""
    from dataclasses import replace

    from hcpgraph_nodes.model.compiled import Compiling
    from hcpgraph_nodes.model.new import new_model
    from hcpgraph_nodes.plugins.lora import lora
    from hcpgraph_nodes.train.loop import make_accelerator

    from hcpgraph.testing import context

    base = new_model(context(workspace), **SMALL, checkpointing=case == "checkpointing").denoiser
    if case == "compiled":
        base = replace(base, compiling=Compiling("eager"))
    made = [lora(context(workspace, node=f"l{seed}"), base, layers=LAYERS, rank=2) for seed in (1, 2)]
    for seed, each in enumerate(made):
        with torch.no_grad():
            for number, parameter in enumerate(each.adapter.plugin.parameters()):
                parameter.copy_(0.2 * random(*parameter.shape, seed=100 * seed + number))
    accelerator = make_accelerator(context(workspace), "no")
    assert accelerator.num_processes == int(os.environ.get("WORLD_SIZE", "1"))
    step = accelerator.prepare(Step(*(each.model for each in made)))
    step.train()
    weights = {
        f"{n}.{name}": weight for n, each in enumerate(made) for name, weight in each.params.groups[0]["params"].items()
    }
    optimizer = torch.optim.SGD(weights.values(), lr=0.1)
    found = {}
    for number in range(STEPS):
        accelerator.backward(step(rows, number))
        if number == 0:
            found = {f"grad.{name}": weight.grad.clone() for name, weight in weights.items()}
            assert all(p.grad is None for p in base.root.module.parameters())
        optimizer.step()
        optimizer.zero_grad()
    if case == "compiled":
        assert len(base.root.compiled) == 2
    return found | {name: weight.detach() for name, weight in weights.items()}


def one_of_two(rank: int, workspace: Path, port: int, cases: tuple[str, ...]) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
        "ACCELERATE_USE_CPU": "true",
    }
    half = ROWS // 2
    found = {case: train(case, workspace, slice(rank * half, (rank + 1) * half)) for case in cases}
    torch.save(found, workspace / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(sys.platform == "win32", reason="gloo over the loopback device")
@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(("plain", "checkpointing"), marks=pytest.mark.slow),
        pytest.param(("compiled",), marks=pytest.mark.long),
    ],
    ids="-".join,
)
def test_two_processes_train_as_one(cases: tuple[str, ...], tmp_path: Path) -> None:
    """Two branches with LoRAs of their own over one UNet: in eager, with gradient checkpointing, compiled."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(one_of_two, (tmp_path, port, cases), nprocs=2)
    whole = train("plain", tmp_path, slice(None))
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    half = train("plain", tmp_path, slice(ROWS // 2))
    assert len(whole) > 10 and any((half[name] - whole[name]).abs().max() > 1e-2 for name in whole)
    for case in cases:
        assert first[case].keys() == whole.keys()
        for name, expected in whole.items():
            assert torch.equal(first[case][name], second[case][name]), "the processes agree"
            torch.testing.assert_close(first[case][name], expected, rtol=1e-4, atol=1e-6)
            assert expected.abs().max() > 0
