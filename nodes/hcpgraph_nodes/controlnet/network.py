"""The network: diffusers' ControlNetModel, its configuration, its weights, and its names in the original layout."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hcpgraph import GraphError

from .. import private
from ..families.ldm_names import UNetNames
from ..families.tensor_files import read
from ..families.weights import build
from ..model.handles import Denoiser

WHAT = "ControlNet"
READER = "controlnet_cond_embedding."
WEIGHTS = "diffusion_pytorch_model"
FITS: Mapping[str, Any] = {
    "in_channels": 4,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "cross_attention_dim": 1280,
    "addition_embed_type": None,
}
"""What a ControlNet has in common with the denoiser it leads, with the defaults of both classes in diffusers."""


def full_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with the defaults of ControlNetModel for what it does not say, without diffusers' own notes."""
    from diffusers import ControlNetModel

    parameters = inspect.signature(ControlNetModel.__init__).parameters.values()
    defaults = {each.name: each.default for each in parameters if each.default is not each.empty}
    return defaults | {name: value for name, value in config.items() if not name.startswith("_")}


def config_of(denoiser: Denoiser, channels: Sequence[int], condition_channels: int) -> dict[str, Any]:
    """The configuration of a ControlNet for a denoiser, as ControlNetModel.from_unet makes it; no weights are read.

    Args:
        denoiser: A UNet2DConditionModel.
        channels: Channels of the network that reads conditions, one number a resolution.
        condition_channels: Channels of the conditions.

    Raises:
        GraphError: E_FAMILY, the denoiser is no UNet that a ControlNet can be made of.
    """
    from accelerate import init_empty_weights
    from diffusers import ControlNetModel, UNet2DConditionModel

    if "down_block_types" not in denoiser.config or not isinstance(denoiser.config.get("layers_per_block", 2), int):
        raise GraphError(
            "E_FAMILY",
            f"no ControlNet can be made of this denoiser of the family {denoiser.family}",
            port="denoiser",
            hint="wire the UNet of an SD 1.x, SD 2.x or SDXL model",
        )
    with init_empty_weights():
        unet = UNet2DConditionModel.from_config(dict(denoiser.config))
        network = ControlNetModel.from_unet(
            unet,
            conditioning_embedding_out_channels=tuple(channels),
            load_weights_from_unet=False,
            conditioning_channels=condition_channels,
        )
    return full_config(network.config)


def made_of(denoiser: Denoiser, config: Mapping[str, Any], seed: int) -> nn.Module:
    """A ControlNet whose encoder is the denoiser's and which changes nothing yet.

    The convolutions to the residuals are zero, weights and biases, and so is the last one of the network that reads
    conditions (Zhang et al. 2023, https://arxiv.org/abs/2302.05543, section 3.1). The other layers of that one are
    drawn from torch's default initialisation.

    Args:
        denoiser: Where the encoder's weights come from, as they are now; plugins are not part of them.
        config: From `config_of`.
        seed: Of the draws.
    """
    from accelerate import init_empty_weights

    with init_empty_weights():
        shapes = {name: value.shape for name, value in network(config).state_dict().items()}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        reader = private.condition_reader(
            config["block_out_channels"][0],
            config["conditioning_channels"],
            config["conditioning_embedding_out_channels"],
        ).state_dict()
    encoder = denoiser.root.module.state_dict()
    state: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        if name.startswith(READER):
            state[name] = reader[name.removeprefix(READER)]
        elif name.startswith(("controlnet_down_blocks.", "controlnet_mid_block.")):
            state[name] = torch.zeros(shape)
        else:
            state[name] = encoder[name].to("cpu", copy=True)
    return build(lambda: network(config), state, WHAT)


def network(config: Mapping[str, Any]) -> nn.Module:
    """A ControlNetModel of this configuration."""
    from diffusers import ControlNetModel

    made: nn.Module = ControlNetModel.from_config(dict(config))
    return made


def from_file(path: Path, prefix: str, config: Mapping[str, Any], rename: Callable[[str], str]) -> nn.Module:
    """The network that a .safetensors file holds.

    Args:
        path: The file.
        prefix: What its names begin with; others are of other networks.
        config: The configuration.
        rename: Name in diffusers -> name in the file, without prefix.

    Raises:
        GraphError: E_WEIGHTS, listing what is missing, unknown or of another shape; E_NO_SAFETENSORS, it is broken;
            E_QUANTISED.
    """
    found = read(path, lambda name: name.startswith(prefix))
    state = {name.removeprefix(prefix): value for name, value in found.items()}
    return build(lambda: network(config), state, WHAT, rename)


def original_names(config: Mapping[str, Any]) -> Callable[[str], str]:
    """Name in diffusers -> name in the original layout of https://github.com/lllyasviel/ControlNet, without prefix.

    The encoder has the names of the UNet's, `zero_convs` and `middle_block_out` lead to the residuals, and
    `input_hint_block` reads conditions: its convolutions have even numbers, for activations stand between them.

    Raises:
        GraphError: E_LAYOUT, that layout has no such layer; raised by the function.
    """
    unet = UNetNames(config)
    last = 2 * len(config["conditioning_embedding_out_channels"]) - 1

    def rename(name: str) -> str:
        layer, _, parameter = name.rpartition(".")
        part, *rest = layer.split(".")
        found: str | None
        match part, rest:
            case "controlnet_down_blocks", [number]:
                found = f"zero_convs.{number}.0.{parameter}"
            case "controlnet_mid_block", []:
                found = f"middle_block_out.0.{parameter}"
            case "controlnet_cond_embedding", ["conv_in"]:
                found = f"input_hint_block.0.{parameter}"
            case "controlnet_cond_embedding", ["blocks", number]:
                found = f"input_hint_block.{2 * int(number) + 2}.{parameter}"
            case "controlnet_cond_embedding", ["conv_out"]:
                found = f"input_hint_block.{2 * last}.{parameter}"
            case _:
                found = unet.to_ldm(name)
        if found is None:
            raise GraphError(
                "E_LAYOUT",
                f"the original layout has no name for '{name}'",
                hint="save it as a folder: set layout to diffusers",
            )
        return found

    return rename


def misfits(denoiser: Mapping[str, Any], control: Mapping[str, Any]) -> list[str]:
    """In what a ControlNet is made for another denoiser than this, from the configurations of both."""

    def value(config: Mapping[str, Any], name: str) -> Any:
        found = config.get(name, FITS[name])
        return list(found) if isinstance(found, (list, tuple)) else found

    pairs = ((name, value(control, name), value(denoiser, name)) for name in FITS)
    return [
        f"{name} is {own} instead of {other}"
        for name, own, other in pairs
        if own != other and not (name == "cross_attention_dim" and own is None)
    ]
