"""What commands share that open models: where a model lies, and the pack that knows how."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import GraphErrors

HERE = "here"


def located(model: str, roots: Mapping[str, Path]) -> tuple[str, dict[str, Path]]:
    """A model as nodes name it, and the roots with the folder that it lies in, if it was given as a path."""
    places = dict(roots)
    if not Path(model).exists():
        return model, places
    path = Path(os.path.realpath(model))
    places[HERE] = path.parent
    return f"{HERE}:{path.name}", places


def teller(packs: Sequence[Path], ability: str) -> Any:
    """The `editor` module of a pack that has this function: the engine itself knows nothing of models.

    Raises:
        GraphErrors: E_PACK, no installed pack has one.
    """
    from ..declaring.registry import default_registry
    from ..server.queue.previews import editors

    for module in editors(default_registry(packs)).values():
        if hasattr(module, ability):
            return module
    raise GraphErrors.one("E_PACK", "no installed pack can open models", hint="pip install hcpgraph")
