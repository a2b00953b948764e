"""Settings whose values differ between the passes of a region, and are known before the run: each is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .flat import Flat, FlatNode, Several

MAX_PASSES = 1000
"""Passes up to which values are looked at one by one; those of more are known in the run."""
Numbers = tuple[int, ...]


def joined(parts: Sequence[Several]) -> tuple[tuple[str, ...], dict[Numbers, list[Any]]] | None:
    """Values that come together, pass by pass, with the owners of the regions; None where these are too many.

    Args:
        parts: One a wire; a constant has no owners and one value.
    """
    owners: tuple[str, ...] = ()
    rows: dict[Numbers, list[Any]] = {(): []}
    for part in parts:
        merged = tuple(sorted({*owners, *part.owners}))
        if part.owners == owners:
            rows = {numbers: [*row, part.values[numbers]] for numbers, row in rows.items() if numbers in part.values}
            continue
        found: dict[Numbers, list[Any]] = {}
        for numbers, row in rows.items():
            here = dict(zip(owners, numbers, strict=True))
            for others, value in part.values.items():
                there = dict(zip(part.owners, others, strict=True))
                if all(here.get(owner, number) == number for owner, number in there.items()):
                    both = here | there
                    found[tuple(both[owner] for owner in merged)] = [*row, value]
            if len(found) > MAX_PASSES:
                return None
        owners, rows = merged, found
    return owners, rows


def passes(node: FlatNode) -> Iterator[tuple[dict[str, int], dict[str, Any]]]:
    """The passes in which the settings of a node differ: owner -> number of its item, and those settings."""
    found = joined(list(node.swept.values()))
    if found is not None and node.swept:
        owners, rows = found
        for numbers, row in rows.items():
            yield dict(zip(owners, numbers, strict=True)), dict(zip(node.swept, row, strict=True))


def values(node: FlatNode, settings: Mapping[str, Any], name: str) -> list[Any]:
    """What a setting may be in the run, as far as it is known: one value, or those of all passes, or none."""
    if name in node.swept:
        return list(node.swept[name].values.values())
    return [settings[name]] if name in settings else []


def within(
    flat: Flat, settings: Mapping[str, Mapping[str, Any]], at: Mapping[str, int]
) -> dict[str, Mapping[str, Any]]:
    """The settings of all nodes in some pass, as far as it says them."""
    found = dict(settings)
    for node in flat.nodes.values():
        if node.swept:
            told = {name: several.within(at) for name, several in node.swept.items()}
            found[node.id] = {**settings[node.id], **{name: each[0] for name, each in told.items() if len(each) == 1}}
    return found


def said(at: Mapping[str, int]) -> str:
    """Which items a pass is of, for messages."""
    return ", ".join(f"item {number} of '{owner}'" for owner, number in at.items())
