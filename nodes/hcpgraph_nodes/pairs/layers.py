"""The groups that selectors of layers name are groups of the model's family."""

from __future__ import annotations

from functools import partial
from typing import Any

from hcpgraph.errors import Problem

from ..families.table import families, groups
from ..selectors import COMPONENTS, GROUPS, split
from .told import error, warning


def families_have_the_groups(view: Any) -> list[Problem]:
    """The family on the wire has the groups that settings of layers name; beside others one may be missing."""
    found = []
    for setting, widget in view.widgets.items():
        value = view.settings.get(setting)
        if widget.get("kind") != "layers" or not isinstance(value, list | dict):
            continue
        facts = view.facts.get(widget.get("of", "model"), {})
        family, part = facts.get("family"), facts.get("weights")
        if family in families():
            asked = [text for text in value if isinstance(text, str)]
            lacking = [told for text in asked for told in _lacking(str(family), part, text)]
            make = (
                partial(error, view, "E_NO_LAYER")
                if len(lacking) == len(asked)
                else partial(warning, view, "W_NO_GROUP")
            )
            found += [make(setting, message, hint) for message, hint in lacking]
    return found


def _lacking(family: str, part: str | None, text: str) -> list[tuple[str, str]]:
    """What is wrong with a selector, and what to do; a pattern may mean anything, so that it is asked in the run."""
    said = split(text)
    group = said.rest.removeprefix("@")
    if group == said.rest or group not in GROUPS or group == "all":
        return []
    named = said.component or part
    known = [name for each in ((named,) if named in COMPONENTS else COMPONENTS) for name in groups(family, each)]
    if group in known:
        return []
    where = f"the {named} of {family}" if named in COMPONENTS else f"a model of the family {family}"
    own = ", ".join(f"@{name}" for name in dict.fromkeys((*known, "all")))
    return [(f"'{text}': {where} has no group @{group}", f"its groups: {own}")]


RULES = (families_have_the_groups,)
