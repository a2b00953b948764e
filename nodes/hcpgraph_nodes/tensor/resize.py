"""`tensor.resize`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field
from torch.nn import functional

from hcpgraph import GraphError, node
from hcpgraph.widgets import Hint, Slider

from ..types import Images, LossMask, Rows
from .records import with_numbers
from .rule import one_size, refuse

T = TypeVar("T", bound=Rows)
METHODS: dict[str, dict[str, Any]] = {
    "nearest": {"mode": "nearest-exact"},
    "bilinear": {"mode": "bilinear", "antialias": True, "align_corners": False},
    "bicubic": {"mode": "bicubic", "antialias": True, "align_corners": False},
    "area": {"mode": "area"},
}


@node("tensor.resize", title="Resize latents, masks")
def resize(
    value: T,
    like: Rows | None = None,
    *,
    zoom: Annotated[float, Field(gt=0, le=64), Slider(step=0.125)] | None = None,
    method: Annotated[Literal["nearest", "bilinear", "bicubic", "area"], Hint(primary=True)] = "bilinear",
) -> T:
    """Change height and width of latents, masks, losses or decoded pictures, with gradients.

    What torch's `interpolate` does. Bilinear and bicubic are antialiased where they shrink. What bicubic adds beyond
    the range of pictures [0, 1] and of masks (≥ 0) is cut.

    Args:
        value: What is resized (B, C, h, w).
        like: Whose height and width it gets (…, H, W).
        zoom: By how much it grows, instead of `like`: 0.5 halves height and width, rounded, at least 1.
        method: `nearest` keeps numbers as they are, `bilinear` and `bicubic` compute between them, `area` takes the
            mean of what falls together.

    Returns:
        out: The result (B, C, H, W), of the type, keys and kind of `value`.

    Raises:
        GraphError: E_SHAPE, it has no height and width; E_SETTING, neither `like` nor `zoom`, or both.
    """
    data, shape = value.data, _flat("value", value)
    if like is not None and zoom is None:
        size = _flat("like", like)[2:]
    elif zoom is not None and like is None:
        size = (max(1, round(shape[2] * zoom)), max(1, round(shape[3] * zoom)))
    else:
        refuse(one_size(like is not None, zoom))
    if size == shape[2:]:
        return value
    data = functional.interpolate(data, size, **METHODS[method])
    if method == "bicubic" and isinstance(value, Images | LossMask):
        data = data.clamp(0, 1 if isinstance(value, Images) else None)
    return with_numbers(value, data)


def _flat(port: str, record: Rows) -> tuple[int, ...]:
    """The shape of something that has height and width."""
    shape = record.data.shape
    if len(shape) != 4:
        hint = "take latents, pictures, masks or losses of every element (B, C, h, w)"
        raise GraphError("E_SHAPE", f"{list(shape)} has no height and width", port=port, hint=hint)
    return shape
