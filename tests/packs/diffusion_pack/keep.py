"""Tensors on disk, for tests that look into regions."""

import numpy as np
from hcpgraph_nodes.types import Latents, Noise

from hcpgraph import Context, node


@node("keep.latents", effects="write")
def latents(ctx: Context, latents: Latents, noise: Noise) -> float:
    """Write latents and noise to the next free name, `out:latents-0.npy` and so on.

    Args:
        latents: The latents.
        noise: The noise.
    """
    for name, value in (("latents", latents), ("noise", noise)):
        folder = ctx.run.roots.root("out")
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{name}-{len(list(folder.glob(f'{name}-*.npy')))}.npy", value.data.numpy())
    return float(latents.data.sum())
