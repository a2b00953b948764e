"""`text.encode`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Facts, Port, node

from ..families.registry import family
from ..model.handles import TextEncoder
from ..types import Captions, Conditioning


@node("text.encode", packages=("transformers",))
def encode_text(
    text_encoder: TextEncoder, captions: Captions, *, clip_skip: Annotated[int, Field(ge=0, le=11)] = 0
) -> Annotated[Conditioning, Facts(family=Port("text_encoder"))]:
    """Encode text into the conditioning of the denoiser.

    Args:
        text_encoder: The text encoder.
        captions: B texts; what is longer than the encoder's length is cut off.
        clip_skip: Last layers to leave out, as in diffusers; 1 is what other programs call "clip skip 2".

    Returns:
        out: Embeddings (B, L, D).
    """
    return Conditioning(family(text_encoder.family).encode_prompt(text_encoder, captions.texts, clip_skip))
