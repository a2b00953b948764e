"""Groups of numbers that differ in few bits, without comparing all pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np

BITS, BLOCKS, FAR = 64, 6, 3
"""Two numbers that differ in at most FAR of BITS bits agree in at least BLOCKS - FAR of BLOCKS blocks of bits."""
ROWS = 512


def near_pairs(numbers: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs of places whose numbers differ in at most three bits; a pair may come more than once.

    Each choice of three of six blocks sorts the numbers by about 32 bits of them, and only neighbours that agree there
    are compared: Manku, Jain & Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007, section 3.

    Args:
        numbers: uint64 (n,), all different.
    """
    edges = [BITS * i // BLOCKS for i in range(BLOCKS + 1)]
    masks = [((1 << stop) - 1) ^ ((1 << start) - 1) for start, stop in pairwise(edges)]
    for chosen in combinations(masks, BLOCKS - FAR):
        keys = numbers & np.uint64(sum(chosen))
        order = np.argsort(keys, kind="stable")
        cuts = np.flatnonzero(np.diff(keys[order])) + 1
        for group in np.split(order, cuts):
            if len(group) > 1:
                yield from _compared(numbers, group)


def groups(pairs: Iterable[tuple[int, int]], n: int) -> list[list[int]]:
    """The connected parts of 0 … n − 1 with two or more members, each sorted."""
    parent = list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for one, other in pairs:
        parent[max(root(one), root(other))] = min(root(one), root(other))
    found: dict[int, list[int]] = {}
    for i in range(n):
        found.setdefault(root(i), []).append(i)
    return [members for members in found.values() if len(members) > 1]


def _compared(numbers: np.ndarray, group: np.ndarray) -> Iterator[tuple[int, int]]:
    values = numbers[group]
    for start in range(0, len(group), ROWS):
        far = _ones(values[start : start + ROWS, None] ^ values[None])
        for row, column in np.argwhere(far <= FAR):
            if start + row < column:
                yield int(group[start + row]), int(group[column])


def _ones(values: np.ndarray) -> np.ndarray:
    """How many bits are set, (…) uint8."""
    counted: np.ndarray
    if hasattr(np, "bitwise_count"):
        counted = np.bitwise_count(values)
        return counted
    unpacked: np.ndarray = np.unpackbits(values[..., None].view(np.uint8), axis=-1)
    counted = unpacked.sum(axis=-1, dtype=np.uint8)
    return counted


def alike(numbers: Sequence[int], tiny: Sequence[bytes], far: int) -> list[list[int]]:
    """Groups of places whose numbers differ in at most three bits, and their tiny pictures nowhere by more than `far`.

    Args:
        numbers: 64 bits each.
        tiny: As many texts of bytes, all of one length.
        far: The largest difference of two bytes.
    """
    unique, inverse = np.unique(np.array(numbers, np.uint64), return_inverse=True)
    places: list[list[int]] = [[] for _ in unique]
    for place, at in enumerate(inverse):
        places[int(at)].append(place)
    pixels = np.frombuffer(b"".join(tiny), np.uint8).reshape(len(tiny), -1).astype(np.int16)

    def close(some: list[int], others: list[int]) -> Iterator[tuple[int, int]]:
        for start in range(0, len(some), ROWS // 8):
            rows = some[start : start + ROWS // 8]
            apart = np.abs(pixels[rows][:, None] - pixels[others][None]).max(axis=2)
            yield from ((rows[i], others[j]) for i, j in np.argwhere(apart <= far) if rows[i] != others[j])

    def pairs() -> Iterator[tuple[int, int]]:
        for number, same in enumerate(places):
            first: dict[bytes, int] = {}
            for place in same:
                yield place, first.setdefault(tiny[place], place)
            places[number] = list(first.values())
            if len(first) > 1:
                yield from close(places[number], places[number])
        for one, other in near_pairs(unique):
            yield from close(places[one], places[other])

    return groups(pairs(), len(numbers))
