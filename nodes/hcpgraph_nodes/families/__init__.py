"""What is particular to a model family: classes, prompts, latents, schedule, file keys.

A family is one module with a `FAMILY` object; its name stands in `registry.FAMILIES`.
"""
