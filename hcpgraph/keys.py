"""Merkle keys: what a node's result depends on, as one digest (DESIGN §7). Linear, without recursion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .analyse import Analysis
from .demand import BodyDemand, chosen
from .errors import GraphError
from .fileformat import MAX_INT
from .fingerprint import Fingerprints, measure
from .flatten import FlatNode, Source, owns
from .order import BEGIN
from .paths import Roots

ENVIRONMENT = ("torch", "diffusers", "transformers")
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


@lru_cache(maxsize=256)
def package_version(name: str) -> str:
    """Version of an installed distribution, `-` if it is not there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"


@dataclass
class Keys:
    """Digests of a graph in one environment.

    Attributes:
        of: Flat id -> key; None when a file it reads has no fingerprint yet.
        resumable: Owner -> its key without the settings that may change while it goes on, such as `steps`.
        files: `root:path` -> sha256 and size of a file that is read, sha256 and count for a folder.
    """

    of: dict[str, str | None] = field(default_factory=dict)
    resumable: dict[str, str] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)


def environment(device: str, precision: str) -> str:
    """What of this machine belongs to every key."""
    versions = ",".join(f"{name}={package_version(name)}" for name in ENVIRONMENT)
    return f"{versions},{device.partition(':')[0]},{precision}"


def keys(
    analysis: Analysis,
    demand: Mapping[str, BodyDemand],
    roots: Roots,
    *,
    environment: str,
    seed: int,
    fingerprints: Fingerprints,
    known_only: bool = False,
) -> Keys:
    """Compute the key of every node.

    Args:
        environment: From `environment()`.
        seed: Seed of the run; part of the key of what draws random numbers outside of a loop with its own seed.
        known_only: Do not read files: keys that need an unknown fingerprint are None.
    """
    found = Keys()
    flat = analysis.flat
    depth = {id: len(flat.chain(id)) for id, node in flat.nodes.items() if owns(node)}

    def of(source: Source) -> str | None:
        giver = flat.nodes[source[0]]
        if giver.spec is not None and giver.spec.body and source[1] in giver.spec.entry:
            return f"entry:{depth[giver.id]}:{source[1]}"
        key = found.of.get(source[0])
        return None if key is None else f"{key}.{source[1]}"

    for id, part in analysis.order.sorted:
        node = flat.nodes[id]
        if node.spec is None or (owns(node) and part == BEGIN):
            continue
        settings = analysis.settings[id]
        parts = [
            node.type,
            str(node.spec.version),
            node.spec.code,
            analysis.registry.version(node.spec.pack),
            environment,
        ]
        parts += [f"{name}=={package_version(name)}" for name in node.spec.packages]
        if "random" in analysis.weights.effects[id]:
            parts.append(f"stream:{node.stream}:{seed}")
        sources = _inputs(node, settings, of)
        if node.spec.body:
            sources += _body(analysis, demand[id], node, of, found)
        prints = _read(node, settings, roots, fingerprints, found, known_only) if node.spec.has("read") else []
        if any(text is None for text in (*sources, *prints)):
            found.of[id] = None
            continue
        parts += [str(text) for text in (*sources, *prints)]
        found.of[id] = _digest(parts, settings)
        if node.spec.resumes:
            rest = {name: value for name, value in settings.items() if name not in node.spec.resumes}
            found.resumable[id] = _digest(parts, rest)
    return found


def _digest(parts: list[str], settings: Mapping[str, Any]) -> str:
    return sha256("\0".join([*parts, _encode(_numbers(settings))]).encode()).hexdigest()


def _numbers(value: Any) -> Any:
    """The value with 2.0 written as 2, as the file writes it: saving a graph changes no key."""
    if type(value) is float:
        return int(value) if value.is_integer() and abs(value) <= MAX_INT else value
    if isinstance(value, Mapping):
        return {name: _numbers(item) for name, item in value.items()}
    return [_numbers(item) for item in value] if isinstance(value, list) else value


def _inputs(node: FlatNode, settings: Mapping[str, Any], of: Any) -> list[str | None]:
    assert node.spec is not None
    wanted = chosen(node, settings) if node.spec.choose else None
    listed: list[str | None] = []
    for name in sorted(node.inputs):
        if wanted is not None and node.spec.input[name].lazy and name not in wanted:
            continue
        for source in node.inputs[name]:
            key = of(source)
            listed.append(None if key is None else f"{name}={key}")
    for name, source in node.wired.items():
        if name not in settings:
            key = of(source)
            listed.append(None if key is None else f"@{name}={key}")
    return listed


def _body(analysis: Analysis, demand: BodyDemand, node: FlatNode, of: Any, found: Keys) -> list[str | None]:
    """The keys that reach the exits; what only writes counts too, unless the owner keeps a checkpoint of its own."""
    listed: list[str | None] = []
    for name in sorted(node.exits):
        for source in node.exits[name]:
            key = of(source)
            listed.append(None if key is None else f"exit:{name}={key}")
    if node.spec is not None and not node.spec.resumes:
        writers = (id for id in demand.ops if id not in demand.exits)
        listed += sorted((found.of.get(id) for id in writers), key=str)
    return listed


def _read(
    node: FlatNode,
    settings: Mapping[str, Any],
    roots: Roots,
    fingerprints: Fingerprints,
    found: Keys,
    known_only: bool,
) -> list[str | None]:
    assert node.spec is not None
    prints: list[str | None] = []
    for name in node.spec.paths:
        uri = settings.get(name)
        if not isinstance(uri, str) or not uri or uri.startswith("hub:"):
            continue
        try:
            path = roots.resolve(uri)
        except GraphError:
            prints.append(None)
            continue
        digest = fingerprints.of(path, known_only=known_only)
        prints.append(digest)
        if digest is not None:
            found.files[uri] = {"sha256": digest, **measure(path)}
    return prints
