"""What must run for some targets: at the top, and in the body of every region (DESIGN §3: demand)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..checking.analyse import Analysis
from ..checking.flat import FlatNode, Source, owns
from ..checking.order import BEGIN, END
from ..errors import GraphErrors, Problem, did_you_mean


@dataclass
class BodyDemand:
    """One region.

    Attributes:
        ops: Nodes that run in this body, in order; those that reach an exit and those that write.
        exits: The part of `ops` that reaches an exit (all of it, unless something only writes).
        outer: Nodes outside of the body whose values it reads.
    """

    ops: list[str]
    exits: set[str]
    outer: set[str]


def chosen(node: FlatNode, settings: Mapping[str, Any]) -> set[str] | None:
    """Names of the lazy ports that are wanted; None while that is not known before the run."""
    spec = node.spec
    if spec is None or spec.choose is None:
        return set()
    if spec.choose.setting not in settings:
        return None
    return set(spec.choose.ports(settings[spec.choose.setting]))


def static_sources(node: FlatNode, settings: Mapping[str, Any]) -> Iterable[Source]:
    """Sources that are wanted for sure: all but unchosen or not yet chosen lazy branches."""
    assert node.spec is not None
    wanted = chosen(node, settings) or set()
    for name, sources in node.inputs.items():
        if not node.spec.input[name].lazy or name in wanted:
            yield from sources
    yield from node.wired.values()


def body_sources(node: FlatNode, settings: Mapping[str, Any]) -> Iterable[Source]:
    """Sources that are wanted in some pass of a region: of lazy branches all, where a pass chooses."""
    return static_sources(node, settings) if chosen(node, settings) is not None else node.sources()


def bodies(analysis: Analysis) -> dict[str, BodyDemand]:
    """The demand of every region, inner ones first."""
    flat, home = analysis.flat, analysis.weights.home
    position = {vertex: index for index, vertex in enumerate(analysis.order.sorted)}
    owners = sorted((n for n in flat.nodes.values() if owns(n)), key=lambda node: -len(flat.chain(node.id)))
    found: dict[str, BodyDemand] = {}

    def place(id: str) -> int:
        return position[(id, END if owns(flat.nodes[id]) else BEGIN)]

    for owner in owners:
        writers = [c for c in flat.children.get(owner.id, ()) if "write" in analysis.weights.effects.get(c, ())]
        exits, outer = _closure(analysis, owner.id, (source[0] for source in owner.exit_sources()), found, home)
        rest, more = _closure(analysis, owner.id, writers, found, home)
        found[owner.id] = BodyDemand(sorted(exits | rest, key=place), exits, (outer | more) - {owner.id})
    return found


def _closure(
    analysis: Analysis,
    owner: str,
    start: Iterable[str],
    found: Mapping[str, BodyDemand],
    home: Mapping[str, str | None],
) -> tuple[set[str], set[str]]:
    """Nodes of this body that `start` stands on, and nodes outside of it that are read."""
    inside: set[str] = set()
    outer: set[str] = set()
    stack = list(start)
    while stack:
        id = stack.pop()
        if id in inside or id in outer:
            continue
        if id == owner or home.get(id) != owner:
            outer.add(id)
            continue
        inside.add(id)
        node = analysis.flat.nodes[id]
        stack += [source[0] for source in body_sources(node, analysis.settings[id])]
        if id in found:
            stack += found[id].outer
    return inside, outer


def _writes(analysis: Analysis, id: str) -> bool:
    """Whether a node is run for the files it writes; a training loop is not run again for its previews alone."""
    spec = analysis.flat.nodes[id].spec
    return "write" in analysis.weights.effects[id] and not (spec is not None and spec.resumes)


def targets_of(analysis: Analysis, asked: Iterable[str] | None) -> tuple[list[str], dict[str, Source]]:
    """Top-level nodes to run and outputs to hand back.

    Without `asked` these are the nodes that write, those that feed nothing, and the outputs of the interface.

    Raises:
        GraphErrors: E_TARGET, an unknown node or port, or one inside a region.
    """
    flat = analysis.flat
    if isinstance(asked, str):
        asked = [asked]
    if asked is None:
        fed = {
            id
            for node in flat.nodes.values()
            for id, port in (*node.sources(), *node.exit_sources())
            if (spec := flat.nodes[id].spec) is None or port in spec.output
        } | flat.idle
        tops = [id for id, node in flat.nodes.items() if node.parent is None and node.spec is not None]
        nodes = [id for id in tops if id not in fed or _writes(analysis, id)]
        named = {f"{id}.{port.name}": (id, port.name) for id in nodes for port in flat.nodes[id].spec.outputs}  # type: ignore[union-attr]
        named |= flat.outputs
        if not nodes and not flat.outputs:
            raise GraphErrors.one("E_TARGET", "there is nothing to run", hint="add a node that writes or gives a value")
        return list(dict.fromkeys([*nodes, *(source[0] for source in flat.outputs.values())])), named
    problems: list[Problem] = []
    nodes = []
    outputs: dict[str, Source] = {}
    asked = list(asked)
    if not asked:
        problems.append(Problem("E_TARGET", "no target is given", hint="name at least one node, or give None for all"))
    for text in asked:
        id, _, port = text.partition(".")
        node = flat.nodes.get(id)
        shown = {text: flat.outputs[text]} if text in flat.outputs else _shown(analysis, id, port)
        if shown:
            nodes += [source[0] for source in shown.values()]
            outputs |= shown
        elif id in flat.muted:
            problems.append(Problem("E_TARGET", "is muted, or needs what is muted", id, hint="unmute it"))
        elif id in flat.instances:
            known = [name.rpartition(".")[2] for name in flat.exports if name.rpartition(".")[0] == id]
            hint = did_you_mean(port, known, "outputs")
            problems.append(
                Problem("E_TARGET", f"subgraph has no output '{port}' that can be asked for", id, hint=hint)
            )
        elif node is None or node.spec is None:
            problems.append(Problem("E_TARGET", f"there is no node '{id}'", hint=did_you_mean(id, flat.nodes, "nodes")))
        elif analysis.weights.home.get(id) is not None:
            hint = f"ask for '{node.parent}'"
            problems.append(Problem("E_TARGET", "runs inside a region and has no value of its own", id, hint=hint))
        elif port and port not in node.spec.output:
            problems.append(
                Problem("E_TARGET", f"has no output '{port}'", id, hint=did_you_mean(port, node.spec.output, "outputs"))
            )
        else:
            nodes.append(id)
            names = [port] if port else list(node.spec.output)
            outputs |= {f"{id}.{name}": (id, name) for name in names}
    if problems:
        raise GraphErrors(problems)
    return list(dict.fromkeys(nodes)), outputs


def _shown(analysis: Analysis, instance: str, port: str) -> dict[str, Source]:
    """The outputs of a subgraph's instance, or one of them, as far as they exist outside of every region."""
    flat, home = analysis.flat, analysis.weights.home
    return {
        name: source
        for name, source in flat.exports.items()
        if name.rpartition(".")[0] == instance
        and port in ("", name.rpartition(".")[2])
        and source[0] in home
        and home[source[0]] is None
    }
