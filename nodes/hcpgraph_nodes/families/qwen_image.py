"""Qwen-Image: a rectified flow over two streams of tokens, led by Qwen 2.5-VL.

Source: Wu et al. 2025, https://arxiv.org/abs/2508.02324; QwenImagePipeline in diffusers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from ..conditioning import TEXT
from ..model.handles import Denoiser, TextEncoder
from ..types import Conditioning
from .dit.causal_vae import CAUSAL_VAE, CausalVae
from .dit.family import TransformerFamily
from .dit.layout import Shapes
from .dit.networks import Network, TextNetworks, count
from .dit.packing import pack, unpack
from .dit.prompts import networks_of, refuse_clip_skip, tokenised
from .dit.qwen_vl import qwen_vl
from .networks import Config

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "qwen_image",
    "title": "Qwen-Image",
    "folder": [{"parts": {"transformer": "QwenImageTransformer2DModel", "processor": None}}],
    "file": [{"keys": ["model.diffusion_model.txt_norm.", "model.diffusion_model.transformer_blocks.0.img_mod."]}],
    "denoiser": [{"config": {"_class_name": "QwenImageTransformer2DModel"}}],
    "denoiser_file": [{"keys": ["txt_norm.", "transformer_blocks.0.img_mod."]}],
    "text_encoder": [
        {"config": {"kinds": ["decoder"], "model_type": "qwen2_5_vl"}},
        {"config": {"kinds": ["decoder"], "hidden_size": 3584}},
    ],
    "process": "flow",
    "configured": True,
    "latent_multiple": 2,
    "interfaces": {"latents": "qwen_image", "text": "qwen_image"},
    "conditions": [],
    "text_networks": 1,
    "adapters": {"base_version": "qwen_image", "architecture": "Qwen-Image", "keys": ["img_mod", "txt_mlp"]},
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
    "groups": {"denoiser": ["qwen_image_blocks"], "text_encoder": ["qwen2_5_vl"], "vae": ["causal_vae"]},
}
TEMPLATE = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)
SYSTEM = 34
"""Tokens of the template before the prompt, which are left out."""
TOKENS = 512
"""Of a prompt; what the pipeline cuts by default."""

MARK = "__index_timestep_zero__"
"""An empty tensor by which files for ComfyUI, of Qwen-Image-Edit-2511, say that reference pictures are modulated as if
they were without noise; source: https://github.com/kohya-ss/musubi-tuner, which knows it as that."""


def sized(shapes: Shapes) -> dict[str, Any]:
    """Sizes by the tensors' names; a mark says that reference pictures are modulated as if without noise."""
    image, text = shapes.get("img_in.weight"), shapes.get("txt_in.weight")
    last, norm = shapes.get("proj_out.weight"), shapes.get("transformer_blocks.0.attn.norm_q.weight")
    if image is None or text is None or last is None or norm is None:
        return {}
    return {
        "num_layers": count(shapes, "transformer_blocks."),
        "attention_head_dim": norm[0],
        "num_attention_heads": image[0] // norm[0],
        "in_channels": image[1],
        "out_channels": last[0] // 4,
        "joint_attention_dim": text[1],
        "zero_cond_t": MARK in shapes,
        "use_additional_t_cond": "time_text_embed.addition_t_embedding.weight" in shapes,
    }


def foreign(config: Config) -> str | None:
    """Why a configuration is that of another model."""
    for entry in ("guidance_embeds", "use_additional_t_cond", "use_layer3d_rope"):
        if config.get(entry):
            return f"it has {entry}, as models of layers or with distilled guidance do"
    return None


class QwenImage(CausalVae, TransformerFamily):
    """Its texts have their own lengths; guidance keeps the length of every token of the positive side."""

    name = TABLE["name"]
    architecture = "Qwen-Image"
    base_version = "qwen_image"
    pipeline = "QwenImagePipeline"
    masked = True
    reads: ClassVar[frozenset[str]] = frozenset({TEXT})
    transformer = Network(
        name="transformer",
        cls="QwenImageTransformer2DModel",
        released={
            "patch_size": 2,
            "in_channels": 64,
            "out_channels": 16,
            "num_layers": 60,
            "attention_head_dim": 128,
            "num_attention_heads": 24,
            "joint_attention_dim": 3584,
            "guidance_embeds": False,
            "axes_dims_rope": [16, 56, 56],
        },
        tiny={
            "num_layers": 2,
            "attention_head_dim": 8,
            "num_attention_heads": 2,
            "joint_attention_dim": 32,
            "axes_dims_rope": [2, 2, 4],
        },
        files=("model.diffusion_model.",),
        sized=sized,
        unused=(MARK,),
        foreign=foreign,
    )
    vae = CAUSAL_VAE
    texts = (qwen_vl("text_encoder", "tokenizer", SYSTEM + TOKENS, SYSTEM),)
    scheduler: ClassVar[dict[str, Any]] = {
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "num_train_timesteps": 1000,
        "shift": 1.0,
        "use_dynamic_shifting": True,
        "base_shift": 0.5,
        "max_shift": 0.9,
        "base_image_seq_len": 256,
        "max_image_seq_len": 8192,
        "shift_terminal": 0.02,
        "time_shift_type": "exponential",
    }

    def prompt(
        self, text_encoder: TextEncoder, module: TextNetworks, texts: Sequence[str], clip_skip: int
    ) -> Conditioning:
        """The last layer's tokens from the prompt on; without a mask where all texts are of one length."""
        refuse_clip_skip(clip_skip, self.name)
        return self.states(text_encoder, module, [TEMPLATE.format(text) for text in texts], SYSTEM, {})

    def states(
        self,
        text_encoder: TextEncoder,
        module: TextNetworks,
        texts: Sequence[str],
        system: int,
        seen: Mapping[str, Tensor],
    ) -> Conditioning:
        """The last layer's tokens of whole texts, without the first ones.

        Args:
            text_encoder: The text encoder.
            module: Its module, with its plugins.
            texts: Texts with the template.
            system: How many tokens are left out.
            seen: What the network is told of pictures.
        """
        (text,), own = self.texts, networks_of(text_encoder)["text_encoder"]
        ids, mask = tokenised(text_encoder, own, texts, text.length, longest=True)
        given = {name: value.to(ids.device) for name, value in seen.items()}
        states = module(f"{own.name}.model", ids, attention_mask=mask.long(), **given).last_hidden_state
        return ragged([row[kept][system:].float() for row, kept in zip(states, mask, strict=True)])

    def inputs(
        self,
        denoiser: Denoiser,
        noisy: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        sizes: Tensor | None,
    ) -> dict[str, Any]:
        """Latents as tokens; the network places them by the number of rows and columns."""
        height, width = noisy.shape[-2:]
        return {
            "hidden_states": pack(noisy),
            "timestep": timesteps.to(noisy.dtype) / 1000,
            "encoder_hidden_states": conditioning.data.to(noisy.dtype),
            "encoder_hidden_states_mask": conditioning.masks.get(TEXT),
            "img_shapes": [[(1, height // 2, width // 2)]] * len(noisy),
        }

    def output(self, denoiser: Denoiser, raw: Any, noisy: Tensor) -> Tensor:
        """Latents of the tokens."""
        return unpack(raw, *noisy.shape[-2:])

    def channels(self, config: Config) -> int:
        """Of latents, four of which are one token."""
        return int(config["in_channels"]) // 4

    def guided(self, output: Tensor, without: Tensor, scale: float, begin: float) -> Tensor:
        """Plain guidance, every token of which is as long as that of the positive side.

        Source: `QwenImagePipeline.__call__` in diffusers.
        """
        both = super().guided(output, without, scale, begin)
        return both * spread(length(output) / length(both).clamp(min=torch.finfo(both.dtype).tiny))


def ragged(rows: Sequence[Tensor]) -> Conditioning:
    """Texts (L, D) of several lengths, behind which are zeros, and their mask; none where all are of one length."""
    text = pad_sequence(list(rows), batch_first=True)
    lengths = torch.tensor([len(row) for row in rows], device=text.device)
    mask = torch.arange(text.shape[1], device=text.device) < lengths[:, None]
    return Conditioning.of(text, mask=None if len(set(lengths.tolist())) == 1 else mask)


def length(latents: Tensor) -> Tensor:
    """Euclidean length (B, 1, h / 2, w / 2) of every token of latents (B, C, h, w)."""
    found: Tensor = torch.linalg.vector_norm(functional.pixel_unshuffle(latents, 2), dim=1, keepdim=True)
    return found


def spread(tokens: Tensor) -> Tensor:
    """A number a token (B, 1, h / 2, w / 2) for every one of its latents."""
    return tokens.repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1)


FAMILY = QwenImage()
