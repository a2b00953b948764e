"""`data.loader`: step -> batch, a pure function of (seed, step)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from hcpgraph import Context, GraphError, node
from hcpgraph.rng import stream_seed
from hcpgraph.types import port_type
from hcpgraph.widgets import Hint, Seed, Slider

from ..types import Captions, Images, Keys, SampleKey
from .order import Group, batches_per_epoch, epoch_order
from .ratio_bucket import Bucketed
from .resize import covering, crop_to, resize_cover
from .workers import Stream

KEEP_BYTES = 256 * 2**20
EPOCHS_KEPT = 2


class Batch(NamedTuple):
    """What one step sees: pictures, their captions and their sample keys."""

    images: Images
    captions: Captions


@dataclass(frozen=True, slots=True)
class RawBatch:
    """A batch as workers hand it over: pictures (B, H, W, 3), uint8."""

    pixels: Tensor
    texts: tuple[str, ...]
    keys: Keys

    def pin_memory(self) -> RawBatch:
        """The same batch in page-locked memory; DataLoader calls it."""
        return RawBatch(self.pixels.pin_memory(), self.texts, self.keys)


@port_type(color="#c9b458", shape="triangle")
class Loader:
    """Batches of a bucketed data set by step.

    Order, crops and flips depend on (seed, sample key) alone: the number of workers, the step that a run resumed at
    and what was asked before change nothing. A sample key is (data set, epoch, position in the epoch's order).

    Attributes:
        batches_per_epoch: Steps an epoch.
        samples: Samples an epoch, repeated ones included.
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
    ) -> None:
        self.data = data
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.flip = flip
        self.workers = workers
        self.prefetch = prefetch
        self.pin = pin
        self._members = [bucket.members for bucket in data.buckets]
        self.batches_per_epoch = batches_per_epoch(self._members, batch_size, data.leftover)
        if not self.batches_per_epoch:
            raise GraphError(
                "E_DATA",
                f"no bucket of '{data.dataset.name}' fills a batch of {batch_size}",
                hint="take a smaller batch_size, or set leftover to pad_repeat or partial",
            )
        self._forget()
        self.samples = sum(len(group.samples) for group in self.epoch(0))
        self._keep = workers == 0 and self._bytes() <= KEEP_BYTES

    def epoch(self, epoch: int) -> list[Group]:
        """The batches of one epoch, in order."""
        order = self._orders.get(epoch)
        if order is None:
            while len(self._orders) >= EPOCHS_KEPT:
                self._orders.pop(next(iter(self._orders)))
            order = self._orders[epoch] = epoch_order(
                self._members, self.batch_size, self.data.leftover, self.shuffle, self.seed, epoch
            )
        return order

    def batch(self, step: int, device: torch.device | None = None) -> Batch:
        """The batch of a step: pictures (B, 3, H, W), float32 in [0, 1], on the device.

        With workers, asking for the step after the last one asked is fast; any other step starts them anew.
        """
        if self.workers:
            if self._stream is None:
                self._stream = Stream(self.read, self.workers, self.prefetch, self.pin)
            raw = self._stream.take(step)
        else:
            raw = self.read(step)
        pixels = raw.pixels.to(device or "cpu", non_blocking=self.pin).permute(0, 3, 1, 2)
        data = pixels.to(torch.float32, memory_format=torch.contiguous_format).div_(255)
        return Batch(Images(data, raw.keys), Captions(raw.texts, raw.keys))

    def read(self, step: int) -> RawBatch:
        """Decode the batch of a step in this process."""
        epoch, number = divmod(step, self.batches_per_epoch)
        bucket, start, samples = self.epoch(epoch)[number]
        dataset, shape = self.data.dataset, self.data.buckets[bucket]
        keys = tuple((dataset.name, epoch, start + i) for i in range(len(samples)))
        target = (shape.width, shape.height)
        pixels = np.stack([self._picture(index, target, key) for index, key in zip(samples, keys, strict=True)])
        return RawBatch(torch.from_numpy(pixels), tuple(map(dataset.caption, samples)), keys)

    def close(self) -> None:
        """Stop the workers; a later batch starts them again."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _picture(self, index: int, target: tuple[int, int], key: SampleKey) -> np.ndarray:
        source = self.data.dataset.samples[index].source
        picture = self._kept.get((source, target))
        if picture is None:
            picture = resize_cover(source.load(), target)
            if self._keep:
                self._kept[source, target] = picture
        draw = stream_seed(self.seed, "crop", (), key) if self.data.crop == "random" else None
        picture = crop_to(picture, target, draw)
        if self.flip and stream_seed(self.seed, "flip", (), key) < self.flip * 2**63:
            picture = picture[:, ::-1]
        return picture

    def _bytes(self) -> int:
        """Size of all resized pictures, each counted once."""
        dataset, total, seen = self.data.dataset, 0, set()
        for bucket in self.data.buckets:
            for index in bucket.members:
                source = dataset.samples[index].source
                if source not in seen:
                    seen.add(source)
                    width, height = covering(source.size, (bucket.width, bucket.height))
                    total += width * height * 3
        return total

    def _forget(self) -> None:
        self._orders: dict[int, list[Group]] = {}
        self._kept: dict[Any, np.ndarray] = {}
        self._stream: Stream | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_orders": {}, "_kept": {}, "_stream": None}


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

    Raises:
        GraphError: E_DATA, leftovers are dropped and no bucket fills a batch.
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
    )
    ctx.log(f"{made.batches_per_epoch} batches, {made.samples} samples an epoch")
    return made
