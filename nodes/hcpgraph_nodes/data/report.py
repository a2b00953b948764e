"""Many problems in one message."""

from __future__ import annotations

from collections.abc import Iterable

SHOWN = 20


def listed(items: Iterable[str], separator: str = ", ") -> str:
    """The first of the items, and how many more there are."""
    every = list(items)
    more = f" … and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return separator.join(every[:SHOWN]) + more
