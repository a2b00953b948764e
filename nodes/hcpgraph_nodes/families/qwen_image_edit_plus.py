"""Qwen-Image-Edit Plus, the releases 2509 and 2511: pictures are put together or changed as a text says.

The text network reads them as "Picture 1: ", of about 384 × 384 pixels, the denoiser of about 1024 × 1024; its pipeline
brings them there, here image.resize does. Its files look like those of Qwen-Image: of a single file the setting family
has to name it. Source: QwenImageEditPlusPipeline in diffusers.
"""

from __future__ import annotations

from typing import Any

from .qwen_image_edit import QwenImageEdit

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "qwen_image_edit_plus",
    "title": "Qwen-Image-Edit Plus",
    "folder": [
        {
            "parts": {"transformer": "QwenImageTransformer2DModel", "processor": "Qwen2VLProcessor"},
            "pipeline": "QwenImageEditPlusPipeline",
        }
    ],
    "file": [{"keys": ["model.diffusion_model.txt_norm."], "named": True}],
    "denoiser": [{"config": {"_class_name": "QwenImageTransformer2DModel"}, "named": True}],
    "denoiser_file": [{"keys": ["txt_norm.", "transformer_blocks.0.img_mod."], "named": True}],
    "text_encoder": [
        {"config": {"kinds": ["decoder"], "model_type": "qwen2_5_vl"}, "named": True},
        {"config": {"kinds": ["decoder"], "hidden_size": 3584}, "named": True},
    ],
    "process": "flow",
    "configured": True,
    "latent_multiple": 2,
    "interfaces": {"latents": "qwen_image", "text": "qwen_image_edit_plus"},
    "conditions": ["image_tokens_"],
    "text_networks": 1,
    "text_images": True,
    "adapters": {"base_version": "qwen_image_edit_plus", "architecture": "Qwen-Image-Edit-Plus"},
    "defaults": {
        "area": 1048576,
        "width": 1024,
        "height": 1024,
        "bucket_step": 32,
        "sampler": "euler",
        "steps": 50,
        "guidance": 4.0,
        "distribution": "uniform",
        "weighting": "none",
    },
    "groups": {"denoiser": ["qwen_image_blocks"], "text_encoder": ["qwen2_5_vl"], "vae": ["causal_vae"]},
}


class QwenImageEditPlus(QwenImageEdit):
    """Pictures stand before the words with their numbers."""

    name = TABLE["name"]
    architecture = "Qwen-Image-Edit-Plus"
    base_version = TABLE["name"]
    pipeline = "QwenImageEditPlusPipeline"
    before = "Picture {}: "
    most = None


FAMILY = QwenImageEditPlus()
