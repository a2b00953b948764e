"""`image.resize`: change the size of pictures."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch.nn import functional

from hcpgraph import node
from hcpgraph.widgets import Slider

from ..types import Images
from .color import HexColor, rgb
from .pixels import cut


@node("image.resize")
def resize(
    images: Images,
    *,
    width: Annotated[int, Field(ge=1, le=16_384), Slider(step=8)] = 512,
    height: Annotated[int, Field(ge=1, le=16_384), Slider(step=8)] = 512,
    fit: Literal["cover", "contain", "stretch"] = "cover",
    filter: Literal["bicubic", "bilinear", "nearest"] = "bicubic",
    background: HexColor = "#ffffff",
) -> Images:
    """Bring pictures to a size.

    Shrinking is antialiased except with `nearest`. The result stays on the device, in [0, 1].

    Args:
        images: Pictures (B, 3, H, W) in [0, 1].
        width: New width in pixels.
        height: New height in pixels.
        fit: `cover` fills the size and cuts the excess off at the centre, `contain` shows all of the picture on the
            background, `stretch` ignores the aspect ratio.
        filter: How pixels are computed; `nearest` keeps hard edges.
        background: Colour of the margins that `contain` leaves, `#rrggbb`.
    """
    data = images.data
    old_h, old_w = data.shape[-2:]
    new_h, new_w = height, width
    if fit != "stretch":
        pick = max if fit == "cover" else min
        scale = pick(width / old_w, height / old_h)
        new_w, new_h = max(1, round(old_w * scale)), max(1, round(old_h * scale))
        if fit == "cover":
            new_w, new_h = max(new_w, width), max(new_h, height)
    if (new_h, new_w) != (old_h, old_w):
        options = {} if filter == "nearest" else {"antialias": True, "align_corners": False}
        mode = "nearest-exact" if filter == "nearest" else filter
        data = functional.interpolate(data, (new_h, new_w), mode=mode, **options)
        data = cut(data)
    top, left = (new_h - height) // 2, (new_w - width) // 2
    if fit == "cover":
        data = data[..., top : top + height, left : left + width]
    elif (new_h, new_w) != (height, width):
        color = torch.tensor(rgb(background), dtype=data.dtype, device=data.device).div(255).view(1, 3, 1, 1)
        canvas = color.expand(data.shape[0], 3, height, width).clone()
        canvas[..., -top : new_h - top, -left : new_w - left] = data
        data = canvas
    return Images(data, images.keys)
