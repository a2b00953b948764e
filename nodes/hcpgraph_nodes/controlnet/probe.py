"""What a ControlNet file holds, read from its configuration or its header alone (torch-free).

Files come in two layouts: diffusers' names, or the original ones of https://github.com/lllyasviel/ControlNet, below
`control_model.` or at the top. Neither says how the network is built, so its sizes are read off the tensors' shapes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any

from ..families.probe import family_of_config
from ..families.safetensors_file import safetensors_header

PREFIX = "control_model."
CONFIG = "hcpgraph.config"
"""Key in a file's metadata: the diffusers configuration of the network."""
OWN, ORIGINAL = "controlnet_cond_embedding.conv_in.weight", "input_hint_block.0.weight"
SUBFOLDER = "controlnet"
Shape = Sequence[int]


@dataclass(frozen=True)
class ControlFile:
    """A ControlNet in one file.

    Attributes:
        original: Whether its names are the original ones.
        shapes: Shape of every tensor, by its name without prefix.
        prefix: What the names begin with in the file.
        config: Its configuration, where the file has one.
    """

    original: bool
    shapes: Mapping[str, Shape]
    prefix: str
    config: Mapping[str, Any] | None


def read_control(path: Path) -> ControlFile | None:
    """What a .safetensors file holds; None if it is no ControlNet.

    Raises:
        OSError, ValueError: The file cannot be read.
    """
    header = safetensors_header(path)
    metadata = header.pop("__metadata__", None) or {}
    for prefix in (PREFIX, ""):
        shapes = {key.removeprefix(prefix): each["shape"] for key, each in header.items() if key.startswith(prefix)}
        if OWN in shapes or ORIGINAL in shapes:
            config = json.loads(metadata[CONFIG]) if CONFIG in metadata else None
            if config is not None and not isinstance(config, dict):
                raise ValueError(f"{path.name} has a configuration that is no JSON object")
            return ControlFile(OWN not in shapes, shapes, prefix, config)
    return None


def control_folder(path: Path) -> Path:
    """The folder of the ControlNet: itself, or the one in a pipeline that diffusers saved."""
    return path / SUBFOLDER if (path / SUBFOLDER).is_dir() else path


def probe_control(path: Path) -> str | None:
    """The family of a folder or file, None if it is not recognised."""
    try:
        if path.is_dir():
            config = json.loads((control_folder(path) / "config.json").read_text("utf-8"))
            return family_of(config) if config.get("_class_name") == "ControlNetModel" else None
        found = read_control(path) if path.suffix == ".safetensors" else None
        return None if found is None else family_of(found.config or derived_config(found))
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError, IndexError):
        return None


def family_of(config: Mapping[str, Any]) -> str | None:
    """The family of a network by its configuration; None: no family or more than one has such ControlNets."""
    return family_of_config("controlnet", config)


def derived_config(file: ControlFile) -> dict[str, Any]:
    """The diffusers configuration of a network, from the shapes of its tensors.

    Shapes do not tell the number of attention heads: it is 8 with convolutions around the attention, as in SD 1.x, and
    one for 64 channels with linear layers, as in SD 2.x and SDXL.

    Raises:
        KeyError: It is built in another way.
    """
    shapes = file.shapes
    levels = list(_original_levels(shapes) if file.original else _own_levels(shapes))
    channels = [level.channels for level in levels]
    middle = "middle_block.1" if file.original else "mid_block.attentions.0"
    attention = f"{middle}.transformer_blocks.0.attn2.to_k.weight" in shapes
    label = "label_emb.0.0.weight" if file.original else "add_embedding.linear_1.weight"
    cross = next((shape[1] for name, shape in shapes.items() if name.endswith("attn2.to_k.weight")), None)
    project = next((shape for name, shape in shapes.items() if name.endswith("proj_in.weight")), None)
    linear = label in shapes if project is None else len(project) == 2
    depths = [max(level.depth, 1) for level in levels]
    depths[-1] = _count(shapes, rf"{re.escape(middle)}\.transformer_blocks\.(\d+)\.") if attention else depths[-1]
    config: dict[str, Any] = {
        "in_channels": shapes["input_blocks.0.0.weight" if file.original else "conv_in.weight"][1],
        "block_out_channels": channels,
        "layers_per_block": levels[0].layers,
        "down_block_types": ["CrossAttnDownBlock2D" if level.depth else "DownBlock2D" for level in levels],
        "mid_block_type": "UNetMidBlock2DCrossAttn" if attention else "UNetMidBlock2D",
        "cross_attention_dim": cross,
        "attention_head_dim": [each // 64 for each in channels] if linear else 8,
        "use_linear_projection": linear,
        "norm_num_groups": gcd(32, *channels),
        "transformer_layers_per_block": depths if set(depths) != {1} else 1,
        "conditioning_channels": shapes[ORIGINAL if file.original else OWN][1],
        "conditioning_embedding_out_channels": list(_reader(shapes, file.original)),
    }
    if label in shapes:
        config |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": shapes[label][1],
        }
    return config


@dataclass
class _Level:
    """One resolution: its channels, ResNet blocks, and transformer layers in each attention, 0 without attention."""

    channels: int
    layers: int = 0
    depth: int = 0


def _own_levels(shapes: Mapping[str, Shape]) -> Iterator[_Level]:
    for level in range(_count(shapes, r"down_blocks\.(\d+)\.")):
        place = f"down_blocks.{level}"
        yield _Level(
            shapes[f"{place}.resnets.0.conv1.weight"][0],
            _count(shapes, rf"down_blocks\.{level}\.resnets\.(\d+)\."),
            _count(shapes, rf"down_blocks\.{level}\.attentions\.0\.transformer_blocks\.(\d+)\."),
        )


def _original_levels(shapes: Mapping[str, Shape]) -> Iterator[_Level]:
    level: _Level | None = None
    for number in range(1, _count(shapes, r"input_blocks\.(\d+)\.")):
        place = f"input_blocks.{number}"
        if level is not None and f"{place}.0.op.weight" in shapes:
            yield level
            level = None
            continue
        level = level or _Level(shapes[f"{place}.0.in_layers.2.weight"][0])
        level.layers += 1
        level.depth = _count(shapes, rf"input_blocks\.{number}\.1\.transformer_blocks\.(\d+)\.")
    if level is not None:
        yield level


def _reader(shapes: Mapping[str, Shape], original: bool) -> Iterator[int]:
    """Channels of the network that reads conditions: of its first layer, then of every second one of its blocks."""
    yield shapes[ORIGINAL if original else OWN][0]
    if original:
        blocks = (_count(shapes, r"input_hint_block\.(\d+)\.") - 1) // 2 - 1
    else:
        blocks = _count(shapes, r"controlnet_cond_embedding\.blocks\.(\d+)\.")
    for block in range(1, blocks, 2):
        name = f"input_hint_block.{2 * (block + 1)}" if original else f"controlnet_cond_embedding.blocks.{block}"
        yield shapes[f"{name}.weight"][0]


def _count(names: Mapping[str, Any], pattern: str) -> int:
    """One more than the largest number that the pattern finds at the beginning of a name."""
    return max((int(found[1]) for name in names if (found := re.match(pattern, name))), default=-1) + 1
