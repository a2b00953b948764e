"""What is known of a graph without running it: problems, types on wires, what would run. Runs in a helper process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...checking.analyse import Analysis, analyse
from ...declaring.registry import Registry, default_registry
from ...document import from_value
from ...document.graph import Graph
from ...errors import GraphErrors, Problem
from ...fingerprint import Fingerprints
from ...paths import Roots
from ...planning.begun import planned, questions
from ...planning.plan import Plan
from ...running.forecast import plan_rows
from ..http.bodies import json_object

Packs = tuple[Path, ...]


@dataclass(frozen=True)
class Submitted:
    """A request that brought a graph.

    Args:
        graph: The graph.
        fields: What else the body said.
    """

    graph: Graph
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Summary:
    """A graph that was sent, as the server process keeps it: no graph object, only what is stored and shown.

    Args:
        text: Canonical, defaults written out.
        hash: Of what it computes.
        fields: What else the body said.
        problems: What is wrong with it here, errors and warnings.
    """

    text: str
    hash: str
    title: str | None
    fields: Mapping[str, Any]
    problems: list[Problem]


def submitted(data: bytes) -> Submitted:
    """The graph in the body `{"graph": …}` of a request.

    Raises:
        GraphErrors: the body is no JSON object, has no graph, or the graph is malformed; every problem says where.
    """
    body = json_object(data)
    if "graph" not in body:
        raise GraphErrors.one("E_FIELD", "graph is missing", hint='send {"graph": {"format": "hcpgraph/1", …}}')
    return Submitted(from_value(body.pop("graph")), body)


def summary(data: bytes, roots: Roots, packs: Packs) -> Summary:
    """What the queue needs to know of a graph that is to run.

    Raises:
        GraphErrors: as `submitted`.
    """
    from ...document.overrides import written_out

    sent, registry = submitted(data), default_registry(packs)
    graph = written_out(sent.graph, registry)
    problems = analyse(graph, registry, roots, files=True).problems
    return Summary(graph.dump(), content_hash(graph, registry), graph.meta.title, sent.fields, problems)


def check(data: bytes, roots: Roots, packs: Packs) -> str:
    """The reply of /api/check as JSON text.

    Raises:
        GraphErrors: as `submitted`.
    """
    registry = default_registry(packs)
    graph = submitted(data).graph
    found = analyse(graph, registry, roots, files=True)
    wires = found.wires
    ports = {f"{node}.{port}": str(kind) for (node, port), kind in wires.types.items()}
    ports |= {port: str(wires.types[source]) for port, source in found.flat.exports.items() if source in wires.types}
    ports |= {f"{node}.{port}": kind for (node, port), kind in found.flat.bundles.items()}
    reply = {
        "ok": not found.errors,
        "hash": content_hash(graph, registry),
        "problems": told(found.problems),
        "ports": ports,
        "once": once(found),
        "facts": {
            f"{node}.{port}": {name: value for name, (value, _) in facts.items()}
            for (node, port), facts in wires.facts.items()
        },
    }
    return json.dumps(reply)


def once(found: Analysis) -> list[str]:
    """Nodes inside a region that do not run at each of its passes."""
    homes = found.weights.home
    return [id for id, node in found.flat.nodes.items() if node.parent is not None and homes.get(id, "") != node.parent
            and id in homes]  # fmt: skip


def plan(data: bytes, roots: Roots, packs: Packs, device: str) -> str:
    """The reply of /api/plan as JSON text; a graph with errors has no plan, and the reply says why.

    Args:
        device: The one that the worker runs on: it is part of every key.

    Raises:
        GraphErrors: as `submitted`; E_FIELD, the targets are no list of texts.
    """
    sent = submitted(data)
    targets = texts(sent.fields, "targets")
    registry = default_registry(packs)
    found = analyse(sent.graph, registry, roots, files=True, targets=targets or None)
    if found.errors:
        return _no_plan(targets, found.problems)
    try:
        prepared = _plan(found, roots, targets, device)
    except GraphErrors as errors:
        return _no_plan(targets, [*errors.problems, *found.problems])
    rows = [row.to_json() for row in plan_rows(prepared, roots, disk=True, force=frozenset())]
    keys = {id: key for id in prepared.needed() if (key := prepared.keys.of.get(id)) is not None}
    reply = {"ok": True, "targets": prepared.targets, "nodes": rows, "keys": keys, "problems": told(found.problems)}
    return json.dumps(reply)


def _no_plan(targets: list[str], problems: list[Problem]) -> str:
    return json.dumps({"ok": False, "targets": targets, "nodes": [], "keys": {}, "problems": told(problems)})


def undecided(found: Analysis, roots: Roots, fields: Mapping[str, Any], device: str) -> list[Problem]:
    """Trainings of a graph without errors that were begun with other code, as far as that can be told without reading
    files.

    Args:
        fields: What else the request said: its `targets` and what it would `force`.

    Raises:
        GraphErrors: E_FIELD, a field is no list of texts; E_TARGET.
    """
    plan = _plan(found, roots, texts(fields, "targets"), device)
    return questions(plan, roots, frozenset(texts(fields, "force")))


def _plan(found: Analysis, roots: Roots, targets: list[str], device: str) -> Plan:
    options = found.graph.run
    return planned(
        found,
        roots,
        targets=targets or None,
        device=device,
        precision=options.precision,
        seed=options.seed,
        fingerprints=Fingerprints(roots.root("cache") / "fingerprints.sqlite"),
        known_only=True,
    )


def content_hash(graph: Graph, registry: Registry) -> str:
    """The hash of what a graph computes here, a setting left out counting as its default."""
    return graph.content_hash(defaults_of(registry))


def defaults_of(registry: Registry) -> Callable[[str], Mapping[str, Any]]:
    """Gives the default settings of a node type; none for one that is not installed."""

    def defaults(type_id: str) -> Mapping[str, Any]:
        spec = registry.find(type_id)
        return spec.defaults if spec else {}

    return defaults


def told(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    return [problem.to_json() for problem in problems]


def texts(fields: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts that a body may have.

    Raises:
        GraphErrors: E_FIELD, it is something else.
    """
    value = fields.get(name) or []
    if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise GraphErrors.one("E_FIELD", f"{name} is no list of texts")
    return value


def yes(fields: Mapping[str, Any], name: str) -> bool:
    """A yes or no that a body may have; no where it does not.

    Raises:
        GraphErrors: E_FIELD, it is something else.
    """
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise GraphErrors.one("E_FIELD", f"{name} is true or false")
    return value
