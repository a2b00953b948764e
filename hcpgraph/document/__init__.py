"""What a graph file is: its form, opening and saving it, editing it, what it carries and requires."""

from .fileformat import (
    FORMAT,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    Body,
    Interface,
    Meta,
    NodeEntry,
    Requires,
    View,
)
from .graph import Drawing, Graph
from .reading import dump, from_value, load, loads

__all__ = [
    "FORMAT",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_NODES",
    "Body",
    "Drawing",
    "Graph",
    "Interface",
    "Meta",
    "NodeEntry",
    "Requires",
    "View",
    "dump",
    "from_value",
    "load",
    "loads",
]
