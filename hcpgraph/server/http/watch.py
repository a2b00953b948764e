"""What the server looks after by itself: edited packs, and what earlier starts left lying about."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from ...declaring.pack import from_folder, installed
from ...errors import GraphErrors
from ...paths import Roots
from ..helpers import specs
from ..helpers.thumbs import folder as thumbs_folder
from ..state import ServerState
from .uploads import PART, ROOTS, UPLOADS

SECONDS = 3.0
DAY = 86_400.0
KEPT_THUMBS = 4_000


@asynccontextmanager
async def watching(state: ServerState) -> AsyncIterator[None]:
    """Tell the open pages while this lasts when the node types have changed."""
    task = asyncio.create_task(_watch(state))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _watch(state: ServerState) -> None:
    await state.pool.warm()
    stamp = hash = None
    while True:
        with suppress(GraphErrors, OSError):
            fresh = await asyncio.to_thread(_stamp, state.packs)
            if fresh != stamp:
                now = await state.pool.run(specs.current, state.packs)
                if hash is not None and now != hash:
                    state.hub.broadcast({"type": "specs", "hash": now})
                stamp, hash = fresh, now
        await asyncio.sleep(SECONDS)


def _stamp(packs: tuple[Path, ...]) -> tuple[str, ...]:
    return tuple(pack.stamp() for pack in (*installed(), *(from_folder(folder) for folder in packs)))


async def tidy(roots: Roots) -> None:
    """Remove uploads that were never finished, and the oldest thumbnails."""
    await asyncio.to_thread(_tidy, roots)


def _tidy(roots: Roots) -> None:
    for name in ROOTS:
        for left in (roots.root(name) / UPLOADS).glob(f"{PART}*"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > DAY:
                    shutil.rmtree(left) if left.is_dir() else left.unlink()
    ages: list[tuple[float, Path]] = []
    for thumb in thumbs_folder(roots).glob("*.webp"):
        with suppress(OSError):
            ages.append((thumb.stat().st_mtime, thumb))
    for _, thumb in sorted(ages, reverse=True)[KEPT_THUMBS:]:
        thumb.unlink(missing_ok=True)
