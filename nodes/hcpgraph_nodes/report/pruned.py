"""The part of a graph that data and texts stand on, run by the engine: no weights, no training, nothing written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

from hcpgraph.errors import Problem
from hcpgraph.events import Listener
from hcpgraph.paths import Roots
from hcpgraph.running.part import Part, Ran

from .find import Chain, Found, ancestors

if TYPE_CHECKING:
    from hcpgraph.checking.analyse import Analysis
    from hcpgraph.checking.flat import FlatNode, Source

DEVICE = "cpu"
PLAIN_LOADER, PLAIN_BATCH = "data.loader", "data.caption_batch"


class Pruned:
    """The graph with everything taken out that data and texts do not need.

    Nodes keep their ids, streams, settings and regions, so that all draws stay the same. Two kinds of nodes are others:
    a batch gives captions alone (data.caption_batch), so that nothing is decoded, and encoded pictures are batched
    from the pictures themselves, which gives the same order (data.loader).

    Attributes:
        problems: Loaders whose data cannot be known before the run.
        found: The other loaders.
        chains: Original chain -> the same chain here, for those that can be followed.
    """

    def __init__(self, analysis: Analysis, every: Iterable[Found], roots: Roots) -> None:
        self.problems: list[Problem] = []
        self.found: list[Found] = []
        self.chains: dict[Chain, Chain] = {}
        flat = analysis.flat
        kept: dict[str, FlatNode] = {}
        for one in every:
            problem = _forbidden(analysis, one)
            if problem is not None:
                self.problems.append(problem)
                continue
            self.found.append(one)
            kept |= {id: flat.nodes[id] for id in ancestors(analysis, [one.bucketed[0]])}
            loader = kept[one.node] = _loader(analysis, one)
            kept |= {id: flat.nodes[id] for id in ancestors(analysis, [s[0] for s in loader.wired.values()])}
            for chain in one.chains:
                if chain.reason is None:
                    self._keep(analysis, one, chain, kept)
        for id in list(kept):
            for owner in flat.chain(id):
                self._own(analysis, owner, kept)
        self._part = Part(analysis, kept, roots)
        self.analysis = self._part.analysis

    def _keep(self, analysis: Analysis, one: Found, chain: Chain, kept: dict[str, FlatNode]) -> None:
        flat, home = analysis.flat, analysis.weights.home
        spec = analysis.registry.find(PLAIN_BATCH)
        outside = {
            source[0]
            for id in chain.nodes - chain.batches
            for source in flat.nodes[id].sources()
            if home[source[0]] != chain.loop and source[0] != chain.loop
        }
        kept |= {id: flat.nodes[id] for id in ancestors(analysis, outside)}

        def renamed(source: Source) -> Source:
            return (source[0], "out") if source[0] in chain.batches else source

        for id in chain.nodes:
            node = flat.nodes[id]
            if id in chain.batches:
                inputs = {"loader": [(one.node, "out")]}
                kept[id] = replace(
                    node, type=PLAIN_BATCH, spec=spec, version=spec.version if spec else 1, settings={}, inputs=inputs
                )
            else:
                inputs = {name: [renamed(s) for s in sources] for name, sources in node.inputs.items()}
                wired = {name: renamed(source) for name, source in node.wired.items()}
                kept[id] = replace(node, inputs=inputs, wired=wired)
        here = replace(chain, source=renamed(chain.source))
        self.chains[chain] = here
        self._own(analysis, chain.loop, kept)
        (sources,) = kept[chain.loop].exits.values()
        if here.source not in sources:
            sources.append(here.source)

    def _own(self, analysis: Analysis, owner: str, kept: dict[str, FlatNode]) -> None:
        """A region without what its owner takes and gives: its body is bound, the owner never runs."""
        node = analysis.flat.nodes[owner]
        if owner not in kept and node.spec is not None:
            kept[owner] = replace(node, inputs={}, wired={}, exits={node.spec.exits[0].name: []})

    def read(self, listener: Listener | None, cancel: Event, more: Iterable[Source] = ()) -> Ran:
        """Run it.

        Args:
            listener: Hears every event.
            cancel: Ends it.
            more: Sources that are wanted besides loaders and bucketed data sets.

        Raises:
            Cancelled: `cancel` was set.
        """
        wanted = [source for one in self.found for source in (one.bucketed, (one.node, "out"))]
        loops = {chain.loop for chain in self.chains}
        return self._part.run([*wanted, *more], sorted(loops), listener, cancel, device=DEVICE)


def _forbidden(analysis: Analysis, one: Found) -> Problem | None:
    """Why the data of a loader cannot be read before the run."""
    for id in sorted(ancestors(analysis, [one.bucketed[0]])):
        node = analysis.flat.nodes[id]
        assert node.spec is not None
        carries = any((id, port.name) in analysis.weights.wire for port in node.spec.outputs)
        if node.spec.mutates or node.spec.has("write") or carries or analysis.weights.home.get(id) is not None:
            message = f"its data stands on '{id}' ({node.type}), which only a run can give"
            hint = "what is trained on cannot be told before the run where it is made in the run"
            return Problem("W_CHECK", message, one.node, hint=hint, severity="warning")
    return None


def _loader(analysis: Analysis, one: Found) -> FlatNode:
    node = analysis.flat.nodes[one.node]
    spec = analysis.registry.find(PLAIN_LOADER)
    assert spec is not None
    if node.type == PLAIN_LOADER:
        return replace(node, inputs={**node.inputs, "data": [one.bucketed]})
    settings = {name: value for name, value in node.settings.items() if name in spec.settings}
    wired = {name: source for name, source in node.wired.items() if name in spec.settings}
    return replace(
        node,
        type=PLAIN_LOADER,
        version=spec.version,
        spec=spec,
        settings=settings,
        wired=wired,
        inputs={"data": [one.bucketed]},
    )
