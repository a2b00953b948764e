"""ControlNet: a copy of the denoiser's encoder that leads it by pictures (Zhang et al. 2023, arXiv 2302.05543)."""
