"""The tiny models of the node tests, for graphs that need a family which no shipped model has."""

from tests.nodes.conftest import tiny_folder, tiny_sdxl_folder

__all__ = ["tiny_folder", "tiny_sdxl_folder"]
