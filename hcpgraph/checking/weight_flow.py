"""Whose weights travel on which wire, which loops change them, and who may read them when (DESIGN §5.7).

W of a wire is the set of weight groups that can be run through it; T of a loop is the union of W over its optimizers.
Both follow from declarations alone, so stale reads are errors before anything is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import takewhile

from ..types import Lattice, TypeRef
from .flat import Flat, FlatNode, Source, owns
from .order import BEGIN, END, Order
from .wires import Wires

Groups = frozenset[str]
NONE: Groups = frozenset()


@dataclass
class Weights:
    """Static knowledge of weights.

    Attributes:
        wire: Source -> W.
        reads: Node -> the groups that reach its inputs.
        trains: Owner of a training loop -> T.
        home: Node -> the owner in whose body it runs, None for the top (hoisting, DESIGN §5.2).
        effects: Node -> its effects; an owner has those of its body too.
        carried: Loop inside of other regions -> how many of them, outermost first, a pass of which begins with weights
            of its own; the passes of the others go on with the weights of the one before.
    """

    wire: dict[Source, Groups] = field(default_factory=dict)
    reads: dict[str, Groups] = field(default_factory=dict)
    trains: dict[str, Groups] = field(default_factory=dict)
    home: dict[str, str | None] = field(default_factory=dict)
    effects: dict[str, frozenset[str]] = field(default_factory=dict)
    carried: dict[str, int] = field(default_factory=dict)

    def moves(self, loop: str) -> Groups:
        """What a loop changes: the weights that it trains and their moving averages; nothing for other nodes."""
        trained = self.trains.get(loop, NONE)
        return trained | averaged(trained)

    def trained(self) -> Groups:
        """Everything that some loop changes."""
        return frozenset().union(*map(self.moves, self.trains))


def averaged(groups: Groups) -> Groups:
    """The moving averages of weights."""
    return frozenset(f"~{group}" for group in groups)


def weigh(flat: Flat, order: Order, wires: Wires, types: Lattice) -> Weights:
    """Compute W and T for all nodes, then report reads that would see neither the weights before nor those after."""
    weights = Weights()
    for id, part in order.sorted:
        node = flat.nodes[id]
        if node.spec is None:
            continue
        if part == BEGIN:
            _begin(node, weights)
            if node.spec.mutates:
                ports = (node.inputs.get(port, ()) for port in node.spec.mutates)
                weights.trains[id] = frozenset().union(*(weights.wire.get(s, NONE) for p in ports for s in p))
            if owns(node):
                for entry in node.spec.entries:
                    _give(node, entry.name, wires, weights, types, NONE)
        if part == END or not owns(node):
            inside = frozenset().union(*(weights.wire.get(s, NONE) for s in node.exit_sources()))
            for output in node.spec.outputs:
                _give(node, output.name, wires, weights, types, inside)
    _check(flat, order, weights)
    _check_carried(flat, weights)
    _place(flat, order, weights)
    return weights


def _begin(node: FlatNode, weights: Weights) -> None:
    sources = (source for sources in node.inputs.values() for source in sources)
    weights.reads[node.id] = frozenset().union(*(weights.wire.get(source, NONE) for source in sources))


def _kind(types: Lattice, ref: TypeRef) -> str:
    """How a type carries weights; of a value of any type the worst is assumed."""
    while ref.args:
        ref = ref.args[0]
    if ref.variable or ref.name == "any":
        return "runs"
    info = types.get(ref.name)
    return info.weights if info else ""


def _creates(node: FlatNode, wires: Wires, types: Lattice) -> bool:
    """Whether a resource node makes weights: an optimizer, which only carries those of others, does not."""
    assert node.spec is not None
    outputs = (wires.types.get((node.id, port.name)) for port in node.spec.outputs)
    return any(_kind(types, ref) in ("runs", "params") for ref in outputs if ref is not None)


def _give(node: FlatNode, port: str, wires: Wires, weights: Weights, types: Lattice, inside: Groups) -> None:
    """W of one entry or output: what came in, plus what the node creates."""
    assert node.spec is not None
    source = (node.id, port)
    kind = _kind(types, wires.types[source]) if source in wires.types else ""
    if not kind:
        return
    own = NONE
    if node.spec.has("resource") and not node.spec.body and _creates(node, wires, types):
        label = wires.facts.get(source, {}).get("weights")
        own = frozenset({f"{node.id}:{label[0]}" if label else node.id})
    if kind == "params" and (own or node.spec.trains):
        trained = (weights.wire.get(s, NONE) for p in node.spec.trains for s in node.inputs.get(p, ()))
        weights.wire[source] = own.union(*trained) if not node.spec.trains else frozenset().union(*trained)
        return
    reads = weights.reads[node.id]
    if node.spec.averages:
        kept = (weights.wire.get(s, NONE) for p in node.spec.averages for s in node.inputs.get(p, ()))
        behind = frozenset().union(*kept)
        reads = (reads - behind) | averaged(reads & behind)
    weights.wire[source] = reads | inside | own


def _check(flat: Flat, order: Order, weights: Weights) -> None:
    backwards = order.reversed() if weights.trains else None
    for loop in weights.trains:
        assert backwards is not None
        trained = weights.moves(loop)
        before = backwards.reach([(loop, BEGIN)])
        after = order.reach([(loop, END if owns(flat.nodes[loop]) else BEGIN)])
        for id, reads in weights.reads.items():
            vertex = (id, BEGIN)
            if not reads & trained or vertex in before or vertex in after or loop in (id, *flat.chain(id)):
                continue
            node = flat.nodes[id]
            port, (from_node, from_port) = next(
                (name, source)
                for name, sources in node.inputs.items()
                for source in sources
                if weights.wire.get(source, NONE) & trained
            )
            flat.error(
                "E_STALE",
                f"reads {from_node}.{from_port}, whose weights '{loop}' trains: before or after training is not said",
                id,
                port,
                f"for the weights after it add flow.after with value <- {from_node}.{from_port} and "
                f"trained <- {loop}.trained, and wire its output here",
            )


def _check_carried(flat: Flat, weights: Weights) -> None:
    """Warn where a loop inside of another region goes on with weights that were made outside of that region."""
    for loop, trained in weights.trains.items():
        around = flat.chain(loop)
        weights.carried[loop] = len(around)
        for id in sorted({group.partition(":")[0] for group in trained}) if around else ():
            if id in flat.nodes and flat.chain(id)[: len(around)] != around:
                both = zip(flat.chain(id), around, strict=False)
                shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))
                weights.carried[loop] = min(weights.carried[loop], shared)
                flat.warn(
                    "W_CARRIED",
                    f"'{id}' is made outside of '{around[-1]}': every pass goes on with the weights of the one before",
                    loop,
                    hint=f"move '{id}' into '{around[-1]}' to start from fresh weights in every pass",
                )


def _now_and_then(owner: FlatNode) -> bool:
    """Whether an owner reads the position of the loop around it, and so may leave out its body."""
    return owner.spec is not None and owner.spec.has("step")


def _place(flat: Flat, order: Order, weights: Weights) -> None:
    """Where each node runs: a pure node fed by invariants only is hoisted, unless what it reads is being trained.

    It is never hoisted from a region that runs now and then (`train.every`) into the loop around it, which runs more
    often.
    """
    depth: dict[Source, int] = {}
    at: dict[str, int] = {}
    for id, part in order.sorted:
        node = flat.nodes[id]
        if node.spec is None:
            continue
        chain = flat.chain(id)
        if part == BEGIN:
            level = len(chain)
            if node.spec.pure and not owns(node):
                level = min(max((depth.get(source, 0) for source in node.sources()), default=0), len(chain))
                for index, owner in enumerate(chain):
                    if not node.spec.averages and weights.reads[id] & weights.moves(owner):
                        level = max(level, index + 1)
                while 0 < level < len(chain) and _now_and_then(flat.nodes[chain[level]]):
                    level += 1
            at[id] = level
            weights.home[id] = chain[level - 1] if level else None
            for entry in node.spec.entries:
                depth[(id, entry.name)] = len(chain) + 1
        if part == END or not owns(node):
            body = (weights.effects.get(child, NONE) for child in flat.children.get(id, ()))
            effects = frozenset(node.spec.effects).union(*body)
            weights.effects[id] = effects - {"pure"} if len(effects) > 1 else effects
            for output in node.spec.outputs:
                depth[(id, output.name)] = at[id]
