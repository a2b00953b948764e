"""The names that a network has in its authors' files, and those in diffusers, both ways (no torch until tensors come).

Authors often keep as one matrix what diffusers has as several layers (query, key and value), and the last modulation in
the other order, (shift, scale) where diffusers has (scale, shift). A `Row` says so for one layer of a kind; the same
table serves weights and adapters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

NUMBER = "*"
"""In a row stands for a number; the same number stands in both names."""


@dataclass(frozen=True, slots=True)
class Row:
    """One layer, or everything below a name.

    Attributes:
        original: Its name in the authors' layout; parameters and layers below it keep what stands behind the name.
        own: Its names in diffusers, those of several layers in the order of their rows in the original matrix.
        swapped: Whether the halves of its rows stand in the other order.
    """

    original: str
    own: tuple[str, ...]
    swapped: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a layer of diffusers lies in the original layout.

    Attributes:
        original: The original layer.
        index: Which of the layers that it is cut into.
        whole: All of them, in order; one where nothing is cut.
        swapped: Whether the halves of its rows stand in the other order.
    """

    original: str
    index: int
    whole: tuple[str, ...]
    swapped: bool


def rows(table: Mapping[str, str | Sequence[str]], swapped: Iterable[str] = ()) -> tuple[Row, ...]:
    """Rows of a table original name -> name, or names, in diffusers.

    Args:
        table: The names.
        swapped: Original names of those with halves in the other order.
    """
    others = frozenset(swapped)
    return tuple(
        Row(original, (own,) if isinstance(own, str) else tuple(own), original in others)
        for original, own in table.items()
    )


class Layout:
    """A table of rows; what no row names is called alike in both layouts.

    Args:
        rows: The rows; of several that fit a name the one with the longest name is meant.
        dropped: Beginnings of original names that diffusers has no place for and no use of.
    """

    def __init__(self, rows: Iterable[Row], dropped: Sequence[str] = ()) -> None:
        self.rows = tuple(rows)
        self.dropped = tuple(dropped)

    @cached_property
    def _forward(self) -> _Finder:
        return _Finder((row.original, row, 0) for row in self.rows)

    @cached_property
    def _back(self) -> _Finder:
        return _Finder((own, row, index) for row in self.rows for index, own in enumerate(row.own))

    def is_original(self, names: Iterable[str]) -> bool:
        """Whether a file with these names is in this layout rather than in that of diffusers."""
        own = original = 0
        for name in names:
            if (found := self._forward.find(name)) is not None and found[0].own != (found[0].original,):
                original += 1
            if (back := self._back.find(name)) is not None and back[0].own != (back[0].original,):
                own += 1
        return original > own

    def own(self, original: str) -> tuple[str, ...]:
        """The names in diffusers of what has this original name."""
        found = self._forward.find(original)
        if found is None:
            return (original,)
        row, _, numbers, rest = found
        return tuple(_filled(name, numbers) + rest for name in row.own)

    def place(self, own: str) -> Place:
        """Where what has this name in diffusers lies in the original layout."""
        found = self._back.find(own)
        if found is None:
            return Place(own, 0, (own,), False)
        row, index, numbers, rest = found
        whole = tuple(_filled(name, numbers) + rest for name in row.own)
        return Place(_filled(row.original, numbers) + rest, index, whole, row.swapped)

    def read(self, state: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
        """Weights by their names in diffusers.

        Args:
            state: Weights by their original names.
            shapes: Sizes of the weights of the module, by which a matrix of several layers is cut.
        """
        found: dict[str, Tensor] = {}
        for name, value in state.items():
            if name.startswith(self.dropped):
                continue
            row = self._forward.find(name)
            own = self.own(name)
            if row is not None and row[0].swapped:
                value = swapped(value)
            if len(own) == 1:
                found[own[0]] = value
                continue
            counts = [shapes[part][0] if part in shapes else 0 for part in own]
            if sum(counts) != len(value):
                counts = [len(value) // len(own)] * len(own)  # told as of another shape by who puts them in
            found |= dict(zip(own, value.split(counts) if sum(counts) == len(value) else [value], strict=False))
        return found

    def write(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights by their original names, of all those of a module by their names in diffusers."""
        import torch

        found: dict[str, Tensor] = {}
        for name, value in state.items():
            place = self.place(name)
            if place.original in found:
                continue
            whole = value if len(place.whole) == 1 else torch.cat([state[part] for part in place.whole])
            found[place.original] = swapped(whole) if place.swapped else whole
        return found


def swapped(value: Tensor) -> Tensor:
    """The halves of the rows in the other order."""
    import torch

    first, second = value.chunk(2)
    return torch.cat([second, first])


class _Finder:
    """Rows by the beginnings of names, which end at dots."""

    def __init__(self, entries: Iterable[tuple[str, Row, int]]) -> None:
        self._entries = [(_pattern(name), name, row, index) for name, row, index in entries]
        self._entries.sort(key=lambda entry: -len(entry[1]))
        self._known: dict[str, tuple[Row, int, tuple[str, ...], str] | None] = {}

    def find(self, name: str) -> tuple[Row, int, tuple[str, ...], str] | None:
        """The row, which of its names, the numbers in it, and what stands behind it."""
        if name not in self._known:
            self._known[name] = self._search(name)
        return self._known[name]

    def _search(self, name: str) -> tuple[Row, int, tuple[str, ...], str] | None:
        for pattern, _, row, index in self._entries:
            if (match := pattern.match(name)) is not None:
                return row, index, match.groups(), name[match.end() :]
        return None


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(re.escape(name).replace(re.escape(NUMBER), r"(\d+)") + r"(?=\.|$)")


def _filled(name: str, numbers: Sequence[str]) -> str:
    given = iter(numbers)
    return "".join(next(given) if part == NUMBER else part for part in re.split(r"(\*)", name))


Shapes = Mapping[str, Sequence[int]]
Sized = Callable[[Shapes], dict[str, Any]]
"""What the sizes of tensors, by their original names or those in diffusers, say of a configuration."""
