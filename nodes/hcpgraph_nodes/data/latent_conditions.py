"""`data.latent_conditions`: the second pictures of this step, beside latents."""

from __future__ import annotations

from hcpgraph import Context, GraphError, node

from ..types import Images
from .latent_loader import LatentLoader


@node("data.latent_conditions", effects="step")
def latent_conditions(ctx: Context, loader: LatentLoader) -> Images:
    """The second pictures of this training step, such as the edge maps of a ControlNet.

    Not encoded, but scaled, cropped and mirrored as the pictures were before they went through the VAE; wired to the
    loader of data.latent_batch, they share its sample keys, and the batch is read once.

    Args:
        loader: Where batches come from.

    Returns:
        out: Conditions (B, 3, H, W), float32 in [0, 1].

    Raises:
        GraphError: E_DATA, the data set has none.
    """
    conditions = loader.batch(ctx.step, ctx.device).conditions
    if conditions is None:
        raise GraphError(
            "E_DATA",
            f"the data set '{loader.data.data.dataset.name}' has no conditions",
            port="loader",
            hint="put data.conditions before its buckets",
        )
    return conditions
