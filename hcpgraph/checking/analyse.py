"""One pass over a graph that finds every problem, and all that is known without running it.

`analyse` is what `validate`, `run`, the CLI and the server stand on. It never imports torch and reads no weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ..declaring.registry import Registry
from ..declaring.spec import NodeSpec
from ..document.fileformat import MAX_PROBLEMS
from ..document.graph import Graph
from ..errors import Problem, bounded
from ..paths import Roots
from . import bundles, defaults, later, lengths, sweeps
from . import settings as setting_rules
from .flat import Flat, FlatNode, owns
from .flatten import flatten
from .order import Order, sort
from .part import part
from .rules import GraphView, check_rules
from .touches import refused, touches
from .weight_flow import Weights, weigh
from .wires import Wires, infer

Settings = Mapping[str, Mapping[str, Any]]
_RELEASE = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass
class Analysis:
    """A checked graph.

    Attributes:
        flat: Nodes and wires after flattening.
        settings: Flat id -> settings with defaults and folded wires.
        lengths: Settings that are as long as a training; `settings` has their numbers.
        defaults: Settings that were `auto` and mean what fits the model; `settings` has their values.
        problems: Everything that is wrong, errors and warnings.
    """

    graph: Graph
    registry: Registry
    flat: Flat
    order: Order
    settings: dict[str, dict[str, Any]]
    wires: Wires = field(default_factory=Wires)
    weights: Weights = field(default_factory=Weights)
    lengths: tuple[lengths.Length, ...] = ()
    defaults: tuple[defaults.Default, ...] = ()
    problems: list[Problem] = field(default_factory=list)

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity == "error"]


def analyse(
    graph: Graph, registry: Registry, roots: Roots, *, files: bool = False, targets: Iterable[str] | None = None
) -> Analysis:
    """Check a graph.

    Args:
        graph: The graph, not changed.
        registry: The node types there are.
        roots: Where `root:relative` paths lie.
        files: Whether a missing input file is an error (it is when the graph is about to run here).
        targets: Check what these need and nothing else; None checks all.
    """
    flat = flatten(graph, registry)
    bundles.expand(flat, registry, roots.resolve)
    if targets is not None:
        flat = part(flat, targets)
    order = sort(flat)
    settings = {
        id: {**node.spec.defaults, **node.settings} if node.spec else node.settings for id, node in flat.nodes.items()
    }
    _fold(flat, order, settings, registry)
    for node in flat.nodes.values():
        _check_node(flat, node, settings[node.id], registry, roots, files)
    wires = infer(flat, order, registry, settings, roots.resolve)
    later.check(flat, wires, registry.types)
    meant = defaults.resolve(flat, settings, wires, registry)
    weights = weigh(flat, order, wires, registry.types)
    long = lengths.resolve(flat, settings, wires, weights, registry)
    _check_wired(flat, weights, settings)
    _check_unknown(flat, settings, roots)
    _check_outputs(flat, weights)
    _check_streams(flat)
    check_rules(GraphView(flat, settings, wires, weights, registry, roots.resolve, long, meant))
    _check_items(flat, settings, wires, weights, registry, roots)
    _check_requires(graph, flat, registry)
    unique = bounded(dict.fromkeys(flat.problems), MAX_PROBLEMS)
    return Analysis(graph, registry, flat, order, settings, wires, weights, long, meant, unique)


def _check_node(
    flat: Flat, node: FlatNode, settings: Mapping[str, Any], registry: Registry, roots: Roots, files: bool
) -> None:
    spec = node.spec
    if spec is None:
        flat.error("E_TYPE_UNKNOWN", f"unknown node type '{node.type}'", node.id, hint=registry.suggestion(node.type))
        return
    if node.version != spec.version:
        older = node.version < spec.version
        flat.error(
            "E_VERSION",
            f"the file has version {node.version} of {node.type}, here is version {spec.version}",
            node.id,
            hint="bring the file up to date with: hcpgraph migrate FILE" if older else f"update the pack '{spec.pack}'",
        )
    flat.problems += setting_rules.check(spec, node.id, *_known(node, settings))
    for at, row in sweeps.passes(node):
        given, unknown = _known(node, {**settings, **row})
        found = setting_rules.check(spec, node.id, given, unknown)
        flat.problems += (_of_item(problem, at) for problem in found if problem.port in row)
    _check_inputs(flat, node, spec)
    for port in spec.exits:
        if not port.optional and not node.exits.get(port.name):
            message = f"nothing inside the region reaches '{port.name}' ({port.type})"
            flat.error("E_EXIT_MISSING", message, node.id, port.name, port.help)
    _check_paths(flat, node, settings, roots, files)
    for kind in (node.inputs, node.exits):
        for name, sources in kind.items():
            for source in sources:
                _check_scope(flat, node, name, source, exit=kind is node.exits)
    for name, source in node.wired.items():
        _check_scope(flat, node, name, source, exit=False)


def _of_item(problem: Problem, at: Mapping[str, int]) -> Problem:
    """A problem that the items of some pass make."""
    return replace(problem, message=f"{problem.message} ({sweeps.said(at)})")


def _check_inputs(flat: Flat, node: FlatNode, spec: NodeSpec) -> None:
    """Ports without a wire; several that one wire would do for are told once."""
    lacking = {problem.port for problem in flat.problems if problem.code == "E_BUNDLE_PART" and problem.node == node.id}
    missing = {
        port.name: port
        for port in spec.inputs
        if not port.optional and not node.inputs.get(port.name) and port.name not in lacking
    }
    for whole in spec.takes:
        own = [name for name in whole.parts.values() if name in missing]
        if own and own == [name for name in whole.parts.values() if not spec.input[name].optional]:
            missing = {name: port for name, port in missing.items() if name not in own}
            message = f"nothing is connected to '{whole.name}' ({whole.type})"
            hint = f"{whole.help} Its parts may be wired one by one: {', '.join(own)}"
            flat.error("E_PORT_MISSING", message, node.id, whole.name, hint)
    for name, port in missing.items():
        flat.error("E_PORT_MISSING", f"nothing is connected to '{name}' ({port.type})", node.id, name, port.help)


def _known(node: FlatNode, settings: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Settings with the values that wires bring and that are known now, and names of those that are not known yet."""
    unknown = {name for name in node.wired if name not in settings}
    given = {name: value for name, value in node.settings.items() if name not in unknown}
    return given | {name: settings[name] for name in node.wired if name in settings}, unknown


def _check_paths(flat: Flat, node: FlatNode, settings: Mapping[str, Any], roots: Roots, files: bool) -> None:
    assert node.spec is not None
    for name, schema in node.spec.settings.items():
        widget = schema.get("x-widget", {})
        if widget.get("kind") not in ("path", "model"):
            continue
        for value in dict.fromkeys(one for one in sweeps.values(node, settings, name) if isinstance(one, str) and one):
            must_exist = files and (name not in node.wired or name in node.swept)
            problem = refused(widget, value, settings, roots, must_exist=must_exist)
            if problem is not None:
                flat.error(problem.code, problem.message, node.id, name, problem.hint)


def _check_scope(flat: Flat, node: FlatNode, port: str, source: tuple[str, str], *, exit: bool) -> None:
    """The chain of regions around the source must be a prefix of the one around the target."""
    giver = flat.nodes[source[0]]
    inside = owns(giver) and giver.spec is not None and source[1] in giver.spec.entry
    around = (*flat.chain(giver.id), giver.id) if inside else flat.chain(giver.id)
    here = (*flat.chain(node.id), node.id) if exit else flat.chain(node.id)
    if here[: len(around)] != around:
        owner = around[-1]
        spec = flat.nodes[owner].spec
        exits = [port.name for port in spec.exits] if spec else []
        flat.error(
            "E_SCOPE",
            f"{source[0]}.{source[1]} lives inside the region of '{owner}' and cannot be read from outside of it",
            node.id,
            port,
            f"lead it out through an exit of '{owner}' ({', '.join(exits) or 'it has none'}), "
            f"or move '{node.id}' inside",
        )


def _fold(flat: Flat, order: Order, settings: dict[str, dict[str, Any]], registry: Registry) -> None:
    """Evaluate torch-free value nodes that feed settings, as if the value had been written there (DESIGN §3)."""
    if not any(node.wired for node in flat.nodes.values()):
        return
    from .constants import fold

    fold(flat, order, settings, registry)


def _check_wired(flat: Flat, weights: Weights, settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Wires into settings that are filled in the run: once, or in every pass of the region that the node runs in."""
    for node in flat.nodes.values():
        if node.spec is None:
            continue
        for name, source in node.wired.items():
            giver = flat.nodes[source[0]].spec
            if giver is not None and name not in settings[node.id]:
                inside = source[0] if source[1] in giver.entry else weights.home.get(source[0])
                in_step = inside is not None and inside == weights.home.get(node.id)
                _check_unfolded(flat, node, name, source, in_step)


def _check_items(
    flat: Flat, settings: Settings, wires: Wires, weights: Weights, registry: Registry, roots: Roots
) -> None:
    """The rules of nodes whose settings differ between passes, with those of each pass as if they were written."""
    for node in list(flat.nodes.values()):
        for at, _ in sweeps.passes(node):
            before = len(flat.problems)
            told = {(one.code, one.node, one.port, one.message) for one in flat.problems}
            check_rules(
                GraphView(flat, sweeps.within(flat, settings, at), wires, weights, registry, roots.resolve), (node.id,)
            )
            found = [one for one in flat.problems[before:] if (one.code, one.node, one.port, one.message) not in told]
            flat.problems[before:] = [_of_item(one, at) for one in found]


def _check_unknown(flat: Flat, settings: Mapping[str, Mapping[str, Any]], roots: Roots) -> None:
    """Files and classes that are named only during the run are told before it."""
    for item in touches(flat, settings, roots).unknown:
        if not any(problem.node == item.node and problem.port == item.setting for problem in flat.problems):
            what = {"write": "where it writes", "read": "what it reads", "object": "which class it names"}[item.kind]
            message = f"{what} is known only in the run: '{item.setting}' comes from {'.'.join(item.source)}"
            hint = "it is checked there; a value that is written, or comes from value nodes, is checked now"
            flat.warn("W_UNKNOWN", message, item.node, item.setting, hint)


def _check_unfolded(flat: Flat, node: FlatNode, name: str, source: tuple[str, str], in_step: bool) -> None:
    """Settings that must be known before the run, because more than the call depends on them."""
    spec = node.spec
    assert spec is not None
    if any(problem.node == source[0] for problem in flat.problems):
        return
    literal = name in node.swept
    facts = {v.get("setting") for port in spec.ports() for v in port.facts.values() if isinstance(v, dict)}
    widget = spec.settings.get(name, {}).get("x-widget", {})
    why = None
    if spec.is_class and (in_step or not literal):
        why = "a class node takes its settings when it is made"
    elif name in facts:
        why = "types depend on it"
    elif literal:
        return
    elif name in spec.paths:
        why = "the content of the file belongs to the cache key"
    elif name in spec.classes:
        why = "the code of the class belongs to the cache key"
    elif in_step and widget.get("write"):
        why = "where a step writes is checked before it begins"
    if why:
        hint = "feed it from a value node, or write the value"
        if in_step:
            hint = "write the value, feed it from a value node outside, or from items that value nodes give"
        flat.error("E_WIRED", f"setting '{name}' must be known before the run: {why}", node.id, name, hint)


def _check_outputs(flat: Flat, weights: Weights) -> None:
    """Outputs of the interface exist once a run: what lives in a region has no value of its own."""
    for name, (id, port) in flat.outputs.items():
        node = flat.nodes[id]
        entry = node.spec is not None and port in node.spec.entry
        if entry or weights.home.get(id) is not None:
            flat.error("E_SCOPE", f"output '{name}' of the graph comes from inside a region", id, port,
                       "lead it out through an exit of the region's owner")  # fmt: skip


def _check_streams(flat: Flat) -> None:
    """Two random nodes with the same stream draw the same numbers."""
    first: dict[str, str] = {}
    for node in flat.nodes.values():
        if node.spec is None or not node.spec.has("random"):
            continue
        other = first.setdefault(node.stream, node.id)
        if other != node.id:
            message = f"draws the same random numbers as '{other}': both have the stream '{node.stream}'"
            flat.warn(
                "W_STREAM", message, node.id, hint="give one of them another stream, unless that is what you want"
            )


def _check_requires(graph: Graph, flat: Flat, registry: Registry) -> None:
    from ..version import __version__

    wanted: Iterable[tuple[str, str | None, str | None]] = [
        ("hcpgraph", graph.requires.hcpgraph, __version__),
        *((name, text, registry.packs[name].version if name in registry.packs else None) for name, text in
          graph.requires.packs.items()),
    ]  # fmt: skip
    for name, text, present in wanted:
        if not text:
            continue
        if present is None:
            flat.warn("W_PACK_MISSING", f"the graph asks for pack '{name}' {text}, which is not installed",
                      hint=f"pip install {name}, or --pack FOLDER")  # fmt: skip
        elif not satisfies(present, text):
            flat.error(
                "E_REQUIRES", f"the graph needs {name} {text}, here is {present}", hint=f"pip install '{name}{text}'"
            )


def satisfies(present: str, wanted: str) -> bool:
    """Whether a version fulfils a specifier such as `>=0.1`; an unreadable specifier is fulfilled by nothing."""
    if (plainly := _at_least(present, wanted)) is not None:
        return plainly
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(wanted).contains(present, prereleases=True)
    except InvalidSpecifier:
        return False


def _at_least(present: str, wanted: str) -> bool | None:
    """What a specifier of the form that graphs are written with, `>=1.2`, says of a version that is numbers alone.

    None for anything else, which packaging decides; importing it takes a twentieth of the check of a small graph.
    """
    lowest = _RELEASE.fullmatch(wanted.removeprefix(">=").strip(" ")) if wanted.startswith(">=") else None
    if lowest is None or _RELEASE.fullmatch(present) is None:
        return None
    pairs = zip_longest(map(int, present.split(".")), map(int, lowest[0].split(".")), fillvalue=0)
    have, need = zip(*pairs, strict=True)
    return have >= need


def default_roots(
    workspace: str | Path | None = None, overrides: Mapping[str, Path] | None = None, writable: Iterable[str] = ()
) -> Roots:
    """The roots of a workspace folder, by default `workspace` below the current one.

    Raises:
        GraphErrors: E_CALL, `writable` names a root that nobody may write to.
    """
    return Roots(Path(workspace or "workspace").resolve(), dict(overrides or {})).allowing(writable)
