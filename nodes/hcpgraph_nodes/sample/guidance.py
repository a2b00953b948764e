"""Guidance in sampling: the sides that a step runs, in as few calls as possible, and what is made of their outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from hcpgraph import GraphError

from ..conditioning import Conditioning
from ..model.handles import Denoiser
from .progress import Progress

if TYPE_CHECKING:
    from ..families.base import Family


@dataclass(frozen=True, slots=True)
class Guided:
    """What predicts in every step of sampling.

    Attributes:
        family: The denoiser's.
        denoiser: The model.
        other: The model of the negative sides, mostly the same.
        positive: Conditions of every sample.
        negative: What to stay away from; None without guidance.
        bare: The negative side without its picture; None where pictures are not guided apart.
        scale: Of classifier-free guidance.
        image_scale: Of the guidance by the picture.
    """

    family: Family
    denoiser: Denoiser
    other: Denoiser
    positive: Conditioning
    negative: Conditioning | None
    bare: Conditioning | None
    scale: float
    image_scale: float

    def __call__(self, sample: Tensor, timestep: Any, progress: Progress) -> Tensor:
        """The output (B, C, h, w) at a timestep.

        Two sides are put together as the family does. With a picture on the
        sides p and n, and b without it: b + s (p - n) + s_I (n - b); source: Brooks et al. 2023,
        https://arxiv.org/abs/2211.09800 (equation 3).

        Args:
            sample: Noisy latents (B, C, h, w), scaled as the network takes them.
            timestep: Their noise level.
            progress: Where sampling is.
        """

        def run(model: Denoiser, sides: list[Conditioning]) -> list[Tensor]:
            """The outputs of several sides: in one call where their conditions go into one batch."""
            if len(sides) > 1 and not all(self._share(sides[0], other) for other in sides[1:]):
                return [run(model, [each])[0] for each in sides]
            told = model.with_inputs(progress=Progress(progress.begin, progress.end, len(sides)))
            if len(sides) == 1:
                return [self.family.predict(told, sample, timestep, sides[0])]
            samples = torch.cat([sample] * len(sides))
            together = self.family.predict(told, samples, timestep, Conditioning.joined(sides))
            return list(together.chunk(len(sides)))

        against = [each for each in (self.bare, self.negative) if each is not None]
        if self.other is self.denoiser or not against:
            outputs = run(self.denoiser, [*against, self.positive])
        else:
            outputs = [*run(self.other, against), *run(self.denoiser, [self.positive])]
        if len(outputs) == 1:
            return outputs[0]
        *bare, without, output = outputs
        if not bare:
            return self.family.guided(output, without, self.scale, progress.begin)
        return bare[0] + self.scale * (output - without) + self.image_scale * (without - bare[0])

    def _share(self, first: Conditioning, second: Conditioning) -> bool:
        """Those of one shape share a call, and those of any length where masks are read."""
        return first.alike(second) or (self.family.masked and first.parts.keys() == second.parts.keys())


def guided(
    family: Family,
    denoiser: Denoiser,
    other: Denoiser,
    sides: tuple[Conditioning, Conditioning | None],
    *,
    count: int,
    scale: float,
    image_scale: float,
) -> Guided:
    """What predicts in every step of sampling.

    Args:
        family: The denoiser's.
        denoiser: The model.
        other: The model of the negative side.
        sides: Positive and negative condition of `count` samples, or of one for all; a negative one that has no picture
            or other conditions beside its text has those of the positive one.
        count: Samples.
        scale: Of classifier-free guidance.
        image_scale: Of guidance by the picture of the conditions; 1: it is not guided apart.

    Raises:
        GraphError: E_NO_NEGATIVE; E_BATCH, conditions of another number; E_PARTS, no picture that could guide.
    """
    positive, given = sides
    apart = image_scale != 1
    negative = bare = None
    guides = family.guides(scale)
    if guides or apart:
        against = family.no_prompt(other, positive) if given is None else given
        if against is None:
            more = f"guidance {scale:g}" if guides else f"image_guidance {image_scale:g}"
            raise GraphError(
                "E_NO_NEGATIVE",
                f"{more} compares with a negative prompt, and none is wired",
                hint="wire text.encode of an empty prompt to it, or set guidance to 1",
            )
        negative = _rows(against.with_conditions_of(positive), count)
    text = _rows(positive, count)
    if apart and negative is not None:
        bare = family.without_image(other, negative)
        if bare is None:
            raise GraphError(
                "E_PARTS",
                f"image_guidance {image_scale:g} compares with what the model makes without a picture, and this one "
                "is led by none",
                port="image_guidance",
                hint="set it to 1, or wire condition.image and a model such as InstructPix2Pix",
            )
    return Guided(family, denoiser, other, text, negative, bare, scale, image_scale)


def _rows(conditioning: Conditioning, count: int) -> Conditioning:
    rows = conditioning.count
    if rows not in (1, count):
        raise GraphError(
            "E_BATCH",
            f"{rows} prompts for {count} samples",
            hint="give one prompt for all or one a sample, or change count in sample.empty_latents",
        )
    return conditioning.rows(count)
