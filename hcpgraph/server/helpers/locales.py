"""Titles and help of nodes in other languages: `locales/<language>.json` in a pack, English for what it leaves out.

The file is one flat JSON object:

* `"data.folder": {"title": "…", "help": "…", "doc": "…"}` — a node; `doc` where the English has one;
* `"data.folder:path": "…"` — the help of an input, output, entry, exit or setting;
* `"plugin.lora:model:output": "…"` — the help of an output (or `:entry`) that is named like something that takes a
  value: such names occur twice in a node, and `"plugin.lora:model"` is the input;
* `"label:batch_size": "…"` — a setting as the editor writes it beside its field, for every node that has one of this
  name, and for an input of a graph that is called so; `"data.folder:name:label"` is another one for one node;
* `"category:data": "…"`, `"group:Text": "…"`, `"type:Images": "…"` — the first part of node ids, a heading over
  settings, the help of a port type.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...declaring.pack import Pack
from ...document import strict_json
from ...errors import GraphErrors, Problem
from ...fingerprint import stamp
from ...languages import ENGLISH

FOLDER = "locales"
PARTS = ("title", "help", "doc")

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_SIDES = {"inputs": "", "exits": "", "outputs": ":output", "entries": ":entry"}
_DEPTH = 8


@dataclass(frozen=True)
class _Locale:
    """What a locale file says, and what is wrong with it."""

    nodes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def languages(pack: Pack) -> list[str]:
    """The languages besides English that a pack has a file for, such as `zh-CN`."""
    return sorted(name for path in (pack.folder / FOLDER).glob("*.json") if _is_language(name := path.stem))


def localized(spec: Mapping[str, Any], pack: Pack, language: str) -> dict[str, Any]:
    """A copy of a spec's JSON data (`NodeSpec.to_json()`) with its texts in a language.

    Title, help, doc, the help of ports, the descriptions of settings and the headings of their groups change, each
    where the pack has a text for it; a setting's schema gets a `title`, its label. In every language but English,
    `title_en` and `help_en` hold the English ones; `also` holds the titles in the other languages of the pack, for
    whoever searches in more than one.
    """
    result = copy.deepcopy(dict(spec))
    others = [_locale(pack, other).nodes.get(spec["id"], {}) for other in languages(pack) if other != language]
    if also := [own["title"] for own in others if "title" in own]:
        result["also"] = also
    if language == ENGLISH:
        return result
    locale = _locale(pack, language)
    result |= {"title_en": spec["title"], "help_en": spec["help"]}
    own = locale.nodes.get(spec["id"], {})
    result |= {part: own[part] for part in PARTS if spec[part] and part in own}
    for key, holder, name in _helps(result):
        holder[name] = locale.texts.get(key, holder[name])
    for name, schema in result["schema"].get("properties", {}).items():
        label = locale.texts.get(f"{spec['id']}:{name}:label", locale.texts.get(f"label:{name}"))
        if label is not None:
            schema["title"] = label
    return result


def localized_type(info: Mapping[str, Any], pack: Pack, language: str) -> dict[str, Any]:
    """A copy of a port type's JSON data (`TypeInfo.to_json()`) with its help in a language, if the pack has it."""
    return {**info, "help": _locale(pack, language).texts.get(f"type:{info['name']}", info["help"])}


def categories(pack: Pack, language: str) -> dict[str, str]:
    """Category (the first part of node ids) -> its name, for those that the pack names in this language."""
    return _named(pack, language, "category:")


def labels(pack: Pack, language: str) -> dict[str, str]:
    """Setting, or input of a graph -> its label, for those that the pack names in this language."""
    return _named(pack, language, "label:")


def _named(pack: Pack, language: str, prefix: str) -> dict[str, str]:
    texts = _locale(pack, language).texts
    return {key.removeprefix(prefix): text for key, text in texts.items() if key.startswith(prefix)}


def problems(pack: Pack) -> list[Problem]:
    """What is wrong with the locale files of a pack, as warnings: E_LOCALE."""
    return [problem for language in languages(pack) for problem in _locale(pack, language).problems]


def english(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Key -> English text (of a node: title, help and doc) of everything that a locale file should have for a spec."""
    node = {part: spec[part] for part in PARTS if spec[part]}
    settings = spec["schema"].get("properties", {})
    labels = {f"label:{name}": schema.get("title", name.replace("_", " ")) for name, schema in settings.items()}
    return {spec["id"]: node} | labels | {key: holder[name] for key, holder, name in _helps(spec)}


def _helps(spec: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Every text of a spec besides those of the node: its key, and the object and the name under which it stands."""
    settings = spec["schema"].get("properties", {})
    taking = {port["name"] for side in ("inputs", "exits") for port in spec[side]} | set(settings)
    for side, suffix in _SIDES.items():
        for port in spec[side]:
            if port.get("help"):
                yield f"{spec['id']}:{port['name']}{suffix if port['name'] in taking else ''}", port, "help"
    for name, schema in settings.items():
        if schema.get("description"):
            yield f"{spec['id']}:{name}", schema, "description"
        widget = schema.get("x-widget", {})
        if widget.get("group"):
            yield f"group:{widget['group']}", widget, "group"


def _is_language(name: str) -> bool:
    return name != ENGLISH and _LANGUAGE.fullmatch(name) is not None


def _locale(pack: Pack, language: str) -> _Locale:
    """The texts of a language; none for a language that the pack does not have, or that is no language's name."""
    if not _is_language(language):
        return _Locale()
    path = pack.folder / FOLDER / f"{language}.json"
    try:
        return _read(path, stamp(path))
    except OSError:
        return _Locale()


@lru_cache(maxsize=64)
def _read(path: Path, stamped: str) -> _Locale:
    """Read a file, once for a stamp, so that an edited one is read again."""
    try:
        text = path.read_text(encoding="utf-8")
        if strict_json.depth(text) > _DEPTH:
            raise ValueError("it is nested too deeply")
        data, found = strict_json.parse(text)
    except GraphErrors as error:
        return _broken(path, error.problems[0].message)
    except (OSError, ValueError) as error:
        return _broken(path, str(error))
    if not isinstance(data, dict):
        return _broken(path, "it is no JSON object")
    nodes: dict[str, Mapping[str, str]] = {}
    texts: dict[str, str] = {}
    wrong: list[str] = [problem.message for problem in found]
    for key, value in data.items():
        if ":" not in key and isinstance(value, dict) and all(map(_is_part, value.items())):
            nodes[key] = value
        elif ":" in key and isinstance(value, str):
            texts[key] = value
        else:
            shape = "a text" if ":" in key else "an object of the texts title, help and doc"
            wrong.append(f"'{key}' must be {shape}")
    return _Locale(nodes, texts, tuple(_problem(path, message) for message in wrong))


def _is_part(item: tuple[str, Any]) -> bool:
    return item[0] in PARTS and isinstance(item[1], str)


def _broken(path: Path, reason: str) -> _Locale:
    return _Locale(problems=(_problem(path, reason),))


def _problem(path: Path, reason: str) -> Problem:
    hint = "its texts stay English until it is mended"
    return Problem("E_LOCALE", f"the locale file {path}: {reason}", hint=hint, severity="warning")
