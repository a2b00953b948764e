"""Torch-free nodes with trainable weights, for tests of the rules about who reads them when."""

from dataclasses import dataclass
from typing import NamedTuple

from hcpgraph import Body, node
from hcpgraph.types import port_type


@port_type(weights="runs")
@dataclass(frozen=True)
class ToyModel:
    """Something that can be run."""


@port_type(weights="params")
@dataclass(frozen=True)
class ToyParams:
    """What an optimizer changes."""


@port_type(weights="carries")
@dataclass(frozen=True)
class ToyOptimizer:
    """An optimizer."""


class Made(NamedTuple):
    model: ToyModel
    params: ToyParams


class Step(NamedTuple):
    step: int


class Losses(NamedTuple):
    loss: float


@node("weights.make", effects="resource")
def make() -> Made:
    """A model and its parameters."""
    return Made(ToyModel(), ToyParams())


@node("weights.optimizer", effects="resource")
def optimizer(params: ToyParams) -> ToyOptimizer:
    """An optimizer.

    Args:
        params: What it changes.
    """
    return ToyOptimizer()


@node("weights.train", effects="random", mutates=("optimizer",))
def train(optimizer: ToyOptimizer, body: Body[Step, Losses]) -> int:
    """Train.

    Args:
        optimizer: Changes the weights.

    Body:
        step: Number of the step.
        loss: What is minimised.
    """
    return int(body.run(step=0).loss)


@node("weights.use")
def use(model: ToyModel) -> float:
    """Run a model.

    Args:
        model: The model.
    """
    return 1.0
