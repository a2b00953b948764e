"""The part of a graph that some targets stand on: what is unfinished elsewhere is not asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from .flat import Flat, Source, owns


def part(flat: Flat, targets: Iterable[str]) -> Flat:
    """A graph without what the targets do not need, and without the problems of that.

    A graph of which a target is not known stays as it is: who plans it says so.

    Args:
        flat: Not changed.
        targets: Nodes, `node.port`s or outputs of the interface.
    """
    asked = [_sources(flat, target) for target in targets]
    if not asked or not all(asked):
        return flat
    needed = _needed(flat, (source[0] for sources in asked for source in sources))
    children = defaultdict(list)
    for owner, inside in flat.children.items():
        if kept := [id for id in inside if id in needed]:
            children[owner] = kept
    return Flat(
        nodes={id: node for id, node in flat.nodes.items() if id in needed},
        problems=[one for one in flat.problems if one.node is None or one.node in needed or one.node in flat.instances],
        outputs={name: source for name, source in flat.outputs.items() if source[0] in needed},
        instances=flat.instances,
        exports={name: source for name, source in flat.exports.items() if source[0] in needed},
        muted=flat.muted,
        idle=flat.idle & needed,
        bundles=flat.bundles,
        children=children,
    )


def _sources(flat: Flat, target: str) -> list[Source]:
    """What a target names; nothing if it names nothing that is known."""
    if target in flat.outputs:
        return [flat.outputs[target]]
    id, _, port = target.partition(".")
    if id in flat.nodes:
        return [(id, port)]
    shown = {f"{id}.{port}"} if port else {name for name in flat.exports if name.rpartition(".")[0] == id}
    return [source for name, source in flat.exports.items() if name in shown]


def _needed(flat: Flat, start: Iterable[str]) -> set[str]:
    """Nodes, all that their inputs and settings come from, what lives in their regions, and the owners around."""
    needed: set[str] = set()
    stack = list(start)
    while stack:
        id = stack.pop()
        if id in needed or id not in flat.nodes:
            continue
        needed.add(id)
        node = flat.nodes[id]
        stack += [source[0] for source in (*node.sources(), *node.exit_sources())]
        stack += flat.chain(id)
        if owns(node) or node.spec is None:
            stack += flat.children.get(id, ())
    return needed
