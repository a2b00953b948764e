"""hcpgraph: a typed node-graph composition engine for diffusion models. Importing it never imports torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__ as __version__

_LAZY = {
    "Graph": "document.graph",
    "load": "document",
    "loads": "document",
    "dump": "document",
    "node": "declaring.node",
    "port_type": "types",
    "Context": "context",
    "Body": "declaring.body",
    "Choose": "declaring.spec",
    "Each": "declaring.spec",
    "Facts": "declaring.spec",
    "Later": "declaring.spec",
    "Lazy": "declaring.spec",
    "Many": "declaring.spec",
    "Port": "declaring.spec",
    "Probe": "declaring.spec",
    "Setting": "declaring.spec",
    "Whole": "declaring.spec",
    "migrate": "document.migration",
    "Failure": "errors",
    "GraphError": "errors",
    "GraphErrors": "errors",
    "Problem": "errors",
    "Cancelled": "errors",
    "validate": "api",
    "plan": "api",
    "run": "api",
    "Options": "running.options",
    "Cache": "running.cache",
    "default_registry": "declaring.registry",
    "table": "declaring.registry",
}
__all__ = [
    "Body",
    "Cache",
    "Cancelled",
    "Choose",
    "Context",
    "Each",
    "Facts",
    "Failure",
    "Graph",
    "GraphError",
    "GraphErrors",
    "Later",
    "Lazy",
    "Many",
    "Options",
    "Port",
    "Probe",
    "Problem",
    "Setting",
    "Whole",
    "default_registry",
    "dump",
    "load",
    "loads",
    "migrate",
    "node",
    "plan",
    "port_type",
    "run",
    "table",
    "validate",
]

if TYPE_CHECKING:
    from .api import plan, run, validate
    from .context import Context
    from .declaring.body import Body
    from .declaring.node import node
    from .declaring.registry import default_registry, table
    from .declaring.spec import Choose, Each, Facts, Later, Lazy, Many, Port, Probe, Setting, Whole
    from .document import dump, load, loads
    from .document.graph import Graph
    from .document.migration import migrate
    from .errors import Cancelled, Failure, GraphError, GraphErrors, Problem
    from .running.cache import Cache
    from .running.options import Options
    from .types import port_type


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module 'hcpgraph' has no attribute '{name}'")
