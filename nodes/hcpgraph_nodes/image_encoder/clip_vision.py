"""CLIP's vision network: Radford et al. 2021, https://arxiv.org/abs/2103.00020."""

from __future__ import annotations

from ..model.preprocessing import Preprocessing
from .networks import CLIP_MEAN, CLIP_STD, Config, Kind

TABLE = {
    "table": "image_encoders",
    "name": "clip_vision",
    "title": "CLIP",
    "model_types": ["clip", "clip_vision_model"],
    "groups": {"image_encoder": ["vision"]},
}
ROOT = "vision_model"


def spelled(name: str) -> str:
    """Names of today and of old have the network below `vision_model`, or at the top."""
    return name if name.split(".", maxsplit=1)[0] in (ROOT, "visual_projection") else f"{ROOT}.{name}"


def network(config: Config) -> str:
    """Only a file that says so has no projection."""
    return "CLIPVisionModel" if "CLIPVisionModel" in config["architectures"] else "CLIPVisionModelWithProjection"


def usual(config: Config) -> Preprocessing:
    """The shorter side is brought to the size of the network, and the centre cut out."""
    side = int(config["image_size"])
    return Preprocessing(side, (side, side), CLIP_MEAN, CLIP_STD)


KIND = Kind(
    name="clip_vision",
    settings="CLIPVisionConfig",
    network=network,
    spelled=spelled,
    usual=usual,
    special=lambda config: 1,
    told={"interpolate_pos_encoding": True},
)
