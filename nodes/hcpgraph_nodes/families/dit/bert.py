"""BERT. Source: Devlin et al. 2018, https://arxiv.org/abs/1810.04805."""

from __future__ import annotations

from typing import Any

from . import tokenizers
from .layout import Shapes
from .networks import TextNetwork, count

TABLE = {
    "table": "layer_groups",
    "name": "bert",
    "groups": {
        "attention": [r"re:.*attention\.(self\.(query|key|value)|output\.dense)$"],
        "self_attention": [r"re:.*attention\.(self\.(query|key|value)|output\.dense)$"],
        "mlp": [r"re:.*layer\.\d+\.(intermediate|output)\.dense$"],
        "norm": ["cls:LayerNorm"],
        "embedding": [r"re:.*embeddings\.(word|position|token_type)_embeddings$"],
    },
}
"""BertModel."""
LARGE = {
    "architectures": ["BertModel"],
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "vocab_size": 47020,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}
"""The Chinese RoBERTa-wwm-ext-large with English words, that HunyuanDiT was made with."""
SMALL = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 128,
    "vocab_size": 300,
}
HEAD = 64
"""Channels of a head in every released model."""


def bert(name: str, tokenizer: str, length: int, *, comfy: str, tiny: dict[str, Any] | None = None) -> TextNetwork:
    """BERT as a text network of a family, without the layer that pools the first token, which no family reads.

    Args:
        name: Its component in a folder.
        tokenizer: Its tokenizer's.
        length: Tokens that the family gives it.
        comfy: What ComfyUI calls it.
        tiny: What an untrained one has otherwise than `SMALL`.
    """
    return TextNetwork(
        name=name,
        cls="BertModel",
        released=LARGE,
        tiny=SMALL | (tiny or {}),
        files=(f"text_encoders.{comfy}.transformer.bert.", "bert."),
        sized=sized,
        unused=("pooler.", "embeddings.position_ids"),
        tokenizer=tokenizer,
        tokenizer_cls="BertTokenizer",
        make_tokenizer=tokenizers.bert,
        embedding="embeddings.word_embeddings",
        length=length,
        around=2,
        comfy=comfy,
        peft=False,
        arguments={"add_pooling_layer": False},
    )


def sized(shapes: Shapes) -> dict[str, Any]:
    """Sizes by the tensors' names in transformers."""
    words, places = (shapes.get(f"embeddings.{each}_embeddings.weight") for each in ("word", "position"))
    types = shapes.get("embeddings.token_type_embeddings.weight")
    wide = shapes.get("encoder.layer.0.intermediate.dense.weight")
    if words is None or places is None or types is None or wide is None:
        return {}
    return {
        "vocab_size": words[0],
        "hidden_size": words[1],
        "num_attention_heads": max(words[1] // HEAD, 1),
        "intermediate_size": wide[0],
        "num_hidden_layers": count(shapes, "encoder.layer."),
        "max_position_embeddings": places[0],
        "type_vocab_size": types[0],
    }
