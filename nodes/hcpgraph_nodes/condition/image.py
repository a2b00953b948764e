"""`condition.image`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hcpgraph import Context, Facts, GraphError, Port, Setting, node
from hcpgraph.widgets import Hint, Slider

from ..conditioning import CHANNELS, TOKENS
from ..families.registry import family
from ..model.handles import Vae
from ..noise.draws import row_keys
from ..types import Conditioning, Images
from .rows import rows


@node("condition.image", effects="random", title="Image condition")
def image(
    ctx: Context,
    conditioning: Conditioning,
    vae: Vae,
    images: Images,
    *,
    by: Annotated[Literal["channels", "tokens"], Hint(primary=True)] = "channels",
    dropout: Annotated[float, Field(ge=0, le=1), Slider(step=0.01)] = 0.0,
) -> Annotated[Conditioning, Facts(text=Port("conditioning"), image=Setting("by"))]:
    """Lead a model by a picture, such as one that is to be edited by the text.

    By channels its latents stand beside the noisy ones, of the same size (InstructPix2Pix, which reads 8 channels;
    Brooks et al. 2023, https://arxiv.org/abs/2211.09800). By tokens they stand behind them, in families whose models
    take that; several of these nodes give several pictures. In sample.denoise the negative side gets the same picture,
    and image_guidance leads away from what there would be without it.

    Args:
        conditioning: The text.
        vae: The autoencoder of the model.
        images: Pictures (B, 3, H, W) in [0, 1]; by channels of the size of what is sampled.
        by: The way in which the model reads it.
        dropout: Probability that a sample has no picture but zeros, by channels, so that image_guidance works
            afterwards; for training. It depends on the sample's key.

    Returns:
        out: The conditioning with the picture: `image_channels` (B, C, h, w), or `image_tokens_1` and so on.

    Raises:
        GraphError: E_BATCH, other numbers of pictures and texts; E_SETTING, dropout of tokens.
    """
    implementation = family(vae.family)
    count = rows({"conditioning": conditioning.count, "images": len(images.data)})
    if by == "tokens":
        if dropout:
            raise GraphError("E_SETTING", "pictures are dropped by channels alone", port="dropout", hint="set it to 0")
        mean, _ = implementation.encode_image(vae, images.data)
        data = implementation.statistics(vae).normalise(mean)
        name = f"{TOKENS}{len(conditioning.references) + 1}"
    else:
        data, name = implementation.image_channels(vae, images.data), CHANNELS
    data = data.expand(count, -1, -1, -1)
    if dropout:
        keys = row_keys(images.keys if len(images.data) == count else None, count)
        kept = (ctx.uniform(keys) >= dropout).to(data)
        data = data * kept.view(-1, 1, 1, 1)
    return conditioning.rows(count).with_parts(**{name: data})
