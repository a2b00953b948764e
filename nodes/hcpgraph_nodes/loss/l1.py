"""`loss.l1`."""

from __future__ import annotations

from hcpgraph import node

from ..types import Images, Reconstruction, SampleLoss


@node("loss.l1", title="L1")
def l1(reconstruction: Reconstruction, images: Images) -> SampleLoss:
    """Absolute difference of every element.

    Args:
        reconstruction: What the decoder gave (B, 3, H, W).
        images: The pictures (B, 3, H, W).

    Returns:
        out: Absolute differences (B, 3, H, W), not reduced.
    """
    return SampleLoss((reconstruction.data - images.data).abs())
