"""The nodes that run a denoiser once (torch-free)."""

from __future__ import annotations

PREDICTS = ("diffusion.predict", "diffusion.features")
