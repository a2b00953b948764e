"""How files of adapters and words spell the networks of a family (no torch)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .dit.layout import Place


class Originals(Protocol):
    """The names of a network's layers in its authors' files."""

    def place(self, own: str) -> Place:
        """Where a layer, by its name in diffusers, lies there."""


@dataclass(frozen=True, slots=True)
class TextSpelling:
    """How files spell one text network.

    Attributes:
        comfy: Its name in ComfyUI, as keys of words are.
        single: What its keys begin with in files of ComfyUI, adapters among them.
        kohya: What else than the family's own stands for it in keys of kohya's kind.
        hcp: Its names in HCP-Diffusion, that of 0.9 first; none: it does not know the network.
        originals: The names of its layers in ComfyUI; None: those of transformers.
    """

    comfy: str
    single: str
    kohya: tuple[str, ...] = ()
    hcp: tuple[str, ...] = ()
    originals: Originals | None = None
