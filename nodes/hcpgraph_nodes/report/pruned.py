"""The part of a graph that data and texts stand on, run by the engine: no weights, no training, nothing written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

from hcpgraph.checking.analyse import Analysis
from hcpgraph.checking.flat import Flat, FlatNode, Source
from hcpgraph.checking.order import sort
from hcpgraph.checking.weight_flow import weigh
from hcpgraph.checking.wires import infer
from hcpgraph.context import RunState, Scope
from hcpgraph.errors import GraphError, Problem
from hcpgraph.events import EventLog, Listener
from hcpgraph.fingerprint import Fingerprints
from hcpgraph.paths import Roots
from hcpgraph.planning.cache_keys import environment, keys
from hcpgraph.planning.demand import bodies
from hcpgraph.planning.plan import Plan
from hcpgraph.running.cache import DiskCache
from hcpgraph.running.execute import Execution

from ..types import Captions
from .find import Chain, Found, ancestors

DEVICE = "cpu"
PLAIN_LOADER, PLAIN_BATCH = "data.loader", "data.caption_batch"


@dataclass
class Reading:
    """What reading the data gave.

    Attributes:
        values: `(node, port)` -> what it gave, of every source that was asked for and did not fail.
        failed: What went wrong, by node.
    """

    values: dict[Source, Any]
    failed: dict[str, GraphError]
    _job: Execution
    _plan: Plan

    def texts(self, chains: list[Chain], steps: Iterable[int]) -> dict[Chain, list[Captions]]:
        """What chains of one loop give at its first passes, drawn as the loop draws it.

        Chains are those of `Pruned.chains`. The region is bound by the engine as for training, with the loop's seed and
        streams; only what the texts stand on is in it.

        Raises:
            GraphError: a node of a chain failed.
        """
        owner = chains[0].loop
        node, settings = self._plan.node(owner), self._plan.analysis.settings[owner]
        layout = self._job.regions.layout(owner)
        missing = [source[0] for source in layout.outer if source not in self.values]
        if missing:
            raise GraphError("E_CHECK", f"'{missing[0]}' gave nothing", node=owner)
        body = self._job.regions.bind(owner, self.values, Scope(self._job.run.seed))
        if "seed" in settings:
            body.seed(settings["seed"])
        body.scope.series = {}
        (places,) = layout.exits.values()
        slot = dict(zip(next(iter(node.exits.values())), places, strict=True))
        found: dict[Chain, list[Captions]] = {chain: [] for chain in chains}
        for step in steps:
            slots = body.open(step=step)
            body.execute(slots, body.ops)
            for chain in chains:
                found[chain].append(slots[slot[chain.source]])
        return found


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
        self._roots = roots
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
        self.analysis = _analysed(analysis, kept, roots)

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

    def read(self, listener: Listener | None, cancel: Event, more: Iterable[Source] = ()) -> Reading:
        """Run it.

        Args:
            listener: Hears every event.
            cancel: Ends it.
            more: Sources that are wanted besides loaders and bucketed data sets.

        Raises:
            Cancelled: `cancel` was set.
        """
        options = self.analysis.graph.run
        prints = Fingerprints(self._roots.root("cache") / "fingerprints.sqlite")
        demand = bodies(self.analysis)
        env = environment(DEVICE, options.precision)
        known = keys(self.analysis, demand, self._roots, environment=env, seed=options.seed, fingerprints=prints)
        wanted = [source for one in self.found for source in (one.bucketed, (one.node, "out"))]
        wanted += more
        for owner in {chain.loop for chain in self.chains}:
            for id in sorted(demand[owner].outer):
                spec = self.analysis.flat.nodes[id].spec
                wanted += [(id, port.name) for port in (spec.outputs if spec else ())]
        asked = dict.fromkeys(wanted)
        targets = list(dict.fromkeys(source[0] for source in asked))
        plan = Plan(self.analysis, targets, {f"{id}.{port}": (id, port) for id, port in asked}, demand, known, env)
        state = RunState(
            id="check",
            roots=self._roots,
            events=EventLog("check", None, listener),
            device=DEVICE,
            precision=options.precision,
            seed=options.seed,
            cancel=cancel,
        )
        disk = DiskCache(self._roots.root("cache"))
        job = Execution(plan, state, disk=disk, fingerprints=prints, on_error="continue")
        job.go()
        given = job.outputs()
        values = {source: given[name] for name, source in plan.outputs.items() if name in given}
        return Reading(values, job.failed, job, plan)


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


def _analysed(analysis: Analysis, kept: Mapping[str, FlatNode], roots: Roots) -> Analysis:
    """The analysis of some nodes of a graph that was checked as a whole."""
    flat = Flat(nodes={id: kept[id] for id in analysis.flat.nodes if id in kept})
    for node in flat.nodes.values():
        flat.children[node.parent].append(node.id)
    settings = {
        id: analysis.settings[id]
        if node.type == analysis.flat.nodes[id].type
        else {**(node.spec.defaults if node.spec else {}), **_known(analysis.settings[id], node)}
        for id, node in flat.nodes.items()
    }
    order = sort(flat)
    wires = infer(flat, order, analysis.registry, settings, roots.resolve)
    return Analysis(
        analysis.graph,
        analysis.registry,
        flat,
        order,
        settings,
        wires,
        weigh(flat, order, wires, analysis.registry.types),
    )


def _known(settings: Mapping[str, Any], node: FlatNode) -> dict[str, Any]:
    """The settings that a node has which stands in for another."""
    return {name: value for name, value in settings.items() if node.spec is not None and name in node.spec.settings}
