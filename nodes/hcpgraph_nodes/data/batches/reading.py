"""One sample brought into its bucket: decoded, scaled, cropped, transformed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hcpgraph.errors import GraphError
from hcpgraph.rng import stream_seed

from ..bucketing.bucketed import Bucket, Bucketed
from ..bucketing.resize import Size, corner, covering, resized, resized_weights
from ..sources.dataset import Sample, Shrinking, Source
from ..transforms.transform import Views

Scaled = Callable[[Source, Size], np.ndarray]
DRAWS = 2**63


def scaled(source: Source, size: Size) -> np.ndarray:
    """The picture of a source at (width, height), (H, W, 3), uint8."""
    return resized(source.load_for(size) if isinstance(source, Shrinking) else source.load(), size)


def view(
    data: Bucketed,
    bucket: Bucket,
    index: int,
    seed: int,
    key: Any,
    *,
    flip: float = 0.0,
    picture: Scaled = scaled,
) -> Views:
    """A sample as its batch takes it; a function of the arguments, whatever was read before.

    Args:
        data: The bucketed data set.
        bucket: The bucket of the sample.
        index: The sample.
        seed: Seed of crops, flips and transforms.
        key: What the draws depend on besides the seed: the sample key.
        flip: Probability that it is mirrored left to right.
        picture: Gives a picture at a size; a loader that keeps scaled pictures puts its own here.

    Raises:
        GraphError: E_PICTURE (a file cannot be decoded), E_DATA (no picture), E_TRANSFORM (a transform changed sizes).
    """
    sample, target = data.dataset.samples[index], (bucket.width, bucket.height)
    size = data.dataset.size(index)
    draws = [stream_seed(seed, f"transform:{number}", (), key) for number in range(len(sample.transforms))]
    zoom = max((t.zoom(draw) for t, draw in zip(sample.transforms, draws, strict=True)), default=1.0)
    full = covering(size, target, zoom) if data.fit == "cover" else size
    draw = stream_seed(seed, "crop", (), key) if data.crop == "random" else None
    left, top = corner(full, target, draw)
    box = (left, top, *target)
    assert sample.source is not None
    views = Views(
        _cut(picture(sample.source, full), box, np.array(data.background, np.uint8)),
        _mask(sample, full, box),
        None if sample.condition is None else _cut(picture(sample.condition, full), box, np.zeros(3, np.uint8)),
        (size[1], size[0]),
        (top, left),
        (full[1], full[0]),
    )
    if flip and stream_seed(seed, "flip", (), key) < flip * DRAWS:
        views = views.mirrored()
    if sample.transforms:
        views = views.owned()
    for number, transform in enumerate(sample.transforms):
        before = views.picture.shape
        views = transform.apply(views, draws[number])
        if views.picture.shape != before or views.picture.dtype != np.uint8:
            raise GraphError(
                "E_TRANSFORM",
                f"{type(transform).__name__} made {views.picture.dtype} {views.picture.shape} of uint8 {before}",
                hint="a transform here must keep the size of a picture and its 8 bits: leave resizing to the bucket, "
                "and ToTensor and Normalize to the encoder",
            )
    return views


def _cut(picture: np.ndarray, box: tuple[int, int, int, int], fill: np.ndarray) -> np.ndarray:
    """The box (left, top, width, height) of a picture (H, W, C); what lies outside is filled."""
    left, top, width, height = box
    part = picture[top : top + height, left : left + width]
    if part.shape[:2] == (height, width):
        return part
    whole = np.empty((height, width, *picture.shape[2:]), picture.dtype)
    whole[:] = fill
    whole[: part.shape[0], : part.shape[1]] = part
    return whole


def _mask(sample: Sample, full: Size, box: tuple[int, int, int, int]) -> np.ndarray | None:
    """Loss weights (height, width), 0 where a picture was padded; None for 1 everywhere."""
    _, _, width, height = box
    if sample.mask is None:
        if full[0] >= width and full[1] >= height:
            return None
        weights = np.ones((full[1], full[0]), np.float32)
    else:
        weights = resized_weights(sample.mask.load(), full)
    return _cut(weights, box, np.zeros((), np.float32))
