"""`image.mask`."""

from __future__ import annotations

from hcpgraph import node

from ..types import Images, LossMask


@node("image.mask", title="Image to mask")
def mask(images: Images, *, invert: bool = False) -> LossMask:
    """Take the brightness of pictures as a mask: white is 1, black is 0.

    Brightness is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601, as Pillow's grey).

    Args:
        images: Pictures (B, 3, H, W) in [0, 1].
        invert: Whether black is 1 and white is 0.

    Returns:
        out: Masks (B, 1, H, W), with the keys of the pictures.
    """
    weights = images.data.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    grey = (images.data * weights).sum(dim=1, keepdim=True)
    return LossMask(1 - grey if invert else grey, images.keys)
