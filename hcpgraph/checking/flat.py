"""A graph as the engine sees it: without subgraphs, muted or bypassed nodes, its wires by port."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..declaring.spec import NodeSpec
from ..errors import Problem

MAX_FLAT = 50_000
Source = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Several:
    """The values that a wire brings in the passes of regions which go through lists that are known before the run.

    Attributes:
        owners: Of these regions, by name.
        values: Numbers of the items, one an owner -> the value.
    """

    owners: tuple[str, ...]
    values: Mapping[tuple[int, ...], Any]

    def within(self, passes: Mapping[str, int]) -> list[Any]:
        """Those that fit passes: owner -> number of its item."""
        return [
            value
            for numbers, value in self.values.items()
            if all(passes.get(owner, number) == number for owner, number in zip(self.owners, numbers, strict=True))
        ]


@dataclass(slots=True)
class FlatNode:
    """One node after flattening. `wired` are settings fed by a wire, `exits` what feeds its region's exits; `swept` are
    those of `wired` whose values are known before the run, and differ between passes."""

    id: str
    type: str
    version: int
    spec: NodeSpec | None
    settings: dict[str, Any]
    parent: str | None
    stream: str
    mode: str | None = None
    inputs: dict[str, list[Source]] = field(default_factory=dict)
    exits: dict[str, list[Source]] = field(default_factory=dict)
    wired: dict[str, Source] = field(default_factory=dict)
    swept: dict[str, Several] = field(default_factory=dict)

    def sources(self) -> Iterable[Source]:
        """Wires into inputs and settings."""
        for sources in self.inputs.values():
            yield from sources
        yield from self.wired.values()

    def waits_for(self) -> Iterable[Source]:
        """What its begin waits for: wires into settings and inputs, but those that are read when the pass is over."""
        later = self.spec.later if self.spec is not None else ()
        for name, sources in self.inputs.items():
            if name not in later:
                yield from sources
        yield from self.wired.values()

    def later_sources(self) -> Iterable[tuple[str, Source]]:
        """What is read when the pass is over, by port."""
        for name in self.spec.later if self.spec is not None else ():
            yield from ((name, source) for source in self.inputs.get(name, ()))

    def exit_sources(self) -> Iterable[Source]:
        for sources in self.exits.values():
            yield from sources


def owns(node: FlatNode) -> bool:
    """Whether a node owns a region."""
    return node.spec is not None and node.spec.body


@dataclass
class Flat:
    """A graph without subgraphs.

    Attributes:
        nodes: All nodes by flat id (`outer/inner`).
        problems: What was wrong, in order.
        outputs: Outputs of the root interface.
        instances: Flat id of an instance -> name of its subgraph.
        exports: `instance.output` -> the source inside that it stands for.
        muted: Ids of nodes that were taken out because they, or what they need, are muted.
        idle: Ids of nodes that fed a muted or bypassed one: they are no targets because nothing reads them now.
        bundles: Sources that give a bundle, as the graph has them -> its type; its wires are those of its parts now.
        children: Owner of a region -> what lives in it; None -> what lives in no region.
    """

    nodes: dict[str, FlatNode] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    outputs: dict[str, Source] = field(default_factory=dict)
    instances: dict[str, str] = field(default_factory=dict)
    exports: dict[str, Source] = field(default_factory=dict)
    muted: set[str] = field(default_factory=set)
    idle: set[str] = field(default_factory=set)
    bundles: dict[Source, str] = field(default_factory=dict)
    children: dict[str | None, list[str]] = field(default_factory=lambda: defaultdict(list))

    def chain(self, id: str) -> tuple[str, ...]:
        """The owners around a node, outermost first."""
        found: list[str] = []
        parent = self.nodes[id].parent
        while parent is not None and parent in self.nodes and len(found) <= len(self.nodes):
            found.append(parent)
            parent = self.nodes[parent].parent
        return tuple(reversed(found))

    def error(
        self, code: str, message: str, node: str | None = None, port: str | None = None, hint: str | None = None
    ) -> None:
        self.problems.append(Problem(code, message, node, port, hint))

    def warn(
        self, code: str, message: str, node: str | None = None, port: str | None = None, hint: str | None = None
    ) -> None:
        self.problems.append(Problem(code, message, node, port, hint, "warning"))
