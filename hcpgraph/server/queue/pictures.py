"""The pictures of the values that the nodes of a run gave, kept in its folder: what a page shows after a reload."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from ...atomic import write_bytes
from ...fingerprint import stamp

FLAT = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
NAME = re.compile(r"([A-Za-z0-9_.-]+)~[0-9a-f]{8}\.webp")


class Pictures:
    """One WebP file a node, the last that it gave. In their names a dot stands for the slash of a flat id, which has
    no dot of its own; a digest tells ids apart that differ in case alone.

    Args:
        folder: Made with the first picture.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, node: str) -> Path | None:
        """Where the picture of a node lies, or would lie; None for what is no flat id."""
        if not FLAT.fullmatch(node):
            return None
        return self.folder / f"{node.replace('/', '.')}~{sha256(node.encode()).hexdigest()[:8]}.webp"

    def put(self, node: str, picture: bytes) -> None:
        """Keep a picture in place of the one before.

        Raises:
            OSError: the disk does not take it.
        """
        if (path := self.path(node)) is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(path, picture)

    def stamps(self) -> dict[str, str]:
        """Node -> what changes with its picture."""
        try:
            found = {match[1]: stamp(path) for path in self.folder.iterdir() if (match := NAME.fullmatch(path.name))}
        except OSError:
            return {}
        return {name.replace(".", "/"): sha256(at.encode()).hexdigest()[:16] for name, at in sorted(found.items())}
