"""Any optimizer class."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from hcpgraph import GraphError, Many, node
from hcpgraph.widgets import Hint, Slider

from ..python.object import PythonObject
from ..types import Params
from .optimizer import Optimizer, param_groups


@node("optim.custom", effects="resource", title="Any optimizer")
def custom(
    params: Many[Params],
    kind: PythonObject,
    *,
    lr: Annotated[float, Field(ge=0), Slider(log=True, primary=True)] = 1e-4,
    max_grad_norm: Annotated[float, Field(ge=0), Hint(advanced=True)] = 1.0,
) -> Optimizer:
    """An optimizer of any class that you trust, such as torch.optim:SGD.

    Args:
        params: What is trained; a group with its own learning rate or weight decay keeps it.
        kind: The class and its further arguments, from python.object.
        lr: Learning rate.
        max_grad_norm: L2 norm over all parameters that gradients are cut to before a step; 0 leaves them alone.

    Raises:
        GraphError: E_OBJECT, the class is no torch optimizer, refuses its arguments, or has no weight decay, which
            a group asks for.
    """
    groups, names, labels = param_groups(params, lr)
    if not issubclass(kind.cls, torch.optim.Optimizer):
        hint = "name a subclass of torch.optim.Optimizer in python.object"
        raise GraphError("E_OBJECT", f"{kind.cls.__name__} is no torch optimizer", port="kind", hint=hint)
    optimizer: torch.optim.Optimizer = kind.make(groups)
    if "weight_decay" not in optimizer.defaults and any(group.get("weight_decay") for group in groups):
        hint = "leave weight_decay of the adapters and words empty, or take another optimizer"
        raise GraphError("E_OBJECT", f"{kind.cls.__name__} has no weight decay", port="params", hint=hint)
    return Optimizer(optimizer, names, labels, clip=max_grad_norm)
