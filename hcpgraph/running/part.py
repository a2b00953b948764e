"""Some nodes of a graph, run without the others: what a report reads of the data, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Event
from typing import Any

from ..checking.analyse import Analysis
from ..checking.flat import Flat, FlatNode, Source
from ..checking.order import sort
from ..checking.weight_flow import weigh
from ..checking.wires import infer
from ..context import RunState, Scope
from ..errors import GraphError
from ..events import EventLog, Listener
from ..fingerprint import Fingerprints
from ..paths import Roots
from ..planning.cache_keys import environment, keys
from ..planning.demand import bodies
from ..planning.plan import Plan
from .cache import DiskCache
from .execute import Execution


class Part:
    """Some nodes of a graph.

    Nodes keep their ids, streams, settings and regions, so that all draws stay the same; a node may stand in for one of
    the same id.

    Args:
        analysis: The graph, checked as a whole.
        nodes: What is kept, by id. The owner of a region may come without what it takes: its body can be run, the owner
            never is.
        roots: Where `root:relative` paths lie.

    Attributes:
        analysis: Of these nodes alone.
    """

    def __init__(self, analysis: Analysis, nodes: Mapping[str, FlatNode], roots: Roots) -> None:
        self._roots = roots
        flat = Flat(nodes={id: nodes[id] for id in analysis.flat.nodes if id in nodes})
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
        weights = weigh(flat, order, wires, analysis.registry.types)
        self.analysis = Analysis(analysis.graph, analysis.registry, flat, order, settings, wires, weights)

    def run(
        self, wanted: Iterable[Source], loops: Iterable[str], listener: Listener | None, cancel: Event, *, device: str
    ) -> Ran:
        """Run it; what fails takes only what stands on it along.

        Args:
            wanted: Outputs that are asked for.
            loops: Regions whose bodies will be run afterwards: what they read from outside is asked for too.
            listener: Hears every event.
            cancel: Ends it.
            device: Where it runs.

        Raises:
            Cancelled: `cancel` was set.
        """
        options = self.analysis.graph.run
        prints = Fingerprints(self._roots.root("cache") / "fingerprints.sqlite")
        demand = bodies(self.analysis)
        env = environment(device, options.precision)
        known = keys(self.analysis, demand, self._roots, environment=env, seed=options.seed, fingerprints=prints)
        asked = dict.fromkeys(wanted)
        for id in sorted(id for owner in loops for id in demand[owner].outer):
            spec = self.analysis.flat.nodes[id].spec
            asked |= dict.fromkeys((id, port.name) for port in (spec.outputs if spec else ()))
        targets = list(dict.fromkeys(source[0] for source in asked))
        plan = Plan(self.analysis, targets, {f"{id}.{port}": (id, port) for id, port in asked}, demand, known, env)
        state = RunState(
            id="part",
            roots=self._roots,
            events=EventLog("part", None, listener),
            device=device,
            precision=options.precision,
            seed=options.seed,
            cancel=cancel,
        )
        disk = DiskCache(self._roots.root("cache"))
        job = Execution(plan, state, disk=disk, fingerprints=prints, on_error="continue")
        job.go()
        given = job.outputs()
        return Ran(job, {source: given[name] for name, source in plan.outputs.items() if name in given})


class Ran:
    """What running a part gave.

    Attributes:
        values: `(node, port)` -> what it gave, of every output that was asked for and did not fail.
        failed: What went wrong, by node.
    """

    def __init__(self, job: Execution, values: dict[Source, Any]) -> None:
        self._job = job
        self.values = values
        self.failed: Mapping[str, GraphError] = job.failed

    def passes(self, owner: str, sources: Iterable[Source], steps: Iterable[int]) -> dict[Source, list[Any]]:
        """What feeds the exit of a region, in passes of its body with the draws that its owner makes.

        Args:
            owner: The region's owner, which has one exit.
            sources: Outputs inside of it that are wired to the exit.
            steps: The entry `step` of each pass; `accumulate` of them make an `update`.

        Raises:
            GraphError: E_CHECK, something from outside is missing; or a node inside failed.
        """
        plan = self._job.plan
        settings = plan.analysis.settings[owner]
        layout = self._job.regions.layout(owner)
        missing = [source[0] for source in layout.outer if source not in self.values]
        if missing:
            raise GraphError("E_CHECK", f"'{missing[0]}' gave nothing", node=owner)
        body = self._job.regions.bind(owner, self.values, Scope(self._job.run.seed))
        if "seed" in settings:
            body.seed(settings["seed"])
        body.series = {}
        (places,) = layout.exits.values()
        slot = dict(zip(next(iter(plan.node(owner).exits.values())), places, strict=True))
        found: dict[Source, list[Any]] = {source: [] for source in sources}
        per_update = settings.get("accumulate", 1)
        for step in steps:
            more = {"update": step // per_update} if "update" in layout.entries else {}
            slots = body.open(step=step, **more)
            body.execute(slots, body.ops)
            for source, values in found.items():
                values.append(slots[slot[source]])
        return found


def _known(settings: Mapping[str, Any], node: FlatNode) -> dict[str, Any]:
    """The settings that a node has which stands in for another."""
    return {name: value for name, value in settings.items() if node.spec is not None and name in node.spec.settings}
