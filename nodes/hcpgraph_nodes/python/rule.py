"""The torch-free rule of `python.object`: what is not trusted is an error before anything runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hcpgraph.errors import GraphErrors, Problem
from hcpgraph.trust import check


def untrusted(view: Any) -> list[Problem]:
    """E_TRUST for a class that is on no trust list."""
    path = view.settings.get("path")
    if view.type != "python.object" or not isinstance(path, str):
        return []
    try:
        problem = check(path)
    except GraphErrors as errors:
        return [replace(found, node=view.node) for found in errors.problems]
    return [] if problem is None else [replace(problem, node=view.node, port="path")]
