"""`vae.calibrate`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, TypeVar

import torch

from hcpgraph import Context, Facts, GraphError, Port, node

from ..data.batches.encoding import Task, batches, encoded
from ..data.bucketing.bucketed import Bucketed
from ..families.registry import family
from ..model.handles import Vae
from ..model.statistics import Statistics

V = TypeVar("V", bound=Vae)


@node("vae.calibrate")
def calibrate(ctx: Context, vae: V, data: Bucketed) -> Annotated[V, Facts(family=Port("vae"))]:
    """Set the scaling factor so that the latents of a data set have variance 1, as diffusion expects them.

    factor = 1 / std over all elements of the latents' means. Source: Rombach et al. 2022,
    https://arxiv.org/abs/2112.10752 (appendix G). It takes the place of a shift or of statistics that the VAE had.
    Weights and earlier wires stay as they are.

    Args:
        vae: The trained autoencoder.
        data: The pictures to measure on, every one once, in its bucket's size and with one draw of its crop.

    Returns:
        out: The autoencoder with the measured scaling factor; model.save and vae.save write it.

    Raises:
        GraphError: E_LATENTS (the latents are constant or not finite, or the VAE has statistics among its weights),
            E_PICTURE.
    """
    if family(vae.family).statistics(vae).patch > 1:
        message = "this VAE's statistics are among its weights: no factor takes their place"
        raise GraphError("E_LATENTS", message, port="vae", hint="leave vae.calibrate out")
    total = squares = 0.0
    count = 0
    tasks = [
        Task(number, index, ("calibrate", index))
        for number, bucket in enumerate(data.buckets)
        for index in bucket.members
    ]
    for group in encoded(ctx, vae, data, batches(data, tasks), len(tasks)):
        values = torch.stack([mean for _, _, mean, _ in group]).double()
        total += float(values.sum())
        squares += float(values.square().sum())
        count += values.numel()
    variance = squares / count - (total / count) ** 2
    if not 0 < variance < float("inf"):
        raise GraphError(
            "E_LATENTS", f"the variance of the latents is {variance:g}", hint="train the autoencoder first"
        )
    factor = variance**-0.5
    ctx.log(f"standard deviation of the latents {variance**0.5:.4g}, scaling factor {factor:.6g}")
    return replace(vae, config={**vae.config, **Statistics(factor).config()})
