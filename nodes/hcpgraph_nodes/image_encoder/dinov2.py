"""DINOv2: Oquab et al. 2023, https://arxiv.org/abs/2304.07193; with registers: https://arxiv.org/abs/2309.16588."""

from __future__ import annotations

from torch import Tensor

from ..model.preprocessing import Preprocessing
from .networks import IMAGENET_MEAN, IMAGENET_STD, Config, Kind

TABLE = {
    "table": "image_encoders",
    "name": "dinov2",
    "title": "DINOv2",
    "model_types": ["dinov2"],
    "groups": {"image_encoder": ["vision"]},
}
NAMES = {
    ".attention.q_proj": ".attention.attention.query",
    ".attention.k_proj": ".attention.attention.key",
    ".attention.v_proj": ".attention.attention.value",
    ".attention.o_proj": ".attention.output.dense",
    ".mlp.weights_out": ".mlp.down_proj",
}
"""Names of today, and of the gated network in files, -> those of files, and of today."""
GATED, SIDE, SHORT = ".mlp.weights_in.", 224, 256


def spelled(name: str) -> str:
    """Transformers 5 renamed the layers of attention; files keep the names of old."""
    for other, own in NAMES.items():
        name = name.replace(other, own)
    return name


def divided(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The gate of the largest model and what it gates are one layer in files, and two in the network."""
    found = {}
    for name, value in state.items():
        if GATED in name:
            gate, up = value.chunk(2)
            found[name.replace(GATED, ".mlp.gate_proj.")], found[name.replace(GATED, ".mlp.up_proj.")] = gate, up
        else:
            found[name] = value
    return found


def usual(config: Config) -> Preprocessing:
    """The shorter side is brought to 256, and 224×224 cut out, whatever size the network was trained with."""
    return Preprocessing(SHORT, (SIDE, SIDE), IMAGENET_MEAN, IMAGENET_STD)


def kind(name: str, stem: str) -> Kind:
    """DINOv2 as transformers calls it: classes that begin with `stem`."""
    return Kind(
        name=name,
        settings=f"{stem}Config",
        network=lambda config: f"{stem}Model",
        spelled=spelled,
        usual=usual,
        special=lambda config: 1 + int(config.get("num_register_tokens", 0)),
        told={},
        changed=divided,
    )


KIND = kind("dinov2", "Dinov2")
