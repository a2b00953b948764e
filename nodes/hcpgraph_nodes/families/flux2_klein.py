"""FLUX.2 klein: the small models of FLUX.2, led by Qwen 3; the distilled ones are drawn without guidance in few steps.

Source: https://github.com/black-forest-labs/flux2; Flux2KleinPipeline in diffusers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..model.handles import TextEncoder
from ..types import Conditioning
from .dit.flux2 import LENGTH, Flux2Family, has_layers, layers_beside, transformer
from .dit.networks import TextNetworks
from .dit.prompts import networks_of, refuse_clip_skip, tokenised
from .dit.qwen3 import asked, qwen3

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "flux2_klein",
    "title": "FLUX.2 klein",
    "folder": [
        {
            "parts": {
                "transformer": "Flux2Transformer2DModel",
                "text_encoder": ["Qwen3ForCausalLM", "Qwen3Model"],
            }
        }
    ],
    "file": [
        {
            "keys": ["model.diffusion_model.double_stream_modulation_img.lin."],
            "without": ["model.diffusion_model.guidance_in."],
        }
    ],
    "denoiser": [{"config": {"_class_name": "Flux2Transformer2DModel", "guidance_embeds": False}}],
    "denoiser_file": [
        {"keys": ["double_stream_modulation_img.lin."], "without": ["guidance_in."]},
        {
            "keys": ["double_stream_modulation_img.linear."],
            "without": ["time_guidance_embed.guidance_embedder."],
        },
    ],
    "text_encoder": [
        {"config": {"kinds": ["decoder"], "model_type": "qwen3"}},
        {"config": {"kinds": ["decoder"], "hidden_size": 4096}},
        {"config": {"kinds": ["decoder"], "hidden_size": 2560}},
    ],
    "process": "flow",
    "configured": True,
    "latent_multiple": 2,
    "interfaces": {"latents": "flux2", "text": "flux2_klein"},
    "conditions": ["image_tokens_"],
    "text_networks": 1,
    "adapters": {"base_version": "flux2_klein", "architecture": "Flux.2-klein"},
    "defaults": {
        "area": 1048576,
        "width": 1024,
        "height": 1024,
        "bucket_step": 16,
        "sampler": "euler",
        "steps": 50,
        "guidance": 4.0,
        "distribution": "uniform",
        "weighting": "none",
    },
    "groups": {"denoiser": ["flux2_blocks"], "text_encoder": ["qwen3"], "vae": ["kl_vae"]},
}
LAYERS = (9, 18, 27)
"""Of the text network, whose states lie side by side."""
AROUND = 12
"""Tokens of the template of a chat, and of an empty thought."""
TEXT = qwen3("text_encoder", "tokenizer", LENGTH, around=AROUND, tiny={"num_hidden_layers": LAYERS[-1]})


class Flux2Klein(Flux2Family):
    """Guidance is plain; its pipeline compares with the empty prompt."""

    name = TABLE["name"]
    architecture = "Flux.2-klein-4b"
    base_version = "flux2_klein_base_4b"
    pipeline = "Flux2KleinPipeline"
    transformer = transformer(
        {
            "num_layers": 5,
            "num_single_layers": 20,
            "num_attention_heads": 24,
            "joint_attention_dim": 7680,
            "guidance_embeds": False,
        },
        {},
    )
    texts = (replace(TEXT, foreign=has_layers(LAYERS)),)

    def prompt(
        self, text_encoder: TextEncoder, module: TextNetworks, texts: Sequence[str], clip_skip: int
    ) -> Conditioning:
        """States of three layers of a user's turn in a chat that the model may not think about, padded."""
        refuse_clip_skip(clip_skip, self.name)
        (own,) = networks_of(text_encoder).values()
        turns = asked(own.tokens.tokenizer, texts, thinking=False)
        ids, mask = tokenised(text_encoder, own, turns, LENGTH)
        found = module(own.name, ids, attention_mask=mask.long(), output_hidden_states=True, use_cache=False)
        return Conditioning.of(layers_beside(found.hidden_states, LAYERS))


FAMILY = Flux2Klein()
