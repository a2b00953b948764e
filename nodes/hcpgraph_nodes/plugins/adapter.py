"""What all adapters are: small weights that stand for a change of one layer's weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from torch import Tensor, nn

from .base import WrapPluginBlock


class AdapterBlock(WrapPluginBlock):
    """A change of the weight of one Linear or Conv2d layer.

    Attributes:
        kind: The algorithm, as in `block_kinds`.
        rank: Inner width.
        alpha: The change is scaled by alpha / rank; stored in files as it is.
        strength: Factor of this use; not stored in files.
    """

    wraps: ClassVar[tuple[type[nn.Module], ...]] = (nn.Linear, nn.Conv2d)
    hyper_params: ClassVar[tuple[str, ...]] = ("alpha", "strength")
    kind: ClassVar[str]
    rank: int
    alpha: float
    strength: float

    @property
    def scale(self) -> float:
        """Factor of the change."""
        return self.strength * self.alpha / self.rank

    def delta(self) -> Tensor:
        """The change of the layer's weight, float32, in its shape, with scale and strength."""
        raise NotImplementedError

    def tensors(self) -> dict[str, Tensor]:
        """Its weights by LyCORIS' suffixes (https://github.com/KohakuBlueleaf/LyCORIS), `alpha` among them."""
        raise NotImplementedError

    @classmethod
    def from_tensors(cls, layer: nn.Module, tensors: Mapping[str, Tensor], *, strength: float, path: str) -> Self:
        """The block that `tensors` describes; 1×1 convolutions and linear layers take each other's weights.

        Args:
            layer: The layer it is made for; it is not kept.
            tensors: What `tensors` gave.
            strength: Factor of this use.
            path: The layer's name, for messages.

        Raises:
            GraphError: E_LORA_SHAPE.
        """
        raise NotImplementedError


def block_kinds() -> dict[str, type[AdapterBlock]]:
    """Name of an algorithm -> its block."""
    from .lora import LoraBlock

    return {cls.kind: cls for cls in (LoraBlock,)}
