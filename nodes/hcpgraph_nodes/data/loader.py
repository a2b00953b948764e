"""`data.loader`: step -> batch, a pure function of (seed, step)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from hcpgraph import Context, GraphError, node
from hcpgraph.types import port_type
from hcpgraph.widgets import Hint, Seed, Slider

from ..types import Batches, Captions, CropInfo, Images, Keys, LossMask, SampleKey
from .batches.reading import scaled, view
from .batches.workers import Stream
from .bucketing.bucketed import Bucket, Bucketed
from .bucketing.leftover import merged
from .bucketing.order import Group, batches_per_epoch, epoch_order, share
from .bucketing.resize import Size, covering
from .sources.dataset import Source
from .transforms.transform import Transform, Views

OnBad = Literal["error", "skip"]

KEEP_BYTES = 256 * 2**20
EPOCHS_KEPT = 2


class Batch(NamedTuple):
    """What one step sees: pictures, captions, loss weights, sizes; conditions where the data set has them."""

    images: Images
    captions: Captions
    masks: LossMask
    sizes: CropInfo
    conditions: Images | None


@dataclass(frozen=True, slots=True)
class RawBatch:
    """A batch as workers hand it over.

    Attributes:
        pixels: Pictures (B, H, W, 3), uint8.
        texts: Their captions.
        words: Values for the slots of their templates.
        keys: Their sample keys.
        masks: Loss weights (B, H, W), float32; None for 1 everywhere.
        conditions: Pictures (B, H, W, 3), uint8, or None.
        sizes: (B, 6), int64, see CropInfo.
        bad: Samples that could not be read and were replaced: id and reason.
    """

    pixels: Tensor
    texts: tuple[str, ...]
    words: tuple[Mapping[str, str], ...] | None
    keys: Keys
    masks: Tensor | None
    conditions: Tensor | None
    sizes: Tensor
    bad: tuple[tuple[str, str], ...] = ()

    def pin_memory(self) -> RawBatch:
        """The same batch in page-locked memory; DataLoader calls it."""
        return replace(
            self,
            pixels=self.pixels.pin_memory(),
            masks=None if self.masks is None else self.masks.pin_memory(),
            conditions=None if self.conditions is None else self.conditions.pin_memory(),
        )


@port_type(color="#c9b458", shape="triangle")
class Loader(Batches):
    """Batches of a bucketed data set by step.

    Order, crops, flips and transforms depend on (seed, sample key) alone: the number of workers, the number of ranks
    that share a batch, the step that a run resumed at and what was asked before change nothing. A sample key is
    (data set, epoch, position in the epoch's order).

    Attributes:
        buckets: The buckets as they are trained: after leftovers were merged, where they are.
        batches_per_epoch: Steps an epoch.
        samples: Samples an epoch over all ranks, repeated ones included.
        bad: What could not be read so far and was replaced: sample id -> reason.
    """

    def __init__(
        self,
        data: Bucketed,
        batch_size: int,
        *,
        shuffle: bool = True,
        seed: int = 0,
        flip: float = 0.0,
        workers: int = 0,
        prefetch: int = 2,
        pin: bool = False,
        on_bad: OnBad = "error",
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.data = data
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.flip = flip
        self.workers = workers
        self.prefetch = prefetch
        self.pin = pin
        self.on_bad = on_bad
        self.rank = rank
        self.world = world
        self.bad: dict[str, str] = {}
        self.buckets = merged(data, batch_size * world) if data.leftover == "merge" else data.buckets
        self._members = [bucket.members for bucket in self.buckets]
        self.batches_per_epoch = batches_per_epoch(self._members, batch_size * world, data.leftover)
        if not self.batches_per_epoch:
            raise GraphError(
                "E_DATA",
                f"no bucket of '{data.dataset.name}' fills a batch of {batch_size * world}",
                hint="take a smaller batch_size, or set leftover to pad_repeat or partial",
            )
        self._orders: dict[int, list[Group]] = {}
        self._kept: dict[Any, np.ndarray] = {}
        self._stream: Stream | None = None
        self._last: tuple[int, RawBatch] | None = None
        self.samples = sum(len(group.samples) for group in self.epoch(0))
        self._keep = workers == 0 and data.dataset.pictures and self._bytes() <= KEEP_BYTES

    def epoch(self, epoch: int) -> list[Group]:
        """The batches of one epoch, in order, over all ranks."""
        order = self._orders.get(epoch)
        if order is None:
            while len(self._orders) >= EPOCHS_KEPT:
                self._orders.pop(next(iter(self._orders)))
            order = self._orders[epoch] = epoch_order(
                self._members,
                self.batch_size * self.world,
                self.data.leftover,
                self.shuffle,
                self.seed,
                epoch,
                self.world,
            )
        return order

    def group(self, step: int) -> tuple[Group, Keys]:
        """The samples of this rank at a step, and their keys."""
        epoch, number = divmod(step, self.batches_per_epoch)
        group = share(self.epoch(epoch)[number], self.rank, self.world)
        return group, tuple((self.data.dataset.name, epoch, group.start + i) for i in range(len(group.samples)))

    def captions(self, step: int) -> Captions:
        """The captions of a step; no picture is read."""
        group, keys = self.group(step)
        return Captions(*self._texts(group.samples, keys))

    def batch(self, step: int, device: torch.device | None = None) -> Batch:
        """The batch of a step: pictures (B, 3, H, W), float32 in [0, 1], on the device.

        With workers, asking for the step after the last one asked is fast; any other step starts them anew. The last
        one is kept and read no more; what is handed out is a copy.
        """
        raw = self._raw(step)
        self.bad |= dict(raw.bad)
        keys, move = raw.keys, partial(self._moved, device=device or torch.device("cpu"))
        images = _floats(move(raw.pixels))
        if raw.masks is None:
            masks = images.new_ones(len(keys), 1, *images.shape[2:])
        else:
            masks = move(raw.masks)[:, None].clone()
        conditions = None if raw.conditions is None else Images(_floats(move(raw.conditions)), keys)
        return Batch(
            Images(images, keys),
            Captions(raw.texts, keys, raw.words),
            LossMask(masks, keys),
            CropInfo(raw.sizes.clone(), keys),
            conditions,
        )

    def _moved(self, data: Tensor, device: torch.device) -> Tensor:
        return data.to(device, non_blocking=self.pin)

    def _raw(self, step: int) -> RawBatch:
        if self._last is None or self._last[0] != step:
            if self.workers:
                self._last = step, self.get_ready().take(step)
            else:
                self._last = step, self.read(step)
        return self._last[1]

    def get_ready(self) -> Stream:
        """What reads ahead, made when it is first asked for.

        Raises:
            GraphError: E_PICKLE, something in the data set cannot go to another process.
        """
        if self._stream is None:
            self._stream = Stream(self, self.read, self.workers, self.prefetch, self.pin)
        return self._stream

    def read(self, step: int) -> RawBatch:
        """Decode the batch of a step in this process."""
        group, keys = self.group(step)
        bucket, bad = self.buckets[group.bucket], []
        samples, views = [], []
        for index, key in zip(group.samples, keys, strict=True):
            for candidate in _from(bucket.members, index) if self.on_bad == "skip" else (index,):
                try:
                    views.append(self._view(bucket, candidate, key))
                except GraphError as error:
                    sample = self.data.dataset.samples[candidate]
                    if self.on_bad == "error" or error.problem.code != "E_PICTURE":
                        raise
                    bad.append((sample.id, error.problem.message))
                    continue
                samples.append(candidate)
                break
            else:
                raise GraphError(
                    "E_PICTURE",
                    f"no picture of the bucket {bucket.width}x{bucket.height} can be read, such as {bad[0][0]}",
                    hint="replace the files, or set on_bad to error to see what is wrong with each",
                )
        texts, keys, words = self._texts(samples, keys)
        masks = [one.mask for one in views]
        conditions = [one.condition for one in views if one.condition is not None]
        if conditions and len(conditions) < len(views):
            raise GraphError(
                "E_DATA",
                f"some samples of '{self.data.dataset.name}' have a condition and some have none",
                hint="give every data set that is merged its own data.conditions, or a loader of its own",
            )
        sizes = [(*one.original, *one.corner, *one.picture.shape[:2]) for one in views]
        return RawBatch(
            torch.from_numpy(np.stack([one.picture for one in views])),
            texts,
            words,
            keys,
            None if all(mask is None for mask in masks) else torch.from_numpy(_stacked(masks, bucket)),
            torch.from_numpy(np.stack(conditions)) if conditions else None,
            torch.tensor(sizes, dtype=torch.int64),
            tuple(bad),
        )

    def close(self) -> None:
        """Stop the workers; a later batch starts them again."""
        if self._stream is not None:
            self._stream.close()

    def _texts(
        self, samples: Sequence[int], keys: Keys
    ) -> tuple[tuple[str, ...], Keys, tuple[Mapping[str, str], ...] | None]:
        chosen = [self.data.dataset.samples[index] for index in samples]
        words = tuple(sample.words or {} for sample in chosen)
        return tuple(sample.caption for sample in chosen), keys, words if any(words) else None

    def _view(self, bucket: Bucket, index: int, key: SampleKey) -> Views:
        return view(self.data, bucket, index, self.seed, key, flip=self.flip, picture=self._scaled)

    def _scaled(self, source: Source, size: Size) -> np.ndarray:
        found = self._kept.get((source, size))
        if found is None:
            found = scaled(source, size).view()
            if self._keep:
                found.setflags(write=False)
                self._kept[source, size] = found
        return found

    def _bytes(self) -> int:
        """Size of all scaled pictures, each counted once; beyond every limit where their scale is drawn."""
        total, seen = 0, set()
        for bucket in self.buckets:
            for index in bucket.members:
                sample = self.data.dataset.samples[index]
                if any(type(transform).zoom is not Transform.zoom for transform in sample.transforms):
                    return KEEP_BYTES + 1
                if sample.source is not None and sample.source not in seen:
                    seen.add(sample.source)
                    size = sample.source.size
                    if self.data.fit == "cover":
                        size = covering(size, (bucket.width, bucket.height))
                    total += size[0] * size[1] * (3 if sample.condition is None else 6)
                    if total > KEEP_BYTES:
                        return total
        return total

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_orders": {}, "_kept": {}, "_stream": None, "_last": None}


def _from(members: Sequence[int], index: int) -> Iterator[int]:
    """The members of a bucket from one on, around."""
    start = members.index(index)
    return (members[(start + i) % len(members)] for i in range(len(members)))


def _floats(pixels: Tensor) -> Tensor:
    """(B, H, W, 3), uint8, as (B, 3, H, W), float32 in [0, 1]."""
    moved = pixels.permute(0, 3, 1, 2)
    return moved.to(torch.float32, memory_format=torch.contiguous_format).div_(255)


def _stacked(masks: Sequence[np.ndarray | None], bucket: Bucket) -> np.ndarray:
    ones = np.ones((bucket.height, bucket.width), np.float32)
    return np.stack([ones if mask is None else mask for mask in masks])


@node("data.loader", cache="none")
def loader(
    ctx: Context,
    data: Bucketed,
    *,
    batch_size: Annotated[int, Field(ge=1, le=65_536), Slider(step=1, primary=True)] = 4,
    shuffle: bool = True,
    seed: Annotated[int, Field(ge=0, le=2**32 - 1), Seed()] = 0,
    flip: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 0.0,
    workers: Annotated[int, Field(ge=0, le=64)] = 0,
    prefetch: Annotated[int, Field(ge=1, le=64), Hint(advanced=True)] = 2,
    on_bad: Annotated[OnBad, Hint(advanced=True)] = "error",
) -> Loader:
    """Turn a bucketed data set into batches, one bucket a batch.

    Which samples a step sees, and how they are cropped and flipped, depends on the seed and the step alone: a resumed
    run sees what it would have seen, and the number of workers is a matter of speed only. Without workers, resized
    pictures stay in memory if all of them fit into 256 MB. Give every loop its own loader: workers read ahead.

    Args:
        data: The bucketed data set.
        batch_size: Samples a batch.
        shuffle: Whether samples and batches are shuffled in every epoch.
        seed: Seed of order, crops and flips.
        flip: Probability that a picture is mirrored left to right.
        workers: Processes that read pictures ahead; 0 reads them in the training process.
        prefetch: Batches that each worker reads ahead.
        on_bad: What to do with a picture that turns out not to be readable: stop and name it, or take the next one of
            its bucket instead and say so in the log; a batch is never shorter for it.

    Raises:
        GraphError: E_DATA, leftovers are dropped and no bucket fills a batch; E_PICKLE, workers are asked for and
            something in the data set cannot go to another process.
    """
    made = Loader(
        data,
        batch_size,
        shuffle=shuffle,
        seed=seed,
        flip=flip,
        workers=workers,
        prefetch=prefetch,
        pin=ctx.device.type == "cuda",
        on_bad=on_bad,
        rank=ctx.run.rank,
        world=ctx.run.world,
    )
    if workers:
        made.get_ready()
    ctx.log(f"{made.batches_per_epoch} batches, {made.samples} samples an epoch")
    return made
