"""A pair on one wire: a left and a right half, nodes that make, change, copy and read them."""

from dataclasses import dataclass, replace
from typing import Annotated, Generic, NamedTuple, TypeVar

from hcpgraph import Facts, Many, Probe, Setting, Whole, node
from hcpgraph.types import port_type


@port_type(weights="runs", facts=("family",))
@dataclass(frozen=True)
class Half:
    """One half: what was done to it."""

    said: str = ""


@port_type()
@dataclass(frozen=True)
class Left(Half):
    """The left half."""


@port_type()
@dataclass(frozen=True)
class Right(Half):
    """The right half."""


@port_type(parts={"left": Left, "right": Right}, join="pair.join", split="pair.split")
@dataclass(frozen=True)
class Pair(Half):
    """Both halves."""

    left: Left | None = None
    right: Right | None = None


H = TypeVar("H", bound=Half)
L = TypeVar("L", bound=Left)


class Halves(NamedTuple):
    left: Annotated[Left, Facts(family=Setting("family"), weights="left")]
    right: Annotated[Right, Facts(family=Setting("family"), weights="right")]


class Apart(NamedTuple):
    left: Left
    right: Right


class Joined(NamedTuple):
    pair: Pair


class Changed(NamedTuple, Generic[H]):
    pair: H
    said: str


@node("pair.make", effects="resource", gives={"pair": Whole(Pair, left="left", right="right")})
def make(*, family: str = "auto", name: str = "x") -> Halves:
    """Two halves.

    Args:
        family: Their family.
        name: What they say at first.

    Returns:
        pair: Both on one wire.
        left: The left one.
        right: The right one.
    """
    return Halves(Left(f"l{name}"), Right(f"r{name}"))


@node("pair.join", takes={"base": Whole(Pair, left="left", right="right")})
def join(left: Left | None = None, right: Right | None = None) -> Joined:
    """A pair of two halves.

    Args:
        base: Where a half is taken from if none is wired.
        left: The left one.
        right: The right one.

    Returns:
        pair: Both.
    """
    return Joined(Pair("", left, right))


@node("pair.split")
def split(pair: Pair) -> Apart:
    """The halves of a pair.

    Args:
        pair: Both.

    Returns:
        left: The left one.
        right: The right one.
    """
    return Apart(pair.left, pair.right)


@node("pair.read", takes={"pair": Whole(Pair, left="left", right="right")})
def read(left: Left, right: Right, more: Right | None = None) -> str:
    """What both say.

    Args:
        pair: Both halves.
        left: The left one.
        right: The right one.
        more: Another right one.
    """
    return left.said + "|" + right.said + ("" if more is None else "|" + more.said)


@node("pair.say")
def say(half: Half) -> str:
    """What a half, or a pair as one value, says.

    Args:
        half: It.
    """
    return f"{half.left.said}&{half.right.said}" if isinstance(half, Pair) else half.said


@node("pair.left")
def left_says(left: Left) -> str:
    """What the left half says.

    Args:
        left: It.
    """
    return left.said


@node("pair.change", effects="resource", changes=Probe("changed halves"))
def change(pair: H, *, halves: str = "left", add: str = "+") -> Changed[H]:
    """Halves with something added; `halves` says which, `?` that it is known in the run only.

    Args:
        pair: What is changed.
        halves: left, right, both or ?.
        add: What is added.

    Returns:
        pair: The same, changed.
        said: What came in.
    """
    if isinstance(pair, Pair):
        halves = "both" if halves == "?" else halves
        left = replace(pair.left, said=pair.left.said + add) if halves != "right" and pair.left else pair.left
        right = replace(pair.right, said=pair.right.said + add) if halves != "left" and pair.right else pair.right
        return Changed(Pair("", left, right), "pair")
    return Changed(replace(pair, said=pair.said + add), pair.said)


@node("pair.louder")
def louder(pair: L) -> L:
    """The left half in capitals.

    Args:
        pair: It.
    """
    return replace(pair, said=pair.said.upper())


@node("pair.copy")
def copy(pair: H) -> H:
    """A copy that says so; of a pair each half that is read.

    Args:
        pair: What is copied.
    """
    return replace(pair, said=f"({pair.said})")


@node("pair.list")
def listed(pairs: Many[H]) -> list[H]:
    """A list.

    Args:
        pairs: Its members.
    """
    return list(pairs)
