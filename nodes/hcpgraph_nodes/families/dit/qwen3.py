"""Qwen 3 as a text network. Source: Yang et al. 2025, https://arxiv.org/abs/2505.09388."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hcpgraph import GraphError

from . import tokenizers
from .layout import Shapes
from .networks import TextNetwork, count, first

TABLE = {
    "table": "layer_groups",
    "name": "qwen3",
    "groups": {
        "attention": [r"re:.*self_attn\.(q|k|v|o)_proj$"],
        "self_attention": [r"re:.*self_attn\.(q|k|v|o)_proj$"],
        "mlp": [r"re:.*mlp\.(gate|up|down)_proj$"],
        "norm": [r"re:.*(layernorm|[qk]_norm)$", r"re:(.*\.)?norm$"],
        "embedding": [r"re:.*embed_tokens$"],
    },
}
"""Qwen3Model."""
RELEASED_4B = {
    "architectures": ["Qwen3Model"],
    "vocab_size": 151936,
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40960,
    "rope_theta": 1000000,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": True,
    "bos_token_id": 151643,
    "eos_token_id": 151645,
}
"""Source: config.json of https://huggingface.co/Qwen/Qwen3-4B."""
SMALL = {
    "vocab_size": 264,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "bos_token_id": None,
    "eos_token_id": None,
}
WHOLE = "model."
"""What the names begin with in files of a Qwen3ForCausalLM, of which the network is a part."""


def qwen3(
    name: str,
    tokenizer: str,
    length: int,
    *,
    around: int,
    comfy: str = "qwen3_4b",
    kohya: str = "",
    tiny: dict[str, Any] | None = None,
    released: dict[str, Any] | None = None,
) -> TextNetwork:
    """Qwen 3 without its head, from files that may have it, as a text network of a family.

    Args:
        name: Its component in a folder.
        tokenizer: Its tokenizer's.
        length: Tokens that the family gives it.
        around: How many of them are the template's.
        comfy: What ComfyUI calls it.
        kohya: What stands for it in kohya's keys.
        tiny: What an untrained one has otherwise than `SMALL`.
        released: What the released one has otherwise than Qwen 3 of 4 billion weights.
    """
    single = f"text_encoders.{comfy}.transformer."
    return TextNetwork(
        name=name,
        cls="Qwen3Model",
        older_cls=("Qwen3ForCausalLM",),
        released=RELEASED_4B | (released or {}),
        tiny=SMALL | (tiny or {}),
        files=(single + WHOLE, single),
        sized=sized,
        tokenizer=tokenizer,
        tokenizer_cls="Qwen2Tokenizer",
        make_tokenizer=tokenizers.qwen2,
        embedding="embed_tokens",
        length=length,
        around=around,
        comfy=comfy,
        kohya=kohya,
        peft=False,
        older={WHOLE: ""},
        unused=("lm_head.",),
    )


def sized(shapes: Shapes) -> dict[str, Any]:
    """Sizes by the tensors' names in transformers, with the head or without it."""
    inside = WHOLE if f"{WHOLE}embed_tokens.weight" in shapes else ""
    block = f"{inside}layers.0."
    table, head = first(shapes, f"{inside}embed_tokens.weight"), first(shapes, f"{block}self_attn.q_norm.weight")
    query, key = (first(shapes, f"{block}self_attn.{each}_proj.weight") for each in "qk")
    wide = first(shapes, f"{block}mlp.gate_proj.weight")
    if table is None or head is None or query is None or key is None or wide is None:
        return {}
    return {
        "vocab_size": table[0],
        "hidden_size": table[1],
        "intermediate_size": wide[0],
        "num_hidden_layers": count(shapes, f"{inside}layers."),
        "num_attention_heads": query[0] // head[0],
        "num_key_value_heads": key[0] // head[0],
        "head_dim": head[0],
    }


def asked(tokenizer: Any, texts: Sequence[str], *, thinking: bool) -> list[str]:
    """Texts as what a user says in a chat, up to where the model would answer.

    Args:
        tokenizer: Its tokenizer, which has the template.
        texts: What is said.
        thinking: Whether the model may think before its answer; if not, an empty thought stands there.

    Raises:
        GraphError: E_TOKENIZER, it has no template.
    """
    if not tokenizer.chat_template:
        message = "the tokenizer of the text encoder has no chat_template"
        raise GraphError("E_TOKENIZER", message, port="text_encoder", hint="fetch the tokenizer's folder again")
    return [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": text}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=thinking,
        )
        for text in texts
    ]
