"""The sizes of a network that is not there."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

WEIGHT = ".weight"


def outputs(make: Callable[[], nn.Module]) -> dict[str, int]:
    """Rows of the weights of the layers of a network by name; it is made without memory.

    Args:
        make: Makes the network.
    """
    with torch.device("meta"):
        made = make()
    return {name.removesuffix(WEIGHT): len(value) for name, value in made.named_parameters() if name.endswith(WEIGHT)}
