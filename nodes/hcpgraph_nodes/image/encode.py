"""`image.encode`."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from hcpgraph import node
from hcpgraph.widgets import Hint

from ..image_encoder.kinds import kind
from ..model.handles import ImageEncoder
from ..model.preprocessing import Fit
from ..types import Features, Pictures


class Encoded(NamedTuple):
    """Features of pictures."""

    tokens: Features
    pooled: Features


@node("image.encode", packages=("transformers",), title="Encode image")
def encode(
    encoder: ImageEncoder,
    images: Pictures,
    *,
    layer: Annotated[Annotated[int, Field(ge=-128, le=127)] | None, Hint(primary=True)] = None,
    tokens: Literal["all", "patches"] = "all",
    fit: Fit = "processor",
) -> Encoded:
    """Make features of pictures, with gradients of weights and pictures: for conditions, and for losses of features.

    Pictures are scaled and normalised as the encoder's processor does it, in torch; where they have its size already,
    equal to it, else but for its rounding to 256 levels.

    Args:
        encoder: The image encoder.
        images: Pictures (B, 3, H, W) in [0, 1], or as vae.reconstruct gives them.
        layer: Whose tokens are wanted: 0 is what goes into the first layer, -1 what the last one gives, -2 the one
            before; none given: what the network gives in the end, of DINOv2 behind its last norm.
        tokens: `all`, or those of `patches` alone, without the class token and registers that stand before them.
        fit: `processor` brings pictures to the encoder's size as its processor does, which may cut off their edges;
            `stretch` scales them to that size, whatever their shape; `as_is` leaves their size, whose sides must be
            multiples of the encoder's patches: positions are interpolated.

    Returns:
        tokens: Features (B, L, D), one vector a token.
        pooled: Features (B, P) of the whole picture: of CLIP the projected embedding, of DINOv2 the class token behind
            the last norm, of SigLIP what its attention head gives.

    Raises:
        GraphError: E_SIZE, sides that are no multiples of patches; E_RANGE, there is no such layer.
    """
    found, pooled, grid, special = kind(encoder.family).encode(encoder, images.data, fit, layer)
    patches = tokens == "patches"
    data = found[:, special:] if patches else found
    bare = patches or not special
    return Encoded(Features(data, grid if bare else None, images.keys), Features(pooled, keys=images.keys))
