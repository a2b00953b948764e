"""Z-Image: a rectified flow over one stream of picture and text, led by Qwen 3.

The network is told 1 − t and gives x_0 − ε. Guidance counts from the positive side: p + s (p − n) for any s above 0,
so that s is one less than elsewhere. Source: Z-Image Team 2025, https://arxiv.org/abs/2511.22699; ZImagePipeline in
diffusers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..conditioning import TEXT
from ..model.handles import Denoiser, TextEncoder
from ..types import Conditioning
from .dit.family import TransformerFamily
from .dit.flux_vae import VAE
from .dit.layout import Layout, Shapes, rows
from .dit.networks import Network, TextNetworks, count, first
from .dit.prompts import layer_from_the_end, networks_of, tokenised
from .dit.qwen3 import asked, qwen3
from .networks import Config

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "z_image",
    "title": "Z-Image",
    "folder": [{"parts": {"transformer": "ZImageTransformer2DModel"}}],
    "file": [{"keys": ["model.diffusion_model.layers.0.adaLN_modulation.0.", "model.diffusion_model.cap_embedder.1."]}],
    "denoiser": [{"config": {"_class_name": "ZImageTransformer2DModel"}}],
    "denoiser_file": [{"keys": ["layers.0.adaLN_modulation.0.", "cap_embedder.1."]}],
    "text_encoder": [
        {"config": {"kinds": ["decoder"], "model_type": "qwen3"}},
        {"config": {"kinds": ["decoder"], "hidden_size": 2560}},
    ],
    "process": "flow",
    "configured": True,
    "latent_multiple": 2,
    "interfaces": {"latents": "flux", "text": "z_image"},
    "conditions": [],
    "skipped": 1,
    "text_networks": 1,
    "adapters": {
        "base_version": "z_image",
        "architecture": "Z-Image",
        "keys": ["layers_0_attention_to_", "layers.0.attention.to_"],
    },
    "no_guidance": 0.0,
    "defaults": {
        "area": 1048576,
        "width": 1024,
        "height": 1024,
        "bucket_step": 64,
        "sampler": "euler",
        "steps": 50,
        "guidance": 5.0,
        "distribution": "uniform",
        "weighting": "none",
    },
    "groups": {
        "denoiser": [
            {
                "attention": [r"re:.*\.attention\.to_(q|k|v|out\.0)$"],
                "mlp": [r"re:.*\.feed_forward\.w[123]$"],
                "norm": [
                    r"re:.*\.(attention|ffn)_norm[12]$",
                    r"re:.*\.norm_[qk]$",
                    r"re:.*adaLN_modulation\.[01]$",
                    r"cap_embedder\.0",
                ],
                "embedding": [r"re:all_x_embedder\..*", r"re:t_embedder\.mlp\.[02]$", r"cap_embedder\.1"],
            }
        ],
        "text_encoder": ["qwen3"],
        "vae": ["kl_vae"],
    },
}
TOKENS = 512
AROUND = 8
"""Tokens of the template of a chat."""
BLOCKS = ("layers", "noise_refiner", "context_refiner")


def layout(config: Config) -> Layout:
    """The layout of the authors, whose matrices of query, key and value are one, for the first size of patches.

    Source: https://github.com/Tongyi-MAI/Z-Image.
    """
    patch = f"{config['all_patch_size'][0]}-{config['all_f_patch_size'][0]}"
    table: dict[str, str | Sequence[str]] = {
        "x_embedder": f"all_x_embedder.{patch}",
        "final_layer": f"all_final_layer.{patch}",
    }
    for block in BLOCKS:
        own = f"{block}.*.attention."
        table |= {
            f"{own}qkv": [f"{own}to_{part}" for part in "qkv"],
            f"{own}out": f"{own}to_out.0",
            f"{own}q_norm": f"{own}norm_q",
            f"{own}k_norm": f"{own}norm_k",
        }
    return Layout(rows(table), dropped=("norm_final.",))


def sized(shapes: Shapes) -> dict[str, Any]:
    """Sizes by the tensors' names in either layout, with patches of 2×2 latents."""
    patches = first(shapes, "x_embedder.weight", "all_x_embedder.2-1.weight")
    text = shapes.get("cap_embedder.1.weight")
    head = first(shapes, "layers.0.attention.q_norm.weight", "layers.0.attention.norm_q.weight")
    if patches is None or text is None or head is None:
        return {}
    reads_pictures = shapes.get("siglip_embedder.1.weight")
    return {
        "in_channels": patches[1] // 4,
        "dim": patches[0],
        "n_layers": count(shapes, "layers."),
        "n_refiner_layers": count(shapes, "noise_refiner."),
        "n_heads": patches[0] // head[0],
        "n_kv_heads": patches[0] // head[0],
        "cap_feat_dim": text[1],
        **({"siglip_feat_dim": reads_pictures[1]} if reads_pictures else {}),
    }


def foreign(config: Config) -> str | None:
    """Why a configuration is that of another model."""
    if config.get("siglip_feat_dim") is not None:
        return "it reads pictures as Z-Image Omni does, which is another model"
    return None


class ZImage(TransformerFamily):
    """S3-DiT; every text has its own length, and pads are no part of what the network sees."""

    name = TABLE["name"]
    architecture = "Z-Image"
    base_version = "z_image"
    pipeline = "ZImagePipeline"
    skipped = TABLE["skipped"]
    masked = True
    transformer = Network(
        name="transformer",
        cls="ZImageTransformer2DModel",
        released={
            "all_patch_size": [2],
            "all_f_patch_size": [1],
            "in_channels": 16,
            "dim": 3840,
            "n_layers": 30,
            "n_refiner_layers": 2,
            "n_heads": 30,
            "n_kv_heads": 30,
            "norm_eps": 1e-5,
            "qk_norm": True,
            "cap_feat_dim": 2560,
            "rope_theta": 256.0,
            "t_scale": 1000.0,
            "axes_dims": [32, 48, 48],
            "axes_lens": [1024, 512, 512],
        },
        tiny={
            "in_channels": 4,
            "dim": 32,
            "n_layers": 1,
            "n_refiner_layers": 1,
            "n_heads": 2,
            "n_kv_heads": 2,
            "cap_feat_dim": 16,
            "axes_dims": [4, 4, 8],
            "axes_lens": [TOKENS + 33, 128, 128],
        },
        layout=layout,
        files=("model.diffusion_model.",),
        sized=sized,
        foreign=foreign,
    )
    vae = VAE
    texts = (qwen3("text_encoder", "tokenizer", TOKENS, around=AROUND),)
    scheduler: ClassVar[dict[str, Any]] = {
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "num_train_timesteps": 1000,
        "shift": 3.0,
    }

    def prompt(
        self, text_encoder: TextEncoder, module: TextNetworks, texts: Sequence[str], clip_skip: int
    ) -> Conditioning:
        """The states before the last layer, of a user's turn in a chat that the model may think about."""
        (clip,) = networks_of(text_encoder).values()
        layer = layer_from_the_end([clip], self.skipped, clip_skip)
        turns = asked(clip.tokens.tokenizer, texts, thinking=True)
        ids, mask = tokenised(text_encoder, clip, turns, TOKENS, longest=True)
        found = module(clip.name, ids, attention_mask=mask, output_hidden_states=True, use_cache=False)
        return Conditioning.of(found.hidden_states[layer].float(), mask=mask)

    def inputs(
        self,
        denoiser: Denoiser,
        noisy: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        sizes: Tensor | None,
    ) -> dict[str, Any]:
        """Lists of pictures (C, 1, h, w) and of texts (L, D) without their pads, at 1 − t in float32."""
        text, mask = conditioning.data.to(noisy.dtype), conditioning.masks.get(TEXT)
        return {
            "x": list(noisy.unsqueeze(2)),
            "t": 1 - timesteps.float() / 1000,
            "cap_feats": list(text) if mask is None else [row[kept] for row, kept in zip(text, mask, strict=True)],
        }

    def output(self, denoiser: Denoiser, raw: Any, noisy: Tensor) -> Tensor:
        """ε − x_0 (B, C, h, w) of the pictures x_0 − ε, (C, 1, h, w) each."""
        return -torch.stack(list(raw)).squeeze(2)

    def guides(self, scale: float) -> bool:
        """Any scale above 0 does, see `base.Family`."""
        return scale > 0

    def guided(self, output: Tensor, without: Tensor, scale: float, begin: float) -> Tensor:
        """p + s (p − n), see `base.Family`."""
        return output + scale * (output - without)


FAMILY = ZImage()
