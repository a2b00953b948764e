"""Mistral 3 as a text network, with the tower that reads pictures, and the tokenizer that belongs to it.

Source: Mistral Small 3.2, https://huggingface.co/mistralai/Mistral-Small-3.2-24B-Instruct-2506.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hcpgraph import GraphError

from ..clip_bpe import byte_symbols
from ..networks import Config
from .layout import Shapes
from .networks import TextNetwork, count, first
from .tokenizers import fits

TABLE = {
    "table": "layer_groups",
    "name": "mistral3",
    "groups": {
        "attention": [r"re:.*self_attn\.(q|k|v|o)_proj$", r"re:.*\.attention\.(q|k|v|o)_proj$"],
        "self_attention": [r"re:.*self_attn\.(q|k|v|o)_proj$", r"re:.*\.attention\.(q|k|v|o)_proj$"],
        "mlp": [r"re:.*\.(mlp|feed_forward)\.(gate|up|down)_proj$"],
        "conv": ["cls:Conv2d"],
        "norm": [r"re:.*norm$", r"re:.*ln_pre$"],
        "embedding": [r"re:.*embed_tokens$"],
    },
}
"""Mistral3ForConditionalGeneration."""
TEXT = {
    "model_type": "mistral",
    "vocab_size": 131072,
    "hidden_size": 5120,
    "intermediate_size": 32768,
    "num_hidden_layers": 40,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1000000000.0},
    "sliding_window": None,
}
VISION = {
    "model_type": "pixtral",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "head_dim": 64,
    "image_size": 1540,
    "patch_size": 14,
    "hidden_act": "silu",
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
}
RELEASED = {
    "architectures": ["Mistral3ForConditionalGeneration"],
    "model_type": "mistral3",
    "text_config": TEXT,
    "vision_config": VISION,
    "image_token_index": 10,
    "spatial_merge_size": 2,
    "multimodal_projector_bias": False,
    "projector_hidden_act": "gelu",
    "vision_feature_layer": -1,
    "tie_word_embeddings": False,
}
TINY = {
    "text_config": {
        "vocab_size": 280,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "bos_token_id": 1,
        "eos_token_id": 2,
    },
    "vision_config": {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "head_dim": 8,
        "image_size": 28,
    },
}
OLDER = {
    "language_model.model.": "model.language_model.",
    "language_model.lm_head.": "lm_head.",
    "vision_tower.": "model.vision_tower.",
    "multi_modal_projector.": "model.multi_modal_projector.",
}
"""Names before transformers 4.52, which files keep."""
TOKENS = (
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "<pad>"),
    *("[IMG_BREAK]", "[IMG_END]", "[IMG]"),
)
CHAT = (
    "{{ bos_token }}{% for message in messages %}"
    "{% set tag = 'SYSTEM_PROMPT' if message['role'] == 'system' else 'INST' %}[{{ tag }}]"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for block in message['content'] %}"
    "{% if block['type'] == 'text' %}{{ block['text'] }}{% else %}[IMG]{% endif %}{% endfor %}{% endif %}"
    "[/{{ tag }}]{% endfor %}"
)
"""Turns of a system and a user; source: chat_template.jinja of the released model."""


def mistral3(name: str, tokenizer: str, length: int, *, around: int, layers: int) -> TextNetwork:
    """Mistral 3 as a text network of a family.

    Args:
        name: Its component in a folder.
        tokenizer: Its tokenizer's.
        length: Tokens that the family gives it.
        around: How many of them are the template's.
        layers: Of an untrained one.
    """
    tiny = {**TINY, "text_config": {**TINY["text_config"], "num_hidden_layers": layers}}
    return TextNetwork(
        name=name,
        cls="Mistral3ForConditionalGeneration",
        released=RELEASED,
        tiny=tiny,
        files=("text_encoders.mistral3_24b.transformer.",),
        sized=sized,
        tokenizer=tokenizer,
        tokenizer_cls="PreTrainedTokenizerFast",
        processor_cls="PixtralProcessor",
        processor=processor,
        make_tokenizer=make_tokenizer,
        embedding="model.language_model.embed_tokens",
        length=length,
        around=around,
        comfy="mistral3_24b",
        peft=False,
        older=OLDER,
        foreign=foreign,
    )


def foreign(config: Config) -> str | None:
    """Why a configuration is that of other networks."""
    for part, own in (("text_config", "mistral"), ("vision_config", "pixtral")):
        found = config.get(part, {}).get("model_type", own)
        if found != own:
            return f"its {part} is of a {found}, not of a {own}"
    return None


def sized(shapes: Shapes) -> dict[str, Any]:
    """Sizes by the tensors' names in transformers, older ones or today's, of heads as the released network has."""
    inside = "model.language_model." if "model.language_model.norm.weight" in shapes else "language_model.model."
    block = f"{inside}layers.0."
    table, wide = (first(shapes, name) for name in (f"{inside}embed_tokens.weight", f"{block}mlp.gate_proj.weight"))
    query, key = (first(shapes, f"{block}self_attn.{each}_proj.weight") for each in "qk")
    if table is None or wide is None or query is None or key is None:
        return {}
    text = {
        "vocab_size": table[0],
        "hidden_size": table[1],
        "intermediate_size": wide[0],
        "num_hidden_layers": count(shapes, f"{inside}layers."),
        "num_attention_heads": query[0] // TEXT["head_dim"],  # type: ignore[operator]
        "num_key_value_heads": key[0] // TEXT["head_dim"],  # type: ignore[operator]
    }
    return {"text_config": {**TEXT, **text}}


def make_tokenizer(config: Config) -> Any:
    """Of a tokenizer's class that has no model of its own, a byte a token, with the marks of turns and pictures."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    cls: Any = PreTrainedTokenizerFast
    vocabulary = {piece: index for index, piece in enumerate((*TOKENS, *byte_symbols()))}
    bare = Tokenizer(models.BPE(vocabulary, []))
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    made = cls(
        tokenizer_object=bare,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=[each for each in TOKENS if each.startswith("[")],
        chat_template=CHAT,
        padding_side="left",
    )
    return fits(made, config)


def processor(tokenizer: Any, config: Config) -> Any:
    """What reads texts and pictures for the network, with its tokenizer."""
    from transformers import PixtralImageProcessor, PixtralProcessor

    patch, merged = config["vision_config"]["patch_size"], config["spatial_merge_size"]
    images = PixtralImageProcessor(
        patch_size={"height": patch * merged, "width": patch * merged},
        size={"longest_edge": config["vision_config"]["image_size"]},
    )
    return PixtralProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=patch,
        spatial_merge_size=merged,
        chat_template=tokenizer.chat_template,
    )


def told(tokenizer: Any, texts: Sequence[str], system: str) -> list[str]:
    """Texts as what a user says in a chat whose first message is the system's, with all marks of the tokenizer.

    Args:
        tokenizer: Its tokenizer, which has the template.
        texts: What is said; the mark of a picture in it is left out, as the pipelines in diffusers do.
        system: The first message.

    Raises:
        GraphError: E_TOKENIZER, it has no template.
    """
    if not tokenizer.chat_template:
        message = "the tokenizer of the text encoder has no chat_template"
        raise GraphError("E_TOKENIZER", message, port="text_encoder", hint="fetch the tokenizer's folder again")

    def turn(role: str, text: str) -> dict[str, Any]:
        return {"role": role, "content": [{"type": "text", "text": text}]}

    chats = [[turn("system", system), turn("user", text.replace("[IMG]", ""))] for text in texts]
    return [tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=False) for chat in chats]
