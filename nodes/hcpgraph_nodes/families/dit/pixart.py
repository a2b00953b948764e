"""What both releases of PixArt share: a DiT that reads T5's tokens by cross attention, and predicts the noise.

Sources: Chen et al. 2023, https://arxiv.org/abs/2310.00426; Chen et al. 2024, https://arxiv.org/abs/2403.04692;
PixArtAlphaPipeline and PixArtSigmaPipeline in diffusers; names in the authors' files:
https://github.com/PixArt-alpha/PixArt-alpha (diffusion/model/nets).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isqrt
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...conditioning import TEXT
from ...model.handles import Denoiser, TextEncoder
from ...types import Conditioning
from ..identity import FACTOR
from ..networks import Config
from .family import TransformerFamily
from .layout import Layout, Shapes, rows
from .networks import Network, TextNetworks, count, first
from .prompts import networks_of, refuse_clip_skip, tokenised

TABLE = {
    "table": "layer_groups",
    "name": "pixart",
    "groups": {
        "attention": [r"re:.*\.attn[12]\.to_(q|k|v|out\.0)$"],
        "self_attention": [r"re:.*\.attn1\.to_(q|k|v|out\.0)$"],
        "cross_attention": [r"re:.*\.attn2\.to_(q|k|v|out\.0)$"],
        "text_key_value": [r"re:.*\.attn2\.to_(k|v)$"],
        "mlp": [r"re:.*\.ff\.net\.(0\.proj|2)$"],
        "conv": ["cls:Conv2d"],
        "norm": ["adaln_single.linear"],
        "embedding": [r"re:adaln_single\.emb\..*linear_[12]$", r"re:caption_projection\.linear_[12]$", "pos_embed"],
    },
}
"""PixArtTransformer2DModel: one modulation of the norms serves all blocks."""
HEADS = 16
"""Of every released model."""
EMBEDDERS = {
    "t_embedder": "adaln_single.emb.timestep_embedder",
    "csize_embedder": "adaln_single.emb.resolution_embedder",
    "ar_embedder": "adaln_single.emb.aspect_ratio_embedder",
}
NAMES = {
    "x_embedder.proj": "pos_embed.proj",
    "t_block.1": "adaln_single.linear",
    "y_embedder.y_proj.fc1": "caption_projection.linear_1",
    "y_embedder.y_proj.fc2": "caption_projection.linear_2",
    "final_layer.linear": "proj_out",
    "final_layer.scale_shift_table": "scale_shift_table",
    **{f"{original}.mlp.0": f"{own}.linear_1" for original, own in EMBEDDERS.items()},
    **{f"{original}.mlp.2": f"{own}.linear_2" for original, own in EMBEDDERS.items()},
    **{
        f"blocks.*.{original}": f"transformer_blocks.*.{own}"
        for original, own in {
            "scale_shift_table": "scale_shift_table",
            "attn.proj": "attn1.to_out.0",
            "cross_attn.q_linear": "attn2.to_q",
            "cross_attn.proj": "attn2.to_out.0",
            "mlp.fc1": "ff.net.0.proj",
            "mlp.fc2": "ff.net.2",
        }.items()
    },
    "blocks.*.attn.qkv": [f"transformer_blocks.*.attn1.to_{part}" for part in "qkv"],
    "blocks.*.cross_attn.kv_linear": [f"transformer_blocks.*.attn2.to_{part}" for part in "kv"],
}
COMPUTED = ("pos_embed", "y_embedder.y_embedding")
"""What files of the authors have beside the weights: positions, and what stood for a caption that was dropped."""


def layout(config: Config) -> Layout:
    """The layout of the authors."""
    return Layout(rows(NAMES), COMPUTED)


def sized(side: Callable[[bool], int], scale: Callable[[int], float | None]) -> Callable[[Shapes], dict[str, Any]]:
    """What reads sizes by the tensors' names in either layout.

    Args:
        side: The side of the latents that the model was trained for, where no table of positions says it, by whether it
            reads the sizes of pictures.
        scale: The scale of its positions, by that side; None: as diffusers computes it.
    """

    def sizes(shapes: Shapes) -> dict[str, Any]:
        patches = first(shapes, "x_embedder.proj.weight", "pos_embed.proj.weight")
        text = first(shapes, "y_embedder.y_proj.fc1.weight", "caption_projection.linear_1.weight")
        last = first(shapes, "final_layer.linear.weight", "proj_out.weight")
        if patches is None or text is None or last is None:
            return {}
        conditions = any(name.startswith(("csize_embedder.", f"{EMBEDDERS['csize_embedder']}.")) for name in shapes)
        places = shapes.get("pos_embed")
        size = side(conditions) if places is None else isqrt(places[1]) * patches[2]
        return {
            "num_layers": max(count(shapes, "blocks."), count(shapes, "transformer_blocks.")),
            "num_attention_heads": HEADS,
            "attention_head_dim": patches[0] // HEADS,
            "cross_attention_dim": patches[0],
            "caption_channels": text[1],
            "patch_size": patches[2],
            "in_channels": patches[1],
            "out_channels": last[0] // patches[2] ** 2,
            "sample_size": size,
            "interpolation_scale": scale(size),
            "use_additional_conditions": conditions,
        }

    return sizes


def transformer(sized: Callable[[Shapes], dict[str, Any]], **released: Any) -> Network:
    """The denoiser of a release.

    Args:
        sized: What reads sizes of tensors.
        released: What its configuration has otherwise than that of the first one, for 1024×1024 pixels.
    """
    return Network(
        name="transformer",
        cls="PixArtTransformer2DModel",
        older_cls=("Transformer2DModel",),
        released={
            "sample_size": 128,
            "patch_size": 2,
            "in_channels": 4,
            "out_channels": 8,
            "num_layers": 28,
            "num_attention_heads": HEADS,
            "attention_head_dim": 72,
            "cross_attention_dim": 1152,
            "caption_channels": 4096,
            "norm_type": "ada_norm_single",
            **released,
        },
        tiny={"num_layers": 2, "attention_head_dim": 3, "cross_attention_dim": 48, "caption_channels": 32},
        layout=layout,
        files=("model.diffusion_model.",),
        sized=sized,
        unused=("caption_projection.y_embedding",),
    )


TINY_VAE: dict[str, Any] = {
    "block_out_channels": [8, 16],
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "up_block_types": ["UpDecoderBlock2D"] * 2,
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "sample_size": 32,
}


class PixArt(TransformerFamily):
    """Prompts are lower-cased and stripped, which is what the pipelines do unless the packages that clean captions of
    the web (beautifulsoup4 and ftfy) are installed: here the same prompt is the same text on every machine.

    The network also predicts a variance, in further channels, which the pipelines leave out and which no loss here
    trains.
    """

    masked = True
    scheduler: ClassVar[dict[str, Any]] = {
        "_class_name": "DPMSolverMultistepScheduler",
        "num_train_timesteps": 1000,
        "beta_start": 0.0001,
        "beta_end": 0.02,
        "beta_schedule": "linear",
        "prediction_type": "epsilon",
        "algorithm_type": "dpmsolver++",
        "solver_order": 2,
        "solver_type": "midpoint",
        "lower_order_final": True,
        "timestep_spacing": "linspace",
    }

    def prompt(
        self, text_encoder: TextEncoder, module: TextNetworks, texts: Sequence[str], clip_skip: int
    ) -> Conditioning:
        """T5's tokens with their mask, which both T5 and the denoiser read."""
        refuse_clip_skip(clip_skip, self.name)
        (text,) = self.texts
        lowered = [each.lower().strip() for each in texts]
        ids, mask = tokenised(text_encoder, networks_of(text_encoder)[text.name], lowered, text.length)
        return Conditioning.of(module(text.name, ids, attention_mask=mask)[0].float(), mask=mask)

    def inputs(
        self,
        denoiser: Denoiser,
        noisy: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        sizes: Tensor | None,
    ) -> dict[str, Any]:
        """A model with additional conditions reads the original size of a picture (height, width), and height by width
        of its crop; where they are not given, the size of the latents stands for both, as in the pipeline."""
        given: dict[str, Any] = {
            "hidden_states": noisy,
            "timestep": timesteps,
            "encoder_hidden_states": conditioning.data.to(noisy.dtype),
            "encoder_attention_mask": conditioning.masks.get(TEXT),
        }
        if not _reads_sizes(denoiser.config):
            return given
        if sizes is None:
            height, width = (side * denoiser.config[FACTOR] for side in noisy.shape[-2:])
            sizes = torch.tensor([[height, width, 0, 0, height, width]])
        numbers = sizes.to(noisy.device, torch.float32).expand(len(noisy), -1)
        added = {"resolution": numbers[:, :2], "aspect_ratio": numbers[:, 4:5] / numbers[:, 5:6]}
        return given | {"added_cond_kwargs": added}

    def output(self, denoiser: Denoiser, raw: Any, noisy: Tensor) -> Tensor:
        """The noise alone."""
        noise: Tensor = raw[:, : noisy.shape[1]]
        return noise


def _reads_sizes(config: Config) -> bool:
    """As diffusers decides it."""
    said = config.get("use_additional_conditions")
    return config.get("sample_size") == 128 if said is None else bool(said)
