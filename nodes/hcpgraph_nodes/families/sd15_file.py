"""The original single-file layout of Stable Diffusion 1.x, through diffusers' own key conversion; offline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from hcpgraph import GraphError

UNET = "model.diffusion_model."
TEXT = "cond_stage_model.transformer."
VAE = "first_stage_model."


def unet_state(path: Path, config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The UNet's weights by their names in diffusers."""
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

    return convert_ldm_unet_checkpoint(_read(path, UNET), config=dict(config))


def vae_state(path: Path, config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The VAE's weights by their names in diffusers."""
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    return convert_ldm_vae_checkpoint(_read(path, VAE), config=dict(config))


def text_state(path: Path) -> dict[str, Tensor]:
    """The text encoder's weights by their names in transformers."""
    return {key.removeprefix(TEXT): value for key, value in _read(path, TEXT).items()}


def _read(path: Path, prefix: str) -> dict[str, Tensor]:
    from safetensors import safe_open

    if path.suffix != ".safetensors":
        raise GraphError("E_NO_SAFETENSORS", f"{path.name} is no .safetensors file", hint="convert it to safetensors")
    with safe_open(path, framework="pt") as file:
        state = {key: file.get_tensor(key) for key in file.keys() if key.startswith(prefix)}  # noqa: SIM118
    if not state:
        raise GraphError(
            "E_WEIGHTS", f"{path.name} has no weights below '{prefix}'", hint="give a full SD 1.x checkpoint"
        )
    return state
