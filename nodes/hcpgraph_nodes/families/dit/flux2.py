"""What the models of FLUX.2 share: a rectified flow over tokens of picture and text, with modulations for all blocks.

Source: https://github.com/black-forest-labs/flux2 (model.py, sampling.py); Flux2Pipeline in diffusers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from hcpgraph import GraphError

from ...conditioning import TEXT, TOKENS
from ...model.handles import Denoiser, Vae
from ...types import Conditioning
from ..networks import Config
from .family import TransformerFamily
from .flux2_vae import FLUX2_VAE, Flux2Vae
from .layout import Layout, Shapes, rows
from .networks import Network, count, first

TABLE = {
    "table": "layer_groups",
    "name": "flux2_blocks",
    "groups": {
        "attention": [
            r"re:transformer_blocks\..*\.attn\.(to_(q|k|v|out\.0|add_out)|add_(q|k|v)_proj)$",
            r"re:single_.*\.attn\.to_(qkv_mlp_proj|out)$",
        ],
        "text_key_value": [r"re:transformer_blocks\..*\.attn\.add_(k|v)_proj$"],
        "mlp": [r"re:.*\.ff(_context)?\.linear_(in|out)$", r"re:single_.*\.attn\.to_(qkv_mlp_proj|out)$"],
        "norm": [r"re:.*\.norm_(added_)?[qk]$", r"re:.*_stream_modulation.*\.linear$", r"re:norm_out\.linear$"],
        "embedding": ["x_embedder", "context_embedder", r"re:time_guidance_embed\..*linear_[12]$"],
    },
}
"""Flux2Transformer2DModel; the matrices of a single block serve attention and MLP."""
NAMES = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": "norm_out.linear",
    **{
        f"{original}.{end}_layer": f"time_guidance_embed.{own}_embedder.linear_{number}"
        for original, own in {"time_in": "timestep", "guidance_in": "guidance"}.items()
        for end, number in {"in": 1, "out": 2}.items()
    },
    **{
        f"{name}.lin": f"{name}.linear"
        for name in ("double_stream_modulation_img", "double_stream_modulation_txt", "single_stream_modulation")
    },
    **{
        f"double_blocks.*.{original}": f"transformer_blocks.*.{own}"
        for original, own in {
            "img_attn.proj": "attn.to_out.0",
            "img_attn.norm.query_norm.scale": "attn.norm_q.weight",
            "img_attn.norm.key_norm.scale": "attn.norm_k.weight",
            "img_mlp.0": "ff.linear_in",
            "img_mlp.2": "ff.linear_out",
            "txt_attn.proj": "attn.to_add_out",
            "txt_attn.norm.query_norm.scale": "attn.norm_added_q.weight",
            "txt_attn.norm.key_norm.scale": "attn.norm_added_k.weight",
            "txt_mlp.0": "ff_context.linear_in",
            "txt_mlp.2": "ff_context.linear_out",
        }.items()
    },
    **{
        f"single_blocks.*.{original}": f"single_transformer_blocks.*.{own}"
        for original, own in {
            "linear1": "attn.to_qkv_mlp_proj",
            "linear2": "attn.to_out",
            "norm.query_norm.scale": "attn.norm_q.weight",
            "norm.key_norm.scale": "attn.norm_k.weight",
        }.items()
    },
}
FUSED = {
    "double_blocks.*.img_attn.qkv": [f"transformer_blocks.*.attn.to_{part}" for part in "qkv"],
    "double_blocks.*.txt_attn.qkv": [f"transformer_blocks.*.attn.add_{part}_proj" for part in "qkv"],
}
LAYOUT = Layout([*rows(NAMES, ["final_layer.adaLN_modulation.1"]), *rows(FUSED)])
RELEASED = {
    "patch_size": 1,
    "in_channels": 128,
    "out_channels": None,
    "num_layers": 8,
    "num_single_layers": 48,
    "attention_head_dim": 128,
    "num_attention_heads": 48,
    "joint_attention_dim": 15360,
    "timestep_guidance_channels": 256,
    "mlp_ratio": 3.0,
    "axes_dims_rope": [32, 32, 32, 32],
    "guidance_embeds": True,
}
TINY = {
    "in_channels": 16,
    "num_layers": 1,
    "num_single_layers": 1,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 48,
    "timestep_guidance_channels": 16,
    "axes_dims_rope": [4, 4, 4, 4],
}
LENGTH = 512
"""Tokens of a prompt."""
FIRST = 10
"""Of reference pictures the first has this number, the second twice as much, and so on."""
STEPS = 50
"""Steps that training takes for μ, those by which the model is mostly used."""


def mu(tokens: int, steps: int | None) -> float:
    """μ of a number of tokens and of steps: two lines of the tokens, for 10 and 200 steps, and between them.

    Source: `compute_empirical_mu` in https://github.com/black-forest-labs/flux2 (sampling.py).
    """
    many = 0.00016927 * tokens + 0.45666666
    if tokens > 4300:
        return many
    few = 8.73809524e-05 * tokens + 1.89833333
    return many + ((steps or STEPS) - 200) * (many - few) / 190


def sized(shapes: Shapes) -> dict[str, Any]:
    """Sizes by the tensors' names in either layout; none where heads are not of the width whose axes are known."""
    tokens = first(shapes, "img_in.weight", "x_embedder.weight")
    text = first(shapes, "txt_in.weight", "context_embedder.weight")
    head = first(shapes, "double_blocks.0.img_attn.norm.query_norm.scale", "transformer_blocks.0.attn.norm_q.weight")
    wide = first(shapes, "double_blocks.0.img_mlp.2.weight", "transformer_blocks.0.ff.linear_out.weight")
    times = first(shapes, "time_in.in_layer.weight", "time_guidance_embed.timestep_embedder.linear_1.weight")
    if tokens is None or text is None or head is None or wide is None or times is None or head[0] != 128:
        return {}
    guidance = first(shapes, "guidance_in.in_layer.weight", "time_guidance_embed.guidance_embedder.linear_1.weight")
    return {
        "in_channels": tokens[1],
        "num_layers": count(shapes, "double_blocks.") or count(shapes, "transformer_blocks."),
        "num_single_layers": count(shapes, "single_blocks.") or count(shapes, "single_transformer_blocks."),
        "num_attention_heads": tokens[0] // head[0],
        "joint_attention_dim": text[1],
        "timestep_guidance_channels": times[1],
        "mlp_ratio": wide[1] / wide[0],
        "guidance_embeds": guidance is not None,
    }


def transformer(released: Config, tiny: Config) -> Network:
    """The denoiser of a model.

    Args:
        released: What is different in the released model than in FLUX.2 dev.
        tiny: What is different in an untrained one than in that of FLUX.2 dev.
    """
    return Network(
        name="transformer",
        cls="Flux2Transformer2DModel",
        released=RELEASED | dict(released),
        tiny=TINY | dict(tiny),
        layout=lambda config: LAYOUT,
        files=("model.diffusion_model.",),
        sized=sized,
    )


class Flux2Family(Flux2Vae, TransformerFamily):
    """Base of the families; texts are padded, and pads count as tokens."""

    latent_multiple: ClassVar[int] = 1
    vae = FLUX2_VAE
    reads: ClassVar[frozenset[str]] = frozenset({TEXT, TOKENS})
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
    shift: ClassVar[dict[str, Any]] = {"patch": 1, "mu_rule": mu}

    def guidance(self, conditioning: Conditioning, count: int, device: torch.device) -> Tensor | None:
        """The scale (B,), float32, that the network reads; None: it reads none."""
        return None

    def inputs(
        self,
        denoiser: Denoiser,
        noisy: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        sizes: Tensor | None,
    ) -> dict[str, Any]:
        """The network is told t and the scale of guidance, and multiplies both by 1000 itself.

        Raises:
            GraphError: E_CHANNELS, reference pictures of another VAE.
        """
        text, pictures = conditioning.data.to(noisy.dtype), [noisy]
        for each in conditioning.references:
            if each.shape[1] != noisy.shape[1]:
                message = f"the reference picture has {each.shape[1]} channels, and the latents {noisy.shape[1]}"
                raise GraphError("E_CHANNELS", message, hint="encode it with the VAE of the same model")
            pictures.append(each.to(noisy))
        where = [places(index * FIRST, each.shape[-2], each.shape[-1], 1) for index, each in enumerate(pictures)]
        return {
            "hidden_states": torch.cat([each.flatten(2).transpose(1, 2) for each in pictures], dim=1),
            "timestep": (timesteps / 1000).to(noisy.dtype),
            "guidance": self.guidance(conditioning, len(noisy), noisy.device),
            "encoder_hidden_states": text,
            "txt_ids": places(0, 1, 1, text.shape[1]).to(noisy.device),
            "img_ids": torch.cat(where).to(noisy.device),
        }

    def output(self, denoiser: Denoiser, raw: Any, noisy: Tensor) -> Tensor:
        """Without what it says of reference pictures."""
        height, width = noisy.shape[-2:]
        found: Tensor = raw[:, : height * width].transpose(1, 2).unflatten(2, (height, width))
        return found

    def image_channels(self, vae: Vae, images: Tensor) -> Tensor:
        """The means of their latents as the denoiser sees them, see `base.Family`."""
        return self.statistics(vae).normalise(self.encode_image(vae, images)[0])


def places(picture: int, height: int, width: int, words: int) -> Tensor:
    """The places (h · w · words, 4) of tokens: which picture, row, column, word; float32."""
    return torch.cartesian_prod(
        torch.tensor([picture]), torch.arange(height), torch.arange(width), torch.arange(words)
    ).float()


def layers_beside(states: Sequence[Tensor], layers: Sequence[int]) -> Tensor:
    """The states (B, L, D) after some layers side by side, (B, L, n · D), float32."""
    return torch.cat([states[layer].float() for layer in layers], dim=-1)


def has_layers(layers: Sequence[int]) -> Any:
    """Why a text network of a configuration lacks the last of these layers, or None."""

    def foreign(config: Config) -> str | None:
        own = int(config.get("text_config", config)["num_hidden_layers"])
        return f"it has {own} layers, and the states after layer {layers[-1]} are read" if own < layers[-1] else None

    return foreign
