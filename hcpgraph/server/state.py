"""What all routes share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..paths import Roots
from .helpers.pool import Pool

if TYPE_CHECKING:
    from ..declaring.registry import Registry
    from .queue.database import Jobs
    from .queue.hub import Hub
    from .queue.supervisor import Supervisor


@dataclass
class ServerState:
    """What all routes share.

    Args:
        roots: Where the named roots lie.
        packs: Folders with further nodes, besides the installed packs.
        token: The secret that every request to the API carries.
        jobs, supervisor, hub: Queue and history, the worker process, the open pages.
        pool: Processes for work that would keep the event loop from answering.
        host: The address that the server was told to listen on.
    """

    roots: Roots
    packs: tuple[Path, ...]
    token: str
    jobs: Jobs
    supervisor: Supervisor
    hub: Hub
    pool: Pool = field(default_factory=Pool)
    host: str = "127.0.0.1"

    def registry(self) -> Registry:
        """The node types there are, made anew when a file of a pack has changed."""
        from ..declaring.registry import default_registry

        return default_registry(self.packs)

    def device(self) -> str:
        """The device that runs use: what the worker said, and `cpu` until it has said anything."""
        return self.supervisor.state()["device"] or "cpu"
