"""Gemma 2 as a text network. Source: Gemma Team 2024, https://arxiv.org/abs/2408.00118.

Families that ask it put an instruction before the texts that describe a picture, and none before those to stay away
from. A text encoder is not told which is which, so that the text says it, see `instructed`.
"""

from __future__ import annotations

from typing import Any

from . import tokenizers
from .layout import Shapes
from .networks import TextNetwork, count, first

TABLE = {
    "table": "layer_groups",
    "name": "gemma2",
    "groups": {
        "attention": [r"re:.*self_attn\.(q|k|v|o)_proj$"],
        "self_attention": [r"re:.*self_attn\.(q|k|v|o)_proj$"],
        "mlp": [r"re:.*mlp\.(gate|up|down)_proj$"],
        "norm": [r"re:.*layernorm$", r"re:(.*\.)?norm$"],
        "embedding": [r"re:.*embed_tokens$"],
    },
}
"""Gemma2Model."""
RELEASED_2B = {
    "architectures": ["Gemma2Model"],
    "vocab_size": 256000,
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_hidden_layers": 26,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "query_pre_attn_scalar": 256,
    "hidden_activation": "gelu_pytorch_tanh",
    "max_position_embeddings": 8192,
    "sliding_window": 4096,
    "attn_logit_softcapping": 50.0,
    "final_logit_softcapping": 30.0,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": 2,
}
"""Source: config.json of https://huggingface.co/google/gemma-2-2b."""
SMALL = {
    "vocab_size": 480,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "query_pre_attn_scalar": 8,
}
WHOLE = "model."
"""What the names begin with in files of a Gemma2ForCausalLM, of which the network is a part."""


def gemma2(name: str, tokenizer: str, length: int, *, around: int, kohya: str = "") -> TextNetwork:
    """Gemma 2 of 2 billion weights without its head, from files that may have it, as a text network of a family.

    Args:
        name: Its component in a folder.
        tokenizer: Its tokenizer's.
        length: Tokens that the family gives it.
        around: How many of them are not the user's.
        kohya: What stands for it in kohya's keys.
    """
    single = "text_encoders.gemma2_2b.transformer."
    return TextNetwork(
        name=name,
        cls="Gemma2Model",
        older_cls=("Gemma2ForCausalLM",),
        released=RELEASED_2B,
        tiny=SMALL,
        files=(single + WHOLE, single),
        sized=sized,
        tokenizer=tokenizer,
        tokenizer_cls="GemmaTokenizer",
        make_tokenizer=tokenizers.gemma,
        embedding="embed_tokens",
        length=length,
        around=around,
        comfy="gemma2_2b",
        kohya=kohya,
        peft=False,
        older={WHOLE: ""},
        unused=("lm_head.", "spiece_model"),
        attention="eager",
    )


def sized(shapes: Shapes) -> dict[str, Any]:
    """Sizes by the tensors' names in transformers, with the head or without it; heads are as wide as the released."""
    inside = WHOLE if f"{WHOLE}embed_tokens.weight" in shapes else ""
    table = first(shapes, f"{inside}embed_tokens.weight")
    query, key = (first(shapes, f"{inside}layers.0.self_attn.{each}_proj.weight") for each in "qk")
    wide = first(shapes, f"{inside}layers.0.mlp.gate_proj.weight")
    if table is None or query is None or key is None or wide is None:
        return {}
    head = int(RELEASED_2B["head_dim"])  # type: ignore[call-overload]
    return {
        "vocab_size": table[0],
        "hidden_size": table[1],
        "intermediate_size": wide[0],
        "num_hidden_layers": count(shapes, f"{inside}layers."),
        "num_attention_heads": max(1, query[0] // head),
        "num_key_value_heads": max(1, key[0] // head),
    }


def instructed(text: str, instruction: str, mark: str) -> tuple[str, str]:
    """The instruction before a text, and the text.

    The empty text stands alone, as in the training of the models. Before every other the family's instruction stands,
    unless the text has the mark: then what is before it is the instruction, and if that is nothing, there is none.

    Args:
        text: What the user wrote.
        instruction: The family's.
        mark: What ends an instruction.
    """
    own, marked, rest = text.rpartition(mark)
    if marked:
        return own.strip(), rest.lstrip()
    return (instruction if text else "", text)
