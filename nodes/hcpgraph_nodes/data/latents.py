"""`data.latents`: a data set whose pictures went through the VAE once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import interpolate

from hcpgraph import Context, Facts, GraphError, Port, node
from hcpgraph.declaring.sources import code_of
from hcpgraph.rng import SEED_MAX
from hcpgraph.types import port_type
from hcpgraph.widgets import Hint, Seed, Slider

from ..families.registry import family
from ..image.read import formats
from ..model.encoder import arithmetic, encoder_digest
from ..model.handles import Vae
from ..model.statistics import Statistics
from .batches.claims import Claims
from .batches.encoding import Task, batches, encoded
from .batches.items import Items
from .batches.store import FOLDER, SampleStore
from .bucketing.bucketed import Bucket, Bucketed
from .bucketing.leftover import merged
from .bucketing.resize import covering
from .sources.content import Contents, contents
from .sources.dataset import Sample
from .transforms.transform import Transform, Views

WAIT_SECONDS = 0.2


@port_type(color="#d97ba6", shape="square", facts=("latents",))
@dataclass(frozen=True, slots=True)
class LatentSet:
    """A bucketed data set as latents.

    Attributes:
        data: The data set; where leftovers are merged, they were, and what is left forms smaller batches.
        items: The encoded pictures.
        rows: A bucket each: sample -> its items, one a variation; one alone where nothing is drawn.
        statistics: What latents are normalised by; the items are as the VAE gave them.
        batch_size: Samples a batch over all ranks that leftovers were merged for; 0 where they are not.
    """

    data: Bucketed
    items: Items
    rows: tuple[dict[int, tuple[int, ...]], ...]
    statistics: Statistics
    batch_size: int = 0


@node("data.latents", packages=("diffusers",))
def latents(
    ctx: Context,
    data: Bucketed,
    vae: Vae,
    *,
    variations: Annotated[int, Field(ge=1, le=1024), Slider(step=1)] = 1,
    flip: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 0.0,
    seed: Annotated[int, Field(ge=0, le=SEED_MAX), Seed()] = 0,
    keep: Annotated[Literal["disk", "ram"], Hint(advanced=True)] = "disk",
    batch_size: Annotated[int, Field(ge=0, le=65_536), Hint(advanced=True)] = 0,
) -> Annotated[LatentSet, Facts(latents=Port("vae"))]:
    """Encode every picture once, so that no training step has to.

    Every encoded picture is kept below `cache:` under a digest of what it was made of: the bytes of the picture, its
    mask and its condition, the size of its bucket, transforms, draws, and the weights of the VAE. Whatever changes,
    exactly what depends on it is encoded again; captions, names and the VAE's scaling are not part of it. A run that
    was stopped or killed keeps what it has encoded; two runs at once share the work, and each waits for what the other
    is encoding; once nothing is missing the VAE is not read at all, and a cache on a read-only medium is enough. The
    least recently used items go when all of them exceed 100 GB, or what HCPGRAPH_SAMPLE_CACHE_GB says. Kept are mean
    and standard deviation of the VAE's posterior; data.latent_batch draws from them.

    Args:
        data: The bucketed data set.
        vae: The autoencoder; a trained one is taken as it is now.
        variations: How many times a picture is encoded whose crop is random, that may be flipped, or whose transforms
            are random; each time a sample comes up one of them is drawn. With 1 its one crop stays the same.
        flip: Probability that a picture is mirrored left to right.
        seed: Seed of crops, flips and transforms.
        keep: `disk` reads items when they are needed, `ram` copies all of them into memory; both keep them on disk.
        batch_size: Samples a batch of the loader behind it; needed only where leftovers are merged, since it says
            which samples move to the size of another bucket.

    Returns:
        out: Latents and captions, for data.latent_loader.

    Raises:
        GraphError: E_DATA (no pictures; leftovers are merged and batch_size is 0), E_PICTURE, E_CHANGED (a picture was
            written meanwhile), E_LATENTS (not finite), E_DISK.
    """
    _require_pictures(data)
    merge = data.leftover == "merge"
    if merge:
        if not batch_size:
            raise GraphError(
                "E_DATA",
                "leftovers are merged, and which ones depends on the batch size",
                hint="set batch_size to that of data.latent_loader, or leftover to pad_repeat, partial or drop",
            )
        data = replace(data, buckets=merged(data, batch_size * ctx.run.world), leftover="partial")
    asleep = not vae.root.loaded
    plan = _planned(ctx, data, vae, variations, flip, seed)
    store = SampleStore(ctx.path(FOLDER, must_exist=False))
    keys = list(plan.tasks)
    missing = store.missing(keys, lambda done, total: _checked(ctx, done, total))
    try:
        made = _make(ctx, store, data, vae, plan, missing, seed, flip)
    finally:
        if asleep:
            vae.root.release()
    ctx.log(f"{made} of {len(keys)} encoded")
    if plan.drawn and variations == 1:
        ctx.log(f"crop, flip and transforms of {plan.drawn} samples are drawn once: raise variations for more")
    items = store.open(keys)
    numbers = {key: number for number, key in enumerate(keys)}
    return LatentSet(
        data,
        items.in_memory() if keep == "ram" else items,
        tuple({sample: tuple(numbers[key] for key in found) for sample, found in row.items()} for row in plan.rows),
        family(vae.family).statistics(vae),
        batch_size * ctx.run.world if merge else 0,
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    """What there is to be.

    Attributes:
        tasks: Key -> how its item is made; samples that look the same share one.
        rows: A bucket each: sample -> keys of its variations.
        drawn: Samples for which something is drawn.
        found: What the pictures are made of.
    """

    tasks: dict[str, Task]
    rows: tuple[dict[int, tuple[str, ...]], ...]
    drawn: int
    found: Contents


def _require_pictures(data: Bucketed) -> None:
    if not data.dataset.pictures:
        raise GraphError(
            "E_DATA",
            f"the data set '{data.dataset.name}' is of texts alone",
            port="data",
            hint="wire a data set of pictures",
        )


def _checked(ctx: Context, done: int, total: int) -> None:
    ctx.check()
    ctx.progress(done, total, phase="reading")


def _planned(ctx: Context, data: Bucketed, vae: Vae, variations: int, flip: float, seed: int) -> _Plan:
    samples = data.dataset.samples
    used = {index for bucket in data.buckets for index in bucket.members}
    found = contents(ctx, (part for index in sorted(used) for part in _parts(samples[index])))
    modules = {type(transform).__module__ for sample in samples for transform in sample.transforms}
    code = f"{code_of(__name__, 'PIL', *sorted(modules))} {' '.join(formats())}"
    encoder = (encoder_digest(ctx, vae), arithmetic(vae), code)
    tasks: dict[str, Task] = {}
    rows: list[dict[int, tuple[str, ...]]] = []
    drawn: set[int] = set()
    for number, bucket in enumerate(data.buckets):
        row: dict[int, tuple[str, ...]] = {}
        for index in bucket.members:
            sample = samples[index]
            made_of = tuple(None if part is None else found.digests[part] for part in _all_parts(sample))
            base = (
                *encoder,
                made_of,
                (bucket.width, bucket.height, data.fit, data.background if data.fit == "pad" else None),
                [transform.identity for transform in sample.transforms],
            )
            random = _draws(data, bucket, index, flip)
            drawn.update([index] if random else [])
            keys = []
            for variation in range(variations if random else 1):
                # A draw depends on what the picture is made of: neither its name nor its place changes it.
                task = Task(number, index, ("variation", made_of, variation))
                depends = (data.crop, flip, seed, variation) if random else ("fixed", flip)
                key = sha256(repr((*base, depends)).encode()).hexdigest()
                tasks.setdefault(key, task)
                keys.append(key)
            row[index] = tuple(keys)
        rows.append(row)
    return _Plan(tasks, tuple(rows), len(drawn), found)


def _all_parts(sample: Sample) -> tuple[Any, ...]:
    return sample.source, sample.mask, sample.condition


def _parts(sample: Sample) -> Iterator[Any]:
    return (part for part in _all_parts(sample) if part is not None)


def _draws(data: Bucketed, bucket: Bucket, index: int, flip: float) -> bool:
    """Whether two draws may give two pictures."""
    transforms = data.dataset.samples[index].transforms
    if 0 < flip < 1 or any(transform.random for transform in transforms):
        return True
    if data.crop != "random":
        return False
    if any(type(transform).zoom is not Transform.zoom for transform in transforms):
        return True
    size, target = data.dataset.size(index), (bucket.width, bucket.height)
    full = covering(size, target) if data.fit == "cover" else size
    return full[0] > target[0] or full[1] > target[1]


def _make(
    ctx: Context,
    store: SampleStore,
    data: Bucketed,
    vae: Vae,
    plan: _Plan,
    missing: Sequence[str],
    seed: int,
    flip: float,
) -> int:
    """Encode what is missing, batch by batch, and leave to other runs what they are encoding.

    Each process begins at another batch, so that several share the work. Once nothing is free it waits for the others,
    and takes over what one leaves that ends before it is done.
    """
    keys = {plan.tasks[key]: key for key in missing}
    left, made, told = list(missing), 0, False

    def free(claims: Claims) -> Iterator[list[Task]]:
        groups = batches(data, [plan.tasks[key] for key in left])
        first = (os.getpid() + ctx.run.rank) % len(groups) if groups else 0
        for group in [*groups[first:], *groups[:first]]:
            taken = claims.take([keys[task] for task in group])
            own = set(store.missing(taken))
            claims.release(set(taken) - own)
            if own:
                yield [task for task in group if keys[task] in own]

    with store.claims() as claims:
        while left:
            for done in encoded(ctx, vae, data, free(claims), len(left), seed=seed, flip=flip):
                samples = [data.dataset.samples[task.sample] for task, *_ in done]
                plan.found.require_unchanged({part: sample.id for sample in samples for part in _parts(sample)})
                store.put({keys[task]: _item(views, mean, spread) for task, views, mean, spread in done})
                claims.release([keys[task] for task, *_ in done])
                made += len(done)
            left = store.missing(left)
            if left and not told:
                told = True
                ctx.log(f"another run is encoding the last {len(left)} pictures: this one waits for it")
            if left:
                ctx.check()
                time.sleep(WAIT_SECONDS)
    return made


def _item(views: Views, mean: Tensor, deviation: Tensor) -> dict[str, np.ndarray]:
    """Mean, deviation (C, h, w), CropInfo (6,); mask (h, w), averaged, and condition (H, W, 3) where there are any."""
    found = {
        "mean": mean.numpy(),
        "deviation": deviation.numpy(),
        "sizes": np.array((*views.original, *views.corner, *views.picture.shape[:2]), np.int64),
    }
    if views.mask is not None:
        weights = torch.from_numpy(views.mask.copy())[None, None]
        found["mask"] = interpolate(weights, size=mean.shape[-2:], mode="area")[0, 0].numpy()
    if views.condition is not None:
        found["condition"] = views.condition
    return found
