"""Configurations of Stable Diffusion's networks, of the released ones and of small ones (torch-free)."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Any

SCHEDULE: dict[str, Any] = {
    "_class_name": "DDIMScheduler",
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "prediction_type": "epsilon",
    "trained_betas": None,
}
SCALING_FACTOR = 0.18215
SIZE_NUMBERS = 6


@dataclass(frozen=True)
class TextSizes:
    """Sizes of a CLIP text model; the defaults are those of OpenAI's ViT-L/14.

    Attributes:
        width, layers, heads: The transformer.
        act: Its activation; OpenCLIP's models have gelu.
        projection: Width of the projected embedding, where the model has a projection.
        padding: Id of the token that fills up a prompt; none given: the end token.
    """

    width: int = 768
    layers: int = 12
    heads: int = 12
    act: str = "quick_gelu"
    projection: int | None = None
    padding: int | None = None


@dataclass(frozen=True)
class Sizes:
    """Sizes of a model; the defaults are those of Stable Diffusion 1.5.

    Attributes:
        channels: UNet channels, one number a resolution, from the highest to the lowest.
        layers: ResNet blocks a resolution.
        attention: Which resolutions have cross attention (0 is the highest).
        depth: Transformer blocks of an attention, one number a resolution, or one for all.
        heads: Attention heads of the UNet, one number a resolution, or one for all.
        linear: Whether the UNet's attention projects with linear layers instead of 1×1 convolutions.
        size_width: Width of the embedding of each of the six size numbers; 0: the UNet reads no sizes.
        texts: The text networks; the UNet's cross-attention width is the sum of theirs.
        vocab_size, text_length: Their tokens.
        vae_channels: VAE channels, one number a resolution; empty: the latents are the pixels.
        vae_layers: ResNet blocks a resolution of the VAE's encoder; its decoder has one more.
        latent_channels: Channels of the latents; 3 where the latents are the pixels.
        scaling_factor: Latents are multiplied by it.
        resolution: Side of the pictures, pixels.
    """

    channels: tuple[int, ...] = (320, 640, 1280, 1280)
    layers: int = 2
    attention: tuple[int, ...] = (0, 1, 2)
    depth: int | tuple[int, ...] = 1
    heads: int | tuple[int, ...] = 8
    linear: bool = False
    size_width: int = 0
    texts: tuple[TextSizes, ...] = (TextSizes(),)
    vocab_size: int = 49408
    text_length: int = 77
    vae_channels: tuple[int, ...] = (128, 256, 512, 512)
    vae_layers: int = 2
    latent_channels: int = 4
    scaling_factor: float = SCALING_FACTOR
    resolution: int = 512

    @property
    def factor(self) -> int:
        """Pixels a latent, along one side."""
        return 1 << max(len(self.vae_channels) - 1, 0)


def groups(channels: tuple[int, ...]) -> int:
    """The largest number of normalisation groups up to 32 that divides all channels."""
    return gcd(32, *channels)


def unet_config(sizes: Sizes) -> dict[str, Any]:
    levels = range(len(sizes.channels))
    down = ["CrossAttnDownBlock2D" if level in sizes.attention else "DownBlock2D" for level in levels]
    up = ["CrossAttnUpBlock2D" if level in sizes.attention else "UpBlock2D" for level in reversed(levels)]
    config: dict[str, Any] = {
        "sample_size": sizes.resolution // sizes.factor,
        "in_channels": sizes.latent_channels,
        "out_channels": sizes.latent_channels,
        "block_out_channels": list(sizes.channels),
        "layers_per_block": sizes.layers,
        "down_block_types": down,
        "up_block_types": up,
        "cross_attention_dim": sum(text.width for text in sizes.texts),
        "attention_head_dim": _listed(sizes.heads),
        "norm_num_groups": groups(sizes.channels),
    }
    if sizes.depth != 1:
        config["transformer_layers_per_block"] = _listed(sizes.depth)
    if sizes.linear:
        config["use_linear_projection"] = True
    if sizes.size_width:
        config["addition_embed_type"] = "text_time"
        config["addition_time_embed_dim"] = sizes.size_width
        pooled = sizes.texts[-1].projection or sizes.texts[-1].width
        config["projection_class_embeddings_input_dim"] = SIZE_NUMBERS * sizes.size_width + pooled
    return config


def vae_config(sizes: Sizes) -> dict[str, Any]:
    channels = sizes.vae_channels
    return {
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": list(channels),
        "down_block_types": ["DownEncoderBlock2D"] * len(channels),
        "up_block_types": ["UpDecoderBlock2D"] * len(channels),
        "layers_per_block": sizes.vae_layers,
        "latent_channels": sizes.latent_channels,
        "norm_num_groups": groups(channels),
        "sample_size": sizes.resolution,
        "scaling_factor": sizes.scaling_factor,
    }


def text_configs(sizes: Sizes) -> tuple[dict[str, Any], ...]:
    """One configuration a text network."""
    return tuple(
        {
            "vocab_size": sizes.vocab_size,
            "hidden_size": text.width,
            "intermediate_size": 4 * text.width,
            "projection_dim": text.projection or text.width,
            "num_hidden_layers": text.layers,
            "num_attention_heads": text.heads,
            "max_position_embeddings": sizes.text_length,
            "hidden_act": text.act,
            "bos_token_id": sizes.vocab_size - 2,
            "eos_token_id": sizes.vocab_size - 1,
            "pad_token_id": sizes.vocab_size - 1 if text.padding is None else text.padding,
        }
        for text in sizes.texts
    )


def _listed(value: int | tuple[int, ...]) -> int | list[int]:
    return value if isinstance(value, int) else list(value)
