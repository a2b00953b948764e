"""Opening a graph: from text, from a file, from a picture or a weight file that carries one.

Nothing is executed. Size, depth and number of nodes are checked first, every problem is reported at once, and
no bytes whatever lead to anything but a graph or `GraphErrors`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from pydantic import ValidationError

from ..errors import GraphErrors, Problem, bounded
from . import embed, foreign, strict_json
from .fileformat import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    MAX_PROBLEMS,
    problems_in,
    split_target,
)
from .graph import Drawing, Graph
from .migration import upgrade_file
from .missing import no_file


def load(path: str | os.PathLike[str]) -> Graph:
    """The graph in a .json file, or inside a PNG picture or a safetensors file, told apart by their content.

    Raises:
        GraphErrors: there is no such file, no graph in it, or the graph has problems.
    """
    try:
        found = Path(path).stat()
        if not stat.S_ISREG(found.st_mode):
            raise GraphErrors.one("E_FILE", f"{path} is {'a folder' if stat.S_ISDIR(found.st_mode) else 'no file'}")
        with Path(path).open("rb") as file:
            carried = embed.read(file)
            if carried is None and found.st_size > MAX_BYTES:
                raise _too_large()
            data = file.read(MAX_BYTES + 1) if carried is None else carried
    except FileNotFoundError:
        raise no_file(path) from None
    except (OSError, ValueError) as error:
        raise GraphErrors.one("E_FILE", f"{path} cannot be read: {error}") from None
    return loads(data)


def loads(text: str | bytes) -> Graph:
    """The graph that a JSON text describes.

    Raises:
        GraphErrors: every problem of the text, each with a code, a place and a remedy.
    """
    if len(text) > MAX_BYTES:
        raise _too_large()
    written = _decoded(text)
    if strict_json.depth(written) > MAX_DEPTH:
        raise GraphErrors.one("E_TOO_DEEP", f"objects and lists are nested more than {MAX_DEPTH} deep")
    raw, problems = strict_json.parse(written)
    return from_value(raw, problems)


def from_value(raw: object, problems: Iterable[Problem] = ()) -> Graph:
    """The graph that a parsed JSON value describes; the value must not be nested deeper than `MAX_DEPTH`.

    Args:
        raw: From `strict_json.parse`.
        problems: What was wrong with the text already.

    Raises:
        GraphErrors: every problem, those that were given too.
    """
    problems = list(problems)
    if (other := foreign.in_value(raw)) is not None:
        raise foreign.refused(other)
    try:
        raw = upgrade_file(raw)
        _check_nodes(raw)
        graph = Graph.model_validate(raw, by_alias=True, by_name=False)
    except GraphErrors as error:
        problems += error.problems
    except ValidationError as error:
        if error.error_count() > 10 * MAX_PROBLEMS:
            message = f"{error.error_count()} problems: this is not a graph file"
            raise GraphErrors([*problems, Problem("E_FIELD", message)]) from None
        problems += problems_in(error, Graph, raw)
    else:
        for name, body in graph.bodies():
            problems += _fed_twice(body, name)
            body.close_gaps()
    if problems:
        raise GraphErrors(bounded(problems, MAX_PROBLEMS))
    return graph


def dump(graph: Graph) -> str:
    """The canonical text of a graph: the same as `graph.dump()`."""
    return graph.dump()


def _too_large() -> GraphErrors:
    return GraphErrors.one("E_TOO_LARGE", f"a graph file has at most {MAX_BYTES // 2**20} MB")


def _decoded(text: str | bytes) -> str:
    try:
        data = text.encode() if isinstance(text, str) else bytes(text)
        if len(data) > MAX_BYTES:
            raise _too_large()
        return data.decode("utf-8-sig")
    except (UnicodeEncodeError, UnicodeDecodeError) as error:
        raise GraphErrors.one("E_FILE", f"the text is not UTF-8 at byte {error.start}") from None


def _check_nodes(raw: object) -> None:
    graphs = raw.get("graphs") if isinstance(raw, dict) else None
    bodies = [raw, *graphs.values()] if isinstance(graphs, dict) else [raw]
    nodes = [body.get("nodes") for body in bodies if isinstance(body, dict)]
    number = sum(len(found) for found in nodes if isinstance(found, dict))
    if number > MAX_NODES:
        raise GraphErrors.one("E_TOO_MANY_NODES", f"{number} nodes; a graph has at most {MAX_NODES}")


def _fed_twice(body: Drawing, graph: str | None) -> Iterator[Problem]:
    """Ports that are fed both as one port and as a list."""
    targets = set(chain(body.edges, *body.interface.inputs.values()))
    for bare in sorted({target.rpartition(".")[0] for target in targets if target.count(".") > 1} & targets):
        node, port, _ = split_target(bare)
        message = f"'{bare}' is fed both as one port and as a list"
        yield Problem("E_EDGE", message, f"{graph}/{node}" if graph else node, port, f"write '{bare}.0', '{bare}.1' …")
