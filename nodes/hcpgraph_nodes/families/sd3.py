"""Stable Diffusion 3 and 3.5: a rectified flow over two streams of tokens, led by two CLIPs and T5.

Source: Esser et al. 2024, https://arxiv.org/abs/2403.03206; StableDiffusion3Pipeline in diffusers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isqrt
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from ..conditioning import POOLED, TEXT
from ..model.handles import Denoiser, TextEncoder
from ..types import Conditioning
from ..words import tokens
from .dit.clip import BIG, LARGE, clip
from .dit.family import TransformerFamily
from .dit.flux_vae import VAE
from .dit.layout import Layout, Row, Shapes, rows
from .dit.networks import Network, TextNetworks, count, first
from .dit.prompts import layer_from_the_end, networks_of, tokenised
from .dit.t5 import t5
from .networks import Config

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "sd3",
    "title": "Stable Diffusion 3 and 3.5",
    "folder": [{"parts": {"transformer": "SD3Transformer2DModel"}}],
    "file": [{"keys": ["model.diffusion_model.joint_blocks.0.context_block."]}],
    "denoiser": [{"config": {"_class_name": "SD3Transformer2DModel"}}],
    "denoiser_file": [
        {"keys": ["joint_blocks.0.context_block."]},
        {"keys": ["transformer_blocks.0.attn.add_q_proj.", "pos_embed.proj."]},
    ],
    "text_encoder": [
        {"config": {"kinds": ["clip", "clip", "t5"]}, "rank": 2},
        {"config": {"kinds": ["clip", "clip"]}, "rank": 1},
    ],
    "process": "flow",
    "configured": True,
    "latent_multiple": 2,
    "interfaces": {"latents": "sd3", "text": "sd3"},
    "conditions": [],
    "skipped": 1,
    "text_networks": 3,
    "adapters": {"base_version": "sd3", "architecture": "stable-diffusion-3", "keys": ["joint_blocks"]},
    "defaults": {
        "area": 1048576,
        "width": 1024,
        "height": 1024,
        "bucket_step": 64,
        "sampler": "euler",
        "steps": 28,
        "guidance": 7.0,
        "distribution": "logit_normal",
        "weighting": "none",
    },
    "groups": {
        "denoiser": [
            {
                "attention": [r"re:.*\.attn2?\.(to_(q|k|v|out\.0|add_out)|add_(q|k|v)_proj)$"],
                "self_attention": [r"re:.*\.attn2\.to_(q|k|v|out\.0)$"],
                "text_key_value": [r"re:.*\.attn\.add_(k|v)_proj$"],
                "mlp": [r"re:.*\.ff(_context)?\.net\.(0\.proj|2)$"],
                "conv": ["cls:Conv2d"],
                "norm": [r"re:.*norm_(added_)?[qk]$", r"re:.*norm(1|1_context|_out)\.linear$"],
                "embedding": [r"re:time_text_embed\..*linear_[12]$", "context_embedder", "pos_embed"],
            }
        ],
        "text_encoder": ["clip", "t5"],
        "vae": ["kl_vae"],
    },
}
STREAMS = {
    "x_embedder": "pos_embed",
    "pos_embed": "pos_embed.pos_embed",
    "t_embedder.mlp.0": "time_text_embed.timestep_embedder.linear_1",
    "t_embedder.mlp.2": "time_text_embed.timestep_embedder.linear_2",
    "y_embedder.mlp.0": "time_text_embed.text_embedder.linear_1",
    "y_embedder.mlp.2": "time_text_embed.text_embedder.linear_2",
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": "norm_out.linear",
    **{
        f"joint_blocks.*.{original}": f"transformer_blocks.*.{own}"
        for original, own in {
            "x_block.attn.proj": "attn.to_out.0",
            "x_block.attn.ln_q": "attn.norm_q",
            "x_block.attn.ln_k": "attn.norm_k",
            "x_block.attn2.proj": "attn2.to_out.0",
            "x_block.attn2.ln_q": "attn2.norm_q",
            "x_block.attn2.ln_k": "attn2.norm_k",
            "x_block.adaLN_modulation.1": "norm1.linear",
            "x_block.mlp.fc1": "ff.net.0.proj",
            "x_block.mlp.fc2": "ff.net.2",
            "context_block.attn.proj": "attn.to_add_out",
            "context_block.attn.ln_q": "attn.norm_added_q",
            "context_block.attn.ln_k": "attn.norm_added_k",
            "context_block.adaLN_modulation.1": "norm1_context.linear",
            "context_block.mlp.fc1": "ff_context.net.0.proj",
            "context_block.mlp.fc2": "ff_context.net.2",
        }.items()
    },
}
FUSED = {
    f"joint_blocks.*.{original}.qkv": [f"transformer_blocks.*.{own.format(part)}" for part in "qkv"]
    for original, own in {
        "x_block.attn": "attn.to_{}",
        "x_block.attn2": "attn2.to_{}",
        "context_block.attn": "attn.add_{}_proj",
    }.items()
}
TOKENS = 256
"""Tokens of T5."""


def layout(config: Config) -> Layout:
    """The layout of the authors' MMDiT; its last block modulates the text by shift and scale alone, in their order.

    Source: https://github.com/Stability-AI/sd3.5 (mmditx.py).
    """
    last = int(config["num_layers"]) - 1
    own = f"transformer_blocks.{last}.norm1_context.linear"
    ends = Row(f"joint_blocks.{last}.context_block.adaLN_modulation.1", (own,), swapped=True)
    return Layout([ends, *rows(STREAMS, ["final_layer.adaLN_modulation.1"]), *rows(FUSED)])


def sized(shapes: Shapes) -> dict[str, Any]:
    """Sizes by the tensors' names in either layout; heads have 64 channels where no norm says otherwise."""
    patches = first(shapes, "x_embedder.proj.weight", "pos_embed.proj.weight")
    text = shapes.get("context_embedder.weight")
    pooled = first(shapes, "y_embedder.mlp.0.weight", "time_text_embed.text_embedder.linear_1.weight")
    last = first(shapes, "final_layer.linear.weight", "proj_out.weight")
    places = first(shapes, "pos_embed", "pos_embed.pos_embed")
    if patches is None or text is None or pooled is None or last is None or places is None:
        return {}
    block = "joint_blocks." if "x_embedder.proj.weight" in shapes else "transformer_blocks."
    inner = "x_block." if block == "joint_blocks." else ""
    norm = first(shapes, f"{block}0.{inner}attn.ln_q.weight", f"{block}0.attn.norm_q.weight")
    layers = count(shapes, block)
    head = norm[0] if norm else 64
    second = f"{inner}attn2.qkv.weight" if inner else "attn2.to_q.weight"
    return {
        "num_layers": layers,
        "attention_head_dim": head,
        "num_attention_heads": patches[0] // head,
        "patch_size": patches[2],
        "in_channels": patches[1],
        "out_channels": last[0] // patches[2] ** 2,
        "joint_attention_dim": text[1],
        "caption_projection_dim": text[0],
        "pooled_projection_dim": pooled[1],
        "pos_embed_max_size": isqrt(places[1]),
        "qk_norm": "rms_norm" if norm else None,
        "dual_attention_layers": [index for index in range(layers) if f"{block}{index}.{second}" in shapes],
    }


class SD3(TransformerFamily):
    """MMDiT; the embedding of CLIP's tokens is filled up to the width of T5's, which a model may do without."""

    name = TABLE["name"]
    architecture = "stable-diffusion-3.5-medium"
    base_version = "sd3_medium"
    kohya_network = "networks.lora_sd3"
    pipeline = "StableDiffusion3Pipeline"
    nulls = ("image_encoder", "feature_extractor")
    skipped = TABLE["skipped"]
    reads: ClassVar[frozenset[str]] = frozenset({TEXT, POOLED})
    transformer = Network(
        name="transformer",
        cls="SD3Transformer2DModel",
        released={
            "sample_size": 128,
            "patch_size": 2,
            "in_channels": 16,
            "out_channels": 16,
            "num_layers": 24,
            "attention_head_dim": 64,
            "num_attention_heads": 24,
            "joint_attention_dim": 4096,
            "caption_projection_dim": 1536,
            "pooled_projection_dim": 2048,
            "pos_embed_max_size": 384,
            "dual_attention_layers": list(range(13)),
            "qk_norm": "rms_norm",
        },
        tiny={
            "sample_size": 16,
            "in_channels": 4,
            "out_channels": 4,
            "num_layers": 2,
            "attention_head_dim": 8,
            "num_attention_heads": 2,
            "joint_attention_dim": 32,
            "caption_projection_dim": 16,
            "pooled_projection_dim": 16,
            "pos_embed_max_size": 32,
            "dual_attention_layers": [0],
        },
        layout=layout,
        files=("model.diffusion_model.",),
        sized=sized,
    )
    vae = replace(
        VAE, released={**VAE.released, "scaling_factor": 1.5305, "shift_factor": 0.0609}, files=("first_stage_model.",)
    )
    texts = (
        clip("text_encoder", "tokenizer", LARGE, "lora_te1_", "clip_l", projected=True),
        clip("text_encoder_2", "tokenizer_2", BIG, "lora_te2_", "clip_g", projected=True),
        t5("text_encoder_3", "tokenizer_3", TOKENS, kohya="lora_te3_", optional=True),
    )
    scheduler: ClassVar[dict[str, Any]] = {
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "num_train_timesteps": 1000,
        "shift": 3.0,
    }
    shift: ClassVar[dict[str, Any]] = {"grid": "table"}

    def prompt(
        self, text_encoder: TextEncoder, module: TextNetworks, texts: Sequence[str], clip_skip: int
    ) -> Conditioning:
        """CLIP's tokens, the layers side by side and filled up with zeros, then T5's, or zeros; CLIP's pooled ones."""
        clips = networks_of(text_encoder)
        both = [clips[name] for name in ("text_encoder", "text_encoder_2")]
        layer = layer_from_the_end(both, self.skipped, clip_skip)
        states, pooled = [], []
        for each in both:
            found = module(each.name, tokens.ids(text_encoder, each, texts), output_hidden_states=True)
            states.append(found.hidden_states[layer].float())
            pooled.append(found.text_embeds.float())
        joined = torch.cat(states, dim=-1)
        if (third := clips.get("text_encoder_3")) is None:
            long = joined.new_zeros(len(joined), TOKENS, joined.shape[-1])
        else:
            ids, _ = tokenised(text_encoder, third, texts, TOKENS)
            long = module(third.name, ids)[0].float()
        joined = functional.pad(joined, (0, max(0, long.shape[-1] - joined.shape[-1])))
        return Conditioning.of(torch.cat([joined, long], dim=1), torch.cat(pooled, dim=-1))

    def inputs(
        self,
        denoiser: Denoiser,
        noisy: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        sizes: Tensor | None,
    ) -> dict[str, Any]:
        """Without T5 the tokens are as wide as CLIP's, and are filled up with zeros."""
        text = conditioning.data
        text = functional.pad(text, (0, max(0, int(denoiser.config["joint_attention_dim"]) - text.shape[-1])))
        return {
            "hidden_states": noisy,
            "timestep": timesteps,
            "encoder_hidden_states": text.to(noisy.dtype),
            "pooled_projections": conditioning.part(POOLED).to(noisy.dtype),
        }


FAMILY = SD3()
