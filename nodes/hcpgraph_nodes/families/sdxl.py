"""Stable Diffusion XL: two text networks, a pooled embedding, and the sizes of the picture.

Source: Podell et al. 2023, https://arxiv.org/abs/2307.01952 (section 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hcpgraph import GraphError

from ..conditioning import CHANNELS, POOLED, TEXT
from ..model.handles import Denoiser, TextEncoder
from ..types import Conditioning, Process
from . import file_marks
from .base import Prefixes
from .identity import FACTOR
from .image_conditions import CHANNELS as BESIDE
from .image_conditions import INPAINT
from .networks import TextPart
from .sizes import SCHEDULE, Sizes, TextSizes
from .unet_family import UNetFamily
from .unet_parts import ZEROS

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "sdxl",
    "title": "Stable Diffusion XL",
    "folder": [
        {
            "parts": {
                "unet": "UNet2DConditionModel",
                "text_encoder": "CLIPTextModel",
                "text_encoder_2": "CLIPTextModelWithProjection",
            }
        }
    ],
    "file": [
        {
            "keys": [
                "model.diffusion_model.",
                "model.diffusion_model.label_emb.0.0.weight",
                "conditioner.embedders.1.model.",
            ],
            "without": ["cond_stage_model.transformer.", "cond_stage_model.model."],
        }
    ],
    "controlnet": [{"config": {"addition_embed_type": "text_time"}, "rank": 3}],
    "process": "vp",
    "denoiser": [{"config": {"_class_name": "UNet2DConditionModel", "addition_embed_type": "text_time"}, "rank": 3}],
    "denoiser_file": [{"keys": ["label_emb.", "input_blocks."]}, {"keys": ["add_embedding.", "down_blocks."]}],
    "text_encoder": [{"config": {"kinds": ["clip", "clip"]}, "rank": 2}],
    "interfaces": {"latents": "sdxl", "text": "sdxl", "controlnet": "sdxl"},
    "conditions": ["image_channels"],
    "text_networks": 2,
    "reads_sizes": True,
    "zero_negative": True,
    "skipped": 1,
    "adapters": {
        "base_version": "sdxl",
        "architecture": "stable-diffusion-xl",
        "keys": ["lora_te2_", "text_encoder_2.", "text_encoders.clip_g.", "clip_bigG.", "add_embedding", "label_emb"],
    },
    "word_widths": {"1280": "the second text encoder of SDXL", "2048": "both text encoders of SDXL, side by side"},
    "defaults": {
        "area": 1048576,
        "width": 1024,
        "height": 1024,
        "bucket_step": 64,
        "sampler": "dpmpp_2m_karras",
        "steps": 25,
        "guidance": 5.0,
        "distribution": "uniform",
        "weighting": "min_snr",
    },
    "groups": {"denoiser": ["unet"], "text_encoder": ["clip"], "vae": ["kl_vae"], "controlnet": ["unet"]},
}
FORCE_ZEROS = "force_zeros_for_empty_prompt"


class SDXL(UNetFamily):
    """CLIP ViT-L/14 and OpenCLIP ViT-bigG/14, joined; a UNet that also reads the pooled embedding and sizes."""

    name = TABLE["name"]
    lora_prefix: ClassVar[Prefixes] = {
        "denoiser": {"": "lora_unet_"},
        "text_encoder": {"text_encoder.": "lora_te1_", "text_encoder_2.": "lora_te2_"},
    }
    peft_prefix: ClassVar[Prefixes] = {
        "denoiser": {"": "unet."},
        "text_encoder": {"text_encoder.": "text_encoder.", "text_encoder_2.": "text_encoder_2."},
    }
    kohya_original = True
    architecture = "stable-diffusion-xl-v1-base"
    base_version = "sdxl_base_v1-0"
    resolution = "1024x1024"
    sizes = Sizes(
        channels=(320, 640, 1280),
        attention=(1, 2),
        depth=(1, 2, 10),
        heads=(5, 10, 20),
        linear=True,
        size_width=256,
        texts=(
            TextSizes(projection=768),
            TextSizes(width=1280, layers=32, heads=20, act="gelu", projection=1280, padding=1),
        ),
        scaling_factor=0.13025,
        resolution=1024,
    )
    texts = (
        TextPart(
            name="text_encoder",
            tokenizer="tokenizer",
            prefix="text_encoder.",
            single="conditioner.embedders.0.transformer.",
            open_clip=False,
            padding="<|endoftext|>",
            comfy="clip_l",
            hcp=("clip_B.", "clip_L."),
        ),
        TextPart(
            name="text_encoder_2",
            tokenizer="tokenizer_2",
            prefix="text_encoder_2.",
            single="conditioner.embedders.1.model.",
            open_clip=True,
            padding="!",
            comfy="clip_g",
            hcp=("clip_bigG.",),
            projected=True,
        ),
    )
    pipeline = "StableDiffusionXLPipeline"
    pipelines: ClassVar[Mapping[str | None, str]] = {
        INPAINT: "StableDiffusionXLInpaintPipeline",
        BESIDE: "StableDiffusionXLInstructPix2PixPipeline",
    }
    nulls = ("feature_extractor", "image_encoder")
    schedule: ClassVar[Mapping[str, Any]] = {
        **SCHEDULE,
        "_class_name": "EulerDiscreteScheduler",
        "interpolation_type": "linear",
        "use_karras_sigmas": False,
    }
    upcast_vae = True
    skipped = TABLE["skipped"]
    reads: ClassVar[frozenset[str]] = frozenset({TEXT, POOLED, CHANNELS})

    def model_index(self, denoiser: Denoiser) -> dict[str, Any]:
        return {FORCE_ZEROS: bool(denoiser.config.get(ZEROS))}

    def released_zeros(self, index: Mapping[str, Any]) -> bool:
        return bool(index.get(FORCE_ZEROS, True))

    def file_marks(self, noise: Process) -> dict[str, Tensor]:
        marks = {
            file_marks.V_MARK: noise.prediction_type == "v_prediction",
            file_marks.ZERO_SNR_MARK: bool(noise.config.get("rescale_betas_zero_snr")),
        }
        return {name: torch.zeros(0) for name, said in marks.items() if said}

    def embed(
        self, text_encoder: TextEncoder, module: nn.Module, ids: Sequence[Tensor], clip_skip: int
    ) -> Conditioning:
        """The last layer but one of both networks, without the final norm; the second one's pooled embedding."""
        outputs = module({clip.name: each for clip, each in zip(text_encoder.clips, ids, strict=True)})
        hidden = [outputs[clip.name].hidden_states[-2 - clip_skip].float() for clip in text_encoder.clips]
        return Conditioning.of(torch.cat(hidden, dim=-1), outputs[text_encoder.clips[-1].name].text_embeds.float())

    def extra_conditions(
        self, denoiser: Denoiser, noisy: Tensor, conditioning: Conditioning, sizes: Tensor | None
    ) -> dict[str, Any]:
        """`added_cond_kwargs`: the pooled embedding, and the six size numbers of every row.

        Raises:
            GraphError: E_POOLED, the conditioning is of a family without a pooled embedding.
        """
        if conditioning.pooled is None:
            raise GraphError(
                "E_POOLED",
                "an SDXL denoiser needs the pooled text embedding, and the conditioning has none",
                port="conditioning",
                hint="encode the text with the text encoder of an SDXL model",
            )
        rows, _, height, width = noisy.shape
        if sizes is None:
            factor = denoiser.config[FACTOR]
            height, width = height * factor, width * factor
            sizes = torch.tensor([[height, width, 0, 0, height, width]])
        numbers = sizes.to(noisy.device, torch.float32).expand(rows, -1)
        pooled = conditioning.pooled.to(denoiser.root.placement.dtype)
        return {"added_cond_kwargs": {"text_embeds": pooled, "time_ids": numbers}}


FAMILY = SDXL()
