"""Sana: a rectified flow with linear attention over latents of 32 pixels, led by Gemma 2.

An instruction to describe the picture better stands before every text but the empty one; of its tokens the network sees
the first and the last. A text that has `User Prompt:` in it brings its own, or none if it begins so. Source: Xie et al.
2024, https://arxiv.org/abs/2410.10629; SanaPipeline in diffusers, which leaves negative prompts without: there `X` is
what `User Prompt: X` is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor

from ..conditioning import TEXT
from ..model.handles import Denoiser, TextEncoder
from ..types import Conditioning
from .dit.dc_vae import DeepCompression, dc_vae
from .dit.gemma2 import gemma2, instructed
from .dit.layout import Layout, Shapes, rows
from .dit.networks import Network, TextNetworks, count, first
from .dit.prompts import networks_of, refuse_clip_skip, tokenised
from .networks import Config

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "sana",
    "title": "Sana",
    "folder": [{"parts": {"transformer": "SanaTransformer2DModel"}}],
    "file": [
        {"keys": ["model.diffusion_model.blocks.0.cross_attn.q_linear.", "model.diffusion_model.blocks.0.mlp.inv"]}
    ],
    "denoiser": [{"config": {"_class_name": "SanaTransformer2DModel"}}],
    "denoiser_file": [
        {"keys": ["blocks.0.cross_attn.q_linear.", "blocks.0.mlp.inverted_conv."]},
        {"keys": ["transformer_blocks.0.ff.conv_inverted.", "caption_norm.", "patch_embed."]},
    ],
    "text_encoder": [
        {"config": {"kinds": ["decoder"], "model_type": "gemma2"}},
        {"config": {"kinds": ["decoder"], "hidden_size": 2304}},
    ],
    "process": "flow",
    "configured": True,
    "latent_multiple": 1,
    "interfaces": {"latents": "sana", "text": "sana"},
    "conditions": [],
    "text_networks": 1,
    "adapters": {
        "base_version": "sana",
        "architecture": "sana",
        "keys": ["ff_conv_inverted", "ff.conv_inverted", "ff_conv_point", "ff.conv_point"],
    },
    "defaults": {
        "area": 1048576,
        "width": 1024,
        "height": 1024,
        "bucket_step": 32,
        "sampler": "dpmpp_2m",
        "steps": 20,
        "guidance": 4.5,
        "distribution": "uniform",
        "weighting": "none",
    },
    "groups": {
        "denoiser": [
            {
                "attention": [r"re:.*\.attn[12]\.to_(q|k|v|out\.0)$"],
                "self_attention": [r"re:.*\.attn1\.to_(q|k|v|out\.0)$"],
                "cross_attention": [r"re:.*\.attn2\.to_(q|k|v|out\.0)$"],
                "text_key_value": [r"re:.*\.attn2\.to_(k|v)$"],
                "mlp": [r"re:.*\.ff\.conv_(inverted|point)$"],
                "conv": ["cls:Conv2d"],
                "norm": [r"re:.*\.norm_[qk]$", "caption_norm", r"time_embed\.linear"],
                "embedding": [
                    r"patch_embed\.proj",
                    r"re:time_embed\.emb\.timestep_embedder\.linear_[12]$",
                    r"re:caption_projection\.linear_[12]$",
                ],
            }
        ],
        "text_encoder": ["gemma2"],
        "vae": ["dc_vae"],
    },
}
TOKENS = 300
INSTRUCTION = "\n".join(
    (
        "Given a user prompt, generate an 'Enhanced prompt' that provides detailed visual descriptions suitable for "
        "image generation. Evaluate the level of detail in the user prompt:",
        "- If the prompt is simple, focus on adding specifics about colors, shapes, sizes, textures, and spatial "
        "relationships to create vivid and concrete scenes.",
        "- If the prompt is already detailed, refine and enhance the existing details slightly without "
        "overcomplicating.",
        "Here are examples of how to transform or refine prompts:",
        "- User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round shape, sleeping "
        "peacefully on a warm sunny windowsill, surrounded by pots of blooming red flowers.",
        "- User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, featuring glowing street "
        "lamps, a diverse crowd of people in colorful clothing, and a double-decker bus passing by towering glass "
        "skyscrapers.",
        "Please generate only the enhanced description for the prompt below and avoid including any additional "
        "commentary or evaluations:",
    )
)
"""Section 3.1 of the paper."""
MARK = "User Prompt:"
BLOCK: dict[str, str | Sequence[str]] = {
    "scale_shift_table": "scale_shift_table",
    "attn.qkv": [f"attn1.to_{part}" for part in "qkv"],
    "attn.q_norm": "attn1.norm_q",
    "attn.k_norm": "attn1.norm_k",
    "attn.proj": "attn1.to_out.0",
    "cross_attn.q_linear": "attn2.to_q",
    "cross_attn.kv_linear": ["attn2.to_k", "attn2.to_v"],
    "cross_attn.q_norm": "attn2.norm_q",
    "cross_attn.k_norm": "attn2.norm_k",
    "cross_attn.proj": "attn2.to_out.0",
    "mlp.inverted_conv.conv": "ff.conv_inverted",
    "mlp.depth_conv.conv": "ff.conv_depth",
    "mlp.point_conv.conv": "ff.conv_point",
}
WITHOUT = ("pos_embed", "y_embedder.y_embedding", "logvar_linear.")
"""What the authors' files have and diffusers computes or does without."""


def layout(config: Config) -> Layout:
    """The layout of the authors. Source: https://github.com/NVlabs/Sana."""
    table: dict[str, str | Sequence[str]] = {
        "x_embedder.proj": "patch_embed.proj",
        "t_embedder.mlp.0": "time_embed.emb.timestep_embedder.linear_1",
        "t_embedder.mlp.2": "time_embed.emb.timestep_embedder.linear_2",
        "t_block.1": "time_embed.linear",
        "y_embedder.y_proj.fc1": "caption_projection.linear_1",
        "y_embedder.y_proj.fc2": "caption_projection.linear_2",
        "attention_y_norm": "caption_norm",
        "final_layer.linear": "proj_out",
        "final_layer.scale_shift_table": "scale_shift_table",
    }
    for original, own in BLOCK.items():
        names = [own] if isinstance(own, str) else own
        table[f"blocks.*.{original}"] = [f"transformer_blocks.*.{name}" for name in names]
    return Layout(rows(table), dropped=WITHOUT)


def sized(shapes: Shapes) -> dict[str, Any]:
    """Sizes by the tensors' names in either layout; heads have 32 channels, those over the text 112, or 72 in the
    smaller model."""
    patches = first(shapes, "x_embedder.proj.weight", "patch_embed.proj.weight")
    text = first(shapes, "y_embedder.y_proj.fc1.weight", "caption_projection.linear_1.weight")
    point = first(shapes, "blocks.0.mlp.point_conv.conv.weight", "transformer_blocks.0.ff.conv_point.weight")
    if patches is None or text is None or point is None:
        return {}
    width = patches[0]
    normed = first(shapes, "blocks.0.attn.q_norm.weight", "transformer_blocks.0.attn1.norm_q.weight")
    head = 112 if width % 112 == 0 else 72
    return {
        "in_channels": patches[1],
        "out_channels": patches[1],
        "patch_size": patches[2],
        "num_attention_heads": width // 32,
        "num_cross_attention_heads": width // head,
        "cross_attention_head_dim": head,
        "cross_attention_dim": width,
        "caption_channels": text[1],
        "mlp_ratio": point[1] / width,
        "num_layers": count(shapes, "blocks.") or count(shapes, "transformer_blocks."),
        "qk_norm": "rms_norm_across_heads" if normed else None,
        "guidance_embeds": any(".guidance_embedder." in name or "cfg_embedder." in name for name in shapes),
    }


def foreign(config: Config) -> str | None:
    """Why a configuration is that of another model."""
    if config.get("guidance_embeds"):
        return (
            "it reads the scale of guidance, as Sana Sprint does, whose process is trigonometric and no rectified flow"
        )
    return None


class Sana(DeepCompression):
    """Linear DiT, one token a latent; texts are in lower case."""

    name = TABLE["name"]
    architecture = "sana"
    base_version = "sana"
    pipeline = "SanaPipeline"
    masked = True
    latent_multiple = TABLE["latent_multiple"]
    transformer = Network(
        name="transformer",
        cls="SanaTransformer2DModel",
        released={
            "in_channels": 32,
            "out_channels": 32,
            "num_attention_heads": 70,
            "attention_head_dim": 32,
            "num_layers": 20,
            "num_cross_attention_heads": 20,
            "cross_attention_head_dim": 112,
            "cross_attention_dim": 2240,
            "caption_channels": 2304,
            "mlp_ratio": 2.5,
            "attention_bias": False,
            "sample_size": 32,
            "patch_size": 1,
            "norm_elementwise_affine": False,
            "norm_eps": 1e-6,
            "interpolation_scale": None,
            "guidance_embeds": False,
            "qk_norm": None,
            "timestep_scale": 1.0,
        },
        tiny={
            "in_channels": 4,
            "out_channels": 4,
            "num_attention_heads": 4,
            "attention_head_dim": 4,
            "num_layers": 2,
            "num_cross_attention_heads": 2,
            "cross_attention_head_dim": 8,
            "cross_attention_dim": 16,
            "caption_channels": 16,
            "sample_size": 16,
        },
        layout=layout,
        files=("model.diffusion_model.",),
        sized=sized,
        foreign=foreign,
    )
    vae = dc_vae(
        released={
            "in_channels": 3,
            "latent_channels": 32,
            "attention_head_dim": 32,
            "encoder_block_types": ["ResBlock"] * 3 + ["EfficientViTBlock"] * 3,
            "decoder_block_types": ["ResBlock"] * 3 + ["EfficientViTBlock"] * 3,
            "encoder_block_out_channels": [128, 256, 512, 512, 1024, 1024],
            "decoder_block_out_channels": [128, 256, 512, 512, 1024, 1024],
            "encoder_layers_per_block": [2, 2, 2, 3, 3, 3],
            "decoder_layers_per_block": [3, 3, 3, 3, 3, 3],
            "encoder_qkv_multiscales": [[], [], [], [5], [5], [5]],
            "decoder_qkv_multiscales": [[], [], [], [5], [5], [5]],
            "downsample_block_type": "conv",
            "upsample_block_type": "interpolate",
            "scaling_factor": 0.41407,
        },
        tiny={
            "latent_channels": 4,
            "attention_head_dim": 4,
            "encoder_block_types": ["ResBlock", "EfficientViTBlock"],
            "decoder_block_types": ["ResBlock", "EfficientViTBlock"],
            "encoder_block_out_channels": [8, 8],
            "decoder_block_out_channels": [8, 8],
            "encoder_layers_per_block": [1, 1],
            "decoder_layers_per_block": [1, 2],
            "encoder_qkv_multiscales": [[], [5]],
            "decoder_qkv_multiscales": [[], [5]],
        },
    )
    texts = (gemma2("text_encoder", "tokenizer", TOKENS, around=2),)
    scheduler: ClassVar[dict[str, Any]] = {
        "_class_name": "DPMSolverMultistepScheduler",
        "num_train_timesteps": 1000,
        "algorithm_type": "dpmsolver++",
        "solver_order": 2,
        "prediction_type": "flow_prediction",
        "use_flow_sigmas": True,
        "flow_shift": 3.0,
    }
    shift: ClassVar[dict[str, Any]] = {"grid": "table", "patch": 1}

    def prompt(
        self, text_encoder: TextEncoder, module: TextNetworks, texts: Sequence[str], clip_skip: int
    ) -> Conditioning:
        """The last states of texts behind their instructions; those of one instruction are encoded together."""
        refuse_clip_skip(clip_skip, TABLE["title"])
        pairs = [instructed(text, INSTRUCTION, MARK) for text in texts]
        found: dict[int, Conditioning] = {}
        for instruction in dict.fromkeys(own for own, _ in pairs):
            places = [place for place, (own, _) in enumerate(pairs) if own == instruction]
            some = self._behind(text_encoder, module, instruction, [pairs[place][1] for place in places])
            for row, place in enumerate(places):
                mask = {name: one[row : row + 1] for name, one in some.masks.items()}
                found[place] = Conditioning({name: one[row : row + 1] for name, one in some.parts.items()}, mask)
        return Conditioning.joined([found[place] for place in range(len(texts))])

    def _behind(
        self, text_encoder: TextEncoder, module: TextNetworks, instruction: str, texts: Sequence[str]
    ) -> Conditioning:
        """Texts behind one instruction: its first token, its last one, and the texts'."""
        (clip,) = networks_of(text_encoder).values()
        before = f"{instruction}\n{MARK} " if instruction else ""
        lead = len(clip.tokens.tokenizer(before).input_ids) if before else 2
        whole = [before + text.lower().strip() for text in texts]
        ids, mask = tokenised(text_encoder, clip, whole, TOKENS + lead - 2, longest=True, side="right")
        states = module(clip.name, ids, attention_mask=mask, use_cache=False)[0].float()
        kept = [0, *range(lead - 1, ids.shape[1])]
        return Conditioning.of(states[:, kept], mask=mask[:, kept])

    def inputs(
        self,
        denoiser: Denoiser,
        noisy: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        sizes: Tensor | None,
    ) -> dict[str, Any]:
        """At T · t, times what the configuration says; pads are masked in the attention over the text."""
        return {
            "hidden_states": noisy,
            "timestep": timesteps * denoiser.config.get("timestep_scale", 1.0),
            "encoder_hidden_states": conditioning.data.to(noisy.dtype),
            "encoder_attention_mask": conditioning.masks.get(TEXT),
        }

    def output(self, denoiser: Denoiser, raw: Any, noisy: Tensor) -> Tensor:
        """The velocity, without what networks of twice as many channels say of its variance."""
        found: Tensor = raw[:, : noisy.shape[1]]
        return found


FAMILY = Sana()
