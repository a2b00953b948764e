"""What a person asks of a training loop while it runs; any thread may ask, the loop answers after its step."""

from __future__ import annotations

import threading
from typing import Literal, get_args

from .errors import GraphErrors, did_you_mean

Request = Literal["sample", "save", "stop"]
REQUESTS: tuple[Request, ...] = get_args(Request)


class Requests:
    """The open requests of one run.

    `sample` runs every `train.every` region after this step; `save` keeps a checkpoint of it; `stop` ends the loop as
    if this step were its last, and the run goes on with what comes after training.

    Attributes:
        sampling: Set by a loop while it answers a `sample`.
        shortened: Loop -> steps it did, for loops that were stopped before their end.
        lengths: Loop -> how long the curves are that follow it, as far as only the run knew that.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[str] = set()
        self.sampling = False
        self.shortened: dict[str, int] = {}
        self.lengths: dict[str, int] = {}

    def ask(self, what: str) -> None:
        """Ask for something; asking twice before it is answered is asking once.

        Raises:
            GraphErrors: E_CALL, there is no such request.
        """
        if what not in REQUESTS:
            hint = did_you_mean(what, REQUESTS, "requests")
            raise GraphErrors.one("E_CALL", f"a running training knows no request '{what}'", hint=hint)
        with self._lock:
            self._open.add(what)

    def clear(self) -> None:
        """Forget what was asked for before a loop began."""
        with self._lock:
            self._open.clear()

    def take(self, what: Request) -> bool:
        """Whether something was asked for; it counts as answered from here on."""
        if what not in self._open:
            return False
        with self._lock:
            self._open.discard(what)
        return True
