"""Small pictures of the values that nodes give, made in the worker while a run goes on.

What a type looks like is the pack's own business: `PREVIEWS` of its `editor` module, type name -> picture of a value.
"""

from __future__ import annotations

import base64
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

from ...importing import folder_module, import_module

if TYPE_CHECKING:
    from PIL.Image import Image

    from ...declaring.registry import Registry

SIDE = 256
INTERVAL = 0.25
QUALITY = 80

Show = Callable[[Any], "Image | None"]
Send = Callable[[Mapping[str, Any]], None]


def editors(registry: Registry) -> dict[str, Any]:
    """The `editor` modules of the packs that have one, by pack; a broken one is reported in the log and left out."""
    found: dict[str, Any] = {}
    for pack in registry.packs.values():
        file = pack.folder / "editor.py"
        if file.is_file():
            try:
                name = f"{pack.module}.editor" if pack.module else folder_module(file)
                found[pack.name] = import_module(name, str(file))
            except Exception:
                traceback.print_exc(file=sys.stderr)
    return found


class Previews:
    """The pictures of one run: at most four a second, the latest of every port, none forgotten.

    Args:
        job: Id of the run.
        registry: Whose packs say what values look like.
        send: Called with every picture, from any thread.
    """

    def __init__(self, job: str, registry: Registry, send: Send) -> None:
        self._job = job
        self._registry = registry
        self._send = send
        self._shows: dict[str, Show] | None = None
        self._waiting: dict[tuple[str, str], Image] = {}
        self._lock = threading.Lock()
        self._busy = threading.Lock()
        self._sent = 0.0
        self._timer: threading.Timer | None = None

    def __call__(self, node: str, outputs: Mapping[str, Any]) -> None:
        """A node has given its outputs. A picture that cannot be made never disturbs the run."""
        for port, value in outputs.items():
            try:
                image = self._picture(value)
            except Exception:
                traceback.print_exc(file=sys.stderr)
                continue
            if image is not None:
                with self._lock:
                    self._waiting[node, port] = image
                    self._schedule()

    def close(self) -> None:
        """Send what still waits; when it returns, everything has been said."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            waiting, self._waiting = self._waiting, {}
        with self._busy:  # a picture that is being encoded is said before the run is over
            for (node, port), image in waiting.items():
                self._encode(node, port, image)

    def _picture(self, value: Any) -> Image | None:
        value = value[0] if isinstance(value, list) and value else value
        name = type(value).__name__
        if type(value).__module__ == "builtins":
            return None
        if self._shows is None:
            self._shows = {}
            for module in editors(self._registry).values():
                self._shows |= getattr(module, "PREVIEWS", {})
        show = self._shows.get(name)
        image = show(value) if show else None
        if image is not None:
            image.thumbnail((SIDE, SIDE))
        return image

    def _schedule(self) -> None:
        if self._timer is None and self._waiting:
            delay = max(0.0, self._sent + INTERVAL - time.monotonic())
            self._timer = threading.Timer(delay, self._next)
            self._timer.daemon = True
            self._timer.start()

    def _next(self) -> None:
        with self._busy:
            with self._lock:
                self._timer = None
                if not self._waiting:
                    return
                key = next(iter(self._waiting))
                image = self._waiting.pop(key)
                self._sent = time.monotonic()
                self._schedule()
            self._encode(*key, image)

    def _encode(self, node: str, port: str, image: Image) -> None:
        data = BytesIO()
        image.convert("RGB").save(data, "webp", quality=QUALITY)
        self._send(
            {
                "type": "picture",
                "job": self._job,
                "node": node,
                "port": port,
                "step": None,
                "format": "image/webp",
                "width": image.width,
                "height": image.height,
                "data": base64.b64encode(data.getvalue()).decode(),
            }
        )
