"""Pictures of a bucketed data set through a VAE."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hcpgraph import Context, GraphError
from hcpgraph.errors import listed

from ...families.registry import family
from ...model.handles import Vae
from ..bucketing.bucketed import Bucketed
from ..transforms.transform import Views
from .reading import view

BATCH = 64
BATCH_PIXELS = 2**20


@dataclass(frozen=True, slots=True)
class Task:
    """One picture to encode.

    Attributes:
        bucket: Its bucket.
        sample: Its sample.
        draw: What its crop, flip and transforms depend on besides the seed.
    """

    bucket: int
    sample: int
    draw: Any = None


def batches(data: Bucketed, tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks in groups of one picture size, as many as fit into the memory of a 1024 × 1024 picture, at most 64."""
    by_size: dict[tuple[int, int], list[Task]] = {}
    for task in tasks:
        bucket = data.buckets[task.bucket]
        by_size.setdefault((bucket.width, bucket.height), []).append(task)
    found = []
    for (width, height), members in by_size.items():
        size = max(1, min(BATCH, BATCH_PIXELS // (width * height)))
        found += [members[start : start + size] for start in range(0, len(members), size)]
    return found


def encoded(
    ctx: Context,
    vae: Vae,
    data: Bucketed,
    groups: Iterable[Sequence[Task]],
    total: int,
    *,
    seed: int = 0,
    flip: float = 0.0,
) -> Iterator[list[tuple[Task, Views, Tensor, Tensor]]]:
    """Each task of a group with the views that were read, and mean and standard deviation of its latents (C, h, w).

    Both are as the VAE gives them, not normalised, float32, on the CPU.

    Pictures of the next group are read while the VAE works. What cannot be read does not stop the others: it is left
    out and told at the end.

    Args:
        ctx: The context of the node.
        vae: The autoencoder.
        data: The bucketed data set.
        groups: Tasks of one picture size each; asked for one group ahead.
        total: Number of tasks, for the progress.
        seed: Seed of crops, flips and transforms.
        flip: Probability that a picture is mirrored left to right.

    Raises:
        GraphError: E_PICTURE, pictures cannot be read; E_LATENTS, the VAE gives something that is not finite.
    """
    implementation = family(vae.family)
    bad: list[str] = []
    done = 0
    with ThreadPoolExecutor(max(2, min(8, os.cpu_count() or 2))) as pool:

        def read(group: Sequence[Task]) -> list[tuple[Task, Future[Views]]]:
            return [
                (task, pool.submit(view, data, data.buckets[task.bucket], task.sample, seed, task.draw, flip=flip))
                for task in group
            ]

        waiting = iter(groups)
        ahead = read(next(waiting, ()))
        try:
            while ahead:
                ctx.check()
                reading, ahead = ahead, read(next(waiting, ()))
                group: list[tuple[Task, Views]] = []
                for task, future in reading:
                    try:
                        group.append((task, future.result()))
                    except GraphError as error:
                        if error.problem.code != "E_PICTURE":
                            raise
                        bad.append(f"{data.dataset.samples[task.sample].id} ({error.problem.message})")
                done += len(reading)
                if group:
                    pixels = torch.from_numpy(np.stack([views.picture for _, views in group]))
                    moved = pixels.to(ctx.device).permute(0, 3, 1, 2)
                    images = moved.to(torch.float32, memory_format=torch.contiguous_format).div_(255)
                    with torch.no_grad():
                        mean, deviation = (part.cpu() for part in implementation.encode_image(vae, images))
                    _require_finite(data, group, mean, deviation)
                    rows = zip(group, mean, deviation, strict=True)
                    yield [(task, views, middle, spread) for (task, views), middle, spread in rows]
                ctx.progress(done, total, phase="encoding")
        finally:
            pool.shutdown(cancel_futures=True)
    if bad:
        raise GraphError(
            "E_PICTURE",
            f"{len(bad)} pictures cannot be read: {listed(bad)}",
            hint="replace the files, or let the node that lists them leave out what is damaged; "
            "the others are encoded and kept",
        )


def _require_finite(data: Bucketed, group: Sequence[tuple[Task, Views]], *parts: Tensor) -> None:
    wrong = ~torch.stack([part.isfinite().flatten(1).all(dim=1) for part in parts]).all(dim=0)
    if wrong.any():
        samples = [data.dataset.samples[task.sample] for task, _ in group]
        names = [sample.id for sample, bad in zip(samples, wrong.tolist(), strict=True) if bad]
        raise GraphError(
            "E_LATENTS",
            f"the latents of {listed(names)} are not finite",
            hint="some VAEs overflow in half precision: run with --precision fp32 or bf16, or take a VAE that was "
            "mended for fp16",
        )
