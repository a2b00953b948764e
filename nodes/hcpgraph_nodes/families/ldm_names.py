"""Names of a UNet's layers and parameters in the original layout (LDM, sgm) and in diffusers, both ways.

The original layout numbers what diffusers nests: `input_blocks` are the first convolution and then, one after
another, every ResNet block (with its attention at `.1`) and every downsampler; `output_blocks` are the ResNet blocks of
the way up, whose last one a resolution also holds the upsampler. Source of the names: `UNetModel` in
https://github.com/CompVis/stable-diffusion and https://github.com/Stability-AI/generative-models (openaimodel.py).
Torch-free.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .dit.layout import Place

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
"""Layers of a ResNet block: diffusers -> original."""
OUTER = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
LABEL = {"linear_1": "label_emb.0.0", "linear_2": "label_emb.0.2"}


class UNetNames:
    """The two names of every layer of one UNet, or of the copy of its first half in a ControlNet.

    Args:
        config: A diffusers configuration of the UNet2DConditionModel (SD 1.x, SD 2.x, SDXL in any size) or of the
            ControlNetModel, which has no `up_block_types`.

    Attributes:
        pairs: Names of the layers that the layouts nest differently, diffusers -> original. What lies below one of
            them (a parameter, or a layer of a transformer) has the same name in both.
        blocks: Names of the ResNet blocks, whose layers are in `pairs`, diffusers -> original.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        pairs, blocks = dict(_pairs(config)), dict(_blocks(config))
        for own, original in blocks.items():
            pairs |= {f"{own}.{name}": f"{original}.{other}" for name, other in RESNET.items()}
        self.pairs: Mapping[str, str] = pairs
        self.blocks: Mapping[str, str] = blocks
        self._back = {original: own for own, original in pairs.items()}
        self._blocks_back = {original: own for own, original in blocks.items()}

    def to_ldm(self, name: str) -> str | None:
        """The original name of a layer or parameter, without `model.diffusion_model.`; None if it has none."""
        return self.blocks.get(name) or _renamed(name, self.pairs)

    def place(self, own: str) -> Place:
        """Where a layer lies in the original layout, see `spelling.Originals`."""
        return Place(self.to_ldm(own) or own, 0, (own,), False)

    def to_diffusers(self, name: str) -> str | None:
        """The name in diffusers of a layer or parameter by its original name; None if it has none."""
        return self._blocks_back.get(name) or _renamed(name, self._back)


def _renamed(name: str, table: Mapping[str, str]) -> str | None:
    """The name with its longest beginning that the table knows replaced; beginnings end at dots."""
    end = len(name)
    while end > 0:
        if (found := table.get(name[:end])) is not None:
            return found + name[end:]
        end = name.rfind(".", 0, end)
    return None


def _pairs(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from OUTER.items()
    if config.get("addition_embed_type") == "text_time":
        yield from ((f"add_embedding.{own}", original) for own, original in LABEL.items())
    if config.get("class_embed_type") in ("timestep", "projection"):
        yield from ((f"class_embedding.{own}", original) for own, original in LABEL.items())
    elif config.get("num_class_embeds"):
        yield "class_embedding", "label_emb"
    yield "mid_block.attentions.0", "middle_block.1"
    for half, level, index, place, attention, resample in _places(config):
        if attention:
            yield f"{half}_blocks.{level}.attentions.{index}", f"{place}.1"
        if half == "up" and resample:
            yield f"up_blocks.{level}.upsamplers.0.conv", f"{place}.{2 if attention else 1}.conv"
        if half == "down" and resample:
            block, number = place.split(".")
            yield f"down_blocks.{level}.downsamplers.0.conv", f"{block}.{int(number) + 1}.0.op"


def _blocks(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from (("mid_block.resnets.0", "middle_block.0"), ("mid_block.resnets.1", "middle_block.2"))
    for half, level, index, place, _, _ in _places(config):
        yield f"{half}_blocks.{level}.resnets.{index}", f"{place}.0"


def _places(config: Mapping[str, Any]) -> Iterator[tuple[str, int, int, str, bool, bool]]:
    """Every ResNet block: half, resolution, number in it, original block, whether attention and resampling follow."""
    down = config["down_block_types"]
    layers = config.get("layers_per_block", 2)
    counts = [layers] * len(down) if isinstance(layers, int) else list(layers)
    number = 1
    for level, (kind, count) in enumerate(zip(down, counts, strict=True)):
        further = level < len(down) - 1
        for index in range(count):
            place = f"input_blocks.{number + index}"
            yield "down", level, index, place, "CrossAttn" in kind, further and index == count - 1
        number += count + further
    number = 0
    for level, kind in enumerate(config.get("up_block_types", ())):
        count = counts[-1 - level] + 1
        for index in range(count):
            place = f"output_blocks.{number + index}"
            last = index == count - 1 and level < len(down) - 1
            yield "up", level, index, place, "CrossAttn" in kind, last
        number += count
