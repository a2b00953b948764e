"""The autoencoder of Wan 2.1's videos as Qwen-Image has it, for pictures of one frame.

Sources: Wan et al. 2025, https://arxiv.org/abs/2503.20314; the names in its authors' files: `WanVAE_` in
https://github.com/Wan-Video/Wan2.1 (wan/modules/vae.py), which diffusers converts by `convert_wan_vae_to_diffusers`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from hcpgraph import GraphError

from ...model.handles import Vae
from ...model.statistics import Statistics
from .. import networks
from ..file_marks import written_configs
from ..kl_vae import KlVae
from ..networks import Config, State
from ..tensor_files import header, read
from ..weights import checked_config
from .layout import Layout, rows
from .networks import Network

TABLE = {
    "table": "layer_groups",
    "name": "causal_vae",
    "groups": {
        "attention": [r"re:.*\.attentions\.\d+\.(to_qkv|proj)$"],
        "self_attention": [r"re:.*\.attentions\.\d+\.(to_qkv|proj)$"],
        "conv": ["cls:QwenImageCausalConv3d", r"re:.*\.resample\.1$"],
        "norm": ["cls:QwenImageRMS_norm"],
    },
}
"""AutoencoderKLQwenImage."""
PREFIXES = ("vae.", "first_stage_model.")
"""What its names begin with in a file of a whole model."""
PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.", "conv1.", "conv2.")
RESIDUAL = {
    "residual.0": "norm1",
    "residual.2": "conv1",
    "residual.3": "norm2",
    "residual.6": "conv2",
    "shortcut": "conv_shortcut",
}
RELEASED = {
    "base_dim": 96,
    "z_dim": 16,
    "dim_mult": [1, 2, 4, 4],
    "num_res_blocks": 2,
    "attn_scales": [],
    "temperal_downsample": [False, True, True],
    "input_channels": 3,
    "latents_mean": [
        *(-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508),
        *(0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921),
    ],
    "latents_std": [
        *(2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743),
        *(3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160),
    ],
}
TINY = {"base_dim": 4, "dim_mult": [1, 2], "num_res_blocks": 1, "temperal_downsample": [False]}


def layout(config: Config) -> Layout:
    """The authors' layout; they number all blocks of the decoder in one list."""
    table = {"conv1": "quant_conv", "conv2": "post_quant_conv"}
    for half in ("encoder", "decoder"):
        table |= {f"{half}.conv1": f"{half}.conv_in", f"{half}.head.0": f"{half}.norm_out"}
        table |= {f"{half}.head.2": f"{half}.conv_out", f"{half}.middle.1": f"{half}.mid_block.attentions.0"}
        for original, own in (("middle.0", "resnets.0"), ("middle.2", "resnets.1")):
            table |= _residual(f"{half}.{original}", f"{half}.mid_block.{own}")
    table |= {"encoder.downsamples.*": "encoder.down_blocks.*"}
    table |= _residual("encoder.downsamples.*", "encoder.down_blocks.*")
    place = 0
    for stage in range(len(config["dim_mult"])):
        for index in range(config["num_res_blocks"] + 1):
            table |= _residual(f"decoder.upsamples.{place}", f"decoder.up_blocks.{stage}.resnets.{index}")
            place += 1
        if stage < len(config["dim_mult"]) - 1:
            table[f"decoder.upsamples.{place}"] = f"decoder.up_blocks.{stage}.upsamplers.0"
            place += 1
    return Layout(rows(table))


def _residual(original: str, own: str) -> dict[str, str]:
    return {f"{original}.{name}": f"{own}.{other}" for name, other in RESIDUAL.items()}


def sized(shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Entries of a configuration by the sizes of tensors in either layout."""
    for block, begin, end in (
        ("encoder.down_blocks.{}.conv1", "encoder.conv_in", "post_quant_conv"),
        ("encoder.downsamples.{}.residual.2", "encoder.conv1", "conv2"),
    ):
        place = block.partition("{}")[0] + "{}"
        if f"{begin}.weight" not in shapes or f"{end}.weight" not in shapes:
            continue
        base, channels = shapes[f"{begin}.weight"][:2]
        widths: list[list[int]] = [[]]
        temporal: list[bool] = []
        index = 0
        while True:
            if (found := shapes.get(f"{block.format(index)}.weight")) is not None:
                widths[-1].append(found[0] // base)
            elif f"{place.format(index)}.resample.1.weight" in shapes:
                temporal.append(f"{place.format(index)}.time_conv.weight" in shapes)
                widths.append([])
            else:
                break
            index += 1
        if all(widths):
            return {
                "base_dim": base,
                "z_dim": shapes[f"{end}.weight"][0],
                "input_channels": channels,
                "dim_mult": [stage[-1] for stage in widths],
                "num_res_blocks": len(widths[0]),
                "temperal_downsample": temporal,
            }
    return {}


CAUSAL_VAE = Network(
    name="vae",
    cls="AutoencoderKLQwenImage",
    released=RELEASED,
    tiny=TINY,
    layout=layout,
    files=PREFIXES,
    sized=sized,
)


class CausalVae(KlVae):
    """What a family does with it: latents have a mean and a deviation by channel, and no factor for all.

    The module cuts pictures to [-1, 1] itself.
    """

    vae: ClassVar[Network] = CAUSAL_VAE

    def vae_of_file(self, path: Path) -> Config:
        """See `KlVae`; of latents of other channels than the released model's nothing but a header says what they
        mean."""
        told = header(path)
        written = (written_configs(told.metadata) or {}).get("vae")
        if written is not None:
            return checked_config(written, f"the header of {path.name}", self.vae.cls)
        begin = _prefix(told.shapes)
        return {**RELEASED, **sized({name.removeprefix(begin): size for name, size in told.shapes.items()})}

    def vae_state(self, path: Path, config: Config) -> State:
        """See `KlVae`.

        Raises:
            GraphError: E_WEIGHTS, the file has none.
        """
        begin = _prefix(header(path).shapes)
        found = read(path, lambda key: key.startswith(begin or PARTS))
        state = {name.removeprefix(begin): value for name, value in found.items()}
        if not state:
            raise GraphError(
                "E_WEIGHTS", f"{path.name} has no weights of a VAE", hint="give a VAE or a full checkpoint"
            )
        original = layout(config)
        return original.read(state, {}) if original.is_original(state) else state

    def vae_keys(self, vae: Vae, dtype: torch.dtype) -> State:
        """Its weights by their keys in a single file, in its authors' layout."""
        state = layout(vae.config).write(networks.base_state(vae, dtype))
        return {self.vae_prefix + name: value for name, value in state.items()}

    def full_vae_config(self, vae: Vae) -> dict[str, object]:
        """Everything that the class needs."""
        return networks.full_config(vae.root.module, self.vae.cls)

    def moments(self, module: Any, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (B, C, h, w) of a frame (B, 3, H, W) in [-1, 1]."""
        found = module.encode(pictures.unsqueeze(2)).latent_dist
        return found.mean.squeeze(2), found.std.squeeze(2)

    def pictures(self, module: Any, latents: Tensor) -> Tensor:
        """The frame (B, 3, H, W) in [-1, 1] of latents (B, C, h, w)."""
        found: Tensor = module.decode(latents.unsqueeze(2), return_dict=False)[0]
        return found.squeeze(2)

    def statistics(self, vae: Vae) -> Statistics:
        """Mean and deviation by channel, see `KlVae`."""
        told = {name: vae.config.get(name, RELEASED[name]) for name in ("latents_mean", "latents_std")}
        return Statistics.of(told, 1.0, self.vae_channels(vae.config))

    def vae_factor(self, config: Config) -> int:
        """Pixels a latent, along one side, as the pipelines count them."""
        return 1 << len(config["temperal_downsample"])

    def vae_channels(self, config: Config) -> int:
        """Channels of the latents."""
        return int(config["z_dim"])


def _prefix(names: Mapping[str, Any]) -> str:
    return next((known for known in PREFIXES if any(name.startswith(known) for name in names)), "")
