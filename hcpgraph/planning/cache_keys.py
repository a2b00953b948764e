"""Merkle keys: what a node's result depends on, as one digest (DESIGN §7). Linear, without recursion."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

from ..checking.analyse import Analysis
from ..checking.flat import FlatNode, Source, owns
from ..checking.lengths import passes
from ..checking.order import BEGIN
from ..declaring.sources import ENVIRONMENT
from ..document.fileformat import MAX_INT
from ..errors import GraphError
from ..fingerprint import Fingerprints, measure
from ..paths import Roots
from ..version import package_version
from .code import Code
from .demand import BodyDemand, chosen

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


@dataclass
class Keys:
    """Digests of a graph in one environment.

    Attributes:
        code: The code behind them.
        again: Computes them anew, with `continued`: owner -> digest of a checkpoint of other code that it goes on from.
        of: Flat id -> key; None when a file that it reads has no fingerprint yet.
        kin: Flat id -> the same without code, versions, environment and lengths: what an upgrade and another number of
            steps leave as they are.
        resumable: Owner -> its key without what may change while it goes on, such as `steps`.
        resumable_kin: Owner -> the same without code, versions, environment and lengths.
        files: `root:path` -> sha256 and size of a file that is read, sha256 and count for a folder.
    """

    code: Code
    again: Callable[..., Keys]
    of: dict[str, str | None] = field(default_factory=dict)
    kin: dict[str, str | None] = field(default_factory=dict)
    resumable: dict[str, str] = field(default_factory=dict)
    resumable_kin: dict[str, str] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)


def environment(device: str, precision: str) -> str:
    """What of this machine belongs to every key."""
    versions = ",".join(f"{name}={package_version(name)}" for name in ENVIRONMENT)
    return f"{versions},device={device.partition(':')[0]},precision={precision}"


def keys(
    analysis: Analysis,
    demand: Mapping[str, BodyDemand],
    roots: Roots,
    *,
    environment: str,
    seed: int,
    fingerprints: Fingerprints,
    known_only: bool = False,
    continued: Mapping[str, str] | None = None,
) -> Keys:
    """Compute the key of every node.

    Args:
        environment: From `environment()`.
        seed: Seed of the run; part of the key of what draws random numbers outside of a loop with its own seed.
        known_only: Do not read files: keys that need an unknown fingerprint are None.
        continued: Owner -> digest of a checkpoint that it goes on from although it is of other code.
    """
    again = partial(
        keys,
        analysis,
        demand,
        roots,
        environment=environment,
        seed=seed,
        fingerprints=fingerprints,
        known_only=known_only,
    )
    owed: dict[str, list[str | None]] = {}
    work, found = _Work(analysis, demand, seed), Keys(Code(analysis), again)
    for id, part in analysis.order.sorted:
        node = analysis.flat.nodes[id]
        if node.spec is None or (owns(node) and part == BEGIN):
            continue
        settings = analysis.settings[id]
        same, same_kin = work.inputs(node, settings, found.of), work.inputs(node, settings, found.kin)
        prints = owed.pop(id, [])
        if node.spec.has("read"):
            prints += _prints(node, settings, roots, fingerprints, found, known_only)
            for owners, each in _swept(node, roots, fingerprints, found, known_only):
                for owner in owners:
                    owed.setdefault(owner, []).append(each)
        if any(text is None for text in (*same, *prints)):
            found.of[id] = found.kin[id] = None
            continue
        code = [
            str(node.spec.version),
            found.code.digest(id),
            analysis.registry.version(node.spec.pack),
            environment,
            *(f"{name}=={package_version(name)}" for name in node.spec.packages),
        ]
        common, rest = work.common(node), [str(text) for text in (*same, *prints)]
        alike = [*common, *(str(text) for text in (*same_kin, *prints))]
        found.of[id] = _digest([*common, *code, *rest], settings)
        lengths = analysis.registry.lengths.get(node.type, {})
        found.kin[id] = _digest(alike, _changed(node, settings, lengths))
        if node.spec.resumes:
            lasting = {name: value for name, value in settings.items() if name not in node.spec.resumes}
            ports = {f"{name}={key}" for name, key in work.passing(node, found.of)}
            kin_ports = {f"{name}={key}" for name, key in work.passing(node, found.kin)}
            told = open_length(analysis, id)
            kept = [text for text in rest if told is not None or text not in ports]
            found.resumable[id] = _digest([*common, *code, *kept], {**lasting, **(told or {})})
            found.resumable_kin[id] = _digest(
                [text for text in alike if text not in kin_ports], _changed(node, lasting)
            )
        if continued and id in continued:
            found.of[id], found.resumable[id] = (
                _digest([str(key), continued[id]], {}) for key in (found.of[id], found.resumable[id])
            )
    found.code.keep()
    return found


def open_length(analysis: Analysis, loop: str) -> Mapping[str, Any] | None:
    """The settings that say how long a loop is, where a curve depends on it and only the run knows it; else None."""
    if not any(length.open and loop in length.loops for length in analysis.lengths):
        return None
    told = passes(analysis.flat, analysis.settings, analysis.registry, loop)
    return told if isinstance(told, Mapping) else {}


class _Work:
    """What keys are made of besides code and files.

    Args:
        analysis: Of the graph.
        demand: What runs in its regions.
        seed: Seed of the run.
    """

    def __init__(self, analysis: Analysis, demand: Mapping[str, BodyDemand], seed: int) -> None:
        self._analysis = analysis
        self._demand = demand
        self._seed = seed
        flat = analysis.flat
        self._depth = {id: len(flat.chain(id)) for id, node in flat.nodes.items() if owns(node)}

    def common(self, node: FlatNode) -> list[str]:
        """Type and random stream."""
        drawn = "random" in self._analysis.weights.effects[node.id]
        own = [f"state:{node.stream}"] if node.spec is not None and node.spec.later else []
        return [node.type, *([f"stream:{node.stream}:{self._seed}"] if drawn else []), *own]

    def inputs(self, node: FlatNode, settings: Mapping[str, Any], keys: Mapping[str, str | None]) -> list[str | None]:
        """Keys of what comes in over wires and, for the owner of a region, of what its body gives."""
        listed: list[str | None] = []
        for name, source in self._wires(node, settings):
            key = self._of(source, keys)
            listed.append(None if key is None else f"{name}={key}")
        if node.spec is not None and node.spec.body and not node.spec.resumes:
            demand = self._demand[node.id]
            listed += sorted((keys.get(id) for id in demand.ops if id not in demand.exits), key=str)
        return listed

    def passing(self, node: FlatNode, keys: Mapping[str, str | None]) -> Iterable[tuple[str, str | None]]:
        """Keys of what comes in at ports that only say how long the node goes on."""
        assert node.spec is not None
        for name in node.spec.resumes:
            yield from ((name, self._of(source, keys)) for source in node.inputs.get(name, ()))

    def _wires(self, node: FlatNode, settings: Mapping[str, Any]) -> Iterable[tuple[str, Source]]:
        """Wires that count, by what they feed; what only writes does not, where the owner keeps its own checkpoint."""
        assert node.spec is not None
        wanted = chosen(node, settings) if node.spec.choose else None
        for name in sorted(node.inputs.keys() - node.spec.later):
            if wanted is None or not node.spec.input[name].lazy or name in wanted:
                yield from ((name, source) for source in node.inputs[name])
        yield from ((f"@{name}", source) for name, source in node.wired.items() if name not in settings)
        if node.spec.body:
            yield from ((f"exit:{name}", source) for name in sorted(node.exits) for source in node.exits[name])
            yield from self._kept(node.id)

    def _kept(self, owner: str) -> Iterable[tuple[str, Source]]:
        """What the passes of a region hand on to the next ones and an exit stands on."""
        nodes = (self._analysis.flat.nodes[id] for id in self._demand[owner].exits)
        return sorted((f"later:{n.stream}:{name}", source) for n in nodes for name, source in n.later_sources())

    def _of(self, source: Source, keys: Mapping[str, str | None]) -> str | None:
        giver = self._analysis.flat.nodes[source[0]]
        if giver.spec is not None and giver.spec.body and source[1] in giver.spec.entry:
            return f"entry:{self._depth[giver.id]}:{source[1]}"
        key = keys.get(source[0])
        return None if key is None else f"{key}.{source[1]}"


def _digest(parts: list[str], settings: Mapping[str, Any]) -> str:
    return sha256("\0".join([*parts, _encode(_numbers(settings))]).encode()).hexdigest()


def _changed(node: FlatNode, settings: Mapping[str, Any], without: Iterable[str] = ()) -> dict[str, Any]:
    """Settings that are not at their defaults: a later version may have more of them."""
    assert node.spec is not None
    defaults = node.spec.defaults
    return {
        name: value
        for name, value in settings.items()
        if name not in without and (name not in defaults or value != defaults[name])
    }


def _numbers(value: Any) -> Any:
    """The value with 2.0 written as 2, as the file writes it: saving a graph changes no key."""
    if type(value) is float:
        return int(value) if value.is_integer() and abs(value) <= MAX_INT else value
    if isinstance(value, Mapping):
        return {name: _numbers(item) for name, item in value.items()}
    return [_numbers(item) for item in value] if isinstance(value, list) else value


def _prints(
    node: FlatNode,
    settings: Mapping[str, Any],
    roots: Roots,
    fingerprints: Fingerprints,
    found: Keys,
    known_only: bool,
) -> list[str | None]:
    """Content of the files that a node reads."""
    assert node.spec is not None
    prints: list[str | None] = []
    for name in node.spec.paths:
        uri = settings.get(name)
        if isinstance(uri, str) and uri and not uri.startswith("hub:"):
            prints.append(_print(uri, roots, fingerprints, found, known_only))
    return prints


def _swept(
    node: FlatNode, roots: Roots, fingerprints: Fingerprints, found: Keys, known_only: bool
) -> Iterable[tuple[tuple[str, ...], str | None]]:
    """Content of the files that a node reads in the passes of regions, with the owners of these: it is in their keys.

    It is not in the node's own, so that a training in the region is found again whatever items stand beside its own.
    """
    assert node.spec is not None
    for name in node.spec.paths:
        if (several := node.swept.get(name)) is not None:
            for uri in several.values.values():
                if isinstance(uri, str) and uri and not uri.startswith("hub:"):
                    yield several.owners, _print(uri, roots, fingerprints, found, known_only)


def _print(uri: str, roots: Roots, fingerprints: Fingerprints, found: Keys, known_only: bool) -> str | None:
    try:
        path = roots.resolve(uri)
    except GraphError:
        return None
    digest = fingerprints.of(path, known_only=known_only)
    if digest is not None:
        found.files[uri] = {"sha256": digest, **measure(path)}
    return digest
