"""Whether the family that a setting names is the one that the files are of (torch-free)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hcpgraph.errors import GraphError, Problem

from ..controlnet.probe import probe_control
from .part_probe import probe_denoiser
from .probe import probe_family
from .table import families, interface
from .text_probe import may_be, probe_text_encoder

PATHS = ("path", "path_2", "path_3")
"""Settings of loaders that name what they read."""
LOADERS: dict[str, tuple[Callable[[Sequence[Path], str], str | None], str | None]] = {
    "model.load": (lambda paths, named: probe_family(paths[0], named), None),
    "denoiser.load": (lambda paths, named: probe_denoiser(paths[0], named), None),
    "text_encoder.load": (lambda paths, named: probe_text_encoder(paths), None),
    "vae.load": (lambda paths, named: probe_family(paths[0]), "latents"),
    "controlnet.load": (lambda paths, named: probe_control(*paths), "controlnet"),
}
"""Node -> what tells the family of its files, told the one that is named, and the interface whose equality makes
families take one another's."""


def other_family(node: str, named: str, *paths: Path) -> str | None:
    """The family of the files at these paths, where a setting names another one; None if they agree or say nothing."""
    if named not in families():
        return None
    probe, shared = LOADERS[node]
    if node == "text_encoder.load" and named in may_be(paths, named):
        return None
    found = probe(paths, named)
    if found == named or (shared and interface(found, shared) == interface(named, shared) is not None):
        return None
    return found


def places(settings: Mapping[str, Any], resolve: Callable[[str], Path]) -> list[Path]:
    """What a loader reads."""
    return [resolve(given) for given in map(settings.get, PATHS) if isinstance(given, str)]


def family_fact(node: str) -> Callable[[Mapping[str, Any], Callable[[str], Path]], str | None]:
    """The fact `contradicts` of what a loader gives."""

    def fact(settings: Mapping[str, Any], resolve: Callable[[str], Path]) -> str | None:
        named, path = settings.get("family"), settings.get("path")
        known = isinstance(named, str) and isinstance(path, str)
        return other_family(node, str(named), *places(settings, resolve)) if known else None

    return fact


def family_is_that_of_the_files(view: Any) -> list[Problem]:
    """The rule of the loaders."""
    found = next((facts["contradicts"] for facts in view.gives.values() if facts.get("contradicts")), None)
    if found is None:
        return []
    return [replace(_problem(str(view.settings["path"]), str(view.settings["family"]), found), node=view.node)]


def refuse_other(node: str, named: str, path: Path | Sequence[Path], given: str) -> None:
    """The same when the path is known only in the run.

    Raises:
        GraphError: E_FAMILY.
    """
    paths = [path] if isinstance(path, Path) else path
    if (found := other_family(node, named, *paths)) is not None:
        problem = _problem(given, named, found)
        raise GraphError(problem.code, problem.message, port=problem.port, hint=problem.hint)


def _problem(path: str, named: str, found: str) -> Problem:
    message = f"'{path}' is of the family {found}, and family says {named}"
    return Problem("E_FAMILY", message, port="family", hint=f"set family to {found}")
