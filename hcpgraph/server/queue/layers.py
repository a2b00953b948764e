"""Which layers of a model a node's selectors match; the worker asks the pack, and remembers the names of the layers.

A pack's `editor` module has `outline(value)`, what is known of a model's layers as JSON data or None for what is no
model, and `layers(outlines, patterns, node_type)`, the schema's LayersReply without problems, of all the parts of a
model that a node changes. An outline is kept on the disk under the key of the value, so that weights are read once for
it and not again for every worker.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...api import run
from ...atomic import write_text
from ...checking.analyse import Analysis, analyse
from ...checking.flat import Source
from ...declaring.registry import Registry, default_registry
from ...document import loads
from ...document.graph import Graph
from ...errors import Failure, GraphError, GraphErrors, Problem
from ...fingerprint import Fingerprints
from ...paths import Roots
from ...planning.plan import Plan, make_plan
from ...running.cache import Cache
from .previews import editors

DEFAULT_PORT = "model"


@dataclass(frozen=True)
class Question:
    """What a page asks: a graph as text, the flat id of a node, its setting, and the selectors that stand there."""

    graph: str
    node: str
    setting: str
    patterns: list[str]


class Outlines:
    """Answers questions.

    Args:
        roots: Of the workspace.
        packs: Folders with further nodes.
        device: The one that models are read for.
        cache: Results of earlier runs; a model that is read for a question is read for the next run too.
    """

    def __init__(self, roots: Roots, packs: Sequence[Path], device: str, cache: Cache) -> None:
        self._roots = roots
        self._packs = tuple(packs)
        self._device = device
        self._cache = cache
        self._known: dict[str, dict[str, Any]] = {}

    def answer(self, question: Question, *, may_run: bool) -> dict[str, Any] | None:
        """The reply, which says what is wrong; None when the model has to be read and `may_run` is false."""
        registry = default_registry(self._packs)
        try:
            asked = _ask(question, registry, self._roots)
            outlines = []
            for source in asked.sources:
                plan = self._plan(asked, source)
                outline = self._remembered(plan)
                if outline is None:
                    if not may_run:
                        return None
                    outline = self._read(asked, plan, registry)
                outlines.append(outline)
            pack = str(outlines[0]["pack"])
            teller = editors(registry).get(pack)
            if teller is None:
                raise GraphError("E_LAYERS", f"the pack '{pack}' is gone", node=asked.node)
            told = teller.layers([each["outline"] for each in outlines], question.patterns, asked.type)
            return {**told, "problems": []}
        except Failure as failure:
            return _nothing(failure.problems)

    def _plan(self, asked: _Asked, source: Source) -> tuple[Plan, str]:
        options = asked.graph.run
        prints = Fingerprints(self._roots.root("cache") / "fingerprints.sqlite")
        target = f"{source[0]}.{source[1]}"
        plan = make_plan(
            asked.analysis,
            self._roots,
            targets=[target],
            device=self._device,
            precision=options.precision,
            seed=options.seed,
            fingerprints=prints,
            known_only=True,
        )
        return plan, target

    def _remembered(self, plan: tuple[Plan, str]) -> dict[str, Any] | None:
        path = self._path(plan)
        if path is None:
            return None
        if path.stem not in self._known:
            try:
                self._known[path.stem] = json.loads(path.read_bytes())
            except (OSError, ValueError):
                return None
        return self._known[path.stem]

    def _read(self, asked: _Asked, plan: tuple[Plan, str], registry: Registry) -> dict[str, Any]:
        target = plan[1]
        result = run(
            asked.graph,
            targets=[target],
            workspace=self._roots.workspace,
            roots=self._roots.overrides,
            packs=self._packs,
            device=self._device,
            cache=self._cache,
            record=False,
        )
        if result.failed:
            raise next(iter(result.failed.values()))
        outline = _outline(registry, result.outputs[target])
        if outline is None:
            raise GraphError("E_LAYERS", "what is wired here is no model with layers", node=asked.node)
        id, _, port = target.rpartition(".")
        path = self._path(self._plan(asked, (id, port)))
        if path is not None:
            self._known[path.stem] = outline
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(outline))
        return outline

    def _path(self, plan: tuple[Plan, str]) -> Path | None:
        """Where the outline of a value is kept; None while its key is not known."""
        id, _, port = plan[1].rpartition(".")
        key = plan[0].keys.of.get(id)
        return self._roots.root("cache") / "server" / "outlines" / f"{key}-{port}.json" if key else None


@dataclass(frozen=True)
class _Asked:
    graph: Graph
    analysis: Analysis
    node: str
    type: str
    sources: tuple[Source, ...]


def _ask(question: Question, registry: Registry, roots: Roots) -> _Asked:
    """The part of the graph that makes the model, and the ports that its parts come from."""
    graph = loads(question.graph)
    top, _, inner = question.node.partition("/")
    if top not in graph.nodes:
        raise GraphErrors.one("E_NOT_FOUND", f"there is no node '{question.node}'")
    before = _upstream(graph, top)
    for id in set(graph.nodes) - before - {top}:
        if id in graph.nodes:
            graph.remove(id, with_inside=True)
    found = analyse(graph, registry, roots)
    flat = found.flat.nodes.get(question.node)
    spec = flat.spec if flat is not None else None
    if flat is None or spec is None:
        raise GraphErrors(found.errors or [Problem("E_NOT_FOUND", f"there is no node '{question.node}'")])
    port = _port(spec.schema, question.setting)
    sources = [part for source in flat.inputs.get(port, ()) for part in _parts(found, registry, source)]
    if not sources:
        raise GraphError("E_LAYERS", "no model is wired yet", node=question.node, port=port)
    if not inner:
        graph.remove(top)
        found = analyse(graph, registry, roots)
    if found.errors:
        raise GraphErrors(found.errors)
    given = tuple(_untrained(found, roots, source, question.node) for source in sources)
    return _Asked(graph, found, question.node, flat.type, given)


def _parts(found: Analysis, registry: Registry, source: Source) -> list[Source]:
    """The parts of a bundle that a node changes and that have weights, or the one that is wired."""
    node = found.flat.nodes[source[0]]
    if node.type not in {info.join for info in registry.types.values() if info.join}:
        return [source]
    parts = [part for parts in node.inputs.values() for part in parts]
    kinds = {part: found.wires.types.get(part) for part in parts}
    runs = {name for name, info in registry.types.items() if info.weights == "runs"}
    return [part for part in parts if (kind := kinds[part]) is not None and kind.name in runs]


def _upstream(graph: Graph, id: str) -> set[str]:
    """The nodes of a drawing that a node stands on, with the regions that they live in."""
    feeds: dict[str, set[str]] = {}
    for target, source in graph.edges.items():
        feeds.setdefault(target.partition(".")[0], set()).add(source.partition(".")[0])
    seen: set[str] = set()
    stack = [id]
    while stack:
        for other in feeds.get(stack[-1], set()) | {graph.nodes[stack.pop()].inside or id}:
            if other not in seen and other != id:
                seen.add(other)
                stack.append(other)
    return seen


def _port(schema: Mapping[str, Any], setting: str) -> str:
    """The input port whose model a setting's selectors are about."""
    known = schema.get("properties", {})
    if setting not in known:
        raise GraphErrors.one("E_SETTING", f"there is no setting '{setting}'")
    return str(known[setting].get("x-widget", {}).get("of", DEFAULT_PORT))


def _untrained(found: Analysis, roots: Roots, source: Source, node: str) -> Source:
    """A source of the same model that can be had without training or writing anything: training adds no layers."""
    seen: set[Source] = set()
    while source not in seen:
        seen.add(source)
        plan = make_plan(found, roots, targets=[f"{source[0]}.{source[1]}"], known_only=True)
        if not any(_acts(plan, id) for id in plan.needed()):
            return source
        kind = found.wires.types.get(source)
        inputs = (other for others in found.flat.nodes[source[0]].inputs.values() for other in others)
        source = next((other for other in inputs if found.wires.types.get(other) == kind), source)
    message = "the layers of this model are known only after it was trained"
    raise GraphError("E_LAYERS", message, node=node, hint="wire the model from before the training loop")


def _acts(plan: Plan, id: str) -> bool:
    spec = plan.node(id).spec
    return spec is not None and (bool(spec.mutates) or "write" in plan.analysis.weights.effects[id])


def _outline(registry: Registry, value: Any) -> dict[str, Any] | None:
    """What is known of a value's layers, and the pack that can tell it."""
    for pack, module in editors(registry).items():
        if hasattr(module, "outline") and (found := module.outline(value)) is not None:
            return {"pack": pack, "outline": found}
    return None


def _nothing(problems: Sequence[Problem]) -> dict[str, Any]:
    told = [problem.to_json() for problem in problems]
    return {"total": 0, "matched": 0, "names": [], "near": [], "groups": {}, "problems": told}
