"""How pictures become what an image encoder reads: differentiable, and as the processors of transformers do it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor
from torch.nn import functional

from hcpgraph import GraphError

Fit = Literal["processor", "stretch", "as_is"]
Size = int | tuple[int, int]
LARGEST = 16_384
"""Side of what is made of a picture, pixels."""
FILTERS = {2: "bilinear", 3: "bicubic"}
"""Numbers of Pillow's filters in the files of processors -> names of torch."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What a processor does to a picture, in this order.

    Attributes:
        resize: The side to which the shorter one is brought, or height and width; None: pictures are not scaled.
        crop: Height and width that are cut out at the centre; None: nothing is cut off.
        mean: Of the three channels, in [0, 1]; it is subtracted.
        std: By which they are divided.
        filter: `bicubic` or `bilinear`, antialiased.
    """

    resize: Size | None
    crop: tuple[int, int] | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    filter: str = "bicubic"

    def __call__(self, pictures: Tensor, fit: Fit, patch: int) -> Tensor:
        """What the network reads (B, 3, h, w) of pictures (B, 3, H, W) in about [0, 1].

        Args:
            pictures: They are not cut to [0, 1], so that gradients flow.
            fit: `processor` scales and cuts as these settings say, `stretch` scales to the size that this gives without
                cutting, `as_is` leaves the size.
            patch: Side of the network's patches; the sides of what it reads are multiples of it.

        Raises:
            GraphError: E_SIZE, they are none.
        """
        scaled = self._processed(pictures) if fit == "processor" else self._stretched(pictures, fit)
        height, width = scaled.shape[-2:]
        if height % patch or width % patch or not height or not width:
            raise GraphError(
                "E_SIZE",
                f"the encoder reads patches of {patch}×{patch} pixels, and the pictures would have {width}×{height}",
                port="images",
                hint=f"set fit to processor, or bring them to multiples of {patch} with image.resize",
            )
        mean, std = (scaled.new_tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (scaled - mean) / std

    def _stretched(self, pictures: Tensor, fit: Fit) -> Tensor:
        side = (self.resize, self.resize) if isinstance(self.resize, int) else self.resize
        size = self.crop or side
        return pictures if fit == "as_is" or size is None else self._scaled(pictures, *size)

    def _processed(self, pictures: Tensor) -> Tensor:
        if isinstance(self.resize, int):
            short, long = sorted(pictures.shape[-2:])
            sides = (self.resize, int(self.resize * long / short))
            pictures = self._scaled(pictures, *(sides if pictures.shape[-2] == short else sides[::-1]))
        elif self.resize is not None:
            pictures = self._scaled(pictures, *self.resize)
        return pictures if self.crop is None else cropped(pictures, *self.crop)

    def _scaled(self, pictures: Tensor, height: int, width: int) -> Tensor:
        if pictures.shape[-2:] == (height, width):
            return pictures
        return functional.interpolate(pictures, (height, width), mode=self.filter, antialias=True, align_corners=False)


def cropped(pictures: Tensor, height: int, width: int) -> Tensor:
    """The centre of pictures (B, 3, H, W), with black around it where they are smaller."""
    top, left = round((pictures.shape[-2] - height) / 2.0), round((pictures.shape[-1] - width) / 2.0)
    below, right = pictures.shape[-2] - height - top, pictures.shape[-1] - width - left
    return (
        functional.pad(pictures, (-left, -right, -top, -below)) if (top, left, below, right) != (0,) * 4 else pictures
    )


def read(config: Mapping[str, Any], usual: Preprocessing) -> Preprocessing:
    """What `preprocessor_config.json` says.

    Args:
        config: Its content; what it does not say is as usual.
        usual: What the class of the processor does without settings.

    Raises:
        GraphError: E_MODEL_FOLDER, it says what is not followed.
    """
    try:
        resize, crop = (_size(config[key]) if key in config else own for key, own in _sizes(usual))
        mean, std = _three(config.get("image_mean", usual.mean)), _three(config.get("image_std", usual.std))
        scale = 255 * float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 255.0
        filter = FILTERS[config["resample"]] if "resample" in config else usual.filter
    except (KeyError, ValueError, TypeError) as error:
        message = f"preprocessor_config.json says what is not followed: {type(error).__name__} {error}"
        raise GraphError("E_MODEL_FOLDER", message, port="path", hint="correct it, or take the file away") from None
    if not config.get("do_normalize", True):
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    cuts = config.get("do_center_crop", usual.crop is not None) and crop is not None
    return Preprocessing(
        resize if config.get("do_resize", True) else None,
        None if not cuts else (crop, crop) if isinstance(crop, int) else crop,
        _three(value / scale for value in mean),
        _three(value / scale for value in std),
        filter,
    )


def _sizes(usual: Preprocessing) -> tuple[tuple[str, Size | None], ...]:
    return ("size", usual.resize), ("crop_size", usual.crop)


def _size(value: Any) -> Size:
    """A number, or what a mapping says: the shorter side, or height and width."""
    found = value if isinstance(value, Mapping) else {"shortest_edge": value}
    names = ("shortest_edge",) if "shortest_edge" in found and "longest_edge" not in found else ("height", "width")
    sizes = [int(found[name]) for name in names]
    if not all(1 <= size <= LARGEST for size in sizes):
        raise ValueError(f"a size of {value}")
    return sizes[0] if len(sizes) == 1 else (sizes[0], sizes[1])


def _three(values: Iterable[Any]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
