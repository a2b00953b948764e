"""`Conditioning`: what leads a denoiser, as named parts with masks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hcpgraph import GraphError
from hcpgraph.types import port_type

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SampleKey = tuple[str, int, int]
Keys = tuple[SampleKey, ...]
TEXT, POOLED = "text", "pooled"
CHANNELS, TOKENS = "image_channels", "image_tokens_"
"""Names of image conditions: what stands beside the channels of the noisy latents; references, numbered from 1."""


HIDES = "_mask"
"""What stands behind the name of a part where its mask is a side input of plugins."""


@port_type(color="#8fbf7f", facts=("text",), told=("image", "guidance"))
@dataclass(frozen=True, slots=True)
class Conditioning:
    """What leads a denoiser: named parts of B rows, and masks that say where a part is padded.

    Which parts there are is the family's: `text` (B, L, D), the embeddings of tokens, and `text_2` those of an encoder
    of another width; `pooled` (B, P), one embedding of the whole text; `guidance` (B,), a scale that the network reads;
    `sizes` (B, 6); `style` (B,); `image_channels` (B, C, h, w), which go beside the noisy latents; `image_tokens_1`,
    `image_tokens_2` … (B, C, h, w), the latents of reference pictures.

    Attributes:
        parts: The parts by name.
        masks: Of parts of tokens (B, L, D): (B, L), bool, True where a token is no padding. Without one all count.
        keys: The samples that the rows are of, if any.
    """

    parts: Mapping[str, Tensor]
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    keys: Keys | None = None

    @classmethod
    def of(
        cls, text: Tensor, pooled: Tensor | None = None, *, mask: Tensor | None = None, **others: Tensor
    ) -> Conditioning:
        """A conditioning of text embeddings (B, L, D) with their mask (B, L), of pooled ones (B, P) and other parts."""
        parts = {TEXT: text, **({} if pooled is None else {POOLED: pooled}), **others}
        return cls(parts, {} if mask is None else {TEXT: mask})

    @property
    def data(self) -> Tensor:
        """The text embeddings (B, L, D).

        Raises:
            GraphError: E_PARTS, there are none.
        """
        return self.part(TEXT)

    @property
    def pooled(self) -> Tensor | None:
        """The pooled text embedding (B, P), where there is one."""
        return self.parts.get(POOLED)

    @property
    def references(self) -> tuple[Tensor, ...]:
        """The latents of reference pictures (B, C, h, w), in order."""
        names = (name for name in self.parts if name.startswith(TOKENS))
        return tuple(self.parts[name] for name in sorted(names, key=lambda name: int(name.removeprefix(TOKENS))))

    @property
    def count(self) -> int:
        """Its rows, B."""
        return len(next(iter(self.parts.values())))

    def part(self, name: str) -> Tensor:
        """A part that a network needs.

        Raises:
            GraphError: E_PARTS, it is missing.
        """
        if name not in self.parts:
            raise GraphError(
                "E_PARTS",
                f"the model needs the part '{name}' of a conditioning, which has {', '.join(self.parts)}",
                port="conditioning",
                hint="encode the text with the text encoder of the same model",
            )
        return self.parts[name]

    def handed(self, wants: frozenset[str]) -> dict[str, Any]:
        """The parts that plugins want, by name, and the mask of each, or None, as `NAME_mask`: side inputs of a call.

        Args:
            wants: Names of side inputs.
        """
        found: dict[str, Any] = {}
        for name in wants & self.parts.keys():
            found[name], found[name + HIDES] = self.parts[name], self.masks.get(name)
        return found

    def require_read(self, names: frozenset[str], *, masked: bool, handed: Collection[str] = ()) -> None:
        """Every part is read.

        Args:
            names: The parts that a network reads; a name that ends with `_` stands for all that begin with it.
            masked: Whether it reads masks.
            handed: The parts that its plugins read, with their masks.

        Raises:
            GraphError: E_PARTS, a part or a mask would have no effect.
        """
        starts = tuple(name for name in names if name.endswith("_"))
        rest = [name for name in self.parts if name not in handed]
        unread = [name for name in rest if name not in names and not (starts and name.startswith(starts))]
        unread += [] if masked else [f"the mask of {name}" for name in self.masks if name not in handed]
        if unread:
            raise GraphError(
                "E_PARTS",
                f"the denoiser does not read {', '.join(unread)} of the conditioning",
                port="conditioning",
                hint="wire the conditioning that was made for this model, without the node that adds the part",
            )

    def with_parts(self, **parts: Tensor) -> Conditioning:
        """The same with further parts, or with others in the place of its own."""
        return Conditioning({**self.parts, **parts}, dict(self.masks), self.keys)

    def with_tokens(self, name: str, tokens: Tensor, mask: Tensor | None) -> Conditioning:
        """The same with a part and its mask (B, L), in the place of its own or beside the others."""
        masks = {part: own for part, own in self.masks.items() if part != name}
        return Conditioning({**self.parts, name: tokens}, masks if mask is None else {**masks, name: mask}, self.keys)

    def to(self, device: torch.device) -> Conditioning:
        """The same on a device."""
        parts, masks = ({name: one.to(device) for name, one in all.items()} for all in (self.parts, self.masks))
        return Conditioning(parts, masks, self.keys)

    def with_conditions_of(self, other: Conditioning) -> Conditioning:
        """The same with what the other one has beside its text, such as a picture, where it has none of its own."""
        others = {
            name: part
            for name, part in other.parts.items()
            if not name.startswith((TEXT, POOLED)) and name not in self.parts
        }
        masks = {name: mask for name, mask in other.masks.items() if name in others}
        return Conditioning({**self.parts, **others}, {**self.masks, **masks}, self.keys)

    def rows(self, count: int) -> Conditioning:
        """One row a sample: a single row stands for all of them.

        Raises:
            GraphError: E_BATCH, it has another number of rows.
        """
        if self.count not in (1, count):
            raise GraphError(
                "E_BATCH",
                f"a conditioning of {self.count} rows for {count} samples",
                hint="give one prompt for all samples or one for each",
            )
        if self.count == count:
            return self
        return Conditioning(
            {name: part.expand(count, *part.shape[1:]) for name, part in self.parts.items()},
            {name: mask.expand(count, *mask.shape[1:]) for name, mask in self.masks.items()},
            self.keys if self.count == count else None,
        )

    def alike(self, other: Conditioning) -> bool:
        """Whether rows of both go into one batch as they are: the same parts in the same shapes."""
        return _shapes(self.parts) == _shapes(other.parts) and _shapes(self.masks) == _shapes(other.masks)

    @classmethod
    def joined(cls, all: Sequence[Conditioning]) -> Conditioning:
        """The rows of several, one after the other; texts of different lengths are padded with zeros and masked.

        Raises:
            GraphError: E_PARTS, they have different parts; E_BATCH, parts that are no tokens have different shapes.
        """
        import torch

        if any(one.parts.keys() != all[0].parts.keys() for one in all):
            told = "; ".join(", ".join(one.parts) for one in all)
            raise GraphError(
                "E_PARTS",
                f"conditionings of different parts cannot share a batch: {told}",
                hint="give the positive and the negative side the same conditions",
            )
        parts, masks = {}, {}
        for name in all[0].parts:
            found = [one.parts[name] for one in all]
            given = [one.masks.get(name) for one in all]
            ragged = found[0].dim() == 3 and len({part.shape[1] for part in found}) > 1
            if ragged or any(mask is not None for mask in given):
                longest = max(part.shape[1] for part in found)
                filled = [every(part) if mask is None else mask for part, mask in zip(found, given, strict=True)]
                found = [padded(part, longest) for part in found]
                masks[name] = torch.cat([padded(mask, longest) for mask in filled])
            if len({part.shape[1:] for part in found}) > 1:
                shapes = ", ".join(str(list(part.shape)) for part in found)
                raise GraphError(
                    "E_BATCH",
                    f"the part '{name}' of conditionings that share a batch has the shapes {shapes}",
                    hint="make them for pictures of one size, with one model",
                )
            parts[name] = torch.cat(found)
        keys = [one.keys for one in all]
        return cls(parts, masks, None if None in keys else tuple(key for own in keys for key in own or ()))


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape[1:]) for name, tensor in tensors.items()}


def every(part: Tensor) -> Tensor:
    """The mask (B, L) of tokens (B, L, D) that all count."""
    import torch

    return torch.ones(part.shape[:2], dtype=torch.bool, device=part.device)


def padded(values: Tensor, length: int) -> Tensor:
    """Zeros (False in a mask) behind the tokens of (B, L) or (B, L, D)."""
    import torch

    missing = values.new_zeros((len(values), length - values.shape[1], *values.shape[2:]))
    return torch.cat([values, missing], dim=1) if missing.shape[1] else values
