"""`data.take`: a few fixed samples for previews and validation."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
import torch
from pydantic import Field

from hcpgraph import Context, GraphError, node
from hcpgraph.widgets import Slider

from ..types import Captions, Images
from .bucketing.resize import crop_to, resize_cover
from .sources.dataset import Dataset


class Taken(NamedTuple):
    images: Images
    captions: Captions


@node("data.take")
def take(
    ctx: Context,
    dataset: Dataset,
    *,
    count: Annotated[int, Field(ge=1, le=4096), Slider(step=1, primary=True)] = 4,
    indices: list[Annotated[int, Field(ge=0)]] = [],  # noqa: B006 - a default of the schema, never changed
    width: Annotated[int, Field(ge=8, le=8192), Slider(step=8)] = 512,
    height: Annotated[int, Field(ge=8, le=8192), Slider(step=8)] = 512,
) -> Taken:
    """Take some samples of a data set, always the same ones, brought to one size.

    Pictures are scaled until they cover the size and cropped at the centre. Their sample keys are (data set, 0, index).

    Args:
        dataset: Where the samples come from.
        count: How many, spread evenly over the data set; a smaller data set gives all it has.
        indices: Which ones instead, counted from 0.
        width: Width of the pictures in pixels.
        height: Height of the pictures in pixels.

    Returns:
        images: Pictures (B, 3, height, width), float32 in [0, 1].
        captions: Their captions.

    Raises:
        GraphError: E_DATA (an index beyond the data set, an empty data set), E_PICTURE.
    """
    size = len(dataset)
    count = min(count, size)
    chosen = indices or [i * size // count for i in range(count)]
    if not chosen or max(chosen) >= size:
        raise GraphError("E_DATA", f"'{dataset.name}' has {size} samples", hint=f"take indices from 0 to {size - 1}")
    pictures = []
    for index in chosen:
        ctx.check()
        pictures.append(crop_to(resize_cover(dataset.load(index), (width, height)), (width, height), None))
    keys = tuple((dataset.name, 0, index) for index in chosen)
    pixels = torch.from_numpy(np.stack(pictures)).to(ctx.device).permute(0, 3, 1, 2)
    data = pixels.to(torch.float32, memory_format=torch.contiguous_format).div_(255)
    return Taken(Images(data, keys), Captions(tuple(map(dataset.caption, chosen)), keys))
