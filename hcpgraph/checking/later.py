"""What a step keeps for the next one: nodes whose later ports are read when a pass is over (docs/adr/026-state.md)."""

from __future__ import annotations

from ..types import Lattice
from .flat import Flat, FlatNode
from .wires import Wires


def check(flat: Flat, wires: Wires, types: Lattice) -> None:
    """Such a node stands in the step of a training loop, and keeps a value that is no model."""
    for node in flat.nodes.values():
        if node.spec is None or not node.spec.later:
            continue
        owner = flat.nodes.get(node.parent or "")
        if owner is None or owner.spec is None or not owner.spec.resumes:
            message = "it is kept from step to step, and stands in no training step"
            hint = "move it into the region of a training loop itself; flow.repeat hands on a state of its own"
            flat.error("E_KEPT", message, node.id, hint=hint)
        for port in node.spec.outputs:
            if (kind := _runs(node, port.name, wires, types)) is not None:
                message = f"a {kind} has weights, which are not kept from step to step like a value"
                hint = "train them with an optimizer, or read their moving average with model.average"
                flat.error("E_KEPT", message, node.id, port.name, hint)


def _runs(node: FlatNode, port: str, wires: Wires, types: Lattice) -> str | None:
    """The type of an output, if it has weights or stands for parts that have."""
    kind = wires.types.get((node.id, port))
    info = None if kind is None else types.get((kind.args[0] if kind.args else kind).name)
    return info.name if info is not None and (info.weights or info.parts) else None
