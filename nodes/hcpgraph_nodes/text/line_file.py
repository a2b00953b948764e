"""Text files with one entry a line: templates, wildcards."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from hcpgraph.errors import GraphError
from hcpgraph.fingerprint import stamp

from ..text_files import REMEDY, NotText, decoded


def read_lines(path: Path, uri: str) -> tuple[str, ...]:
    """The lines of a UTF-8 file, without the spaces around them; empty ones and those that begin with `#` are left out.

    A file is read once and again when it has changed: training steps ask for it every time.

    Args:
        path: The file.
        uri: How messages name it.

    Raises:
        GraphError: E_TEXT_FILE, it is a folder, is not UTF-8, cannot be read or holds no line.
    """
    try:
        lines = _lines(path, stamp(path))
    except NotText as error:
        raise GraphError("E_TEXT_FILE", f"'{uri}' {error}", hint=REMEDY) from None
    except OSError as error:
        raise GraphError(
            "E_TEXT_FILE", f"'{uri}' cannot be read: {error.strerror}", hint="name a text file, one entry a line"
        ) from None
    if not lines:
        raise GraphError("E_TEXT_FILE", f"'{uri}' holds no line", hint="write one entry a line")
    return lines


@lru_cache(maxsize=256)
def _lines(path: Path, stamped: str) -> tuple[str, ...]:
    stripped = (line.strip() for line in decoded(path.read_bytes()).splitlines())
    return tuple(line for line in stripped if line and not line.startswith("#"))
