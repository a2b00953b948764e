"""Timesteps: points of a sampler's grid, draws of importance, what losses say of them."""
