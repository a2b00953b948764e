"""PEFT's layout with the header entry that diffusers makes a LoraConfig of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor

from .canonical import ALPHA, DORA, DOWN, UP, Components, Weights
from .names import TEXT_ROOT, Spelling
from .peft_config import METADATA


def peft_state(components: Components, names: Spelling) -> dict[str, Tensor]:
    """`unet.<layer>.lora_A.weight` …; alpha is no tensor here, and a DoRA scale is PEFT's magnitude vector.

    Its key ends in `.weight`: transformers (5.23) starts the magnitudes of a text encoder anew without it, and
    diffusers takes both spellings for a UNet.
    """
    state: dict[str, Tensor] = {}
    for component, layers in components.items():
        for path, weights in layers.items():
            stem = names.peft(component, path)
            state[f"{stem}.lora_A.weight"] = weights[DOWN]
            state[f"{stem}.lora_B.weight"] = weights[UP]
            if DORA in weights:
                scale = weights[DORA]
                vector = scale.flatten() if scale.dim() == 2 else scale.transpose(0, 1)
                state[f"{stem}.lora_magnitude_vector.weight"] = vector
    return state


def peft_metadata(components: Components, names: Spelling) -> dict[str, str]:
    """The configurations of all components in one JSON object, their prefixes before the names.

    Source: diffusers, loaders/lora_base.py, LORA_ADAPTER_METADATA_KEY. Names of a text encoder's layers are without
    `text_model.`, so that they fit it under every release of transformers.
    """
    whole: dict[str, Any] = {}
    for prefix, layers in _by_prefix(components, names):
        whole |= {f"{prefix}{key}": value for key, value in _config(layers).items()}
    return {METADATA: json.dumps(whole, indent=2, sort_keys=True)}


def _by_prefix(components: Components, names: Spelling) -> Iterator[tuple[str, dict[str, Weights]]]:
    for component, layers in components.items():
        for own, prefix in names.family.peft_prefix[component].items():
            part = {
                path.removeprefix(own).removeprefix(TEXT_ROOT): weights
                for path, weights in layers.items()
                if names.peft(component, path) == prefix + path.removeprefix(own)
            }
            if part:
                yield prefix, part


def _config(layers: dict[str, Weights]) -> dict[str, Any]:
    ranks = {path: len(weights[DOWN]) for path, weights in layers.items()}
    alphas = {path: float(weights[ALPHA]) for path, weights in layers.items()}
    (rank, _), (alpha, _) = (Counter(values.values()).most_common(1)[0] for values in (ranks, alphas))
    patterns = {path: _pattern(path, layers) for path in layers}
    return {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": alpha,
        "rank_pattern": {patterns[path]: value for path, value in ranks.items() if value != rank},
        "alpha_pattern": {patterns[path]: value for path, value in alphas.items() if value != alpha},
        "target_modules": sorted(layers),
        "use_dora": any(DORA in weights for weights in layers.values()),
        "use_rslora": False,
        "lora_bias": False,
        "bias": "none",
    }


def _pattern(path: str, layers: Iterable[str]) -> str:
    """What means a layer alone: PEFT takes a name for the end of one, and so `proj_out` for that of every block."""
    return f"^{path}" if any(other.endswith(f".{path}") for other in layers) else path
