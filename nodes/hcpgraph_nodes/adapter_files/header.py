"""What the header of an adapter file says: kohya's `ss_*` and Stability's modelspec 1.0.1, as far as it is known.

Sources: kohya-ss/sd-scripts, train_network.py and library/sai_model_spec.py;
https://github.com/Stability-AI/ModelSpec. All values are text.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..families import identity
from ..families.weights import write_weights
from .canonical import ALPHA, BIAS, DORA, DOWN, MID, Components, Weights, kinds_of, rank_of

Config = Mapping[str, Any]
DYNAMIC = "Dynamic"
LYCORIS_NETWORK = "lycoris.kohya"
ALGORITHMS = {"lora": "locon", "loha": "loha", "lokr": "lokr", "full": "full"}
TRUE = "True"


def modelspec(family: Any, config: Config, title: str, prediction_type: str | None) -> dict[str, str]:
    """Stability's entries.

    Args:
        family: The family's implementation.
        config: The configuration of the component that the adapter is for.
        title: The file's name.
        prediction_type: What the model predicts; None: nobody knows.
    """
    entries = {
        "format": "pt",
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.implementation": "https://github.com/huggingface/diffusers",
        "modelspec.title": title,
        **identity.modelspec(family, config, prediction_type, "/lora"),
    }
    if prediction_type:
        entries["modelspec.prediction_type"] = "v" if prediction_type == "v_prediction" else prediction_type
    return entries


def kohya(
    components: Components, family: Any, config: Config, title: str, prediction_type: str | None
) -> dict[str, str]:
    """kohya's entries about the network; those about a training that nobody knows of are left out.

    Args:
        components: The adapters.
        family: The family's implementation.
        config: The configuration of the component that the adapter is for.
        title: The file's name.
        prediction_type: What the model predicts; None: nobody knows.
    """
    layers = [weights for each in components.values() for weights in each.values()]
    wide, inner = [w for w in layers if _kernel(w)], [w for w in layers if not _kernel(w)]
    arguments = _arguments(layers)
    if wide and inner:
        widths = {"conv_dim": _one(wide, _rank), "conv_alpha": _one(wide, _alpha)}
        arguments |= {name: value for name, value in widths.items() if value != DYNAMIC}
    plain = inner or wide
    entries = {
        "ss_network_module": LYCORIS_NETWORK if "algo" in arguments else family.kohya_network,
        "ss_network_dim": _one(plain, _rank),
        "ss_network_alpha": _one(plain, _alpha),
        "ss_output_name": title,
    }
    if identity.is_released(family, config):
        entries["ss_base_model_version"] = _version(family.base_version, prediction_type)
        entries["ss_v2"] = str(family.base_version.startswith("sd_v2"))
    return entries | ({"ss_network_args": json.dumps(arguments)} if arguments else {})


def tensor_hash(target: Path, state: Mapping[str, Tensor]) -> str:
    """kohya's `sshs_model_hash`: sha256 of all that follows the header of a .safetensors file.

    Args:
        target: The file that is to be written; another one beside it is hashed, and removed.
        state: Its tensors.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.hash")
    digest = hashlib.sha256()
    try:
        write_weights(temporary, state, {})
        with temporary.open("rb") as file:
            file.seek(int.from_bytes(file.read(8), "little"), 1)
            while block := file.read(1 << 20):
                digest.update(block)
    finally:
        temporary.unlink(missing_ok=True)
    return digest.hexdigest()


def _version(base: str, prediction_type: str | None) -> str:
    """`sd_v1`, `sd_v2`, each with `_v` where it predicts the velocity, or what the family says."""
    if not base.startswith("sd_v"):
        return base
    return base.removesuffix("_v") + ("_v" if prediction_type == "v_prediction" else "")


def _arguments(layers: list[Weights]) -> dict[str, str]:
    """What LyCORIS is told besides rank and alpha; empty where kohya's own network does."""
    kinds = {kind for weights in layers for kind in kinds_of(weights)}
    found = set().union(*layers) if layers else set()
    if kinds == {"lora"} and not found & {MID, DORA, BIAS}:
        return {}
    arguments = {"algo": ALGORITHMS[kinds.pop()] if len(kinds) == 1 else "mixed"}
    if DORA in found:
        outer = all(len(weights[DORA]) > 1 for weights in layers if DORA in weights)
        arguments |= {"dora_wd": TRUE, "wd_on_output": str(outer)}
    if found & {MID, "hada_t1", "lokr_t2"}:
        arguments["use_tucker"] = TRUE
    return arguments


def _kernel(weights: Mapping[str, Tensor]) -> bool:
    """Whether it is of a convolution wider than 1×1, which kohya gives a rank of its own."""
    value = weights.get(MID, weights.get("hada_t1", weights.get("lokr_t2", weights.get(DOWN))))
    return value is not None and value.dim() == 4 and tuple(value.shape[2:]) != (1, 1)


def _rank(weights: Weights) -> str | None:
    rank = rank_of(weights)
    return None if rank is None else str(rank)


def _alpha(weights: Weights) -> str | None:
    return str(float(weights[ALPHA])) if ALPHA in weights and rank_of(weights) is not None else None


def _one(layers: list[Weights], what: Any) -> str:
    """The one value of all layers that have one, or `Dynamic`."""
    values = {value for weights in layers if (value := what(weights)) is not None}
    return values.pop() if len(values) == 1 else DYNAMIC
