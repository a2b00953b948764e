"""Small real files for the tests of data sources."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hcpgraph import Context
from hcpgraph.events import Event, EventLog
from hcpgraph.testing import context

_opened: list[str] | None = None


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None:
        _opened.append(str(args[0]))


sys.addaudithook(_hook)


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """The paths that the interpreter opens meanwhile."""
    global _opened  # noqa: PLW0603 - an audit hook can never be removed, only told to rest
    _opened = found = []
    try:
        yield found
    finally:
        _opened = None


def picture(path: Path, size: tuple[int, int] = (20, 10), color: str = "#336699", mode: str = "RGB") -> Path:
    """A picture file of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path)
    return path


def noise(size: tuple[int, int], seed: int = 0, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels), np.uint8)


def png(width: int, height: int, rows: bytes, *, depth: int = 8, color: int = 0) -> bytes:
    """A PNG made by hand: `rows` are its zlib-compressed lines."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def logging_context(workspace: Path) -> tuple[Context, list[Event]]:
    """A context, and the events it emits."""
    events: list[Event] = []
    ctx = context(workspace)
    ctx.run.events = EventLog("test", listener=events.append)
    return ctx, events


def warnings(events: list[Event]) -> list[str]:
    """The messages that were logged as a warning."""
    found = [event if isinstance(event, dict) else event.to_json() for event in events]
    return [event["message"] for event in found if event.get("level") == "warning"]
