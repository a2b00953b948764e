"""How the latents of an encoder become those that a denoiser sees, and back: scale, shift, or statistics by channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from hcpgraph import GraphError

NAMES = ("scaling_factor", "shift_factor", "latents_mean", "latents_std")
"""What diffusers calls them in the configuration of a VAE."""
HINT = "correct the config.json of the VAE, or fetch it again"


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of encoder latents z the denoiser sees (z − shift) · scale, or (z − mean) · scale / deviation by channel.

    Source: `encode_image` and `decode_latents` of diffusers' pipelines (shift: Stable Diffusion 3; mean and deviation:
    Stable Diffusion XL).

    Attributes:
        scale: Above 0.
        shift: The same for all channels.
        mean: One number a channel, or none.
        deviation: One number above 0 a channel, as many as there are means.
    """

    scale: float
    shift: float = 0.0
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()

    @classmethod
    def of(cls, config: Mapping[str, Any], scale: float, channels: int, where: str = "the VAE") -> Statistics:
        """What a configuration says.

        Args:
            config: The configuration of a VAE.
            scale: Where it says no `scaling_factor`.
            channels: Channels of the latents.
            where: What messages call it.

        Raises:
            GraphError: E_MODEL_CLASS, an entry is no number, of another length, or contradicts another one.
        """
        given = {name: config[name] for name in NAMES if config.get(name) is not None}
        for name in NAMES[:2]:
            if name in given and not _is_number(given[name]):
                raise _wrong(f"{name} of {where} is {given[name]!r}, no number")
        for name in NAMES[2:]:
            value = given.get(name, [0.0] * channels)
            if not isinstance(value, list | tuple) or len(value) != channels or not all(map(_is_number, value)):
                raise _wrong(
                    f"{name} of {where} is {value!r:.80}, not {channels} numbers, one a channel of its latents"
                )
        if ("latents_mean" in given) != ("latents_std" in given):
            raise _wrong(f"of latents_mean and latents_std of {where} one is missing: they go together")
        if "latents_mean" in given and given.get("shift_factor"):
            raise _wrong(f"{where} has a shift_factor and latents_mean, which contradict each other")
        found = cls(
            float(given.get("scaling_factor", scale)),
            float(given.get("shift_factor", 0.0)),
            tuple(map(float, given.get("latents_mean", ()))),
            tuple(map(float, given.get("latents_std", ()))),
        )
        if not found.scale > 0 or not all(one > 0 for one in found.deviation):
            raise _wrong(f"scaling_factor and latents_std of {where} must be above 0")
        return found

    def config(self) -> dict[str, Any]:
        """The entries of a VAE's configuration."""
        return {
            "scaling_factor": self.scale,
            "shift_factor": self.shift or None,
            "latents_mean": list(self.mean) or None,
            "latents_std": list(self.deviation) or None,
        }

    def normalise(self, latents: Tensor) -> Tensor:
        """What the denoiser sees of the encoder's latents (…, C, h, w)."""
        if self.mean:
            return (latents - _by_channel(self.mean, latents)) * self.scale / _by_channel(self.deviation, latents)
        return (latents - self.shift if self.shift else latents) * self.scale

    def denormalise(self, latents: Tensor) -> Tensor:
        """What the decoder gets of the denoiser's latents (…, C, h, w)."""
        if self.mean:
            return latents * _by_channel(self.deviation, latents) / self.scale + _by_channel(self.mean, latents)
        unscaled = latents / self.scale
        return unscaled + self.shift if self.shift else unscaled


def _by_channel(values: tuple[float, ...], latents: Tensor) -> Tensor:
    return torch.tensor(values, dtype=latents.dtype, device=latents.device).view(-1, 1, 1)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _wrong(message: str) -> GraphError:
    return GraphError("E_MODEL_CLASS", message, hint=HINT)
