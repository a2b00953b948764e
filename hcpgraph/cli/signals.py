"""Ctrl-C during a run: the first one stops after this step, the second one quits at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from .common import CANCELLED

SHOW_CURSOR = b"\x1b[?25h"


@contextmanager
def stoppable() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second signal ends the process with exit code 130."""
    cancel = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        if cancel.is_set():
            if os.isatty(2):
                _write(SHOW_CURSOR + b"\n")
            os._exit(CANCELLED)
        cancel.set()
        _write(b"\nstopping after this step, once more to quit at once\n")

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, stop)
    try:
        yield cancel
    finally:
        for caught, handler in before.items():
            signal.signal(caught, handler)


def _write(text: bytes) -> None:
    """Straight to stderr: its buffer may be in use where the signal came in."""
    with suppress(OSError):
        os.write(2, text)
