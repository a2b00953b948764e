"""What leads a denoiser beside its text: pictures, and the guidance that some networks read."""
