"""CLIP's text networks in families of diffusion transformers."""

from __future__ import annotations

from typing import Any

from ..sizes import Sizes, TextSizes, text_configs
from . import tokenizers
from .layout import Shapes
from .networks import TextNetwork

LARGE = TextSizes(projection=768)
"""OpenAI's ViT-L/14."""
BIG = TextSizes(width=1280, layers=32, heads=20, act="gelu", projection=1280, padding=1)
"""OpenCLIP's ViT-bigG/14."""
TOKENS = 77
TINY_VOCABULARY = 1000
UNUSED = ("logit_scale", "text_model.embeddings.position_ids", "embeddings.position_ids")
"""What files of older releases, or of the whole CLIP, have beside the weights of the text network."""


def _config(text: TextSizes, vocab_size: int = 49408) -> dict[str, Any]:
    return text_configs(Sizes(texts=(text,), vocab_size=vocab_size))[0]


def clip(
    name: str, tokenizer: str, text: TextSizes, kohya: str, comfy: str, *, projected: bool, tiny: int = 16
) -> TextNetwork:
    """One of CLIP's text networks.

    Args:
        name: Its component in a folder.
        tokenizer: Its tokenizer's.
        text: Its sizes.
        kohya: What stands for it in kohya's keys.
        comfy: What ComfyUI calls it.
        projected: Whether it has the projection of the pooled embedding.
        tiny: Width of an untrained one.
    """
    own_padding = text.padding is None
    projection = tiny // 2 if projected else tiny
    small = TextSizes(tiny, 2, 2, text.act, projection, text.padding)
    return TextNetwork(
        name=name,
        cls="CLIPTextModelWithProjection" if projected else "CLIPTextModel",
        released=_config(text),
        tiny=_config(small, TINY_VOCABULARY),
        files=(f"text_encoders.{comfy}.transformer.",),
        sized=sized,
        tokenizer=tokenizer,
        tokenizer_cls="CLIPTokenizer",
        make_tokenizer=tokenizers.clip if own_padding else tokenizers.open_clip,
        known_tokenizer=True,
        embedding="text_model.embeddings.token_embedding",
        length=TOKENS,
        around=2,
        comfy=comfy,
        kohya=kohya,
        unused=UNUSED if projected else (*UNUSED, "text_projection"),
    )


def sized(shapes: Shapes) -> dict[str, Any]:
    """Nothing: files hold the released networks, or say in their header what they are."""
    return {}
