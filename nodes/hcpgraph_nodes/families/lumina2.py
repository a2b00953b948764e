"""Lumina-Image 2.0: a rectified flow over one stream of text and picture, led by Gemma 2.

The network is told 1 − t and gives x_0 − ε. A system prompt stands before every text but the empty one; a text that has
`<Prompt Start>` in it brings its own, or none if it begins so. Source: Qin et al. 2025,
https://arxiv.org/abs/2503.21758; Lumina2Pipeline in diffusers, which leaves negative prompts without: there `X` is what
`<Prompt Start> X` is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..conditioning import TEXT
from ..model.handles import Denoiser, TextEncoder
from ..types import Conditioning
from .dit.family import TransformerFamily
from .dit.flux_vae import VAE
from .dit.gemma2 import gemma2, instructed
from .dit.layout import Layout, Shapes, rows
from .dit.networks import Network, TextNetworks, count, first
from .dit.prompts import layer_from_the_end, networks_of, tokenised
from .networks import Config

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "lumina2",
    "title": "Lumina-Image 2.0",
    "folder": [{"parts": {"transformer": "Lumina2Transformer2DModel"}}],
    "file": [{"keys": ["model.diffusion_model.layers.0.adaLN_modulation.1.", "model.diffusion_model.cap_embedder.1."]}],
    "denoiser": [{"config": {"_class_name": "Lumina2Transformer2DModel"}}],
    "denoiser_file": [
        {"keys": ["layers.0.adaLN_modulation.1.", "cap_embedder.1."]},
        {
            "keys": ["layers.0.norm1.linear.", "time_caption_embed.caption_embedder.1."],
            "without": ["ref_image_refiner."],
        },
    ],
    "text_encoder": [
        {"config": {"kinds": ["decoder"], "model_type": "gemma2"}},
        {"config": {"kinds": ["decoder"], "hidden_size": 2304}},
    ],
    "process": "flow",
    "configured": True,
    "latent_multiple": 2,
    "interfaces": {"latents": "flux", "text": "lumina2"},
    "conditions": [],
    "skipped": 1,
    "text_networks": 1,
    "adapters": {
        "base_version": "lumina2",
        "architecture": "lumina-2",
        "keys": ["layers_0_attn_to_", "layers.0.attn.to_"],
    },
    "defaults": {
        "area": 1048576,
        "width": 1024,
        "height": 1024,
        "bucket_step": 64,
        "sampler": "euler",
        "steps": 30,
        "guidance": 4.0,
        "distribution": "uniform",
        "weighting": "none",
    },
    "groups": {
        "denoiser": [
            {
                "attention": [r"re:.*\.attn\.to_(q|k|v|out\.0)$"],
                "mlp": [r"re:.*\.feed_forward\.linear_[123]$"],
                "norm": [
                    r"re:.*\.norm1(\.norm|\.linear)?$",
                    r"re:.*\.(norm2|ffn_norm[12])$",
                    r"re:.*\.norm_[qk]$",
                    r"norm_out\.linear_1",
                    r"time_caption_embed\.caption_embedder\.0",
                ],
                "embedding": [
                    "x_embedder",
                    r"re:time_caption_embed\.timestep_embedder\.linear_[12]$",
                    r"time_caption_embed\.caption_embedder\.1",
                ],
            }
        ],
        "text_encoder": ["gemma2"],
        "vae": ["kl_vae"],
    },
}
TOKENS = 256
SYSTEM = (
    "You are an assistant designed to generate superior images with the superior degree of image-text alignment based "
    "on textual prompts or user prompts."
)
MARK = "<Prompt Start>"
AROUND = 34
"""Tokens before a text: the start, the system prompt and the mark."""
DEEP = {
    "block_out_channels": [8] * 4,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "sample_size": 128,
}
"""The pipeline takes one latent of 8 pixels for granted."""
BLOCK = {
    "attention.out": "attn.to_out.0",
    "attention.q_norm": "attn.norm_q",
    "attention.k_norm": "attn.norm_k",
    "feed_forward.w1": "feed_forward.linear_1",
    "feed_forward.w2": "feed_forward.linear_2",
    "feed_forward.w3": "feed_forward.linear_3",
    "adaLN_modulation.1": "norm1.linear",
    "attention_norm2": "norm2",
}


def layout(config: Config) -> Layout:
    """The layout of the authors, whose matrices of query, key and value are one; keys are fewer than queries.

    Source: https://github.com/Alpha-VLLM/Lumina-Image-2.0 (models/model.py).
    """
    table: dict[str, str | Sequence[str]] = {
        "cap_embedder": "time_caption_embed.caption_embedder",
        "t_embedder.mlp.0": "time_caption_embed.timestep_embedder.linear_1",
        "t_embedder.mlp.2": "time_caption_embed.timestep_embedder.linear_2",
        "final_layer.adaLN_modulation.1": "norm_out.linear_1",
        "final_layer.linear": "norm_out.linear_2",
    }
    for block, norm in (("layers", "norm1.norm"), ("noise_refiner", "norm1.norm"), ("context_refiner", "norm1")):
        table |= {f"{block}.*.{original}": f"{block}.*.{own}" for original, own in BLOCK.items()}
        table[f"{block}.*.attention_norm1"] = f"{block}.*.{norm}"
        table[f"{block}.*.attention.qkv"] = [f"{block}.*.attn.to_{part}" for part in "qkv"]
    return Layout(rows(table), dropped=("norm_final.",))


def sized(shapes: Shapes) -> dict[str, Any]:
    """Sizes by the tensors' names in either layout, with patches of 2×2 latents."""
    patches = shapes.get("x_embedder.weight")
    text = first(shapes, "cap_embedder.1.weight", "time_caption_embed.caption_embedder.1.weight")
    head = first(shapes, "layers.0.attention.q_norm.weight", "layers.0.attn.norm_q.weight")
    fused, key = shapes.get("layers.0.attention.qkv.weight"), shapes.get("layers.0.attn.to_k.weight")
    if patches is None or text is None or head is None or (fused is None and key is None):
        return {}
    keys = (fused[0] - patches[0]) // 2 if fused is not None else key[0] if key is not None else 0
    return {
        "in_channels": patches[1] // 4,
        "hidden_size": patches[0],
        "num_layers": count(shapes, "layers."),
        "num_refiner_layers": count(shapes, "noise_refiner."),
        "num_attention_heads": patches[0] // head[0],
        "num_kv_heads": keys // head[0],
        "cap_feat_dim": text[1],
    }


class Lumina2(TransformerFamily):
    """NextDiT; what is guided has in every row of latents the length of the positive side."""

    name = TABLE["name"]
    architecture = "lumina-2"
    base_version = "lumina2"
    kohya_network = "networks.lora_lumina"
    pipeline = "Lumina2Pipeline"
    skipped = TABLE["skipped"]
    masked = True
    transformer = Network(
        name="transformer",
        cls="Lumina2Transformer2DModel",
        released={
            "sample_size": 128,
            "patch_size": 2,
            "in_channels": 16,
            "hidden_size": 2304,
            "num_layers": 26,
            "num_refiner_layers": 2,
            "num_attention_heads": 24,
            "num_kv_heads": 8,
            "multiple_of": 256,
            "ffn_dim_multiplier": None,
            "norm_eps": 1e-5,
            "scaling_factor": 1.0,
            "axes_dim_rope": [32, 32, 32],
            "axes_lens": [300, 512, 512],
            "cap_feat_dim": 2304,
        },
        tiny={
            "sample_size": 16,
            "in_channels": 4,
            "hidden_size": 24,
            "num_layers": 1,
            "num_refiner_layers": 1,
            "num_attention_heads": 2,
            "num_kv_heads": 1,
            "multiple_of": 4,
            "axes_dim_rope": [4, 4, 4],
            "axes_lens": [TOKENS + 1, 128, 128],
            "cap_feat_dim": 16,
        },
        layout=layout,
        files=("model.diffusion_model.",),
        sized=sized,
    )
    vae = replace(VAE, tiny={**VAE.tiny, **DEEP})
    texts = (gemma2("text_encoder", "tokenizer", TOKENS, around=AROUND, kohya="lora_te_"),)
    scheduler: ClassVar[dict[str, Any]] = {
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "num_train_timesteps": 1000,
        "shift": 6.0,
    }

    def prompt(
        self, text_encoder: TextEncoder, module: TextNetworks, texts: Sequence[str], clip_skip: int
    ) -> Conditioning:
        """The states before the last layer, of texts behind their system prompts; pads stand behind, for the network
        takes the first tokens for those that count."""
        (clip,) = networks_of(text_encoder).values()
        layer = layer_from_the_end([clip], self.skipped, clip_skip)
        pairs = [instructed(text, SYSTEM, MARK) for text in texts]
        whole = [f"{system} {MARK} {text}" if system else text for system, text in pairs]
        ids, mask = tokenised(text_encoder, clip, whole, TOKENS, longest=True, side="right")
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
        """At 1 − t, which the network does not enlarge; without a mask every token counts."""
        text = conditioning.data.to(noisy.dtype)
        mask = conditioning.masks.get(TEXT)
        return {
            "hidden_states": noisy,
            "timestep": 1 - timesteps.float() / 1000,
            "encoder_hidden_states": text,
            "encoder_attention_mask": torch.ones_like(text[..., 0], dtype=torch.bool) if mask is None else mask,
        }

    def output(self, denoiser: Denoiser, raw: Any, noisy: Tensor) -> Tensor:
        """ε − x_0 of x_0 − ε."""
        found: Tensor = -raw
        return found

    def guided(self, output: Tensor, without: Tensor, scale: float, begin: float) -> Tensor:
        """n + s (p − n), in every row (…, w) as long as p, see `base.Family`."""
        plain = super().guided(output, without, scale, begin)
        own, wanted = (torch.linalg.vector_norm(each, dim=-1, keepdim=True) for each in (plain, output))
        found: Tensor = plain * (wanted / own)
        return found


FAMILY = Lumina2()
