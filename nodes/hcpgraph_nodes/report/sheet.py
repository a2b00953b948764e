"""The contact sheet: samples exactly as their batch takes them."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from hcpgraph.errors import GraphError, visible

from ..data.batches.reading import view
from ..data.loader import Loader

if TYPE_CHECKING:
    from hcpgraph.data_report import DataTile

SIDE = 192
EACH = 4
"""Samples that every bucket shows, as far as they are there."""
MOST = 240


def sheet(loader: Loader, number: int, texts: Mapping[int, str], told: Callable[[int, int], None]) -> list[DataTile]:
    """The first samples of the first epoch, in order, then more of buckets that have shown few.

    Args:
        loader: The loader; its order, crops, flips and transforms are those of training.
        number: How many samples at first.
        texts: What an encoder gets of the sample at a position of the epoch; the caption where that is not known.
        told: Called with how many are done and how many there are; what it raises ends this.
    """
    chosen = _chosen(loader, number)
    tiles: list[DataTile] = []
    for done, (bucket, position, index) in enumerate(chosen):
        told(done, len(chosen))
        sample = loader.data.dataset.samples[index]
        key = (loader.data.dataset.name, 0, position)
        try:
            seen = view(loader.data, loader.buckets[bucket], index, loader.seed, key, flip=loader.flip)
        except GraphError as error:
            if error.problem.code == "E_PICTURE":
                continue  # it is among the problems already
            raise
        picture, width, height = _small(seen.picture)
        caption = texts.get(position, sample.caption)
        tiles.append(
            {
                "id": visible(sample.id),
                "bucket": bucket,
                "caption": caption,
                "picture": picture,
                "width": width,
                "height": height,
            }
        )
    told(len(chosen), len(chosen))
    return tiles


def _chosen(loader: Loader, number: int) -> list[tuple[int, int, int]]:
    """Bucket, position in the epoch and index of the samples that are shown."""
    order = [
        (group.bucket, group.start + offset, index)
        for group in loader.epoch(0)
        for offset, index in enumerate(group.samples)
    ]
    first, rest = order[:number], order[number:]
    if not number:
        return []
    shown = [0] * len(loader.buckets)
    for bucket, _, _ in first:
        shown[bucket] += 1
    for one in rest:
        if shown[one[0]] < EACH and len(first) < max(number, MOST):
            shown[one[0]] += 1
            first.append(one)
    return first


def _small(picture: np.ndarray) -> tuple[str, int, int]:
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    image.save(data, "WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}", *image.size
