"""Training loops inside of other regions: how many passes went on with their weights, and under which key they lie.

Checkpoints of a pass are found by what the pass depends on and not by its number: its key is that of the loop, with the
values of the entries that reach it in their place, and the path of its draws. A sweep finds the passes that it had
before another value came in front of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Protocol

from ..checking import lengths
from ..checking.flat import Source, owns
from ..context import Context
from ..planning.plan import Plan
from .codec import NoCodec, digest

Passes = Counter[tuple[str, tuple[tuple[int, bool], ...]]]
"""Training loop and the passes around it that its weights were made in -> how often it ran there."""


class Around(Protocol):
    """A pass of a region that is going on: the region's owner, its entry values, and the pass around it."""

    @property
    def owner(self) -> str: ...
    @property
    def entry(self) -> Mapping[str, Any]: ...
    @property
    def around(self) -> Around | None: ...


def place(plan: Plan, passes: Passes, around: Around | None, ctx: Context) -> tuple[int, bool, int]:
    """How many passes went on with the weights of a loop before this one, whether passes carry them on at all, and how
    many will, as far as that is known, else 1.

    Also sets the key and kin key of the loop, in its context. Passes are counted in regions that draw anew in every
    pass, from where the weights were made; one that repeats its draws repeats its steps too.

    Args:
        passes: What was counted in this run so far; this pass is added.
        around: What the loop stands in.
    """
    turns = ctx.scope.turns
    made = plan.analysis.weights.carried.get(ctx.node, len(turns))
    earlier, carried = 0, made < len(turns)
    if carried:
        since = tuple(turn for level, turn in enumerate(turns) if level < made or not turn[1])
        earlier = passes[ctx.node, since]
        passes[ctx.node, since] += 1
    where = _where(plan, around, ctx)
    outermost = plan.analysis.flat.chain(ctx.node)[0]
    ctx.key = _digest(plan.keys.resumable, plan.keys.of, ctx.node, outermost, where)
    ctx.kin = _digest(plan.keys.resumable_kin, plan.keys.kin, ctx.node, outermost, where)
    found = plan.analysis
    return earlier, carried, lengths.turns(found.flat, found.settings, found.weights, found.registry, ctx.node) or 1


def _digest(
    loops: Mapping[str, str], keys: Mapping[str, str | None], loop: str, outermost: str, where: tuple[list[str], bool]
) -> str:
    parts, known = where
    return sha256("\0".join([loops[loop], *parts, *([] if known else [str(keys[outermost])])]).encode()).hexdigest()


def _where(plan: Plan, around: Around | None, ctx: Context) -> tuple[list[str], bool]:
    """What tells a pass from others, and whether it is all that there is."""
    scope = ctx.scope
    parts = [str(scope.path)]
    entries, known, reading = reached(plan, ctx.node)
    try:
        values = _values(around)
        parts += [f"{source}={digest(values[source])}" for source in entries]
    except NoCodec:
        known = False
    chain = plan.analysis.flat.chain(ctx.node)
    passes = {owner: turn[0] for owner, turn in zip(chain, scope.turns, strict=False)}
    parts += _read(plan, reading, passes)
    return (parts if known else [*parts, str(scope.turns)]), known


def _values(body: Around | None) -> dict[Source, Any]:
    """The entry values of all regions around, as they are in the passes that are going on."""
    found: dict[Source, Any] = {}
    while body is not None:
        found |= {(body.owner, name): value for name, value in body.entry.items()}
        body = body.around
    return found


def _read(plan: Plan, nodes: Iterable[str], passes: Mapping[str, int]) -> list[str]:
    """What files have in them that nodes read in a pass and not in others: owner of a region -> number of its item."""
    found = set()
    for id in nodes:
        node = plan.node(id)
        for name in node.spec.paths if node.spec is not None else ():
            if name in node.swept:
                uris = {uri for uri in node.swept[name].within(passes) if isinstance(uri, str)}
                found |= {f"{id}.{name}={plan.keys.files[uri]['sha256']}" for uri in uris if uri in plan.keys.files}
    return sorted(found)


def reached(plan: Plan, loop: str) -> tuple[list[Source], bool, set[str]]:
    """The entries of the regions around a loop that reach it, whether they are all that differs between passes, and the
    nodes that reach it.

    They are not where a node that changes between calls, or weights that another loop goes on with, reach it too.
    """
    flat, weights = plan.analysis.flat, plan.analysis.weights
    around = flat.chain(loop)
    others = [id for id in weights.trains if id != loop and weights.carried[id] < len(flat.chain(id))]
    moving = frozenset().union(*map(weights.moves, others))
    entries: set[Source] = set()
    known = True
    seen: set[str] = set()
    stack = [loop]
    while stack:
        id = stack.pop()
        if id in seen or not flat.chain(id):
            continue
        seen.add(id)
        node = flat.nodes[id]
        inside = loop in flat.chain(id)
        known = known and not weights.reads.get(id, frozenset()) & moving
        known = known and (inside or id == loop or "state" not in weights.effects.get(id, ()))
        for giver, port in (*node.sources(), *node.exit_sources()):
            spec = flat.nodes[giver].spec
            if owns(flat.nodes[giver]) and spec is not None and port in spec.entry:
                if giver in around:
                    entries.add((giver, port))
            else:
                stack.append(giver)
    return sorted(entries), known, seen
