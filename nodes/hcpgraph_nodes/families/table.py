"""What is known of the model families without importing them (torch-free).

A family is one module of any pack. At its top stands `TABLE`, literals alone, that make it known to every node:

* `"table": "families"`, and its `name`;
* `groups`: component -> its groups of layers: a list of what is put together, each either `{group: [selector, …]}` or
  the name of a row of the table `layer_groups` whose `groups` are that, in a module that the family imports. Layers
  without weights do not count. The group `all` is not declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hcpgraph import GraphError, table
from hcpgraph.errors import did_you_mean

if TYPE_CHECKING:
    from hcpgraph.declaring.tables import Row


def families() -> Mapping[str, Row]:
    """The families by name."""
    return table("families")


def said(name: str) -> Mapping[str, Any]:
    """What a family declares.

    Raises:
        GraphError: E_FAMILY, no such family.
    """
    known = families()
    if name not in known:
        raise GraphError("E_FAMILY", f"unknown model family '{name}'", hint=did_you_mean(name, known, "families"))
    return known[name].values


def groups(name: str, component: str | None) -> dict[str, list[str]]:
    """The groups of layers of a component: name -> selectors; none of a family that nobody declares.

    Raises:
        GraphError: E_FAMILY, it names a row of `layer_groups` that nobody declares.
    """
    found: dict[str, list[str]] = {}
    for each in families()[name].values.get("groups", {}).get(component, ()) if name in families() else ():
        for group, selectors in (each if isinstance(each, dict) else _shared(name, each)).items():
            found.setdefault(group, []).extend(selectors)
    return found


def _shared(name: str, groups: str) -> Mapping[str, list[str]]:
    rows = table("layer_groups")
    if groups not in rows:
        message, hint = (
            f"the family {name} has the layer groups of '{groups}', which nobody declares",
            "correct its TABLE",
        )
        raise GraphError("E_FAMILY", message, hint=hint)
    shared: Mapping[str, list[str]] = rows[groups].values["groups"]
    return shared
