"""A CLIP text model in OpenCLIP's layout, as single files of SD 2.x and SDXL hold it.

Reading is diffusers' own conversion; writing is its inverse. OpenCLIP keeps query, key and value as one matrix, and the
projection transposed. Source of the names: `TextTransformer` in https://github.com/mlfoundations/open_clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .. import private

OUTER = {
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
}
LAYER = "text_model.encoder.layers."
INNER = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
QUERY = "self_attn.q_proj"


def from_open_clip(state: Mapping[str, Tensor], prefix: str, config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights by their names in transformers.

    Args:
        state: Weights by their names in the file.
        prefix: What the model's names begin with in the file.
        config: Configuration of the text model.
    """
    return private.open_clip_weights(state, config["hidden_size"], prefix)


def to_open_clip(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights by OpenCLIP's names, without a prefix.

    Args:
        state: Weights of a CLIPTextModel, or one with projection, by their names in files (`text_model.…`).
    """
    found = {}
    for name, value in state.items():
        if name in OUTER:
            found[OUTER[name]] = value
        elif name == "text_projection.weight":
            found["text_projection"] = value.T
        elif name.startswith(LAYER):
            number, _, rest = name.removeprefix(LAYER).partition(".")
            layer, _, parameter = rest.rpartition(".")
            block = f"transformer.resblocks.{number}"
            if layer in INNER:
                found[f"{block}.{INNER[layer]}.{parameter}"] = value
            elif layer == QUERY:
                parts = [state[name.replace(".q_proj.", f".{part}_proj.")] for part in "qkv"]
                found[f"{block}.attn.in_proj_{parameter}"] = torch.cat(parts)
    return found
