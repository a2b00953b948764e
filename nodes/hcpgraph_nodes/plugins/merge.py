"""`plugin.merge`: adapters become part of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from hcpgraph import Facts, GraphError, Port, node
from hcpgraph.errors import listed

from ..model.handles import Handle, component
from .attach import M
from .blocks.adapter import AdapterBlock
from .blocks.shapes import bias_of, weight_of


@node("plugin.merge", cache="none", title="Merge plugins")
def merge(model: M) -> Annotated[M, Facts(family=Port("model"))]:
    """A copy of a model whose own weights have its LoRAs and other adapters in them.

    Of a whole model only parts that are trained or have adapters are copied. The copy gives what the model gives, needs
    no more time than without adapters, and can be saved with model.save. It is not trained and has no plugins; the wire
    it came on still means the model with its plugins.

    Args:
        model: A denoiser, text encoder, VAE or ControlNet with adapters.

    Returns:
        out: The copy.

    Raises:
        GraphError: E_NO_MODEL; E_MERGE, a plugin is no change of weights, or a layer has no place for a bias.
    """
    component(model)
    if not model.stack and not model.trainable:
        return model
    return replace(model, stack=()).copy(merged_weights(model))


@torch.no_grad()
def merged_weights(model: Handle) -> Mapping[int, Tensor]:
    """The weights and biases that the adapters of a handle change, as they would be: by id of the parameter, float32.

    Raises:
        GraphError: E_MERGE.
    """
    others = [
        f"{type(block).__name__} at '{path}'"
        for plugin in model.stack
        for path, block in plugin.blocks.items()
        if not isinstance(block, AdapterBlock)
    ]
    if others:
        raise GraphError(
            "E_MERGE",
            f"these plugins are no change of weights: {listed(others)}",
            port="model",
            hint="merge first, and attach them to the merged model",
        )
    values: dict[int, Tensor] = {}
    homeless: list[str] = []
    for plugin in model.stack:
        for path, block in plugin.blocks.items():
            assert isinstance(block, AdapterBlock)
            layer = model.root.layers[path]
            weight = weight_of(layer)
            changes = [(weight, block.delta(weight)), (bias_of(layer), block.delta_bias())]
            for own, change in changes:
                if change is None:
                    continue
                if own is None:
                    homeless.append(f"'{path}'")
                    continue
                values[id(own)] = values.get(id(own), own.detach().float()) + change
    if homeless:
        raise GraphError(
            "E_MERGE",
            f"these layers have no bias that could take the change of it: {listed(homeless)}",
            port="model",
            hint="train without bias to merge",
        )
    return values
