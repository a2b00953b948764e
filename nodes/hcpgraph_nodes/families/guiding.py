"""Classifier-free guidance as most families have it."""

from __future__ import annotations

from torch import Tensor

from hcpgraph import GraphError


class PlainGuidance:
    """n + s (p − n), above a scale of 1. Source: Ho & Salimans 2022, https://arxiv.org/abs/2207.12598."""

    def guides(self, scale: float) -> bool:
        """Whether this scale asks for the negative side at all, see `base.Family`.

        Raises:
            GraphError: E_SETTING, a scale below 1.
        """
        if scale < 1:
            message = f"guidance {scale:g} leads away from the positive prompt"
            raise GraphError("E_SETTING", message, port="guidance", hint="1 runs the positive prompt alone")
        return scale > 1

    def guided(self, output: Tensor, without: Tensor, scale: float, begin: float) -> Tensor:
        """What is made of both sides, see `base.Family`."""
        return without + scale * (output - without)
