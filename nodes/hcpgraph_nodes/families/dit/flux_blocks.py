"""The blocks of FLUX.1, which Chroma has too: double ones, of picture and text apart, and single ones, of both.

Source of the original names: https://github.com/black-forest-labs/flux (model.py, modules/layers.py).
"""

from __future__ import annotations

from typing import Any

from .layout import Shapes
from .networks import count, first

TABLE = {
    "table": "layer_groups",
    "name": "flux_blocks",
    "groups": {
        "attention": [r"re:.*\.attn\.(to_(q|k|v|out\.0|add_out)|add_(q|k|v)_proj)$"],
        "text_key_value": [r"re:.*\.attn\.add_(k|v)_proj$"],
        "mlp": [r"re:.*\.ff(_context)?\.net\.(0\.proj|2)$", r"re:single_.*\.proj_(mlp|out)$"],
        "norm": [r"re:.*\.norm_(added_)?[qk]$"],
        "embedding": ["x_embedder", "context_embedder"],
    },
}
"""In diffusers; `proj_out` of a single block takes what attention and MLP give, side by side."""
NAMES = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "final_layer.linear": "proj_out",
    **{
        f"double_blocks.*.{original}": f"transformer_blocks.*.{own}"
        for original, own in {
            "img_attn.proj": "attn.to_out.0",
            "img_attn.norm.query_norm.scale": "attn.norm_q.weight",
            "img_attn.norm.key_norm.scale": "attn.norm_k.weight",
            "img_mlp.0": "ff.net.0.proj",
            "img_mlp.2": "ff.net.2",
            "txt_attn.proj": "attn.to_add_out",
            "txt_attn.norm.query_norm.scale": "attn.norm_added_q.weight",
            "txt_attn.norm.key_norm.scale": "attn.norm_added_k.weight",
            "txt_mlp.0": "ff_context.net.0.proj",
            "txt_mlp.2": "ff_context.net.2",
        }.items()
    },
    **{
        f"single_blocks.*.{original}": f"single_transformer_blocks.*.{own}"
        for original, own in {
            "norm.query_norm.scale": "attn.norm_q.weight",
            "norm.key_norm.scale": "attn.norm_k.weight",
            "linear2": "proj_out",
        }.items()
    },
}
FUSED = {
    "double_blocks.*.img_attn.qkv": [f"transformer_blocks.*.attn.to_{part}" for part in "qkv"],
    "double_blocks.*.txt_attn.qkv": [f"transformer_blocks.*.attn.add_{part}_proj" for part in "qkv"],
    "single_blocks.*.linear1": [
        *(f"single_transformer_blocks.*.attn.to_{part}" for part in "qkv"),
        "single_transformer_blocks.*.proj_mlp",
    ],
}
RELEASED = {
    "patch_size": 1,
    "in_channels": 64,
    "out_channels": None,
    "num_layers": 19,
    "num_single_layers": 38,
    "attention_head_dim": 128,
    "num_attention_heads": 24,
    "joint_attention_dim": 4096,
    "axes_dims_rope": [16, 56, 56],
}
TINY = {
    "in_channels": 16,
    "num_layers": 1,
    "num_single_layers": 1,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 32,
    "axes_dims_rope": [4, 6, 6],
}


def block_sizes(shapes: Shapes) -> dict[str, Any]:
    """Sizes by the tensors' names in either layout; none where heads are not of the width whose axes are known."""
    tokens = first(shapes, "img_in.weight", "x_embedder.weight")
    text = first(shapes, "txt_in.weight", "context_embedder.weight")
    last = first(shapes, "final_layer.linear.weight", "proj_out.weight")
    head = first(shapes, "double_blocks.0.img_attn.norm.query_norm.scale", "transformer_blocks.0.attn.norm_q.weight")
    if tokens is None or text is None or last is None or head is None or head[0] != RELEASED["attention_head_dim"]:
        return {}
    return {
        "in_channels": tokens[1],
        "out_channels": None if last[0] == tokens[1] else last[0],
        "num_layers": count(shapes, "double_blocks.") or count(shapes, "transformer_blocks."),
        "num_single_layers": count(shapes, "single_blocks.") or count(shapes, "single_transformer_blocks."),
        "num_attention_heads": tokens[0] // head[0],
        "joint_attention_dim": text[1],
    }
