"""Subgraphs of the shipped graphs are copies of `graphs/parts`, where each stands once."""

import json

from docs.generate import parts


def test_every_copy_is_its_part() -> None:
    known = parts.bodies()
    stale = [
        path.name
        for path in parts.graphs()
        if parts.with_parts(path.read_text("utf-8"), known) != path.read_text("utf-8")
    ]
    assert stale == [], "run: python -m docs.generate"


def test_every_subgraph_is_a_part_and_every_part_is_used() -> None:
    used = {name for path in parts.graphs() for name in json.loads(path.read_text("utf-8")).get("graphs", {})}
    assert used == set(parts.bodies())


def test_a_copy_that_differs_is_found() -> None:
    known = parts.bodies()
    path = next(path for path in parts.graphs() if '"draw"' in path.read_text("utf-8"))
    other = json.loads(path.read_text("utf-8"))
    other["graphs"]["draw"]["nodes"]["sample"]["settings"]["guidance"] = 99
    assert parts.with_parts(json.dumps(other), known) == path.read_text("utf-8")
