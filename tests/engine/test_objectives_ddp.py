"""Two processes that train together, each on its part of every batch, against one process: objectives and states."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp

from .test_objectives import IN_TURN, rivals, train, weights

CASES = {
    "both at once": {},
    "in turn": IN_TURN,
    "accumulation": {"accumulate": 2, **IN_TURN},
    "a mean that is kept": {"kept": True},
}


def drawn(case: str):
    """The rivals with SGD, on parts of batches; with `kept`, maker also follows the mean of what judge said before."""
    options = dict(CASES[case])
    kept = options.pop("kept", False)
    g = rivals(4, **options)
    g.add("net.part", "batch2", inside="train")
    for target, source in list(g.edges.items()):
        if source == "batch.out":
            g.connect("batch2.out", target)
    g.remove("batch")
    for name in ("maker", "judge"):
        g.add("python.object", f"sgd_{name}", path="torch.optim:SGD")
        g.remove(f"adamw_{name}")
        g.add("optim.custom", f"adamw_{name}", lr=0.1, max_grad_norm=0.0)
        g.connect(f"sgd_{name}.out", f"adamw_{name}.kind")
        g.connect(f"{name}.params", f"adamw_{name}.params", many=True)
    for target, source in (
        ("train.optimizer.0", "adamw_maker"),
        ("train.optimizer.1", "adamw_judge"),
        ("make.optimizers.0", "adamw_maker"),
        ("judging.optimizers.0", "adamw_judge"),
    ):
        g.connect(f"{source}.out", target)
    if kept:
        g.add("net.rows", "ones", count=1)
        g.add("net.mean", "mean", inside="train")
        g.connect("said.out", "mean.rows")
        g.add("train.state", "before", inside="train", ranks="mean")
        g.connect("ones.out", "before.initial")
        g.connect("mean.out", "before.next")
        g.connect("before.out", "doubt.b")
    return g


def one_of_two(rank: int, workspace: Path, port: int) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
        "ACCELERATE_USE_CPU": "true",
    }
    found = {case: weights(train(drawn(case), workspace / case / str(rank))) for case in CASES}
    assert torch.distributed.get_world_size() == 2
    torch.save(found, workspace / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="gloo over the loopback device")
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(one_of_two, (tmp_path, port), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    for case in CASES:
        whole = weights(train(drawn(case), tmp_path / case / "whole"))
        assert first[case] == second[case], f"{case}: the processes agree"
        for one, expected in zip(first[case], whole, strict=True):
            assert one == pytest.approx(expected, abs=1e-6), case
    assert first["both at once"] != first["in turn"]
