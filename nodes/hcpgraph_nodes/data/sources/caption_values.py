"""What stands for a caption in JSON, YAML and tables: a text, several, an object that has one, or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hcpgraph.errors import GraphError

from ...text_files import REMEDY, NotText, decoded
from .tables import CAPTION_COLUMNS, TAG_COLUMNS, is_nan

HINT = 'a caption is a text, a list of texts or {"caption": "a text"}'


def clean(text: str) -> str:
    """A caption on one line."""
    return " ".join(text.split())


def caption_in(value: Any, where: str) -> str | None:
    """The caption in a JSON or YAML value; several are lines; None for null and not-a-number.

    An object has a caption, tags, or both, which are put together as kohya's scripts do: `caption, tags`.

    Raises:
        GraphError: E_CAPTION, it is something else.
    """
    if value is None or is_nan(value):
        return None
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        lines = [caption_in(one, where) for one in value if not isinstance(one, dict | list)]
        if len(lines) == len(value):
            return "\n".join(line for line in lines if line) or None
    if isinstance(value, dict):
        named = next((name for name in CAPTION_COLUMNS if value.get(name) is not None), None)
        text = None if named is None else caption_in(value[named], where)
        tagged = next((name for name in TAG_COLUMNS if value.get(name) is not None), None)
        tags = None if tagged is None else caption_in(value[tagged], where)
        if tags is not None:
            tags = ", ".join(tags.splitlines())
        known = {*CAPTION_COLUMNS, *TAG_COLUMNS} & set(value)
        if known:
            return "\n".join(f"{line}, {tags}" if tags else line for line in text.splitlines()) if text else tags
    raise GraphError("E_CAPTION", f"'{where}' holds no caption", hint=HINT)


def read_json(path: Path) -> Any:
    """Raises GraphError E_CAPTION: not JSON, not UTF-8."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise GraphError("E_CAPTION", f"'{path.name}' is not valid JSON: {error}", hint="correct the file") from None


def read_yaml(path: Path) -> Any:
    """What a YAML file says, every plain value as the text that stands there: `no`, `007` and `1e3` are words.

    Null (`~`, `null` or nothing at all) is None.

    Raises:
        GraphError: E_CAPTION, not YAML, not UTF-8.
    """
    import yaml

    try:
        return yaml.load(read_text(path), _words())
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or type(error).__name__
        raise GraphError(
            "E_CAPTION", f"'{path.name}' is not valid YAML{place}: {problem}", hint="correct the file"
        ) from None


def read_text(path: Path) -> str:
    """Raises GraphError E_CAPTION: not UTF-8, not readable."""
    try:
        return decoded(path.read_bytes())
    except NotText as error:
        raise GraphError("E_CAPTION", f"'{path.name}' {error}", hint=REMEDY) from None
    except OSError as error:
        raise GraphError("E_CAPTION", f"'{path.name}' cannot be read: {error.strerror}", hint="see the file") from None


def _words() -> Any:
    """A loader of texts, lists, objects and null, in C where there is libyaml."""
    import re

    import yaml

    base: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

    class Words(base):  # type: ignore[misc]
        pass

    null = "tag:yaml.org,2002:null"
    Words.add_implicit_resolver(null, re.compile("(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
    Words.add_constructor(null, lambda loader, node: None)
    return Words
