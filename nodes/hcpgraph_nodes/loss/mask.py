"""`loss.mask`."""

from __future__ import annotations

from hcpgraph import GraphError, node

from ..types import LossMask, SampleLoss


@node("loss.mask")
def mask(loss: SampleLoss, masks: LossMask, *, normalize: bool = False) -> SampleLoss:
    """Let some parts of a picture count more than others.

    The weights are brought to the size of the loss by averaging (torch's `interpolate(mode="area")`: latents are
    smaller than pictures) and multiply it, as HCP-Diffusion's attention masks do.

    Args:
        loss: Losses (B, C, h, w).
        masks: Weights (B, 1, H, W), ≥ 0, from data.batch.
        normalize: Divide the weights of every sample by their mean, so that a picture with a small mask counts as much
            as one without; a sample whose weights are all 0 stays at 0.

    Returns:
        out: Weighted losses (B, C, h, w).

    Raises:
        GraphError: E_BATCH, the two are of different batches.
    """
    from torch.nn.functional import interpolate

    if len(masks.data) != len(loss.data):
        raise GraphError(
            "E_BATCH",
            f"{len(masks.data)} masks for the losses of {len(loss.data)} samples",
            port="masks",
            hint="wire the masks of the batch that the loss was computed from",
        )
    weights = interpolate(masks.data.to(loss.data), size=loss.data.shape[-2:], mode="area")
    if normalize:
        mean = weights.mean(dim=(1, 2, 3), keepdim=True)
        weights = weights / mean.where(mean > 0, 1)
    return SampleLoss(loss.data * weights)
