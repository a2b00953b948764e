"""Node types and port types as the editor gets them, in one language. Runs in a helper process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from ...declaring.registry import Registry, default_registry
from ...error_codes import error_codes
from ...errors import GraphErrors
from .. import LANGUAGES
from .accepts import table
from .locales import categories, labels, localized, localized_type
from .locales import problems as locale_problems
from .validate import Packs, told

SHOWN = (
    "id", "version", "title", "help", "doc", "pack", "effects", "inputs", "outputs", "body", "entries", "exits",
    "schema", "setting_types", "defaults", "mutates", "trains", "resumes", "choose",
)  # fmt: skip


HIDDEN = ("gradient", "told", "join", "split")
"""What the editor does not need to know of a port type."""


def specs(language: str, packs: Packs) -> tuple[str, str]:
    """The reply of /api/specs as JSON text, and its etag.

    Raises:
        GraphErrors: E_LANGUAGE.
    """
    if language not in LANGUAGES:
        hint = f"there are {', '.join(LANGUAGES)}"
        raise GraphErrors.one("E_LANGUAGE", f"there are no texts in the language '{language[:40]}'", hint=hint)
    registry = default_registry(packs)
    codes, wrong = error_codes((pack.folder for pack in registry.packs.values()), language)
    broken = [problem for pack in registry.packs.values() for problem in locale_problems(pack)]
    reply = {
        "specs": list(_specs(registry, language)),
        "types": list(_types(registry, language)),
        "accepts": table(registry.specs.values(), registry.types),
        "categories": {
            name: text for pack in registry.packs.values() for name, text in categories(pack, language).items()
        },
        "labels": {name: text for pack in registry.packs.values() for name, text in labels(pack, language).items()},
        "codes": {one.code: one.meaning for one in codes.values()},
        "problems": told([*registry.problems, *broken, *wrong]),
        "hash": hash_of(registry),
    }
    text = json.dumps(reply, ensure_ascii=False)
    return text, hashlib.sha256(text.encode()).hexdigest()[:32]


def current(packs: Packs) -> str:
    """The hash of the node types there are now: it changes when a pack's files change what they declare."""
    return hash_of(default_registry(packs))


def hash_of(registry: Registry) -> str:
    """Names what the packs declare, whatever the language."""
    said = [spec.to_json() | {"schema": registry.shown(spec)} for _, spec in sorted(registry.specs.items())]
    types = [info.to_json() for _, info in sorted(registry.types.items())]
    return hashlib.sha256(json.dumps([said, types, told(registry.problems)]).encode()).hexdigest()[:32]


def _specs(registry: Registry, language: str) -> Iterator[dict[str, Any]]:
    for _, spec in sorted(registry.specs.items()):
        whole = spec.drawn() | {"schema": registry.shown(spec)}
        shown = {name: whole[name] for name in SHOWN}
        yield localized(shown, registry.packs[spec.pack], language)


def _types(registry: Registry, language: str) -> Iterator[dict[str, Any]]:
    for _, info in sorted(registry.types.items()):
        shown = {name: value for name, value in info.to_json().items() if name not in HIDDEN}
        for pack in registry.packs.values():
            shown = localized_type(shown, pack, language)
        yield shown
