"""Signals during a run: the first one stops after this step, a second Ctrl-C quits at once."""

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
HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)
"""The terminal was closed; Windows has no such signal."""


def stopping() -> list[signal.Signals]:
    """The signals that end what is going on: that of a closed terminal is not among them under `nohup`."""
    found = [signal.SIGINT, signal.SIGTERM]
    if HANGUP is not None and signal.getsignal(HANGUP) is not signal.SIG_IGN:
        found.append(HANGUP)
    return found


@contextmanager
def stoppable() -> Iterator[threading.Event]:
    """An event that SIGINT, SIGTERM and SIGHUP set; a second SIGINT or SIGTERM ends the process with exit code 130.

    A terminal that was closed is written to no more: what was said there is lost, the run and its record are not.
    """
    cancel = threading.Event()
    terminals = [number for number in (0, 1, 2) if os.isatty(number)]
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if number == HANGUP:
            leave(terminals)
        elif asked:
            if os.isatty(2):
                _write(SHOW_CURSOR + b"\n")
            os._exit(CANCELLED)
        else:
            asked = True
            _write(b"\nstopping after this step, once more to quit at once\n")
        cancel.set()

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in stopping():
            before[number] = signal.signal(number, stop)
    try:
        yield cancel
    finally:
        for caught, handler in before.items():
            signal.signal(caught, handler)


def leave(terminals: list[int]) -> None:
    """Let file descriptors lead nowhere: every use of a terminal that is gone is an error."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in terminals:
            os.dup2(nowhere, number)
        os.close(nowhere)


def _write(text: bytes) -> None:
    """Straight to stderr: its buffer may be in use where the signal came in."""
    with suppress(OSError):
        os.write(2, text)
