"""Settings that are `auto` and mean what fits the model that is wired.

`DEFAULTS` of a pack's rules say what such a setting stands for, by the facts of the input ports. The value is put into
the settings before keys are made and rules are asked, so that it equals one that is written out. Where the facts are
not known before the run, the setting stays `auto`, and the node says what to do.

`ASKED` names input ports that are there for their facts alone: their wires end here. So the values count and not the
model: nodes do not wait for it, and another model with the same values changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..declaring.registry import Registry
from ..errors import GraphError
from .flat import Flat
from .lengths import AUTO
from .wires import Wires


@dataclass(frozen=True)
class Default:
    """What a setting that is `auto` stands for.

    Attributes:
        node, setting: Which.
        value: The value.
        why: Where it is from, such as the family of a model.
    """

    node: str
    setting: str
    value: Any
    why: str

    def __str__(self) -> str:
        return f"{self.setting} {self.value} ({self.why})"


def resolve(
    flat: Flat, settings: Mapping[str, dict[str, Any]], wires: Wires, registry: Registry
) -> tuple[Default, ...]:
    """Put values in the place of `auto`, and take off the wires that were there for that; what cannot be had is told.

    Args:
        flat: Gets the problems, and loses wires.
        settings: Are changed.
        wires: Facts.
        registry: What the packs say.
    """
    found = []
    for node in flat.nodes.values():
        for name, stands_for in registry.defaults.get(node.type, {}).items():
            if settings[node.id].get(name) != AUTO:
                continue
            facts = wires.inputs.get(node.id, {})
            try:
                told = stands_for({port: facts.get(port, {}) for port in node.inputs})
            except GraphError as error:
                problem = error.problem
                flat.error(problem.code, problem.message, node.id, name, problem.hint)
                continue
            if told is not None:
                settings[node.id][name] = told[0]
                found.append(Default(node.id, name, *told))
        for port in registry.asked.get(node.type, ()):
            node.inputs.pop(port, None)
    return tuple(found)
