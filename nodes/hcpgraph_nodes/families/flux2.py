"""FLUX.2 dev: a rectified flow over tokens of picture and text, led by Mistral 3; it reads a scale of guidance.

Source: https://github.com/black-forest-labs/flux2; Flux2Pipeline in diffusers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..conditioning import TEXT, TOKENS
from ..model.handles import TextEncoder
from ..types import Conditioning
from .dit.flux2 import LENGTH, Flux2Family, has_layers, layers_beside, transformer
from .dit.mistral3 import foreign, mistral3, told
from .dit.networks import TextNetworks
from .dit.prompts import networks_of, refuse_clip_skip, tokenised
from .networks import Config

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "flux2",
    "title": "FLUX.2 dev",
    "folder": [
        {
            "parts": {
                "transformer": "Flux2Transformer2DModel",
                "text_encoder": "Mistral3ForConditionalGeneration",
            }
        }
    ],
    "file": [
        {
            "keys": [
                "model.diffusion_model.double_stream_modulation_img.lin.",
                "model.diffusion_model.guidance_in.",
            ]
        }
    ],
    "denoiser": [{"config": {"_class_name": "Flux2Transformer2DModel"}}],
    "denoiser_file": [
        {"keys": ["double_stream_modulation_img.lin.", "guidance_in."]},
        {"keys": ["double_stream_modulation_img.linear.", "time_guidance_embed.guidance_embedder."]},
    ],
    "text_encoder": [
        {"config": {"kinds": ["decoder"], "model_type": "mistral3"}},
        {"config": {"kinds": ["decoder"], "hidden_size": 5120}},
    ],
    "process": "flow",
    "configured": True,
    "latent_multiple": 2,
    "interfaces": {"latents": "flux2", "text": "flux2"},
    "conditions": ["guidance", "image_tokens_"],
    "text_networks": 1,
    "adapters": {
        "base_version": "flux2_dev",
        "architecture": "Flux.2-dev",
        "keys": ["double_stream_modulation", "to_qkv_mlp_proj"],
    },
    "defaults": {
        "area": 1048576,
        "width": 1024,
        "height": 1024,
        "bucket_step": 16,
        "sampler": "euler",
        "steps": 50,
        "guidance": 1.0,
        "distribution": "uniform",
        "weighting": "none",
    },
    "groups": {"denoiser": ["flux2_blocks"], "text_encoder": ["mistral3"], "vae": ["kl_vae"]},
}
SYSTEM = (
    "You are an AI that reasons about image descriptions. You give structured responses focusing on object "
    "relationships, object\nattribution and actions without speculation."
)
"""The first message of every chat; source: system_messages.py of the authors."""
LAYERS = (10, 20, 30)
"""Of the text network, whose states lie side by side."""
AROUND = 40
"""Tokens of the template and the first message, about: as many as it has words, and the marks."""
GUIDANCE = "guidance"
USUAL = 4.0
"""The scale of a conditioning that says none, as the pipeline in diffusers has it."""


def reason(config: Config) -> str | None:
    """Why a text network is none of this family."""
    found: str | None = foreign(config) or has_layers(LAYERS)(config)
    return found


class Flux2(Flux2Family):
    """Guidance is a number that the network reads; its pipeline knows no negative prompt."""

    name = TABLE["name"]
    architecture = "Flux.2-dev"
    base_version = "flux2_dev"
    pipeline = "Flux2Pipeline"
    reads: ClassVar[frozenset[str]] = frozenset({TEXT, TOKENS, GUIDANCE})
    transformer = transformer({}, {})
    texts = (replace(mistral3("text_encoder", "tokenizer", LENGTH, around=AROUND, layers=LAYERS[-1]), foreign=reason),)

    def prompt(
        self, text_encoder: TextEncoder, module: TextNetworks, texts: Sequence[str], clip_skip: int
    ) -> Conditioning:
        """States of three layers of a user's turn in a chat, padded."""
        refuse_clip_skip(clip_skip, self.name)
        (own,) = networks_of(text_encoder).values()
        turns = told(own.tokens.tokenizer, texts, SYSTEM)
        ids, mask = tokenised(text_encoder, own, turns, LENGTH, marked=True)
        given = {"attention_mask": mask.long(), "output_hidden_states": True, "use_cache": False}
        found = module(f"{own.name}.model", ids, **given)
        return Conditioning.of(layers_beside(found.hidden_states, LAYERS))

    def guidance(self, conditioning: Conditioning, count: int, device: torch.device) -> Tensor:
        """The scale (B,), float32: that of the conditioning, else the usual one."""
        given = conditioning.parts.get(GUIDANCE)
        return torch.full((count,), USUAL, device=device) if given is None else given.float()


FAMILY = Flux2()
