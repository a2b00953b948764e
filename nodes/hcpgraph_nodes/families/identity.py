"""What files may say of a model: only a network of the released sizes has the released model's name.

Source of the entries: Stability's modelspec 1.0.1, https://github.com/Stability-AI/ModelSpec. All values are text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Family

MEANT = (
    "block_out_channels",
    "layers_per_block",
    "transformer_layers_per_block",
    "cross_attention_dim",
    "hidden_size",
    "num_hidden_layers",
    "num_layers",
    "num_single_layers",
    "num_attention_heads",
    "n_layers",
    "n_heads",
    "dim",
    "d_model",
)
"""The entries of a network's configuration that make it another network than the released one."""
FACTOR = "_vae_scale_factor"
"""Entry of a denoiser's configuration: pixels a latent, along one side."""


def is_released(family: Family, config: Mapping[str, Any]) -> bool:
    """Whether a component has the sizes of the family's released model.

    Args:
        family: The family.
        config: The component's configuration, or several by the name of a network; empty: it is the released one.
    """
    networks = list(config.values()) if config and all(isinstance(each, Mapping) for each in config.values()) else []
    known = family.released_configs()
    return not config or all(any(_equal(each, one) for one in known) for each in networks or [config])


def modelspec(family: Family, config: Mapping[str, Any], prediction_type: str | None, what: str = "") -> dict[str, str]:
    """The entries about architecture and resolution, as far as they are known.

    Args:
        family: The family.
        config: The configuration of the component that the file is for.
        prediction_type: What the model predicts; None: nobody knows.
        what: What the file holds of it, such as /lora.
    """
    entries = {}
    released = is_released(family, config)
    if released and (name := _architecture(family, prediction_type)):
        entries["modelspec.architecture"] = name + what
    latent, factor = config.get("sample_size"), config.get(FACTOR)
    if isinstance(latent, int) and isinstance(factor, int):
        entries["modelspec.resolution"] = f"{latent * factor}x{latent * factor}"
    elif released:
        entries["modelspec.resolution"] = family.resolution
    return entries


def _equal(config: Mapping[str, Any], released: Mapping[str, Any]) -> bool:
    shared = [name for name in MEANT if name in config and name in released]
    return bool(shared) and all(_plain(config[name]) == _plain(released[name]) for name in shared)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value


def _architecture(family: Family, prediction_type: str | None) -> str | None:
    """modelspec's name of the model, or None where it depends on a prediction type that nobody knows."""
    kinds = (prediction_type,) if prediction_type else ("epsilon", "v_prediction")
    names = {family.spec_architecture(kind) for kind in kinds}
    return names.pop() if len(names) == 1 else None
