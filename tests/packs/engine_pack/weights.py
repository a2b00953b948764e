"""Weights without torch: handles over a box with a number, an optimizer and a loop that changes what it trains."""

from dataclasses import dataclass, field
from typing import Annotated, NamedTuple, TypeVar

from hcpgraph import Body, Context, Facts, Many, Setting, node
from hcpgraph.types import port_type

T = TypeVar("T")


@dataclass
class Box:
    value: float = 0.0


@port_type(weights="runs", facts=("family",))
@dataclass(frozen=True)
class Weighted:
    """A handle that can run the weights in its boxes."""

    boxes: tuple[Box, ...]

    def run(self) -> float:
        return sum(box.value for box in self.boxes)


@port_type(weights="params")
@dataclass(frozen=True)
class Knobs:
    """What can be trained in one box."""

    box: Box = field(default_factory=Box)


@port_type(weights="carries")
@dataclass(frozen=True)
class Mover:
    """Changes the boxes of the knobs it was given."""

    boxes: tuple[Box, ...]


@port_type()
@dataclass(frozen=True)
class Finished:
    """A loop is done."""

    steps: int


class Made(NamedTuple):
    model: Annotated[Weighted, Facts(weights="model", family=Setting("family"))]
    other: Annotated[Weighted, Facts(weights="other", family=Setting("family"))]
    knobs: Annotated[Knobs, Facts(weights="model")]


@node("w.make", effects="resource")
def make(*, family: str = "auto", value: float = 0.0) -> Made:
    """Two boxes; the knobs belong to the first.

    Args:
        family: A fact of both.
        value: What is in them.
    """
    first = Box(value)
    return Made(Weighted((first,)), Weighted((Box(value),)), Knobs(first))


class Plugged(NamedTuple):
    model: Annotated[Weighted, Facts(weights="plugin")]
    knobs: Annotated[Knobs, Facts(weights="plugin")]


@node("w.plug", effects="resource")
def plug(model: Weighted) -> Plugged:
    """A further box on top of a model.

    Args:
        model: The model.
    """
    box = Box()
    return Plugged(Weighted((*model.boxes, box)), Knobs(box))


@node("w.mover", cache="none")
def mover(knobs: Many[Knobs]) -> Mover:
    """An optimizer.

    Args:
        knobs: What it trains.
    """
    return Mover(tuple(item.box for item in knobs))


class Step(NamedTuple):
    step: int


class Losses(NamedTuple):
    loss: Many[float]


class Outcome(NamedTuple):
    trained: Finished


@node("w.train", mutates=("optimizer",))
def train(ctx: Context, optimizer: Mover, body: Body[Step, Losses], *, steps: int = 1) -> Outcome:
    """Run the body, then add one to every box that is trained, again and again.

    Args:
        optimizer: What is trained.
        steps: How often.

    Body:
        step: Number of the pass.
        loss: Not used.
    """
    for step in range(steps):
        body.run(step=step)
        for box in optimizer.boxes:
            box.value += 1
    return Outcome(Finished(steps))


@node("w.after", cache="none")
def after(value: T, trained: Finished) -> T:
    """The value once a loop is done.

    Args:
        value: Any value.
        trained: What is waited for.
    """
    return value


CALLS: list[str] = []


@node("w.run")
def run(ctx: Context, model: Weighted) -> float:
    """Run the weights.

    Args:
        model: Which.
    """
    CALLS.append(ctx.node)
    return model.run()


@node("w.both")
def both(a: Weighted, b: Weighted) -> float:
    """Run two models of one family.

    Args:
        a: The first.
        b: The second.
    """
    return a.run() + b.run()


@node("w.tiny_only")
def tiny_only(model: Annotated[Weighted, Facts(family="tiny")]) -> float:
    """Run a model of the family `tiny`.

    Args:
        model: Which.
    """
    return model.run()


@node("w.hand_on")
def hand_on(model: Weighted) -> Weighted:
    """The same model; its facts follow.

    Args:
        model: Which.
    """
    return model
