"""The table of model families (torch-free)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Literal

from hcpgraph.errors import GraphError, did_you_mean

if TYPE_CHECKING:
    from .base import Family

FAMILIES: dict[str, str] = {
    "sd15": "hcpgraph_nodes.families.sd15",
    "sd2": "hcpgraph_nodes.families.sd2",
    "sdxl": "hcpgraph_nodes.families.sdxl",
}
"""Name of a family -> the module whose `FAMILY` implements it."""

FamilyName = Literal["sd15", "sd2", "sdxl"]
"""What the settings of nodes offer; the keys of `FAMILIES`."""
READS_SIZES = frozenset({"sdxl"})
"""Families whose denoiser reads the sizes of pictures."""
INTERFACES: dict[str, dict[str, str]] = {
    "sd15": {"latents": "sd", "text": "sd15"},
    "sd2": {"latents": "sd", "text": "sd2"},
    "sdxl": {"latents": "sdxl", "text": "sdxl"},
}
"""What the parts of a family go together by: parts of two families fit where these names are equal."""
ALIKE = frozenset({"sd15", "sd2"})
"""Families that share their VAE, and whose ControlNets no file tells apart for certain."""
ZERO_NEGATIVE = frozenset({"sdxl"})
"""Families that may do without a negative prompt: their models can say that zeros stand for it."""


_loaded: dict[str, Family] = {}


def family(name: str) -> Family:
    """The implementation of a family; its module is imported once.

    Raises:
        GraphError: E_FAMILY, no such family.
    """
    if name not in _loaded:
        if name not in FAMILIES:
            raise GraphError(
                "E_FAMILY", f"unknown model family '{name}'", hint=did_you_mean(name, FAMILIES, "families")
            )
        _loaded[name] = import_module(FAMILIES[name]).FAMILY
    return _loaded[name]
