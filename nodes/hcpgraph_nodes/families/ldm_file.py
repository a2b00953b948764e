"""Single files in the original layout (LDM, sgm): .safetensors and .gguf are read, .safetensors written, offline.

Prefixes of the parts: `model.diffusion_model.`, `first_stage_model.`, and of a text network what its family says.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from hcpgraph import GraphError
from hcpgraph.errors import listed

from .. import private
from .ldm_names import UNetNames
from .ldm_vae import original_vae
from .open_clip import from_open_clip, to_open_clip
from .tensor_files import header, read

UNET = "model.diffusion_model."
FIRST = "input_blocks.0.0.weight"
DIFFUSERS_UNET = "conv_in.weight"
"""A key of a UNet in diffusers' layout."""
OPEN_CLIP_TOKENS = "token_embedding.weight"
HF_TOKENS = ("text_model.embeddings.token_embedding.weight", "embeddings.token_embedding.weight")
"""The embedding of tokens in the two layouts of a text network; transformers 5 writes the shorter name."""
VAE = "first_stage_model."
VAE_PREFIXES = (VAE, "vae.")
VAE_PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")
DIFFUSERS_VAE = "encoder.conv_norm_out.weight"
"""A key that diffusers' layout of a VAE has and the original does not."""


def unet_state(path: Path, config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The UNet's weights by their names in diffusers; what has none keeps its own.

    Args:
        path: A whole checkpoint, or the file of a UNet alone in the original layout or in that of diffusers.
        config: Its configuration.
    """
    names = UNetNames(config)
    keys = marks(path)[1]
    found = {key.removeprefix(UNET): value for key, value in _read(path, _unet_prefix(keys)).items()}
    if DIFFUSERS_UNET in keys:
        return found
    return {names.to_diffusers(key) or key: value for key, value in found.items()}


def unet_channels(path: Path) -> dict[str, int]:
    """The channels that a checkpoint's UNet reads, which are more than the released model's where it reads pictures."""
    shapes = header(path).shapes
    first = next((shapes[name] for name in (UNET + FIRST, FIRST, DIFFUSERS_UNET) if name in shapes), None)
    return {} if first is None else {"in_channels": first[1]}


def _unet_prefix(keys: Collection[str]) -> str:
    """What the names of the UNet begin with in a file with these keys."""
    return "" if FIRST in keys or DIFFUSERS_UNET in keys else UNET


def vae_state(path: Path, config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The VAE's weights by their names in diffusers.

    Args:
        path: A whole checkpoint, or the file of a VAE alone in the original layout or in that of diffusers.
        config: Its configuration.
    """
    prefix = _vae_prefix(marks(path)[1])
    found = {key.removeprefix(prefix): value for key, value in _read(path, prefix).items()}
    state = {key: value for key, value in found.items() if key.startswith(VAE_PARTS)}
    if not state:
        raise GraphError("E_WEIGHTS", f"{path.name} has no weights of a VAE", hint="give a VAE or a full checkpoint")
    if DIFFUSERS_VAE in state:
        return state
    return private.vae_weights(state, config)


def vae_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The sizes of the VAE's tensors in such a file, by their names without prefix."""
    shapes = header(path).shapes
    prefix = _vae_prefix(shapes)
    return {key.removeprefix(prefix): size for key, size in shapes.items() if key.startswith(prefix)}


def _vae_prefix(keys: Collection[str]) -> str:
    """What the names of the VAE begin with in a file with these keys."""
    return next((prefix for prefix in VAE_PREFIXES if any(key.startswith(prefix) for key in keys)), "")


def text_place(path: Path, prefixes: Sequence[str], name: str) -> tuple[str, bool]:
    """What the keys of a text network begin with in a file, and whether they are OpenCLIP's.

    Args:
        path: A whole checkpoint, or a file of text networks or of one of them.
        prefixes: What they may begin with.
        name: What messages call the network.

    Raises:
        GraphError: E_WEIGHTS, the file holds no such network.
    """
    keys = marks(path)[1]
    for prefix in prefixes:
        if prefix + OPEN_CLIP_TOKENS in keys:
            return prefix, True
        if any(prefix + tokens in keys for tokens in HF_TOKENS):
            return prefix, False
    raise GraphError(
        "E_WEIGHTS",
        f"{path.name} has no weights of the {name.replace('_', ' ')}",
        port="path",
        hint="give a whole checkpoint, or the file of this network",
    )


def text_state(path: Path, prefix: str, config: Mapping[str, Any], *, open_clip: bool) -> dict[str, Tensor]:
    """A text network's weights by their names in transformers."""
    found = _read(path, prefix)
    if open_clip:
        return from_open_clip(found, prefix, config)
    return {key.removeprefix(prefix): value for key, value in found.items()}


def unet_keys(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The UNet's weights by their keys in a single file.

    Raises:
        GraphError: E_LAYOUT, a weight has no place in the original layout.
    """
    names = UNetNames(config)
    places = {name: names.to_ldm(name) for name in state}
    if homeless := [name for name, place in places.items() if place is None]:
        raise GraphError(
            "E_LAYOUT",
            f"the UNet has weights that the original layout has no place for: {listed(homeless)}",
            hint="save it as a folder",
        )
    return {f"{UNET}{places[name]}": value for name, value in state.items()}


def vae_keys(state: Mapping[str, Tensor], config: Mapping[str, Any], prefix: str = VAE) -> dict[str, Tensor]:
    """The VAE's weights by their keys in a single file.

    Args:
        state: Its weights by their names in diffusers.
        config: Its configuration.
        prefix: What its names begin with there.

    Raises:
        GraphError: E_LAYOUT.
    """
    return {f"{prefix}{name}": value for name, value in original_vae(state, config).items()}


def text_keys(state: Mapping[str, Tensor], prefix: str, *, open_clip: bool) -> dict[str, Tensor]:
    """A text network's weights by their keys in a single file."""
    named = to_open_clip(state) if open_clip else state
    return {f"{prefix}{name}": value for name, value in named.items()}


def marks(path: Path) -> tuple[dict[str, str], frozenset[str]]:
    """The text entries of a file's header, and its keys, without reading weights.

    Raises:
        GraphError: as `tensor_files.header`.
    """
    found = header(path)
    return found.metadata, frozenset(found.shapes)


def _read(path: Path, prefix: str) -> dict[str, Tensor]:
    state = read(path, lambda key: key.startswith(prefix))
    if not state:
        raise GraphError("E_WEIGHTS", f"{path.name} has no weights below '{prefix}'", hint="give a full checkpoint")
    return state
