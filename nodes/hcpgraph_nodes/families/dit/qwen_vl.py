"""Qwen 2.5-VL as a text network. Source: Bai et al. 2025, https://arxiv.org/abs/2502.13923."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from hcpgraph import GraphError

from ...model.clip import Clip
from ..networks import Config
from . import tokenizers
from .layout import Shapes
from .networks import TextNetwork, count, first

TABLE = {
    "table": "layer_groups",
    "name": "qwen2_5_vl",
    "groups": {
        "attention": [r"re:.*self_attn\.(q|k|v|o)_proj$", r"re:.*\.attn\.(qkv|proj)$"],
        "self_attention": [r"re:.*self_attn\.(q|k|v|o)_proj$", r"re:.*\.attn\.(qkv|proj)$"],
        "mlp": [r"re:.*\.mlp\.((gate|up|down)_proj|[02])$"],
        "conv": ["cls:Conv3d"],
        "norm": [r"re:.*norm[12]?$", r"re:.*ln_q$"],
        "embedding": [r"re:.*embed_tokens$"],
    },
}
"""Qwen2_5_VLForConditionalGeneration, the tower that reads pictures included."""
TEXT = {
    "model_type": "qwen2_5_vl_text",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "hidden_act": "silu",
    "max_position_embeddings": 128000,
    "rms_norm_eps": 1e-6,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0, "mrope_section": [16, 24, 24]},
    "vocab_size": 152064,
}
VISION = {
    "model_type": "qwen2_5_vl_vision",
    "depth": 32,
    "hidden_size": 1280,
    "intermediate_size": 3420,
    "num_heads": 16,
    "out_hidden_size": 3584,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "window_size": 112,
    "fullatt_block_indexes": [7, 15, 23, 31],
}
RELEASED = {
    "architectures": ["Qwen2_5_VLForConditionalGeneration"],
    "model_type": "qwen2_5_vl",
    "text_config": TEXT,
    "vision_config": VISION,
    "tie_word_embeddings": False,
    "vision_start_token_id": 151652,
    "vision_end_token_id": 151653,
    "image_token_id": 151655,
    "video_token_id": 151656,
}
TINY = {
    "text_config": {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_parameters": {"mrope_section": [1, 1, 2]},
        "vocab_size": 288,
        "bos_token_id": 256,
        "eos_token_id": 258,
    },
    "vision_config": {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_heads": 2,
        "out_hidden_size": 32,
        "fullatt_block_indexes": [1],
    },
    "vision_start_token_id": 259,
    "vision_end_token_id": 260,
    "image_token_id": 261,
    "video_token_id": 262,
}
"""With the ids of `tokenizers.qwen2`."""
MARK = "<|image_pad|>"
"""What stands in a text for a piece of a picture."""
PATCHES = {
    "patch_size": "patch_size",
    "temporal_patch_size": "temporal_patch_size",
    "merge_size": "spatial_merge_size",
}
"""What a processor calls the sizes of patches -> what the configuration of the tower does."""
SIZE = {"shortest_edge": 3136, "longest_edge": 12845056}
"""Pixels of a picture at least and at most, despite their names; source: preprocessor_config.json of
https://huggingface.co/Qwen/Qwen2.5-VL-7B-Instruct."""
LONGEST = 200
"""How many times as long as wide a picture may be."""
OLDER = {
    "visual.": "model.visual.",
    "model.layers.": "model.language_model.layers.",
    "model.embed_tokens.": "model.language_model.embed_tokens.",
    "model.norm.": "model.language_model.norm.",
}
"""Names before transformers 4.52, which files of the network alone have."""


def qwen_vl(name: str, tokenizer: str, length: int, around: int) -> TextNetwork:
    """Qwen 2.5-VL as a text network of a family.

    Args:
        name: Its component in a folder.
        tokenizer: Its tokenizer's.
        length: Tokens that the family gives it.
        around: How many of them are the template's.
    """
    return TextNetwork(
        name=name,
        cls="Qwen2_5_VLForConditionalGeneration",
        released=RELEASED,
        tiny=TINY,
        files=("text_encoders.qwen25_7b.transformer.",),
        sized=sized,
        tokenizer=tokenizer,
        tokenizer_cls="Qwen2Tokenizer",
        make_tokenizer=tokenizers.qwen2,
        embedding="model.language_model.embed_tokens",
        length=length,
        around=around,
        comfy="qwen25_7b",
        peft=False,
        older=OLDER,
    )


def seeing_qwen_vl(name: str, tokenizer: str, processor_name: str, around: int) -> TextNetwork:
    """The same with pictures among its texts, which are not cut.

    Args:
        name: Its component in a folder.
        tokenizer: Its tokenizer's.
        processor_name: That of the processor, which reads pictures too.
        around: Tokens of the template.
    """
    return replace(
        qwen_vl(name, tokenizer, TEXT["max_position_embeddings"], around),  # type: ignore[arg-type]
        processor_name=processor_name,
        processor_cls="Qwen2VLProcessor",
        processor=processor,
        images=image_reader,
        images_cls="Qwen2VLImageProcessor",
    )


def image_reader(config: Config) -> Any:
    """What cuts pictures into patches as the released network was trained."""
    from transformers import Qwen2VLImageProcessor

    return Qwen2VLImageProcessor(
        size=dict(SIZE), **{name: config["vision_config"][own] for name, own in PATCHES.items()}
    )


def processor(tokenizer: Any, config: Config) -> Any:
    """What reads texts and pictures for the network, with its tokenizer."""
    from transformers import Qwen2VLProcessor, Qwen2VLVideoProcessor

    cls: Any = Qwen2VLProcessor
    videos = Qwen2VLVideoProcessor(**{name: config["vision_config"][own] for name, own in PATCHES.items()})
    return cls(
        image_processor=image_reader(config),
        tokenizer=tokenizer,
        video_processor=videos,
        chat_template=tokenizer.chat_template,
    )


def seen(clip: Clip, pictures: Sequence[Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """What the network is told of pictures, and the marks that stand for each in a text.

    They are brought to 256 levels and to multiples of a patch's side, as the processor does.

    Args:
        clip: The network.
        pictures: (3, H, W) in [0, 1], of any sizes.

    Raises:
        GraphError: E_SIZE, one is far longer than wide; E_MODEL_FOLDER, the processor is that of another network.
    """
    assert clip.images is not None
    reader, vision = clip.images.tokenizer, clip.config["vision_config"]
    if strange := [name for name, own in PATCHES.items() if getattr(reader, name) != vision[own]]:
        message = f"the processor has another {strange[0]} than the {clip.name.replace('_', ' ')}"
        raise GraphError("E_MODEL_FOLDER", message, hint="fetch the folder of the processor again")
    for each in pictures:
        if max(each.shape[-2:]) > LONGEST * min(each.shape[-2:]):
            message = (
                f"a picture of {each.shape[-1]}×{each.shape[-2]} pixels is more than {LONGEST} times as long as wide"
            )
            raise GraphError("E_SIZE", message, port="images", hint="cut it, with image.resize")
    levels = [(each.detach().float().clamp(0, 1) * 255).round().to("cpu", torch.uint8) for each in pictures]
    found = reader(images=levels, return_tensors="pt")
    grid = found["image_grid_thw"]
    marks = [MARK * int(count) for count in grid.prod(dim=1) // reader.merge_size**2]
    return {"pixel_values": found["pixel_values"], "image_grid_thw": grid}, marks


def sized(shapes: Shapes) -> dict[str, Any]:
    """Sizes by the tensors' names in transformers, older ones or today's; a head of either network has 128 and 80."""
    text = "model.language_model." if "model.language_model.norm.weight" in shapes else "model."
    vision = "model.visual." if "model.visual.patch_embed.proj.weight" in shapes else "visual."
    table = shapes.get(f"{text}embed_tokens.weight")
    wide = shapes.get(f"{text}layers.0.mlp.gate_proj.weight")
    query, key = (shapes.get(f"{text}layers.0.self_attn.{each}_proj.weight") for each in "qk")
    patches = shapes.get(f"{vision}patch_embed.proj.weight")
    inner = first(shapes, f"{vision}blocks.0.mlp.gate_proj.weight")
    if table is None or wide is None or query is None or key is None or patches is None or inner is None:
        return {}
    return {
        "text_config": {
            **TEXT,
            "vocab_size": table[0],
            "hidden_size": table[1],
            "intermediate_size": wide[0],
            "num_attention_heads": query[0] // 128,
            "num_key_value_heads": key[0] // 128,
            "num_hidden_layers": count(shapes, f"{text}layers."),
        },
        "vision_config": {
            **VISION,
            "depth": count(shapes, f"{vision}blocks."),
            "hidden_size": patches[0],
            "intermediate_size": inner[0],
            "num_heads": patches[0] // 80,
            "out_hidden_size": table[1],
        },
    }
