"""hcpgraph: a typed node-graph composition engine for diffusion models. Importing it never imports torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__ as __version__

_LAZY = {
    "Graph": "edit",
    "load": "document",
    "loads": "document",
    "dump": "document",
    "node": "declare",
    "port_type": "types",
    "Context": "context",
    "Body": "spec",
    "Choose": "spec",
    "Facts": "spec",
    "Lazy": "spec",
    "Many": "spec",
    "Port": "spec",
    "Probe": "spec",
    "Setting": "spec",
    "migrate": "migration",
    "GraphError": "errors",
    "GraphErrors": "errors",
    "Problem": "errors",
    "Cancelled": "errors",
    "validate": "api",
    "plan": "api",
    "run": "api",
    "Cache": "cache",
    "default_registry": "registry",
}
__all__ = [
    "Body",
    "Cache",
    "Cancelled",
    "Choose",
    "Context",
    "Facts",
    "Graph",
    "GraphError",
    "GraphErrors",
    "Lazy",
    "Many",
    "Port",
    "Probe",
    "Problem",
    "Setting",
    "default_registry",
    "dump",
    "load",
    "loads",
    "migrate",
    "node",
    "plan",
    "port_type",
    "run",
    "validate",
]

if TYPE_CHECKING:
    from .api import plan, run, validate
    from .cache import Cache
    from .context import Context
    from .declare import node
    from .document import dump, load, loads
    from .edit import Graph
    from .errors import Cancelled, GraphError, GraphErrors, Problem
    from .migration import migrate
    from .registry import default_registry
    from .spec import Body, Choose, Facts, Lazy, Many, Port, Probe, Setting
    from .types import port_type


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module 'hcpgraph' has no attribute '{name}'")
