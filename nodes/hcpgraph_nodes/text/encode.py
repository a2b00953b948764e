"""`text.encode`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from hcpgraph import Context, Facts, GraphError, Port, node
from hcpgraph.widgets import Hint

from ..families.registry import family
from ..model.handles import TextEncoder
from ..types import Captions, Conditioning, Images
from ..words.watch import watch
from .embeddings import embeddings


def encode_text(
    text_encoder: TextEncoder, captions: Captions, *images: Images | None, clip_skip: int = 0
) -> Conditioning:
    """Embeddings (B, L, D) of captions and of the pictures that they speak of."""
    pictures = tuple(each.data for each in images if each is not None)
    implementation = family(text_encoder.family)
    made: Conditioning = implementation.encode_prompt(text_encoder, captions.texts, clip_skip, pictures)
    return made


@node("text.encode", packages=("transformers",))
def encode(
    ctx: Context,
    text_encoder: TextEncoder,
    captions: Captions,
    images: Images | None = None,
    images_2: Images | None = None,
    images_3: Images | None = None,
    *,
    clip_skip: Annotated[int, Field(ge=0, le=31)] = 0,
    cache: Annotated[Literal["off", "ram", "disk"], Hint(advanced=True)] = "off",
) -> Annotated[Conditioning, Facts(text=Port("text_encoder"), image="none")]:
    """Encode text into the conditioning of the denoiser.

    With a cache every caption is encoded once, as it is after all changes to it: shuffled tags are another caption.
    The key of an embedding is the caption, clip_skip, and the weights of the encoder with its plugins. Once 100 batches
    in a row were all known, the encoder leaves memory; it is read again when it is needed.

    Args:
        text_encoder: The text encoder.
        captions: B texts; what is longer than the encoder's length is cut, and the log says which words are lost.
            Parentheses and numbers are text: `(word:1.2)` weighs nothing, and the log says so.
        images: Pictures (B, 3, H, W) that the texts speak of, for families whose text encoder takes them; with a cache
            they are refused.
        images_2: Second pictures, for families that take several, such as Qwen-Image-Edit Plus.
        images_3: Third pictures.
        clip_skip: Last layers to leave out, as in diffusers: of SD 1.x 1 is what other programs call "clip skip 2", of
            SDXL, which never uses the last one, 0 is.
        cache: `off` encodes every time; `ram` keeps up to 1 GB of embeddings while the program runs; `disk` keeps them
            below `cache:` as well, for later runs.

    Returns:
        out: Embeddings (B, L, D); of SDXL those of both networks side by side, and the pooled one. Other families have
            further parts, and masks where prompts are padded.

    Raises:
        GraphError: E_CLIP_SKIP, the encoder has no more layers; E_IMAGES, it takes none or fewer; E_BATCH, other
            numbers of pictures and texts; E_CACHE, a cache for an encoder that is trained, or for texts with pictures;
            E_DISK; E_NOT_FINITE, what would be kept has no values.
    """
    watch(ctx, text_encoder, captions.texts)
    pictures = {"images": images, "images_2": images_2, "images_3": images_3}
    for port, each in pictures.items():
        if each is not None and len(each.data) not in (1, len(captions.texts)):
            message = f"{len(each.data)} pictures for {len(captions.texts)} texts"
            raise GraphError("E_BATCH", message, port=port, hint="give one picture for all texts or one for each")
    if cache == "off":
        made = encode_text(text_encoder, captions, *pictures.values(), clip_skip=clip_skip)
        return replace(made, keys=captions.keys)
    if any(each is not None for each in pictures.values()):
        message = "the cache knows texts alone, and these are encoded with pictures"
        raise GraphError("E_CACHE", message, port="images", hint="set cache to off")
    known = embeddings(text_encoder)
    found = known.of(ctx, text_encoder, captions.texts, clip_skip, disk=cache == "disk")
    return replace(found, keys=captions.keys)
