"""`data.latent_loader`: batches of encoded pictures by step."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, NamedTuple

import numpy as np
import torch
from pydantic import Field

from hcpgraph import Context, Facts, GraphError, Port, node
from hcpgraph.rng import stream_seed
from hcpgraph.types import port_type
from hcpgraph.widgets import Seed, Slider

from ..types import Batches, Captions, CropInfo, Images, Keys, LossMask, Posterior
from .bucketing.order import Group
from .latents import LatentSet
from .loader import Loader


class EncodedBatch(NamedTuple):
    """What one step sees: a posterior, captions, loss weights, sizes; conditions where the data set has them."""

    posterior: Posterior
    captions: Captions
    masks: LossMask
    sizes: CropInfo
    conditions: Images | None

    def copied(self) -> EncodedBatch:
        """The same over tensors of its own, which a node may change."""
        return EncodedBatch(
            replace(self.posterior, mean=self.posterior.mean.clone(), deviation=self.posterior.deviation.clone()),
            self.captions,
            replace(self.masks, data=self.masks.data.clone()),
            replace(self.sizes, data=self.sizes.data.clone()),
            None if self.conditions is None else replace(self.conditions, data=self.conditions.data.clone()),
        )


@port_type(color="#d97ba6", shape="triangle", facts=("latents",))
class LatentLoader(Batches):
    """Batches of encoded pictures by step, in the order and with the sample keys of data.loader.

    Attributes:
        data: The encoded data set.
        order: The loader that says which samples a step sees; it reads no picture.
        batches_per_epoch: Steps an epoch.
        samples: Samples an epoch over all ranks, repeated ones included.

    Raises:
        GraphError: E_DATA, no bucket fills a batch, or leftovers were merged for another batch size.
    """

    def __init__(
        self, data: LatentSet, batch_size: int, *, shuffle: bool = True, seed: int = 0, rank: int = 0, world: int = 1
    ) -> None:
        self.data = data
        self.order = Loader(data.data, batch_size, shuffle=shuffle, seed=seed, rank=rank, world=world)
        self.batches_per_epoch = self.order.batches_per_epoch
        self.samples = self.order.samples
        if data.batch_size not in (0, batch_size * world):
            raise GraphError(
                "E_DATA",
                f"leftovers were merged for batches of {data.batch_size}, not of {batch_size * world}",
                hint="give data.latents and data.latent_loader the same batch_size",
            )
        self._last: tuple[int, torch.device, EncodedBatch] | None = None

    def epoch(self, epoch: int) -> list[Group]:
        """The batches of one epoch, in order, over all ranks."""
        return self.order.epoch(epoch)

    def batch(self, step: int, device: torch.device | None = None) -> EncodedBatch:
        """The batch of a step on the device; the last one is kept, and what is handed out is a copy."""
        place = device or torch.device("cpu")
        if self._last is None or self._last[:2] != (step, place):
            self._last = step, place, self._read(step, place)
        return self._last[2].copied()

    def _read(self, step: int, device: torch.device) -> EncodedBatch:
        group, keys = self.order.group(step)
        row = self.data.rows[group.bucket]
        numbers = [self._item(row[index], key) for index, key in zip(group.samples, keys, strict=True)]
        found = [self.data.items.read(number) for number in numbers]
        mean, deviation = (
            torch.from_numpy(np.stack([item[name] for item in found])).to(device) for name in ("mean", "deviation")
        )
        if any("mask" in item for item in found):
            shape = mean.shape[-2:]
            weights = np.stack([item["mask"] if "mask" in item else np.ones(shape, np.float32) for item in found])
            masks = torch.from_numpy(weights).to(device)[:, None]
        else:
            masks = torch.ones(len(found), 1, *mean.shape[-2:], device=device)
        return EncodedBatch(
            Posterior(mean, deviation, keys),
            self.order.captions(step),
            LossMask(masks, keys),
            CropInfo(torch.from_numpy(np.stack([item["sizes"] for item in found])), keys),
            self._conditions([item["condition"] for item in found if "condition" in item], keys, device),
        )

    def _item(self, variations: tuple[int, ...], key: tuple[str, int, int]) -> int:
        if len(variations) == 1:
            return variations[0]
        return variations[stream_seed(self.order.seed, "variation", (), key) % len(variations)]

    def _conditions(self, found: list[np.ndarray], keys: Keys, device: torch.device) -> Images | None:
        if not found:
            return None
        if len(found) < len(keys):
            raise GraphError(
                "E_DATA",
                f"some samples of '{self.data.data.dataset.name}' have a condition and some have none",
                hint="give every data set that is merged its own data.conditions, or a loader of its own",
            )
        pixels = torch.from_numpy(np.stack(found)).to(device).permute(0, 3, 1, 2)
        return Images(pixels.to(torch.float32, memory_format=torch.contiguous_format).div_(255), keys)


@node("data.latent_loader", cache="none")
def latent_loader(
    ctx: Context,
    data: LatentSet,
    *,
    batch_size: Annotated[int, Field(ge=1, le=65_536), Slider(step=1, primary=True)] = 4,
    shuffle: bool = True,
    seed: Annotated[int, Field(ge=0, le=2**32 - 1), Seed()] = 0,
) -> Annotated[LatentLoader, Facts(latents=Port("data"))]:
    """Turn encoded pictures into batches, one bucket a batch, as data.loader does with pictures.

    With equal settings a step sees the same samples under the same keys as with data.loader.

    Args:
        data: The encoded data set.
        batch_size: Samples a batch.
        shuffle: Whether samples and batches are shuffled in every epoch.
        seed: Seed of the order, and of which variation of a sample is taken.

    Raises:
        GraphError: E_DATA, leftovers are dropped and no bucket fills a batch, or they were merged for another batch
            size.
    """
    made = LatentLoader(data, batch_size, shuffle=shuffle, seed=seed, rank=ctx.run.rank, world=ctx.run.world)
    ctx.log(f"{made.batches_per_epoch} batches, {made.samples} samples an epoch")
    return made
