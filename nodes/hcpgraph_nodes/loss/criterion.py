"""`loss.criterion`."""

from __future__ import annotations

import inspect
from dataclasses import replace

from hcpgraph import GraphError, node

from ..python.object import PythonObject
from ..types import Prediction, SampleLoss, Target
from .mse import same_kind


@node("loss.criterion", title="Any loss")
def criterion(prediction: Prediction, target: Target, kind: PythonObject) -> SampleLoss:
    """A loss of any class that you trust, such as torch.nn:SmoothL1Loss, of every element.

    Args:
        prediction: What the denoiser returned (B, C, h, w).
        target: What it should have returned (B, C, h, w).
        kind: The class, from python.object; it must be able to leave out the reduction.

    Returns:
        out: Losses (B, C, h, w), not reduced.

    Raises:
        GraphError: E_PREDICTION, the two mean different things; E_OBJECT, the class always reduces.
    """
    same_kind(prediction, target)
    if "reduction" not in inspect.signature(kind.cls).parameters:
        hint = "name a loss with an argument 'reduction' in python.object, such as torch.nn:L1Loss"
        raise GraphError("E_OBJECT", f"{kind.cls.__name__} cannot leave out the reduction", port="kind", hint=hint)
    loss = replace(kind, args={**kind.args, "reduction": "none"}).make()
    return SampleLoss(loss(prediction.data, target.data))
