"""What may be done to a picture, its mask and its condition alike, once they are cropped to their bucket."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(slots=True)
class Views:
    """One sample on its way into a batch: everything in it shows the same part of the scene.

    Attributes:
        picture: (H, W, 3), uint8.
        mask: Loss weights (H, W), float32, ≥ 0, or None for 1 everywhere.
        condition: (H, W, 3), uint8, or None.
        original: (height, width) of the picture file.
        corner: (top, left) of the crop in the scaled picture.
        scaled: (height, width) of the scaled picture.
    """

    picture: np.ndarray
    mask: np.ndarray | None
    condition: np.ndarray | None
    original: tuple[int, int]
    corner: tuple[int, int]
    scaled: tuple[int, int]

    def owned(self) -> Views:
        """The same in memory of its own: what a loader or a source keeps is shared, a transform may write."""
        return replace(
            self,
            picture=self.picture.copy(),
            mask=None if self.mask is None else self.mask.copy(),
            condition=None if self.condition is None else self.condition.copy(),
        )

    def mirrored(self) -> Views:
        """Left and right exchanged; the corner is that of the mirrored scaled picture."""
        left = max(0, self.scaled[1] - self.corner[1] - self.picture.shape[1])
        return Views(
            self.picture[:, ::-1],
            None if self.mask is None else self.mask[:, ::-1],
            None if self.condition is None else self.condition[:, ::-1],
            self.original,
            (self.corner[0], left),
            self.scaled,
        )


class Transform:
    """A change of one sample; subclasses are frozen dataclasses, so that they compare, hash and pickle by their fields.

    A transform keeps height and width; it may write into the arrays that it is given. All that it draws comes from
    `draw`, a number of 63 bits that depends on the seed of the loader, the sample key and the transform's place in the
    chain alone.
    """

    __slots__ = ()

    def zoom(self, draw: int) -> float:
        """How much larger than needed the picture is scaled before it is cropped, ≥ 1."""
        return 1.0

    def apply(self, views: Views, draw: int) -> Views:
        """The changed sample."""
        return views

    @property
    def random(self) -> bool:
        """Whether two draws may give two results."""
        return True

    @property
    def identity(self) -> str:
        """What its result depends on besides the sample and the draw, for the keys of cached samples."""
        return repr(self)
