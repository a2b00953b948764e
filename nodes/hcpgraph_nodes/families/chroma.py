"""Chroma: FLUX.1 schnell without CLIP's embedding, whose modulations one small network makes, led by T5 and plain
guidance.

Source: https://huggingface.co/lodestones/Chroma; ChromaPipeline in diffusers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..conditioning import TEXT
from ..model.handles import Denoiser, TextEncoder
from ..types import Conditioning
from .dit.chroma_net import ChromaNetwork
from .dit.family import TransformerFamily
from .dit.flux_blocks import FUSED, NAMES, RELEASED, TINY, block_sizes
from .dit.flux_vae import VAE
from .dit.layout import Layout, Shapes, rows
from .dit.networks import TextNetworks, count
from .dit.packing import SIDE, pack, places, unpack
from .dit.prompts import networks_of, refuse_clip_skip, tokenised
from .dit.t5 import t5
from .networks import Config

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "chroma",
    "title": "Chroma",
    "folder": [{"parts": {"transformer": "ChromaTransformer2DModel"}}],
    "file": [
        {"keys": ["model.diffusion_model.distilled_guidance_layer.in_proj.", "model.diffusion_model.double_blocks.0."]}
    ],
    "denoiser": [{"config": {"_class_name": "ChromaTransformer2DModel"}}],
    "denoiser_file": [
        {"keys": ["distilled_guidance_layer.in_proj.", "double_blocks.0."]},
        {"keys": ["distilled_guidance_layer.in_proj.", "single_transformer_blocks.0."]},
    ],
    "text_encoder": [{"config": {"kinds": ["t5"]}}],
    "process": "flow",
    "configured": True,
    "latent_multiple": 2,
    "interfaces": {"latents": "flux", "text": "chroma"},
    "conditions": [],
    "text_networks": 1,
    "adapters": {"base_version": "chroma", "architecture": "chroma", "keys": ["distilled_guidance_layer"]},
    "defaults": {
        "area": 1048576,
        "width": 1024,
        "height": 1024,
        "bucket_step": 64,
        "sampler": "euler",
        "steps": 35,
        "guidance": 5.0,
        "distribution": "uniform",
        "weighting": "none",
    },
    "groups": {
        "denoiser": [
            "flux_blocks",
            {"embedding": [r"re:distilled_guidance_layer\.(in_proj|out_proj|layers\.\d+\.linear_[12])$"]},
        ],
        "text_encoder": ["t5"],
        "vae": ["kl_vae"],
    },
}
APPROXIMATOR = {
    "distilled_guidance_layer.layers.*.in_layer": "distilled_guidance_layer.layers.*.linear_1",
    "distilled_guidance_layer.layers.*.out_layer": "distilled_guidance_layer.layers.*.linear_2",
    "distilled_guidance_layer.norms.*.scale": "distilled_guidance_layer.norms.*.weight",
}
LAYOUT = Layout([*rows(NAMES | APPROXIMATOR), *rows(FUSED)])
LENGTH = 512
"""Tokens of T5."""


def sized(shapes: Shapes) -> dict[str, Any]:
    """Sizes by the tensors' names in either layout."""
    found, made = block_sizes(shapes), shapes.get("distilled_guidance_layer.in_proj.weight")
    if not found or made is None:
        return {}
    return {
        **found,
        "approximator_num_channels": made[1],
        "approximator_hidden_dim": made[0],
        "approximator_layers": count(shapes, "distilled_guidance_layer.layers."),
    }


class Chroma(TransformerFamily):
    """T5's tokens under a mask that keeps one token of padding more than the text."""

    name = TABLE["name"]
    architecture = "chroma"
    base_version = "chroma"
    kohya_network = "networks.lora_flux"
    pipeline = "ChromaPipeline"
    nulls = ("image_encoder", "feature_extractor")
    masked = True
    transformer = ChromaNetwork(
        name="transformer",
        cls="ChromaTransformer2DModel",
        released={
            **RELEASED,
            "approximator_num_channels": 64,
            "approximator_hidden_dim": 5120,
            "approximator_layers": 5,
        },
        tiny={**TINY, "approximator_num_channels": 8, "approximator_hidden_dim": 16, "approximator_layers": 1},
        layout=lambda config: LAYOUT,
        files=("model.diffusion_model.",),
        sized=sized,
    )
    vae = VAE
    texts = (t5("text_encoder", "tokenizer", LENGTH, kohya="lora_te1_"),)
    scheduler: ClassVar[dict[str, Any]] = {
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "num_train_timesteps": 1000,
        "shift": 3.0,
        "use_dynamic_shifting": True,
        "base_shift": 0.5,
        "max_shift": 1.15,
        "base_image_seq_len": 256,
        "max_image_seq_len": 4096,
    }

    def channels(self, config: Config) -> int:
        """Channels of the latents, of which four make a token."""
        return int(config["in_channels"]) // SIDE**2

    def prompt(
        self, text_encoder: TextEncoder, module: TextNetworks, texts: Sequence[str], clip_skip: int
    ) -> Conditioning:
        """T5's tokens, where padding is masked; the denoiser's mask keeps the first token of it."""
        refuse_clip_skip(clip_skip, self.name)
        (large,) = networks_of(text_encoder).values()
        ids, mask = tokenised(text_encoder, large, texts, LENGTH)
        states = module(large.name, ids, attention_mask=mask.long())[0].float()
        kept = torch.arange(ids.shape[1], device=ids.device) <= mask.sum(dim=1, keepdim=True)
        return Conditioning.of(states, mask=kept)

    def inputs(
        self,
        denoiser: Denoiser,
        noisy: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        sizes: Tensor | None,
    ) -> dict[str, Any]:
        """The mask (B, text and picture) goes to the network as floats, as in its pipeline: there attention adds the
        product of the masks of two tokens, 1 where both count, so that padding counts less and is not left out. A mask
        of truth values would leave it out, and give another picture than the pipeline."""
        text, tokens = conditioning.data.to(noisy.dtype), pack(noisy)
        mask = conditioning.masks.get(TEXT)
        if mask is not None:
            mask = torch.cat([mask.to(noisy.dtype), noisy.new_ones(tokens.shape[:2])], dim=1)
        return {
            "hidden_states": tokens,
            "timestep": timesteps.to(noisy.dtype) / 1000,
            "encoder_hidden_states": text,
            "txt_ids": torch.zeros(text.shape[1], 3, device=noisy.device),
            "img_ids": places(noisy.shape).to(noisy.device),
            "attention_mask": mask,
        }

    def output(self, denoiser: Denoiser, raw: Any, noisy: Tensor) -> Tensor:
        """Latents of tokens."""
        return unpack(raw, *noisy.shape[-2:])


FAMILY = Chroma()
