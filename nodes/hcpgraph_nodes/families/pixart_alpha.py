"""PixArt-α. Source: Chen et al. 2023, https://arxiv.org/abs/2310.00426; PixArtAlphaPipeline in diffusers."""

from __future__ import annotations

from typing import Any

from .dit.networks import Network
from .dit.pixart import TINY_VAE, PixArt, sized, transformer
from .dit.t5 import t5
from .sizes import Sizes, vae_config

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "pixart_alpha",
    "title": "PixArt-α",
    "folder": [
        {
            "parts": {"transformer": ["PixArtTransformer2DModel", "Transformer2DModel"]},
            "pipeline": "PixArtAlphaPipeline",
        }
    ],
    "file": [
        {"keys": ["model.diffusion_model.ar_embedder.", "model.diffusion_model.t_block.1."]},
        {
            "keys": ["model.diffusion_model.t_block.1.", "model.diffusion_model.blocks.0.mlp.fc1."],
            "shapes": {"model.diffusion_model.y_embedder.y_embedding": [120, None]},
        },
    ],
    "denoiser": [
        {"config": {"_class_name": "PixArtTransformer2DModel"}, "rank": 1},
        {"config": {"_class_name": "Transformer2DModel", "norm_type": "ada_norm_single"}, "rank": 1},
    ],
    "denoiser_file": [
        {"keys": ["ar_embedder.", "t_block.1.", "blocks.0.mlp.fc1."]},
        {"keys": ["t_block.1.", "blocks.0.mlp.fc1."], "shapes": {"y_embedder.y_embedding": [120, None]}},
        {"keys": ["adaln_single.emb.aspect_ratio_embedder.", "pos_embed.proj.", "caption_projection."]},
    ],
    "text_encoder": [{"config": {"kinds": ["t5"]}, "rank": 1}],
    "process": "vp",
    "configured": True,
    "latent_multiple": 2,
    "interfaces": {"latents": "sd", "text": "pixart"},
    "conditions": [],
    "reads_sizes": True,
    "text_networks": 1,
    "adapters": {
        "base_version": "pixart_alpha",
        "architecture": "pixart-alpha",
        "keys": ["resolution_embedder", "aspect_ratio_embedder", "csize_embedder", "ar_embedder"],
    },
    "defaults": {
        "area": 1048576,
        "width": 1024,
        "height": 1024,
        "bucket_step": 64,
        "sampler": "dpmpp_2m",
        "steps": 20,
        "guidance": 4.5,
        "distribution": "uniform",
        "weighting": "min_snr",
    },
    "groups": {"denoiser": ["pixart"], "text_encoder": ["t5"], "vae": ["kl_vae"]},
}
TOKENS = 120


def side(conditions: bool) -> int:
    """The model for 1024×1024 pixels alone reads the sizes of pictures."""
    return 128 if conditions else 64


class PixArtAlpha(PixArt):
    """The VAE of Stable Diffusion; the model for 1024×1024 pixels reads the sizes of pictures."""

    name = TABLE["name"]
    architecture = "pixart-alpha"
    base_version = "pixart_alpha"
    pipeline = "PixArtAlphaPipeline"
    transformer = transformer(sized(side, lambda size: None))
    vae = Network(name="vae", cls="AutoencoderKL", released=vae_config(Sizes()), tiny=TINY_VAE, files=("vae.",))
    texts = (t5("text_encoder", "tokenizer", TOKENS),)


FAMILY = PixArtAlpha()
