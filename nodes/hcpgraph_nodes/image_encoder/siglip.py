"""SigLIP's vision network: Zhai et al. 2023, https://arxiv.org/abs/2303.15343."""

from __future__ import annotations

from ..model.preprocessing import Preprocessing
from .networks import HALF, Config, Kind

TABLE = {
    "table": "image_encoders",
    "name": "siglip",
    "title": "SigLIP",
    "model_types": ["siglip", "siglip_vision_model"],
    "groups": {"image_encoder": ["vision"]},
}
ROOT = "vision_model"


def spelled(name: str) -> str:
    """Names of today and of old have the network below `vision_model`, or at the top."""
    return name if name.split(".", maxsplit=1)[0] == ROOT else f"{ROOT}.{name}"


def usual(config: Config) -> Preprocessing:
    """Pictures are stretched to the size of the network."""
    side = int(config["image_size"])
    return Preprocessing((side, side), None, HALF, HALF)


KIND = Kind(
    name="siglip",
    settings="SiglipVisionConfig",
    network=lambda config: "SiglipVisionModel",
    spelled=spelled,
    usual=usual,
    special=lambda config: 0,
    told={"interpolate_pos_encoding": True},
)
