"""What a run will do and why, before it does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from ..checking.analyse import Analysis
from ..checking.flat import FlatNode, Source
from ..fingerprint import Fingerprints
from ..paths import Roots
from .cache_keys import Keys, environment, keys
from .demand import BodyDemand, bodies, chosen, static_sources, targets_of


@dataclass
class Plan:
    """A graph that is ready to run.

    Attributes:
        targets: Nodes at the top that are asked for.
        outputs: Name -> source of the values to hand back.
        bodies: Owner -> what runs in its region.
        keys: Cache keys.
        continued: Loop -> digest of the checkpoints of other code that it goes on from.
        began_as: The same loops -> the key that they had before.
    """

    analysis: Analysis
    targets: list[str]
    outputs: dict[str, Source]
    bodies: dict[str, BodyDemand]
    keys: Keys
    environment: str
    continued: Mapping[str, str] = field(default_factory=dict)
    began_as: Mapping[str, str] = field(default_factory=dict)
    _waits: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def node(self, id: str) -> FlatNode:
        return self.analysis.flat.nodes[id]

    def waits_for(self, id: str) -> tuple[str, ...]:
        """Nodes that must have run before this one; branches that are not yet chosen are left out."""
        known = self._waits.get(id)
        if known is None:
            node = self.node(id)
            found = dict.fromkeys(source[0] for source in static_sources(node, self.analysis.settings[id]))
            if id in self.bodies:
                found |= dict.fromkeys(self.bodies[id].outer)
            known = self._waits[id] = tuple(found)
        return known

    def needed(self) -> list[str]:
        """All nodes at the top that the targets stand on, in the order of a run without a cache."""
        seen: set[str] = set()
        stack = list(self.targets)
        while stack:
            id = stack.pop()
            if id not in seen:
                seen.add(id)
                stack += self.waits_for(id)
                stack += self.branches(id)
        order = dict.fromkeys(id for id, _ in self.analysis.order.sorted)
        return [id for id in order if id in seen]

    def branches(self, id: str) -> list[str]:
        """Lazy branches that may still be chosen at run time."""
        node = self.node(id)
        assert node.spec is not None
        if node.spec.choose is None or chosen(node, self.analysis.settings[id]) is not None:
            return []
        return [s[0] for name, sources in node.inputs.items() if node.spec.input[name].lazy for s in sources]

    def stands_on(self, id: str) -> set[str]:
        """A node and all that its result comes from, bodies included."""
        seen: set[str] = set()
        stack = [id]
        while stack:
            if (id := stack.pop()) not in seen:
                seen.add(id)
                stack += [*self.waits_for(id), *self.branches(id)]
                stack += self.bodies[id].exits if id in self.bodies else ()
        return {id for id in seen if self.node(id).spec is not None}

    def continuing(self, loops: Mapping[str, str]) -> Plan:
        """The same with loops that go on from checkpoints of other code, named by their digests."""
        continued = {**self.continued, **loops}
        began_as = {**self.began_as, **{id: self.keys.resumable[id] for id in loops}}
        return replace(self, continued=continued, began_as=began_as, keys=self.keys.again(continued=continued))

    def loops(self) -> dict[str, str]:
        """Nodes that keep checkpoints and may run, also inside of regions -> key, where it is known."""
        top = set(self.needed())
        chain = self.analysis.flat.chain
        return {id: key for id, key in self.keys.resumable.items() if (chain(id) or (id,))[0] in top}

    def anew(self, force: frozenset[str]) -> frozenset[str]:
        """Nodes that must run although their results are kept: forced loops, and all that stands on them.

        Args:
            force: Loops; `*` means all.
        """
        chain = self.analysis.flat.chain
        found = {(chain(id) or (id,))[0] for id in self.loops() if {"*", id} & force}
        for id in self.needed() if found else ():
            if not found.isdisjoint((*self.waits_for(id), *self.branches(id))):
                found.add(id)
        return frozenset(found)

    def written(self, owner: str) -> str:
        """Digest of what runs in a region only because it writes."""
        demand = self.bodies[owner]
        found = sorted(f"{id}={self.keys.of.get(id)}" for id in demand.ops if id not in demand.exits)
        return sha256("\0".join(found).encode()).hexdigest()

    def cacheable(self, id: str) -> bool:
        """Whether a finished result may be served again under its key (DESIGN §5.8)."""
        spec = self.node(id).spec
        assert spec is not None
        lasting = spec.cache != "none" and not self.analysis.weights.effects[id] & {"step", "state", "write"}
        return lasting and self.steady(id)

    def steady(self, id: str) -> bool:
        """Whether a result stays as it is: nobody trains it, and it trains nothing."""
        node, weights = self.node(id), self.analysis.weights
        assert node.spec is not None
        if node.spec.mutates:
            return False
        trained = weights.trained()
        if not trained:
            return True
        return not any(weights.wire.get((id, port.name), frozenset()) & trained for port in node.spec.outputs)

    def on_disk(self, id: str) -> bool:
        """Whether a result is kept on disk: what says so, and what a writing node wrote."""
        spec = self.node(id).spec
        assert spec is not None
        return not spec.body and (spec.cache == "disk" or (spec.has("write") and not spec.mutates))


def make_plan(
    analysis: Analysis,
    roots: Roots,
    *,
    targets: Iterable[str] | None = None,
    device: str = "cpu",
    precision: str = "fp32",
    seed: int = 0,
    fingerprints: Fingerprints | None = None,
    known_only: bool = False,
) -> Plan:
    """Plan a checked graph without errors.

    Raises:
        GraphErrors: E_TARGET.
    """
    nodes, outputs = targets_of(analysis, targets)
    demand = bodies(analysis)
    env = environment(device, precision)
    found = keys(
        analysis,
        demand,
        roots,
        environment=env,
        seed=seed,
        fingerprints=fingerprints or Fingerprints(),
        known_only=known_only,
    )
    return Plan(analysis, nodes, outputs, demand, found, env)
