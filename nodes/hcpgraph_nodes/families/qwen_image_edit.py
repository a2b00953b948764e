"""Qwen-Image-Edit: a picture is changed as a text says.

Text network and denoiser read the same picture, which its pipeline brings to about 1024 × 1024 pixels; here
image.resize does. Its files look like those of Qwen-Image: of a single file the setting family has to name it.
Source: Wu et al. 2025, https://arxiv.org/abs/2508.02324; QwenImageEditPipeline in diffusers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from hcpgraph import GraphError

from ..conditioning import TEXT, TOKENS
from ..model.handles import Denoiser, TextEncoder
from ..types import Conditioning
from .dit.packing import SIDE, pack, unpack
from .dit.prompts import networks_of, refuse_clip_skip
from .dit.qwen_vl import MARK, seeing_qwen_vl, seen
from .qwen_image import QwenImage

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "qwen_image_edit",
    "title": "Qwen-Image-Edit",
    "folder": [
        {
            "parts": {"transformer": "QwenImageTransformer2DModel", "processor": "Qwen2VLProcessor"},
            "pipeline": "QwenImageEditPipeline",
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
    "interfaces": {"latents": "qwen_image", "text": "qwen_image_edit"},
    "conditions": ["image_tokens_"],
    "text_networks": 1,
    "text_images": True,
    "adapters": {"base_version": "qwen_image_edit", "architecture": "Qwen-Image-Edit"},
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
TEMPLATE = (
    "<|im_start|>system\nDescribe the key features of the input image (color, shape, size, texture, objects, "
    "background), then explain how the user's text instruction should alter or modify the image. Generate a new image "
    "that meets the user's requirements while maintaining consistency with the original input where appropriate."
    "<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)
SYSTEM = 64
"""Tokens of the template before pictures and prompt, which are left out."""


class QwenImageEdit(QwenImage):
    """Reference pictures follow the noise as tokens; the text network reads pictures before the words.

    Attributes:
        before: What stands before the marks of the picture of a number, from 1 on.
        most: How many pictures a text may have; None: any number.
    """

    name = TABLE["name"]
    architecture = "Qwen-Image-Edit"
    base_version = TABLE["name"]
    pipeline = "QwenImageEditPipeline"
    before: ClassVar[str] = ""
    most: ClassVar[int | None] = 1
    reads: ClassVar[frozenset[str]] = frozenset({TEXT, TOKENS})
    texts = (seeing_qwen_vl("text_encoder", "tokenizer", "processor", SYSTEM),)

    def encode_prompt(
        self, text_encoder: TextEncoder, texts: Sequence[str], clip_skip: int, images: Sequence[Tensor] = ()
    ) -> Conditioning:
        """Text embeddings, see `base.Family`; without pictures nothing stands before the words.

        Raises:
            GraphError: E_CLIP_SKIP; E_IMAGES, more pictures than it reads, or a text has the mark that stands for one;
                E_SIZE.
        """
        refuse_clip_skip(clip_skip, self.name)
        if self.most is not None and len(images) > self.most:
            message = f"the text encoder of {self.name} reads one picture for each text, and there are {len(images)}"
            raise GraphError("E_IMAGES", message, port="images_2", hint="take the others away")
        if any(MARK in text for text in texts):
            message = f"a text has the mark {MARK}, which stands for a picture"
            raise GraphError("E_IMAGES", message, port="captions", hint="take it out, and wire the picture to images")
        pictures = [each[row % len(each)] for row in range(len(texts)) for each in images]
        given, marks = seen(networks_of(text_encoder)["text_encoder"], pictures) if pictures else ({}, [])
        count, whole = len(images), []
        for row, text in enumerate(texts):
            own = enumerate(marks[row * count : (row + 1) * count], 1)
            shown = [f"{self.before.format(index)}<|vision_start|>{each}<|vision_end|>" for index, each in own]
            whole.append(TEMPLATE.format("".join(shown) + text))
        with text_encoder.active() as module:
            return self.states(text_encoder, module, whole, SYSTEM, given)

    def inputs(
        self,
        denoiser: Denoiser,
        noisy: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        sizes: Tensor | None,
    ) -> dict[str, Any]:
        """The tokens of reference pictures stand behind those of the noise, each with its rows and columns.

        Raises:
            GraphError: E_CHANNELS, E_CONDITION, pictures that it does not read.
        """
        given = super().inputs(denoiser, noisy, timesteps, conditioning, sizes)
        references = [each.to(noisy) for each in conditioning.references]
        for each in references:
            _require_readable(each, noisy.shape[1])
        shapes = [(1, each.shape[-2] // SIDE, each.shape[-1] // SIDE) for each in (noisy, *references)]
        tokens = torch.cat([given["hidden_states"], *map(pack, references)], dim=1)
        return {**given, "hidden_states": tokens, "img_shapes": [shapes] * len(noisy)}

    def output(self, denoiser: Denoiser, raw: Any, noisy: Tensor) -> Tensor:
        """Without what it says of reference pictures."""
        height, width = noisy.shape[-2:]
        return unpack(raw[:, : height * width // SIDE**2], height, width)


def _require_readable(reference: Tensor, channels: int) -> None:
    found, height, width = reference.shape[1:]
    if found != channels:
        message = f"the reference picture has {found} channels, and the latents {channels}"
        raise GraphError("E_CHANNELS", message, hint="encode it with the VAE of the same model")
    if height % SIDE or width % SIDE:
        message = f"a reference picture of {width}×{height} latents is no whole squares of {SIDE} of them"
        hint = "bring it to multiples of twice the pixels of a latent, with image.resize"
        raise GraphError("E_CONDITION", message, port="conditioning", hint=hint)


FAMILY = QwenImageEdit()
