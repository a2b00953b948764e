"""`tensor.stop_gradient`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from torch import Tensor

from hcpgraph import GraphError, node

from ..model.handles import Weights

T = TypeVar("T")


@node("tensor.stop_gradient", gradient=False, title="Stop gradient")
def stop_gradient(value: T) -> T:
    """Hand on the same numbers and let gradients end here: what comes before it learns nothing of what comes after.

    In a training step gradients flow along every wire; this node is how they are ended on purpose. The wire it came on
    still carries them.

    Args:
        value: Latents, a prediction, a conditioning, a loss, or anything else that holds tensors.

    Raises:
        GraphError: E_NO_TENSOR, the value is a model, an adapter or a word, or holds no tensor.
    """
    if isinstance(value, Weights):
        raise GraphError(
            "E_NO_TENSOR",
            f"{type(value).__name__} has weights, which gradients reach through every call",
            port="value",
            hint="take model.reference for a frozen copy, or stop the gradients of what the model gives",
        )
    found: list[Tensor] = []
    result: T = _detached(value, found)
    if not found:
        raise GraphError(
            "E_NO_TENSOR",
            f"{type(value).__name__} holds no tensor",
            port="value",
            hint="leave the node out: no gradients flow along this wire",
        )
    return result


def _detached(value: Any, found: list[Tensor]) -> Any:
    """The value with every tensor in it detached; `found` gets them."""
    if isinstance(value, Tensor):
        found.append(value)
        return value.detach()
    if isinstance(value, Mapping):
        return {name: _detached(item, found) for name, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_detached(item, found) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _detached(getattr(value, field.name), found) for field in fields(value)})
    return value
