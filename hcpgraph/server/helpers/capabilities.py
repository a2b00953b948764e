"""What a graph would touch if it were run: shown before a stranger's graph runs for the first time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from ... import trust
from ...checking.analyse import Analysis, satisfies
from ...checking.touches import HUB, touches
from ...declaring.registry import Registry
from ...document.fileformat import FileRecord
from ...document.required_files import search
from ...errors import GraphError, visible
from ...fingerprint import Fingerprints
from ...paths import Roots

HASH_AT_ONCE = 64 * 2**20
"""Files up to this size are hashed for the dialog; of larger ones only a remembered hash is compared."""


def capabilities(found: Analysis, roots: Roots) -> dict[str, Any]:
    """Paths, Python classes, packs and files that a graph names; `found` may have errors."""
    named = touches(found.flat, found.settings, roots)
    missing: dict[str, list[str]] = defaultdict(list)
    for node in found.flat.nodes.values():
        if node.spec is None:
            missing[node.type].append(node.id)
    return {
        "reads": [
            {"uri": visible(item.value), "node": item.node, "exists": _exists(item.value, roots)}
            for item in named.reads
            if not item.value.startswith(HUB)
        ],
        "writes": [
            {"uri": visible(item.value), "node": item.node, "problem": item.problem.to_json() if item.problem else None}
            for item in named.writes
        ],
        "objects": [
            {"path": visible(item.value), "node": item.node, "trusted": trust.check(item.value) is None}
            for item in named.objects
        ],
        "unknown": [
            {"node": item.node, "setting": item.setting, "kind": item.kind, "source": ".".join(item.source)}
            for item in named.unknown
        ],
        "packs": list(_packs(found)),
        "types_missing": [{"type": type, "nodes": ids} for type, ids in sorted(missing.items())],
        "files": list(_files(found.graph.requires.files, roots)),
        "hub": [{"uri": visible(item.value), "node": item.node} for item in named.reads if item.value.startswith(HUB)],
    }


def _exists(uri: str, roots: Roots) -> bool:
    try:
        roots.resolve(uri)
    except GraphError:
        return False
    return True


def _packs(found: Analysis) -> Iterator[dict[str, Any]]:
    registry: Registry = found.registry
    used = {node.spec.pack: "" for node in found.flat.nodes.values() if node.spec is not None}
    for name, wanted in sorted({**used, **found.graph.requires.packs}.items()):
        installed = registry.packs[name].version if name in registry.packs else None
        ok = installed is not None and (not wanted or satisfies(installed, wanted))
        yield {"name": name, "requires": wanted, "installed": installed, "ok": ok}


def _files(records: Mapping[str, FileRecord], roots: Roots) -> Iterator[dict[str, Any]]:
    prints = Fingerprints(roots.root("cache") / "fingerprints.sqlite")
    for uri, record in sorted(records.items()):
        large = record.count is not None or record.size is None or record.size > HASH_AT_ONCE
        found: str | None = uri
        try:
            path = roots.resolve(uri)
        except GraphError:
            found = search(uri, record, roots, prints, known_only=large)
            same = True if found else None
        else:
            sha256 = prints.of(path, known_only=large or path.is_dir() or path.stat().st_size > HASH_AT_ONCE)
            same = None if sha256 is None else sha256 == record.sha256
        yield {"uri": uri, "sha256": record.sha256, "size": record.size, "found": found, "same": same,
               "hub": record.hub}  # fmt: skip
