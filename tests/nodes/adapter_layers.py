"""Single layers of all forms as a model, and adapters of all kinds with random weights for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from hcpgraph_nodes.model.handles import Handle
from hcpgraph_nodes.model.root import Placement, Root
from hcpgraph_nodes.plugins.base import Plugin
from hcpgraph_nodes.plugins.blocks.adapter import AdapterBlock
from hcpgraph_nodes.plugins.blocks.full import FullBlock
from hcpgraph_nodes.plugins.blocks.kinds import BLOCKS
from hcpgraph_nodes.plugins.blocks.loha import LohaBlock
from hcpgraph_nodes.plugins.blocks.lokr import LokrBlock
from hcpgraph_nodes.plugins.blocks.lora import LoraBlock
from torch import nn

from .plugin_page import random

INPUTS = {
    "linear": (2, 3, 12),
    "plain": (4, 12),
    "conv": (2, 6, 7, 7),
    "point": (2, 6, 5, 5),
    "grouped": (2, 6, 5, 5),
    "circular": (2, 6, 5, 5),
}


class Layers(nn.Module):
    """One layer of each form."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(12, 8)
        self.plain = nn.Linear(12, 8, bias=False)
        self.conv = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.point = nn.Conv2d(6, 8, 1)
        self.grouped = nn.Conv2d(6, 8, 3, padding=1, groups=2)
        self.circular = nn.Conv2d(6, 8, 3, padding=1, dilation=2, padding_mode="circular", bias=False)
        with torch.no_grad():
            for number, parameter in enumerate(self.parameters()):
                parameter.copy_(random(*parameter.shape, seed=number) * 0.3)

    def forward(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return self.get_submodule(name)(x)


def layers(dtype: torch.dtype = torch.float32) -> Handle:
    return Handle(root=Root(Layers, Placement(torch.device("cpu"), dtype)), family="sd15")


def x_of(name: str, seed: int = 90) -> torch.Tensor:
    return random(*INPUTS[name], seed=seed)


def run(handle: Handle, name: str, x: torch.Tensor | None = None) -> torch.Tensor:
    with handle.active() as module:
        return module(name, x_of(name) if x is None else x)


def lokr(layer: nn.Module, *, factor: int | None = 2, both: bool = False, **options: Any) -> LokrBlock:
    first, split = LokrBlock.sizes(layer, options["rank"], factor, both)
    if options.get("tucker"):
        split = (split[0], True)
    return LokrBlock(layer, first=first, split=split, **options)


SMALL = {"rank": 2, "alpha": 3.0}
KINDS: dict[str, Callable[..., AdapterBlock]] = {
    "lora": partial(LoraBlock, **SMALL),
    "lora tucker": partial(LoraBlock, tucker=True, **SMALL),
    "lora dora": partial(LoraBlock, decomposed=True, **SMALL),
    "loha": partial(LohaBlock, **SMALL),
    "loha tucker": partial(LohaBlock, tucker=True, **SMALL),
    "loha dora": partial(LohaBlock, decomposed=True, **SMALL),
    "lokr whole": partial(lokr, rank=64, alpha=3.0),
    "lokr": partial(lokr, rank=1, alpha=3.0),
    "lokr both": partial(lokr, factor=None, both=True, rank=1, alpha=3.0),
    "lokr tucker": partial(lokr, rank=3, alpha=2.0, tucker=True),
    "lokr dora": partial(lokr, rank=1, alpha=0.5, decomposed=True),
    "full": FullBlock,
}


def filled(block: AdapterBlock, seed: int = 7) -> AdapterBlock:
    """Random weights; magnitudes change by at most a half."""
    with torch.no_grad():
        for number, (name, parameter) in enumerate(block.named_parameters()):
            drawn = random(*parameter.shape, seed=1000 * seed + number)
            parameter.copy_(parameter * (1 + drawn.tanh() / 2) if name == "dora_scale" else drawn * 0.4)
    return block


def made(kind: str, name: str, handle: Handle, seed: int = 7, **options: Any) -> AdapterBlock:
    return filled(KINDS[kind](handle.root.layers[name], **options), seed)


def attached(handle: Handle, name: str, *blocks: AdapterBlock) -> Handle:
    for block in blocks:
        handle = handle.attach(Plugin({name: block}).eval())
    return handle


def again(block: AdapterBlock, layer: nn.Module) -> AdapterBlock:
    """The block that a file with this one's weights would give."""
    cls = BLOCKS[block.kind]
    return cls.from_tensors(layer, block.tensors(), strength=block.strength, path="x")
