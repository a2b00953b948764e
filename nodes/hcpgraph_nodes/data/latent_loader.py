"""`data.latent_loader` and `data.latent_batch`: batches of encoded pictures."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import torch
from pydantic import Field

from hcpgraph import Context, Facts, GraphError, Port, node
from hcpgraph.types import port_type
from hcpgraph.widgets import Seed, Slider

from ..types import Captions, Latents
from .latents import LatentSet
from .order import Group, batches_per_epoch, epoch_order

EPOCHS_KEPT = 2


class LatentBatch(NamedTuple):
    """What one step sees: latents, their captions and their sample keys."""

    latents: Annotated[Latents, Facts(family=Port("loader"))]
    captions: Captions


@port_type(color="#d97ba6", shape="triangle", facts=("family",))
class LatentLoader:
    """Batches of encoded pictures by step, in the order and with the sample keys of data.loader.

    Attributes:
        batches_per_epoch: Steps an epoch.
    """

    def __init__(self, data: LatentSet, batch_size: int, *, shuffle: bool = True, seed: int = 0) -> None:
        self.data = data
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.batches_per_epoch = batches_per_epoch(data.members, batch_size, data.leftover)
        if not self.batches_per_epoch:
            raise GraphError(
                "E_DATA",
                f"no bucket of '{data.name}' fills a batch of {batch_size}",
                hint="take a smaller batch_size, or set leftover to pad_repeat or partial",
            )
        self._rows = [{sample: row for row, sample in enumerate(members)} for members in data.members]
        self._orders: dict[int, list[Group]] = {}

    def epoch(self, epoch: int) -> list[Group]:
        """The batches of one epoch, in order."""
        order = self._orders.get(epoch)
        if order is None:
            while len(self._orders) >= EPOCHS_KEPT:
                self._orders.pop(next(iter(self._orders)))
            order = self._orders[epoch] = epoch_order(
                self.data.members, self.batch_size, self.data.leftover, self.shuffle, self.seed, epoch
            )
        return order

    def batch(self, step: int, device: torch.device | None = None) -> LatentBatch:
        """The batch of a step: latents (B, C, h, w), on the device."""
        epoch, number = divmod(step, self.batches_per_epoch)
        bucket, start, samples = self.epoch(epoch)[number]
        rows = [self._rows[bucket][sample] for sample in samples]
        keys = tuple((self.data.name, epoch, start + i) for i in range(len(samples)))
        texts = tuple(self.data.captions[sample] for sample in samples)
        return LatentBatch(Latents(self.data.latents[bucket][rows].to(device or "cpu"), keys), Captions(texts, keys))


@node("data.latent_loader", cache="none")
def latent_loader(
    ctx: Context,
    data: LatentSet,
    *,
    batch_size: Annotated[int, Field(ge=1, le=65_536), Slider(step=1, primary=True)] = 4,
    shuffle: bool = True,
    seed: Annotated[int, Field(ge=0, le=2**32 - 1), Seed()] = 0,
) -> Annotated[LatentLoader, Facts(family=Port("data"))]:
    """Turn encoded pictures into batches, one bucket a batch, as data.loader does with pictures.

    With equal settings a step sees the same samples under the same keys as with data.loader.

    Args:
        data: The encoded data set.
        batch_size: Samples a batch.
        shuffle: Whether samples and batches are shuffled in every epoch.
        seed: Seed of the order.

    Raises:
        GraphError: E_DATA, leftovers are dropped and no bucket fills a batch.
    """
    made = LatentLoader(data, batch_size, shuffle=shuffle, seed=seed)
    ctx.log(f"{made.batches_per_epoch} batches an epoch")
    return made


@node("data.latent_batch", effects="step")
def latent_batch(ctx: Context, loader: LatentLoader) -> LatentBatch:
    """The latents and captions of this training step.

    Args:
        loader: Where batches come from.

    Returns:
        latents: Scaled latents (B, C, h, w) with their sample keys.
        captions: Their captions, with the same keys.
    """
    return loader.batch(ctx.step, ctx.device)
