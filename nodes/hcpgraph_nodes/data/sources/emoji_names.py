"""Names, tags and groups of the OpenMoji pictures.

Names and aliases come from the pip package `emoji` (Unicode CLDR short names). Groups and subgroups are those of
Unicode's emoji-test; `emoji_groups.json` lists the single characters in emoji order, sequences follow from them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ZWJ = "\u200d"
TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
REGIONAL = frozenset(map(chr, range(0x1F1E6, 0x1F200)))
PEOPLE = frozenset("👨👩🧑")
FAMILY = frozenset("👦👧👨👩🧒🧑🤝❤")
HAIR = frozenset("🦰🦱🦳🦲")
AIDS = frozenset("🦯🦼🦽🩰")
VARIATION = "\ufe0f"


@dataclass(frozen=True, slots=True)
class Emoji:
    """One emoji: `code` as in the file name, `name` such as "cat face", tags, and its place in Unicode's order."""

    code: str
    name: str
    tags: tuple[str, ...]
    group: str
    subgroup: str
    order: int
    toned: bool


@cache
def _places() -> dict[str, tuple[int, str, str]]:
    table = json.loads(Path(__file__).with_name("emoji_groups.json").read_text(encoding="utf-8"))
    flat = [(c, group, subgroup) for group, subs in table.items() for subgroup, chars in subs.items() for c in chars]
    return {c: (order, group, subgroup) for order, (c, group, subgroup) in enumerate(flat)}


def place(text: str) -> tuple[int, str, str] | None:
    """(order, group, subgroup) of an emoji, or None for a character that is none."""
    first, *rest = text.replace(VARIATION, "").split(ZWJ)
    places = _places()
    if first[0] in REGIONAL:
        return len(places), "flags", "country-flag"
    if first[0] == "🏴" and len(first) > 1:
        return len(places) + 1, "flags", "subdivision-flag"
    found = places.get(first[0])
    if found is None or first[0] not in PEOPLE or not rest:
        return found
    tail = rest[0][0]
    if tail in FAMILY:
        subgroup = "family"
    elif tail in HAIR or tail in "♀♂":
        subgroup = "person"
    elif tail in AIDS:
        subgroup = "person-activity"
    else:
        subgroup = "person-fantasy" if tail == "🎄" else "person-role"
    return places[first[0]][0], "people-body", subgroup


def catalogue(codes: Iterable[str]) -> list[Emoji]:
    """The emoji among these file codes (`1F408-200D-2B1B`), in Unicode's order; codes without a name are left out."""
    import emoji

    known = emoji.EMOJI_DATA
    found = []
    for code in codes:
        text = "".join(chr(int(part, 16)) for part in code.split("-"))
        entry, where = known.get(text), place(text)
        if entry is None or where is None:
            continue
        order, group, subgroup = where
        name = _plain(entry["en"])
        if subgroup in ("country-flag", "subdivision-flag"):
            name = f"flag of {name}"
        tags = tuple(tag for tag in map(_plain, entry.get("alias", ())) if tag != name and not tag[-1].isdigit())
        found.append(Emoji(code, name, tags, group, subgroup, order, bool(TONES & set(text))))
    return sorted(found, key=lambda e: (e.order, e.code))


def _plain(name: str) -> str:
    return name.strip(":").replace("_", " ")
