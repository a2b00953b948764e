"""Configurations of Stable Diffusion 1.x (CompVis' v1-inference.yaml in diffusers' terms) and of small models."""

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


@dataclass(frozen=True)
class Sizes:
    """Sizes of an SD-style model; the defaults are those of Stable Diffusion 1.5.

    Attributes:
        channels: UNet channels, one number a resolution.
        layers: ResNet blocks a resolution.
        attention: Which resolutions (0 = the highest) have cross attention.
        heads: Attention heads of the UNet.
        text_width, text_layers, text_heads: The text encoder.
        vocab_size, text_length: Its tokens.
        vae_channels: VAE channels, one number a resolution; empty: the latents are the pixels.
        vae_layers: ResNet blocks a resolution of the VAE's encoder; its decoder has one more.
        latent_channels: Channels of the latents; 3 where the latents are the pixels.
        scaling_factor: Latents are multiplied by it.
        resolution: Side of the pictures, pixels.
    """

    channels: tuple[int, ...] = (320, 640, 1280, 1280)
    layers: int = 2
    attention: tuple[int, ...] = (0, 1, 2)
    heads: int = 8
    text_width: int = 768
    text_layers: int = 12
    text_heads: int = 12
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
        return 2 ** max(len(self.vae_channels) - 1, 0)


def groups(channels: tuple[int, ...]) -> int:
    """The largest number of normalisation groups up to 32 that divides all channels."""
    return gcd(32, *channels)


def unet_config(sizes: Sizes) -> dict[str, Any]:
    levels = range(len(sizes.channels))
    down = ["CrossAttnDownBlock2D" if level in sizes.attention else "DownBlock2D" for level in levels]
    up = ["CrossAttnUpBlock2D" if level in sizes.attention else "UpBlock2D" for level in reversed(levels)]
    return {
        "sample_size": sizes.resolution // sizes.factor,
        "in_channels": sizes.latent_channels,
        "out_channels": sizes.latent_channels,
        "block_out_channels": list(sizes.channels),
        "layers_per_block": sizes.layers,
        "down_block_types": down,
        "up_block_types": up,
        "cross_attention_dim": sizes.text_width,
        "attention_head_dim": sizes.heads,
        "norm_num_groups": groups(sizes.channels),
    }


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


def text_config(sizes: Sizes) -> dict[str, Any]:
    return {
        "vocab_size": sizes.vocab_size,
        "hidden_size": sizes.text_width,
        "intermediate_size": 4 * sizes.text_width,
        "projection_dim": sizes.text_width,
        "num_hidden_layers": sizes.text_layers,
        "num_attention_heads": sizes.text_heads,
        "max_position_embeddings": sizes.text_length,
        "hidden_act": "quick_gelu",
        "bos_token_id": sizes.vocab_size - 2,
        "eos_token_id": sizes.vocab_size - 1,
        "pad_token_id": sizes.vocab_size - 1,
    }
