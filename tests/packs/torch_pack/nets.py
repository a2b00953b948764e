"""Tiny trainable things for tests of the training loop: a linear net with dropout, batches by step, noise."""

import os
import random
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import torch
from hcpgraph_nodes.types import Batches, Loss, Params
from torch import nn

from hcpgraph import Context, Facts, node
from hcpgraph.types import port_type
from hcpgraph.widgets import PathPicker


@port_type(weights="runs")
@dataclass(frozen=True)
class Net:
    """A small module."""

    module: nn.Module

    def modules(self):
        return (self.module,)


@port_type(name="NetRows")
@dataclass(frozen=True)
class Rows:
    """Rows of numbers (B, D) with one sample key each."""

    data: torch.Tensor
    keys: tuple = ()


class Made(NamedTuple):
    net: Annotated[Net, Facts(weights="net")]
    params: Annotated[Params, Facts(weights="net")]
    frozen: Annotated[Net, Facts(weights="frozen")]


@node("net.make", effects="resource")
def make(*, size: int = 4, seed: int = 0, dropout: float = 0.0) -> Made:
    """A trainable net and a frozen one.

    Args:
        size: Width.
        seed: Of the initial weights.
        dropout: Dropout of the trainable net.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(size, size), nn.Dropout(dropout), nn.Tanh(), nn.Linear(size, size))
        frozen = nn.Linear(size, size).requires_grad_(False)
    return Made(Net(net), Params(({"name": "net", "params": dict(net.named_parameters())},)), Net(frozen))


@node("net.batch", effects="step")
def batch(ctx: Context, *, rows: int = 3, size: int = 4) -> Rows:
    """Rows that depend on the step alone.

    Args:
        rows: Number of rows.
        size: Width.
    """
    generator = torch.Generator().manual_seed(1000 + ctx.step)
    keys = tuple(("toy", 0, ctx.step * rows + i) for i in range(rows))
    return Rows(torch.randn(rows, size, generator=generator), keys)


@node("net.part", effects="step")
def part(ctx: Context, *, rows: int = 4, size: int = 4) -> Rows:
    """The part of one of several processes of rows that depend on the step alone.

    Args:
        rows: Number of rows of all processes.
        size: Width.
    """
    rank, world = (int(os.environ.get(name, default)) for name, default in (("RANK", "0"), ("WORLD_SIZE", "1")))
    generator = torch.Generator().manual_seed(1000 + ctx.step)
    mine = slice(rank * rows // world, (rank + 1) * rows // world)
    keys = tuple(("toy", 0, ctx.step * rows + i) for i in range(rows))
    return Rows(torch.randn(rows, size, generator=generator)[mine], keys[mine])


@node("net.ragged", effects="step")
def ragged(ctx: Context, *, sizes: list[int] = [2, 2, 1], start: int = 0) -> Rows:  # noqa: B006
    """Batches of different sizes; all batches together are rows that depend on their number alone.

    Args:
        sizes: Rows of each batch, again and again.
        start: Number of the first row.
    """
    before = sum(sizes[step % len(sizes)] for step in range(ctx.step))
    numbers = range(start + before, start + before + sizes[ctx.step % len(sizes)])
    rows = [torch.randn(4, generator=torch.Generator().manual_seed(number)) for number in numbers]
    return Rows(torch.stack(rows), tuple(("toy", 0, number) for number in numbers))


@node("net.noise", effects="random")
def noise(ctx: Context, rows: Rows, *, strength: float = 0.1) -> Rows:
    """Add noise of this node's own stream.

    Args:
        rows: The rows.
        strength: Scale of the noise.
    """
    return Rows(rows.data + strength * ctx.normal(rows.data.shape, rows.keys), rows.keys)


@node("net.run")
def run(net: Net, rows: Rows) -> Rows:
    """Run a net.

    Args:
        net: The net.
        rows: Its input.
    """
    return Rows(net.module(rows.data), rows.keys)


@node("net.metric", effects="step")
def metric(ctx: Context, rows: Rows) -> Rows:
    """Report the sum of rows and hand them on.

    Args:
        rows: The rows.
    """
    ctx.metric(ctx.step, sum=float(rows.data.detach().sum()))
    return rows


@node("net.nothing")
def nothing(loss: Loss) -> Loss:
    """Say that a loss is of no samples.

    Args:
        loss: The loss.
    """
    return Loss(loss.data, 0)


@node("net.jolt")
def jolt(rows: Rows) -> Rows:
    """Scale rows by numbers of every global generator.

    Args:
        rows: The rows.
    """
    return Rows(rows.data * (1 + 0.1 * (torch.rand(1) + np.random.random() + random.random())), rows.keys)


@node("net.rows")
def rows_of(*, count: int = 2) -> Rows:
    """Rows of ones.

    Args:
        count: How many.
    """
    return Rows(torch.ones(count, 4))


@node("net.stir")
def stir(rows: Rows, *, library: str = "torch") -> Rows:
    """Move a global generator and say nothing of it.

    Args:
        rows: The rows.
        library: torch, numpy or random.
    """
    {"torch": torch.rand, "numpy": np.random.random, "random": lambda n: random.random()}[library](1)
    return rows


@node("net.stir_declared", effects="random")
def stir_declared(rows: Rows) -> Rows:
    """Move a global generator and say so.

    Args:
        rows: The rows.
    """
    return stir(rows)


@node("net.scale")
def scale(rows: Rows, factor: float) -> Rows:
    """Multiply rows by a number.

    Args:
        rows: The rows.
        factor: The number.
    """
    return Rows(rows.data * factor, rows.keys)


@node("net.length", effects="read")
def length(ctx: Context, *, path: Annotated[str, PathPicker(kind_of="file")]) -> float:
    """The length of a text.

    Args:
        path: Its file.
    """
    return float(len(ctx.path(path).read_text()))


@node("net.mean")
def mean(rows: Rows) -> Rows:
    """The mean of all rows, as one row without a key.

    Args:
        rows: The rows.
    """
    return Rows(rows.data.mean(0, keepdim=True))


@node("net.lost")
def lost(net: Net, rows: Rows) -> Rows:
    """Run a net without gradients, by mistake.

    Args:
        net: The net.
        rows: Its input.
    """
    with torch.no_grad():
        return Rows(net.module(rows.data), rows.keys)


@node("net.cut")
def cut(rows: Rows, *, how: str = "detach") -> Rows:
    """Hand on rows without their gradients, as it happens by mistake.

    Args:
        rows: The rows.
        how: `detach`, `numpy`, `round` to whole numbers, or `not`.
    """
    if how == "not":
        return rows
    if how == "round":
        return Rows(rows.data.round().long(), rows.keys)
    data = torch.from_numpy(rows.data.detach().numpy().copy()) if how == "numpy" else rows.data.detach()
    return Rows(data, rows.keys)


@node("net.mse")
def mse(a: Rows, b: Rows, *, weight: float = 1.0, counted: bool = False) -> Loss:
    """Mean squared difference.

    Args:
        a: One side.
        b: The other side.
        weight: Factor.
        counted: Whether it says of how many rows it is the mean.
    """
    return Loss(weight * (a.data - b.data).square().mean(), len(a.data) if counted else 1)


@node("net.state", effects="state")
class Drift:
    """Scale rows by a number that drifts with every call.

    Args:
        rows: The rows.
    """

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, rows: Rows) -> Rows:
        self.calls += 1
        return Rows(rows.data * (1 + 0.01 * self.calls), rows.keys)

    def state_dict(self):
        return {"calls": self.calls}

    def load_state_dict(self, state):
        self.calls = state["calls"]


@node("net.log", effects="write")
def log(ctx: Context, rows: Rows, *, path: str = "out:log.txt") -> None:
    """Append the step and the sum of rows to a file.

    Args:
        rows: The rows.
        path: The file.
    """
    file = ctx.output(path, overwrite=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lines:
        lines.write(f"{ctx.step} {rows.data.double().sum().item():.12f}\n")


@node("net.weights", cache="none")
def weights(net: Net) -> list[float]:
    """All weights as numbers.

    Args:
        net: The net.
    """
    return [value for parameter in net.module.parameters() for value in parameter.flatten().tolist()]


class Pages(Batches):
    """Batches that are only counted."""

    def __init__(self, batches: int) -> None:
        self.batches_per_epoch = batches


@node("net.loader", cache="none")
def pages(*, batches: int = 5) -> Batches:
    """A loader of so many batches an epoch.

    Args:
        batches: Batches an epoch.
    """
    return Pages(batches)


class Halves(NamedTuple):
    params: Annotated[Params, Facts(weights="net")]
    net: Annotated[Net, Facts(weights="net")]


@node("net.halves", effects="resource")
def halves(*, lr: float = 0.5) -> Halves:
    """A trainable net in two parameter groups, of which the second has a learning rate of its own.

    Args:
        lr: Of the second.
    """
    with torch.random.fork_rng(devices=[]):
        net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    first, second = dict(net[0].named_parameters()), dict(net[2].named_parameters())
    groups = ({"name": "body", "params": first}, {"name": "head", "params": second, "lr": lr})
    return Halves(Params(groups), Net(net))
