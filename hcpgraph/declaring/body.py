"""What the owner of a region may do with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from ..context import Context

Entry = TypeVar("Entry")
Exit = TypeVar("Exit")
Series = dict[str, list[tuple[int, float]]]
"""Numbers that nodes report: name -> [(step, value)]."""


class Body(ABC, Generic[Entry, Exit]):
    """The region that a node owns: declared as `body: Body[Entry, Exit]`, with the named tuples of what goes in and
    comes out, and given by the engine.

    Attributes:
        earlier: How many passes of the regions around a training loop went on with its weights before this one.
        carried: Whether such passes go on with the weights of the one before at all.
        turns: How many such passes there will be, as far as it is known; else 1.
    """

    earlier: int
    turns: int
    carried: bool

    @property
    @abstractmethod
    def owner(self) -> str:
        """Id of the node."""

    @property
    @abstractmethod
    def trained(self) -> frozenset[str]:
        """The weight groups that this training loop trains."""

    @property
    @abstractmethod
    def written(self) -> str:
        """Digest of what only writes in the body: it changes with a saver, a preview or a measurement."""

    @property
    @abstractmethod
    def series(self) -> Series | None:
        """Where numbers are collected that nodes inside report; None collects none."""

    @series.setter
    @abstractmethod
    def series(self, series: Series | None) -> None: ...

    @abstractmethod
    def run(self, **entry: Any) -> Exit:
        """Run the body once with these entry values; returns the named tuple of its exits.

        Raises:
            GraphError: a node failed; it says which.
        """

    @abstractmethod
    def seed(self, seed: int) -> None:
        """Draw from `seed` from here on."""

    @abstractmethod
    def pin(self, index: int | None = None) -> None:
        """Draw the same numbers in every pass from here on, whatever the enclosing loops do.

        Args:
            index: Equal index, equal numbers; None draws what the nodes would draw outside of all regions.
        """

    @abstractmethod
    def repeat_draws(self) -> None:
        """Draw in every pass from here on what the nodes would draw outside of this region."""

    @abstractmethod
    def kept(self, ctx: Context, at_most: int, begun_with: str = "") -> Path:
        """The folder for the checkpoints of a training loop.

        Args:
            ctx: Of the loop.
            at_most: Step beyond which none is gone on from.
            begun_with: What it depends on besides its key.
        """
