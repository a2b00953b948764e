"""The deep compression autoencoder: no distribution, and statistics that are one number.

Source: Chen et al. 2024, https://arxiv.org/abs/2410.10733; AutoencoderDC in diffusers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hcpgraph import GraphError

from ... import private
from ...model.handles import Vae
from ..ldm_file import VAE_PREFIXES
from ..networks import Config, State, base_state, full_config
from ..tensor_files import header, read
from .family import TransformerFamily
from .layout import Shapes
from .networks import Network, count

TABLE = {
    "table": "layer_groups",
    "name": "dc_vae",
    "groups": {
        "attention": [r"re:.*\.attn\.to_(q|k|v|out)$"],
        "self_attention": [r"re:.*\.attn\.to_(q|k|v|out)$"],
        "conv": ["cls:Conv2d"],
        "norm": [r"re:.*\.norm(_out)?$"],
    },
}
"""AutoencoderDC."""
ORIGINAL = "encoder.project_in."
"""What names begin with in the authors' files alone."""
PARTS = ("encoder.", "decoder.")


class DeepCompression(TransformerFamily):
    """What a family does with an AutoencoderDC; files of a whole model have it by its names in diffusers."""

    def vae_state(self, path: Path, config: Config) -> State:
        """The weights in a file of it alone or of a whole model, in the layout of the authors or of diffusers."""
        names = header(path).shapes
        prefix = next((each for each in VAE_PREFIXES if any(name.startswith(each) for name in names)), "")
        found = {name.removeprefix(prefix): value for name, value in read(path, lambda n: n.startswith(prefix)).items()}
        state = {name: value for name, value in found.items() if name.startswith(PARTS)}
        if not state:
            raise GraphError(
                "E_WEIGHTS", f"{path.name} has no weights of a VAE", hint="give a VAE or a full checkpoint"
            )
        return own(state)

    def vae_sizes(self, shapes: Shapes) -> dict[str, Any]:
        """What the sizes of its tensors in either layout say of its configuration."""
        inside = {name: torch.empty(size, device="meta") for name, size in shapes.items() if name.startswith(PARTS)}
        return sizes({name: tuple(value.shape) for name, value in own(inside).items()})

    def vae_keys(self, vae: Vae, dtype: torch.dtype) -> State:
        """Its weights by their keys in a single file."""
        return {self.vae_prefix + name: value for name, value in base_state(vae, dtype).items()}

    def full_vae_config(self, vae: Vae) -> dict[str, object]:
        """Everything that the class needs; of the statistics those that say something."""
        told = {name: value for name, value in self.statistics(vae).config().items() if value is not None}
        return {**full_config(vae.root.module, self.vae_cls), **told}

    def moments(self, module: Any, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """The latents (B, C, h, w) of pictures (B, 3, H, W) in [-1, 1], and no deviation."""
        found: Tensor = module.encode(pictures).latent
        return found, torch.zeros_like(found)

    def vae_factor(self, config: Config) -> int:
        """Pixels a latent of the encoder, along one side."""
        return 1 << (len(config["encoder_block_out_channels"]) - 1)


def own(state: Mapping[str, Tensor]) -> State:
    """Weights by their names in diffusers, of those by the names of either layout."""
    original = any(name.startswith(ORIGINAL) for name in state)
    return private.dc_weights(state) if original else dict(state)


def sizes(shapes: Shapes) -> dict[str, Any]:
    """Entries of a configuration by the sizes of tensors, by their names in diffusers; of blocks on every level."""
    if "encoder.conv_in.weight" not in shapes or "encoder.conv_out.weight" not in shapes:
        return {}
    levels = count(shapes, "encoder.down_blocks.")
    channels = [_width(shapes, f"encoder.down_blocks.{level}.0.") for level in range(levels)]
    found: dict[str, Any] = {
        "in_channels": shapes["encoder.conv_in.weight"][1],
        "latent_channels": shapes["encoder.conv_out.weight"][0],
        "encoder_block_out_channels": channels,
        "decoder_block_out_channels": channels,
    }
    for part, blocks in (("encoder", "down_blocks"), ("decoder", "up_blocks")):
        told = [_level(shapes, f"{part}.{blocks}.{level}.") for level in range(levels)]
        found[f"{part}_layers_per_block"] = [layers for layers, _, _ in told]
        found[f"{part}_block_types"] = ["EfficientViTBlock" if attends else "ResBlock" for _, attends, _ in told]
        found[f"{part}_qkv_multiscales"] = [scales for _, _, scales in told]
    for name, size in shapes.items():
        if name.endswith("to_qkv_multiscale.0.proj_out.weight"):
            found["attention_head_dim"] = size[1]
    down = shapes.get(f"encoder.down_blocks.0.{found['encoder_layers_per_block'][0]}.conv.weight")
    up = shapes.get("decoder.up_blocks.0.0.conv.weight")
    if down is not None and up is not None:
        found["downsample_block_type"] = "conv" if down[0] == channels[1] else "pixel_unshuffle"
        found["upsample_block_type"] = "interpolate" if up[0] == channels[0] else "pixel_shuffle"
    return found


def _width(shapes: Shapes, block: str) -> int:
    """Channels of a block."""
    attends, plain = shapes.get(f"{block}attn.to_out.weight"), shapes.get(f"{block}conv1.weight")
    size = attends or plain
    return 0 if size is None else size[0]


def _level(shapes: Shapes, level: str) -> tuple[int, bool, list[int]]:
    """How many blocks there are on a level, whether they have attention, and over which neighbourhoods."""
    names = [name.removeprefix(level) for name in shapes if name.startswith(level)]
    attends = any(".attn." in name for name in names)
    mark = "attn.to_out.weight" if attends else "conv1.weight"
    layers = sum(name.partition(".")[2] == mark for name in names)
    scales = {
        name: shapes[level + name][2]
        for name in names
        if "to_qkv_multiscale." in name and name.endswith("proj_in.weight")
    }
    return layers, attends, sorted(set(scales.values()))


def dc_vae(released: dict[str, Any], tiny: dict[str, Any]) -> Network:
    """An AutoencoderDC as the network of a family."""
    return Network(name="vae", cls="AutoencoderDC", released=released, tiny=tiny, files=("first_stage_model.", "vae."))
