"""One diffusion step, piece by piece: encode, time, noise, prediction, target."""
