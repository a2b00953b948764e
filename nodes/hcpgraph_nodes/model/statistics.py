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

    With patches z is first put together by squares, (C, h, w) to (C · p², h / p, w / p): channel c · p² + y · p + x
    is the one at row y and column x of a square. Source: `encode_image` and `decode_latents` of diffusers' pipelines
    (shift: Stable Diffusion 3; mean and deviation: Stable Diffusion XL; patches: `_patchify_latents` of FLUX.2).

    Attributes:
        scale: Above 0.
        shift: The same for all channels.
        mean: One number a channel, or none.
        deviation: One number above 0 a channel, as many as there are means.
        patch: Side of the squares, p.
    """

    scale: float
    shift: float = 0.0
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    patch: int = 1

    @classmethod
    def of_norm(cls, mean: Tensor, variance: Tensor, eps: float, patch: int) -> Statistics:
        """Those of a batch norm without weights: its running mean and variance (C · p²,), and what stands beside that.

        Source: `Flux2Pipeline` in diffusers, (z − mean) / √(variance + eps).
        """
        deviation = torch.sqrt(variance.float() + eps)
        return cls(1.0, mean=tuple(mean.float().tolist()), deviation=tuple(deviation.tolist()), patch=patch)

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
        """The entries of a VAE's configuration; none of statistics that are its weights."""
        if self.patch > 1:
            return {}
        return {
            "scaling_factor": self.scale,
            "shift_factor": self.shift or None,
            "latents_mean": list(self.mean) or None,
            "latents_std": list(self.deviation) or None,
        }

    def normalise(self, latents: Tensor) -> Tensor:
        """What the denoiser sees of the encoder's latents (…, C, h, w).

        Raises:
            GraphError: E_SIZE, the squares do not fit.
        """
        if self.patch > 1:
            if latents.shape[-1] % self.patch or latents.shape[-2] % self.patch:
                message = f"{latents.shape[-1]}×{latents.shape[-2]} latents are no squares of {self.patch}"
                raise GraphError("E_SIZE", message, hint="take pictures of which the model makes whole squares")
            latents = torch.nn.functional.pixel_unshuffle(latents, self.patch)
        if self.mean:
            return (latents - _by_channel(self.mean, latents)) * self.scale / _by_channel(self.deviation, latents)
        return (latents - self.shift if self.shift else latents) * self.scale

    def denormalise(self, latents: Tensor) -> Tensor:
        """What the decoder gets of the denoiser's latents (…, C, h, w)."""
        if self.mean:
            own = latents * _by_channel(self.deviation, latents) / self.scale + _by_channel(self.mean, latents)
        else:
            own = latents / self.scale
            own = own + self.shift if self.shift else own
        return own if self.patch == 1 else torch.nn.functional.pixel_shuffle(own, self.patch)

    def shape(self, channels: int, height: int, width: int) -> tuple[int, int, int]:
        """Of encoder latents (C, h, w): the shape in which the denoiser sees them, and noise is drawn."""
        return channels * self.patch**2, height // self.patch, width // self.patch


def _by_channel(values: tuple[float, ...], latents: Tensor) -> Tensor:
    return torch.tensor(values, dtype=latents.dtype, device=latents.device).view(-1, 1, 1)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _wrong(message: str) -> GraphError:
    return GraphError("E_MODEL_CLASS", message, hint=HINT)
