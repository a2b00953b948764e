"""A text encoder of two networks, as SDXL has them: the tiny model's, with weights and tokenizers of its folder."""

from __future__ import annotations

from pathlib import Path

import torch
from hcpgraph_nodes.model.handles import Clip, Placement, Root, TextEncoder, Tokens
from torch import nn


def two_texts(folder: Path, *, family: str = "sd15", dtype: torch.dtype = torch.float32, **config) -> TextEncoder:
    """The text encoder of a diffusers folder.

    Args:
        folder: The folder.
        family: Its name.
        dtype: Precision of the weights.
        config: What is otherwise in the configuration of the second network.
    """
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    second = CLIPTextConfig.from_pretrained(folder / "text_encoder_2", **config)

    def load() -> nn.Module:
        both = nn.Module()
        both.text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder")
        both.text_encoder_2 = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2", config=second)
        return both

    def rename(name: str) -> str:
        part, _, rest = name.partition(".")
        return f"{part}.text_model.{rest}" if part == "text_encoder" and not rest.startswith("text_model") else name

    first = CLIPTextConfig.from_pretrained(folder / "text_encoder").to_dict()
    clips = tuple(
        Clip(name, f"{name}.", Tokens(lambda at=at: CLIPTokenizer.from_pretrained(str(folder / at))), settings)
        for name, at, settings in (
            ("text_encoder", "tokenizer", first),
            ("text_encoder_2", "tokenizer_2", second.to_dict()),
        )
    )
    root = Root(load, Placement(torch.device("cpu"), dtype), rename)
    return TextEncoder(root=root, family=family, config=first, clips=clips)
