"""What the rules of packs see of a graph, and asking them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..declaring.registry import Registry
from ..errors import GraphError
from .defaults import Default
from .flat import Flat, FlatNode
from .lengths import Length, passes, turns, using
from .weight_flow import Weights
from .wires import Wires


class RuleView:
    """What a rule sees of one node, and from there of its neighbours.

    Attributes:
        node: Its id.
        type: Its type.
        settings: Its settings with defaults, and those over wires whose values are known.
        lengths: Its settings that are as long as a training, where anything depends on them.
    """

    def __init__(self, graph: GraphView, node: FlatNode) -> None:
        self._graph = graph
        self._node = node
        self.node = node.id
        self.type = node.type
        self.settings: Mapping[str, Any] = graph.settings[node.id]
        self.lengths = graph.by_node.get(node.id, ())

    @property
    def defaults(self) -> Mapping[str, Any]:
        """What its settings are where nothing else is written."""
        return self._node.spec.defaults if self._node.spec else {}

    @property
    def auto(self) -> frozenset[str]:
        """Its settings that are `auto`, and have the value that fits the model that is wired."""
        return frozenset(each.setting for each in self._graph.meant if each.node == self.node)

    @cached_property
    def connected(self) -> frozenset[str]:
        """Input ports with a wire."""
        return frozenset(self._node.inputs)

    @cached_property
    def wires(self) -> Mapping[str, int]:
        """How many wires each connected input port has; without those where a list counts as several."""
        lists = {port for node, port, _ in self._graph.wires.spread if node == self.node}
        return {name: len(sources) for name, sources in self._node.inputs.items() if name not in lists}

    @property
    def facts(self) -> Mapping[str, Mapping[str, Any]]:
        """Facts of input ports."""
        return self._graph.wires.inputs.get(self.node, {})

    @cached_property
    def gives(self) -> Mapping[str, Mapping[str, Any]]:
        """Facts of output ports."""
        found = self._graph.wires.facts
        return {
            port.name: {name: fact[0] for name, fact in found.get((self.node, port.name), {}).items()}
            for port in (self._node.spec.outputs if self._node.spec else ())
        }

    @property
    def writes(self) -> tuple[str, ...]:
        """Settings that name what is written."""
        known = self._node.spec.settings if self._node.spec else {}
        return tuple(name for name, schema in known.items() if schema.get("x-widget", {}).get("write"))

    @property
    def widgets(self) -> Mapping[str, Mapping[str, Any]]:
        """How settings are edited."""
        known = self._node.spec.settings if self._node.spec else {}
        return {name: schema.get("x-widget", {}) for name, schema in known.items()}

    @property
    def optional(self) -> bool:
        """Whether it may not run at all: a branch that may be left out stands on it."""
        return self.node in self._graph.optional

    @property
    def total(self) -> int | None:
        """How often the owner of a region runs its body in all passes in which its weights go on, if that is known."""
        found = self._graph
        once = passes(found.flat, found.settings, found.registry, self.node)
        number = turns(found.flat, found.settings, found.weights, found.registry, self.node)
        return once * number if isinstance(once, int) and number is not None else None

    def loops(self) -> list[RuleView]:
        """The training loops that change weights through what it gives."""
        found = self._graph
        sources = [(self.node, port.name) for port in (self._node.spec.outputs if self._node.spec else ())]
        return [found.view(id) for id in sorted(using(found.flat, found.settings, found.wires, sources))]

    def path(self, uri: str) -> Path | None:
        """Where `root:relative` lies; None if it names nothing."""
        try:
            return self._graph.resolve(uri)
        except GraphError:
            return None

    @property
    def owner(self) -> RuleView | None:
        """The node in whose region it lives."""
        parent = self._node.parent
        return self._graph.view(parent) if parent in self._graph.flat.nodes else None

    def givers(self, port: str) -> list[RuleView]:
        """The nodes whose outputs are wired to an input port, or to an exit of its region, in order."""
        sources = self._node.inputs.get(port) or self._node.exits.get(port) or ()
        return [self._graph.view(source[0]) for source in sources]

    def everything(self) -> Iterator[RuleView]:
        """All nodes of the graph."""
        return map(self._graph.view, self._graph.flat.nodes)

    def others(self) -> Iterator[RuleView]:
        """The nodes that come after this one in the graph."""
        return self._graph.after(self.node)


@dataclass
class GraphView:
    """A graph for rules.

    Attributes:
        lengths: Settings that are as long as a training.
        meant: Settings that are `auto`, and what they mean.
    """

    flat: Flat
    settings: Mapping[str, Mapping[str, Any]]
    wires: Wires
    weights: Weights
    registry: Registry
    resolve: Callable[[str], Path]
    lengths: tuple[Length, ...] = ()
    meant: tuple[Default, ...] = ()
    _views: dict[str, RuleView] = field(default_factory=dict)

    @cached_property
    def by_node(self) -> Mapping[str, tuple[Length, ...]]:
        """The lengths of each node."""
        return {one.node: tuple(each for each in self.lengths if each.node == one.node) for one in self.lengths}

    @cached_property
    def optional(self) -> frozenset[str]:
        """Nodes that a branch stands on which may be left out."""
        seen: set[str] = set()
        stack = [
            source[0]
            for node in self.flat.nodes.values()
            for name, sources in node.inputs.items()
            if node.spec is not None and name in node.spec.input and node.spec.input[name].lazy
            for source in sources
        ]
        while stack:
            if (id := stack.pop()) not in seen:
                seen.add(id)
                stack += [source[0] for source in self.flat.nodes[id].sources()]
        return frozenset(seen)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {id: place for place, id in enumerate(self.flat.nodes)}

    def view(self, id: str) -> RuleView:
        """What a rule sees of a node."""
        if id not in self._views:
            self._views[id] = RuleView(self, self.flat.nodes[id])
        return self._views[id]

    def after(self, id: str) -> Iterator[RuleView]:
        """The nodes after one."""
        return map(self.view, list(self.flat.nodes)[self._places[id] + 1 :])


def check_rules(graph: GraphView, ids: Iterable[str] | None = None) -> None:
    """Ask the rules of a node's pack about it, unless its settings are wrong anyway.

    Args:
        ids: The nodes; None asks about all.
    """
    flat, registry = graph.flat, graph.registry
    wrong = {problem.node for problem in flat.problems if problem.code.startswith("E_SETTING")}
    for node in flat.nodes.values() if ids is None else [flat.nodes[id] for id in ids]:
        rules = registry.rules.get(node.spec.pack) if node.spec is not None else None
        if not rules or node.id in wrong:
            continue
        view = graph.view(node.id)
        for rule in rules:
            try:
                flat.problems += rule(view)
            except Exception as error:
                name = f"{rule.__module__}.{rule.__qualname__}"
                message = f"the rule {name} could not look at it: {type(error).__name__}: {error}"
                flat.warn("W_RULE", message, node.id, hint="tell the authors of the pack")
