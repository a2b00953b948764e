"""Which loaders a graph has: where their data comes from, which loops they feed, and on which way texts go there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hcpgraph.checking.analyse import Analysis
    from hcpgraph.checking.flat import FlatNode, Source
    from hcpgraph.declaring.spec import PortSpec

LOADERS = ("data.loader", "data.latent_loader")
BATCHES = ("data.batch", "data.latent_batch", "data.caption_batch")
CAPTIONS, CONDITIONING, BUCKETED, DATASET = "Captions", "Conditioning", "Bucketed", "Dataset"


@dataclass(frozen=True)
class Chain:
    """The way of captions from a batch to an encoder, inside one training loop.

    Attributes:
        loop: The owner of the region.
        encode: The node that encodes; the batch itself where nothing does.
        source: What feeds the encoder.
        nodes: Everything inside the loop that `source` stands on, the batch included.
        batches: Those of `nodes` that read the loader.
        reason: Why it cannot be followed; None where it can.
    """

    loop: str
    encode: str
    source: Source
    nodes: frozenset[str]
    batches: frozenset[str]
    reason: str | None = None


@dataclass(frozen=True)
class Found:
    """One loader.

    Attributes:
        node: The loader.
        bucketed: Where its samples and their sizes come from; for encoded pictures, those that are encoded.
        loops: Training loops that it feeds.
        chains: The ways of its captions.
    """

    node: str
    bucketed: Source
    loops: tuple[str, ...]
    chains: tuple[Chain, ...]


def find(analysis: Analysis) -> list[Found]:
    """Every loader of a graph whose data is connected, those in subgraphs included."""
    found = []
    for node in analysis.flat.nodes.values():
        if node.type not in LOADERS:
            continue
        bucketed = _bucketed(analysis, node.inputs.get("data", []))
        if bucketed is not None:
            batches = list(_readers(analysis, node.id))
            loops = dict.fromkeys(b.parent for b in batches if b.parent is not None and is_loop(analysis, b.parent))
            chains = [chain for loop in loops for chain in _chains(analysis, loop, batches)]
            found.append(Found(node.id, bucketed, tuple(loops), tuple(chains)))
    return found


def is_loop(analysis: Analysis, id: str) -> bool:
    """Whether a node trains: it owns a region and changes weights."""
    spec = analysis.flat.nodes[id].spec
    return spec is not None and spec.body and bool(spec.mutates)


def ancestors(analysis: Analysis, start: Iterable[str]) -> set[str]:
    """Nodes and everything they stand on, through inputs and wired settings."""
    seen: set[str] = set()
    stack = list(start)
    while stack:
        id = stack.pop()
        if id not in seen:
            seen.add(id)
            stack += [source[0] for source in analysis.flat.nodes[id].sources()]
    return seen


def data_sources(analysis: Analysis, bucketed: str) -> list[Source]:
    """What gives samples to a bucketed data set: outputs of nodes that give a data set and take none."""
    above = ancestors(analysis, [bucketed])
    found = []
    for id, node in analysis.flat.nodes.items():
        if id in above and not any(
            kind(analysis, one) == DATASET for several in node.inputs.values() for one in several
        ):
            outputs = node.spec.outputs if node.spec else ()
            found += [(id, port.name) for port in outputs if kind(analysis, (id, port.name)) == DATASET]
    return found


def kind(analysis: Analysis, source: Source) -> str:
    """Name of the type on a wire; empty where it is not known."""
    ref = analysis.wires.types.get(source)
    return ref.name if ref is not None else ""


def _bucketed(analysis: Analysis, sources: list[Source]) -> Source | None:
    """Upstream from what feeds a loader to the bucketed data set behind it."""
    seen: set[Source] = set()
    while len(sources) == 1 and sources[0] not in seen:
        (source,) = sources
        if kind(analysis, source) == BUCKETED:
            return source
        seen.add(source)
        node = analysis.flat.nodes[source[0]]
        same = kind(analysis, source)
        every = [one for several in node.inputs.values() for one in several]
        sources = [one for one in every if kind(analysis, one) in (BUCKETED, same)]
    return None


def _readers(analysis: Analysis, loader: str) -> Iterable[FlatNode]:
    for node in analysis.flat.nodes.values():
        if node.type in BATCHES and any(source[0] == loader for source in node.inputs.get("loader", ())):
            yield node


def _chains(analysis: Analysis, loop: str, batches: list[FlatNode]) -> Iterable[Chain]:
    """One chain an encoder that texts of these batches reach; without any, the batch's captions as they are."""
    inside = [node for node in analysis.flat.nodes.values() if node.parent == loop]
    mine = [node for node in batches if node.parent == loop]
    reached = {(node.id, port.name) for node in mine for port in _captions(analysis, node)}
    first = dict.fromkeys(sorted(reached))
    while True:
        through = [node for node in inside if any(source in reached for source in node.sources())]
        more = {(node.id, port.name) for node in through for port in _captions(analysis, node)} - reached
        if not more:
            break
        reached |= more
    ends: dict[Source, str] = {}
    for node in inside:
        gives = {kind(analysis, (node.id, port.name)) for port in (node.spec.outputs if node.spec else ())}
        if CONDITIONING in gives:
            texts = [s for several in node.inputs.values() for s in several if s in reached]
            ends |= dict.fromkeys(texts, node.id)
    for source, encode in (ends or {source: source[0] for source in first}).items():
        yield _chain(analysis, loop, encode, source, {node.id for node in mine})


def _captions(analysis: Analysis, node: FlatNode) -> list[PortSpec]:
    return [
        port for port in (node.spec.outputs if node.spec else ()) if kind(analysis, (node.id, port.name)) == CAPTIONS
    ]


def _chain(analysis: Analysis, loop: str, encode: str, source: Source, mine: set[str]) -> Chain:
    flat, weights = analysis.flat, analysis.weights
    nodes: set[str] = set()
    stack, reason = [source], None
    while stack:
        id, port = stack.pop()
        node = flat.nodes[id]
        if id == loop:
            continue
        if id in mine:
            if kind(analysis, (id, port)) != CAPTIONS:
                reason = reason or f"'{id}.{port}' is read on the way"
        elif id not in nodes:
            if weights.reads.get(id) or (node.spec is not None and (node.spec.body or node.spec.has("write"))):
                reason = reason or f"'{id}' stands on the way: it runs a model, loops or writes"
            elif node.type in BATCHES:
                reason = reason or f"'{id}' reads another loader"
            else:
                stack += [other for other in node.sources() if other[0] == loop or weights.home[other[0]] == loop]
        nodes.add(id)
    if flat.chain(loop):
        reason = f"'{loop}' lies inside of '{flat.chain(loop)[-1]}'"
    inner = frozenset(id for id in nodes if weights.home[id] == loop)
    return Chain(loop, encode, source, inner, frozenset(mine & nodes), reason)
