"""What the families of diffusion transformers share: networks, layouts of files, prompts, opening and writing."""
