"""Ctrl-C in a script or a notebook: the first one stops the run after its step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible(cancel: threading.Event) -> Iterator[None]:
    """Within it the first Ctrl-C sets `cancel`, and a second one is a KeyboardInterrupt as always.

    Whoever handles the signal already, as the command line does, and threads other than the main one are left alone.
    """
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if cancel.is_set():
            signal.default_int_handler(number, frame)
        cancel.set()

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
