"""`plugin.convert_to_lora`: the change that any adapter makes, as a plain LoRA of some rank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from hcpgraph import Context, GraphError, Probe, node
from hcpgraph.errors import listed
from hcpgraph.widgets import Slider

from ..model.bundle import Model, part_context
from ..model.handles import component
from .attach import Adapted, M, adapted
from .base import Adapter, Plugin, placed
from .blocks.adapter import AdapterBlock
from .blocks.lora import LoraBlock
from .blocks.shapes import weight_of
from .several import joined


@node("plugin.convert_to_lora", effects="resource", changes=Probe("parts of the wire"), title="Convert to LoRA")
def convert_to_lora(
    ctx: Context,
    model: M,
    adapter: Adapter,
    *,
    rank: Annotated[int, Field(ge=1, le=1024), Slider(step=1, primary=True)] = 64,
) -> Adapted[M]:
    """Make a plain LoRA of a LoHa, LoKr, DoRA, full difference or wider LoRA, for programs that read nothing else.

    The singular values of every layer's change decide what a LoRA of this rank keeps: no other one comes nearer
    (Eckart and Young 1936, https://doi.org/10.1007/BF02288367). The log says how much is lost. The LoRA is frozen.

    Args:
        model: The model that the adapter is attached to or was made for.
        adapter: What to convert.
        rank: Inner width of the LoRA; layers with fewer inputs or outputs get as many as they have.

    Returns:
        model: The model with the LoRA instead of the adapter.
        params: Nothing.
        adapter: The LoRA alone, for plugin.save.

    Raises:
        GraphError: E_NO_MODEL; E_ADAPTER, the adapter is for another component or family, or has blocks that are no
            change of the weight of a Linear or Conv2d layer.
    """
    if isinstance(model, Model):
        made = {
            name: convert_to_lora(part_context(ctx, name), model.part(name), each, rank=rank)
            for name, each in ((each.component, each) for each in adapter.each)
        }
        return joined(model, made)
    name = component(model)
    if adapter.more:
        message = f"the adapter is for {listed(each.component for each in adapter.each)}, the wire is a {name} alone"
        raise GraphError("E_ADAPTER", message, port="model", hint="wire the whole model")
    if (adapter.component, adapter.family) != (name, model.family):
        raise GraphError(
            "E_ADAPTER",
            f"the adapter is for the {adapter.component} of {adapter.family}, the model is a {name} of {model.family}",
            port="adapter",
            hint="wire the model that it was made for",
        )
    layers = model.root.layers
    _refuse(adapter, layers)
    blocks: dict[str, LoraBlock] = {}
    lost, whole, worst = 0.0, 0.0, (0.0, "")
    for done, (path, block) in enumerate(adapter.plugin.blocks.items()):
        ctx.check()
        assert isinstance(block, AdapterBlock)
        weights = block.tensors()
        plain = type(block).from_tensors(layers[path], weights, strength=1.0, path=path)
        change = plain.delta(weight_of(layers[path]))
        made, error = nearest(change, rank)
        if "diff_b" in weights:
            made["diff_b"] = weights["diff_b"].detach()
        blocks[path] = placed(LoraBlock.from_tensors(layers[path], made, strength=block.strength, path=path), model)
        size = float(change.square().sum())
        lost, whole = lost + error, whole + size
        worst = max(worst, ((error / size) ** 0.5 if size else 0.0, path))
        ctx.progress(done + 1, len(adapter.plugin.blocks))
    share = (lost / whole) ** 0.5 if whole else 0.0
    ctx.log(f"rank {rank} loses {share:.2%} of the change (Frobenius norm); most at {worst[1]}: {worst[0]:.2%}")
    bare = next((model.without(each) for each in model.stack if each.source is adapter.plugin), model)
    return adapted(bare, name, Plugin(blocks, trainable=False), ctx.node, None)


def nearest(change: Tensor, rank: int) -> tuple[dict[str, Tensor], float]:
    """The tensors of the LoRA nearest to a change of a weight, and the squared Frobenius norm of what it lacks.

    Args:
        change: (out, in) or (out, in, k, k); the latter is taken as a matrix (out, in · k · k), so that `down` is k×k.
        rank: Inner width at most; alpha is the one that the LoRA has, so that its scale is 1.
    """
    matrix = change.detach().float().flatten(1)
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    width = min(rank, len(s))
    root = s[:width].sqrt()
    kernel = change.shape[1:]
    found = {
        "lora_down.weight": (root[:, None] * vh[:width]).reshape(width, *kernel),
        "lora_up.weight": (u[:, :width] * root).reshape(len(matrix), width, *(1,) * (len(kernel) - 1)),
        "alpha": torch.tensor(float(width)),
    }
    return found, float(s[width:].square().sum())


def _refuse(adapter: Adapter, layers: Mapping[str, nn.Module]) -> None:
    """Whether every block is a change of the weight of a layer that can have a LoRA.

    Raises:
        GraphError: E_ADAPTER.
    """
    wrong = [
        f"{type(block).__name__} at {path}"
        for path, block in adapter.plugin.blocks.items()
        if not isinstance(block, AdapterBlock) or not isinstance(layers[path], nn.Linear | nn.Conv2d)
    ]
    if wrong:
        raise GraphError(
            "E_ADAPTER",
            f"no LoRA stands for {listed(wrong)}",
            port="adapter",
            hint="merge it into the weights with plugin.merge",
        )
