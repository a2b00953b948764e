"""PixArt-Σ. Source: Chen et al. 2024, https://arxiv.org/abs/2403.04692; PixArtSigmaPipeline in diffusers."""

from __future__ import annotations

from typing import Any

from .dit.networks import Network
from .dit.pixart import TINY_VAE, PixArt, sized, transformer
from .dit.t5 import t5
from .sizes import Sizes, vae_config

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "pixart_sigma",
    "title": "PixArt-Σ",
    "folder": [
        {
            "parts": {"transformer": ["PixArtTransformer2DModel", "Transformer2DModel"]},
            "pipeline": "PixArtSigmaPipeline",
        }
    ],
    "file": [
        {
            "keys": ["model.diffusion_model.t_block.1.", "model.diffusion_model.blocks.0.mlp.fc1."],
            "without": ["model.diffusion_model.ar_embedder."],
            "rank": 2,
        }
    ],
    "denoiser": [
        {"config": {"_class_name": "PixArtTransformer2DModel", "use_additional_conditions": False}},
        {
            "config": {
                "_class_name": "Transformer2DModel",
                "norm_type": "ada_norm_single",
                "use_additional_conditions": False,
            }
        },
    ],
    "denoiser_file": [
        {"keys": ["t_block.1.", "blocks.0.mlp.fc1."], "without": ["ar_embedder."], "rank": 2},
        {
            "keys": ["adaln_single.emb.", "pos_embed.proj.", "caption_projection."],
            "without": ["adaln_single.emb.aspect_ratio_embedder."],
            "rank": 2,
        },
    ],
    "text_encoder": [{"config": {"kinds": ["t5"]}, "rank": 1}],
    "process": "vp",
    "configured": True,
    "latent_multiple": 2,
    "interfaces": {"latents": "sdxl", "text": "pixart"},
    "conditions": [],
    "text_networks": 1,
    "adapters": {"base_version": "pixart_sigma", "architecture": "pixart-sigma"},
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
TOKENS = 300


class PixArtSigma(PixArt):
    """The VAE of SDXL, and a text that may be longer; positions are scaled to those of 512×512 pixels."""

    name = TABLE["name"]
    architecture = "pixart-sigma"
    base_version = "pixart_sigma"
    pipeline = "PixArtSigmaPipeline"
    upcast_vae = True
    transformer = transformer(
        sized(lambda conditions: 128, lambda size: size / 64), interpolation_scale=2, use_additional_conditions=False
    )
    vae = Network(
        name="vae",
        cls="AutoencoderKL",
        released=vae_config(Sizes(scaling_factor=0.13025, resolution=1024)),
        tiny=TINY_VAE,
        files=("vae.",),
    )
    texts = (t5("text_encoder", "tokenizer", TOKENS),)


FAMILY = PixArtSigma()
