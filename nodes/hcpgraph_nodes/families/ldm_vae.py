"""An AutoencoderKL's names in the original layout (LDM), for writing single files.

diffusers reads that layout itself (`convert_ldm_vae_checkpoint`) but does not write it. The original numbers the
decoder's resolutions from the highest, diffusers in the order in which they run; its attention has 1×1 convolutions
where diffusers has linear layers. Source of the names: `Encoder` and `Decoder` in
https://github.com/CompVis/latent-diffusion (ldm/modules/diffusionmodules/model.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hcpgraph import GraphError
from hcpgraph.errors import listed

ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
OUTER = {"conv_in": "conv_in", "conv_norm_out": "norm_out", "conv_out": "conv_out"}


def original_vae(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights by their original names, without `first_stage_model.`.

    Args:
        state: An AutoencoderKL's weights by their names in diffusers.
        config: Its configuration.

    Raises:
        GraphError: E_LAYOUT, a weight has no place in the original layout.
    """
    table = _names(config)
    found: dict[str, Tensor] = {}
    homeless = []
    for name, value in state.items():
        layer, _, parameter = name.rpartition(".")
        beginning = next((own for own in (layer, layer.rpartition(".")[0]) if own in table), None)
        if beginning is None:
            homeless.append(name)
            continue
        conv = ".attentions." in name and value.dim() == 2
        place = table[beginning] + layer.removeprefix(beginning)
        found[f"{place}.{parameter}"] = value[..., None, None] if conv else value
    if homeless:
        raise GraphError(
            "E_LAYOUT",
            f"the VAE has weights that the original layout has no place for: {listed(homeless)}",
            hint="save it as a folder",
        )
    return found


def _names(config: Mapping[str, Any]) -> dict[str, str]:
    """Layers, or what they lie in, in diffusers -> in the original layout."""
    levels = len(config["block_out_channels"])
    layers = config["layers_per_block"]
    table = {"quant_conv": "quant_conv", "post_quant_conv": "post_quant_conv"}
    for half in ("encoder", "decoder"):
        table |= {f"{half}.{name}": f"{half}.{original}" for name, original in OUTER.items()}
        for index in range(2):
            table |= _resnet(f"{half}.mid_block.resnets.{index}", f"{half}.mid.block_{index + 1}")
        own, original = f"{half}.mid_block.attentions.0", f"{half}.mid.attn_1"
        table |= {f"{own}.{name}": f"{original}.{other}" for name, other in ATTENTION.items()}
    for level in range(levels):
        down, up = f"encoder.down_blocks.{level}", f"decoder.up_blocks.{level}"
        place = f"decoder.up.{levels - 1 - level}"
        for index in range(layers):
            table |= _resnet(f"{down}.resnets.{index}", f"encoder.down.{level}.block.{index}")
        for index in range(layers + 1):
            table |= _resnet(f"{up}.resnets.{index}", f"{place}.block.{index}")
        table[f"{down}.downsamplers.0.conv"] = f"encoder.down.{level}.downsample.conv"
        table[f"{up}.upsamplers.0.conv"] = f"{place}.upsample.conv"
    return table


def _resnet(own: str, original: str) -> dict[str, str]:
    same = {f"{own}.{name}": f"{original}.{name}" for name in ("norm1", "conv1", "norm2", "conv2")}
    return {**same, f"{own}.conv_shortcut": f"{original}.nin_shortcut"}
