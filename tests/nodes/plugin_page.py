"""The classes of docs/plugins.md, and numbers for the weights of plugins."""

from __future__ import annotations

import torch

from ..test_docs import blocks

PAGE: dict = {}
BLOCKS = [text for text in blocks("docs/plugins.md", "python") if "PluginBlock" in text]
for text in BLOCKS:
    exec(text, PAGE)  # noqa: S102 - our own page
Scale, Shortcut, Mixed, Gate, Thin = (PAGE[name] for name in ("Scale", "Shortcut", "Mixed", "Gate", "Thin"))


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def fill(plugin, seed: int = 1):
    """The plugin with weights that do something."""
    with torch.no_grad():
        for number, parameter in enumerate(plugin.parameters()):
            parameter.copy_(0.3 * random(*parameter.shape, seed=100 * seed + number))
    return plugin
