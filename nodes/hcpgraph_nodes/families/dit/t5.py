"""T5's encoder. Source: Raffel et al. 2020, https://arxiv.org/abs/1910.10683, in release 1.1 (gated GELU)."""

from __future__ import annotations

from typing import Any

from . import tokenizers
from .layout import Layout, Shapes, rows
from .networks import TextNetwork, count, first

TABLE = {
    "table": "layer_groups",
    "name": "t5",
    "groups": {
        "attention": [r"re:.*SelfAttention\.(q|k|v|o)$"],
        "self_attention": [r"re:.*SelfAttention\.(q|k|v|o)$"],
        "mlp": [r"re:.*DenseReluDense\.w(i_0|i_1|i|o)$"],
        "norm": [r"re:.*layer_norm$"],
        "embedding": [r"re:.*(embed_tokens|relative_attention_bias|shared)$"],
    },
}
"""T5EncoderModel."""
XXL = {
    "architectures": ["T5EncoderModel"],
    "d_model": 4096,
    "d_kv": 64,
    "d_ff": 10240,
    "num_layers": 24,
    "num_heads": 64,
    "vocab_size": 32128,
    "feed_forward_proj": "gated-gelu",
    "is_encoder_decoder": False,
    "use_cache": False,
    "tie_word_embeddings": False,
    "decoder_start_token_id": 0,
    "pad_token_id": 0,
    "eos_token_id": 1,
}
SMALL = {"d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2, "vocab_size": 256}
GGUF = {
    "token_embd": "shared",
    "enc.blk.*.attn_q": "encoder.block.*.layer.0.SelfAttention.q",
    "enc.blk.*.attn_k": "encoder.block.*.layer.0.SelfAttention.k",
    "enc.blk.*.attn_v": "encoder.block.*.layer.0.SelfAttention.v",
    "enc.blk.*.attn_o": "encoder.block.*.layer.0.SelfAttention.o",
    "enc.blk.*.attn_rel_b": "encoder.block.*.layer.0.SelfAttention.relative_attention_bias",
    "enc.blk.*.attn_norm": "encoder.block.*.layer.0.layer_norm",
    "enc.blk.*.ffn_gate": "encoder.block.*.layer.1.DenseReluDense.wi_0",
    "enc.blk.*.ffn_up": "encoder.block.*.layer.1.DenseReluDense.wi_1",
    "enc.blk.*.ffn_down": "encoder.block.*.layer.1.DenseReluDense.wo",
    "enc.blk.*.ffn_norm": "encoder.block.*.layer.1.layer_norm",
    "enc.output_norm": "encoder.final_layer_norm",
}
"""Names in the GGUF files of llama.cpp -> in transformers. Source: tensor_mapping.py of the package gguf."""


def t5(
    name: str,
    tokenizer: str,
    length: int,
    *,
    kohya: str = "",
    other_kohya: tuple[str, ...] = (),
    peft: bool = False,
    optional: bool = False,
    tiny: dict[str, Any] | None = None,
    released: dict[str, Any] | None = None,
    comfy: str = "t5xxl",
) -> TextNetwork:
    """T5's encoder as a text network of a family.

    Args:
        name: Its component in a folder.
        tokenizer: Its tokenizer's.
        length: Tokens that the family gives it.
        kohya: What stands for it in kohya's keys.
        other_kohya: What else stands for it in keys of kohya's kind.
        peft: Whether diffusers reads adapters of it.
        optional: Whether a model may do without.
        tiny: What an untrained one has otherwise than `SMALL`.
        released: What the released one has otherwise than T5 XXL.
        comfy: What ComfyUI calls it.
    """
    return TextNetwork(
        name=name,
        cls="T5EncoderModel",
        released=XXL | (released or {}),
        tiny=SMALL | (tiny or {}),
        files=(f"text_encoders.{comfy}.transformer.",),
        sized=sized,
        tokenizer=tokenizer,
        tokenizer_cls="T5Tokenizer",
        make_tokenizer=tokenizers.t5,
        embedding="encoder.embed_tokens",
        length=length,
        around=1,
        comfy=comfy,
        kohya=kohya,
        other_kohya=other_kohya,
        peft=peft,
        optional=optional,
        llama=Layout(rows(GGUF)),
        tied={"encoder.embed_tokens.weight": "shared.weight"},
    )


def sized(shapes: Shapes) -> dict[str, Any]:
    """Sizes by the tensors' names in transformers."""
    attention = "encoder.block.0.layer.0.SelfAttention."
    table = first(shapes, "shared.weight", "encoder.embed_tokens.weight")
    query, bias = shapes.get(attention + "q.weight"), shapes.get(attention + "relative_attention_bias.weight")
    wide = first(shapes, *(f"encoder.block.0.layer.1.DenseReluDense.{each}.weight" for each in ("wi_0", "wi")))
    if table is None or query is None or bias is None or wide is None:
        return {}
    return {
        "vocab_size": table[0],
        "d_model": table[1],
        "num_heads": bias[1],
        "d_kv": query[0] // bias[1],
        "d_ff": wide[0],
        "num_layers": count(shapes, "encoder.block."),
    }
