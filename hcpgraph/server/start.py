"""The parts of a server, put together."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from .. import private
from ..checking.analyse import default_roots
from ..declaring.pack import from_folder
from .queue.database import Jobs
from .queue.hub import Hub
from .queue.supervisor import Supervisor
from .state import ServerState


def make_state(
    workspace: Path | None,
    roots: Mapping[str, Path],
    packs: tuple[Path, ...],
    token: str,
    host: str,
    allow_write: Iterable[str] = (),
) -> ServerState:
    """The state of a server; nothing is started yet.

    Raises:
        GraphErrors: E_PACK, a pack folder does not exist; E_CALL, nobody may write to a root.
    """
    places = default_roots(workspace, {name: path.resolve() for name, path in roots.items()}, allow_write)
    folders = tuple(from_folder(pack).folder for pack in packs)
    hub = Hub()
    jobs = Jobs(places.root("cache") / "server" / "jobs.sqlite")
    return ServerState(places, folders, token, jobs, Supervisor(places, folders, jobs, hub), hub, host=host)


class _Malformed(logging.Filter):
    """Leaves out what strangers send that is no HTTP: it is answered with 400 and is no fault of the server."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, (private.malformed_request(), ConnectionError))


def log_to_stderr() -> None:
    """Warnings and errors of the server, with their time, on stderr."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiohttp.server").addFilter(_Malformed())
