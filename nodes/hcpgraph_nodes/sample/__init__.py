"""Sampling: from noise to latents."""
