"""The open pages: what each one is told over its WebSocket, as fast as it listens and no faster than it can draw.

Nothing piles up for a page that does not listen. Events are read from the run's journal at the place where the page is,
so that none is lost and none comes twice; everything else is a state, of which only the latest is kept.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgpack
from aiohttp import WSCloseCode, WSMsgType, web

from ...errors import GraphErrors
from ...events import Event
from ..json_text import to_text
from .journal import Journal

Message = Mapping[str, Any]
Greet = Callable[[], Awaitable[list[Message]]]
Journals = Callable[[str], Journal | None]

INTERVAL = 0.1
"""Seconds between two messages with events of one job."""
BATCH = 2_000
"""Events that a message holds at most."""
FOLLOWED = 64
"""Jobs that a page follows at most."""
CLIENT_MESSAGE = 16 * 1024
HEARTBEAT = 20.0
PICTURES = 256
"""Pictures that are kept for pages that come later."""


@dataclass(eq=False)
class _Follow:
    """Where a page is in the events of a job, and when it may be told more."""

    since: int
    due: float = 0.0


class Hub:
    """All open pages."""

    def __init__(self) -> None:
        self._pages: set[_Page] = set()
        self._pictures: dict[tuple[str, str, str], bytes] = {}
        self._greet: Greet | None = None
        self._journals: Journals | None = None
        self._open = False

    def connect(self, greet: Greet, journals: Journals) -> None:
        """Say where pages get the state at their start and the events of a job."""
        self._greet = greet
        self._journals = journals

    async def start(self) -> None:
        """Let pages in."""
        self._open = True

    async def stop(self) -> None:
        """Close the connection of every page; may be called again."""
        self._open = False
        for page in list(self._pages):
            await page.close()

    def __len__(self) -> int:
        return len(self._pages)

    def broadcast(self, message: Message) -> None:
        """Tell every page; of messages of one type (and about one job) that a page has not got yet, only the last."""
        for page in self._pages:
            page.tell(message)

    def news(self, job: str) -> None:
        """There are new events of a job."""
        for page in self._pages:
            page.look(job)

    def picture(self, frame: Mapping[str, Any]) -> None:
        """Show a node's value, a PictureFrame, to the pages that follow its job, and to those that follow it later."""
        key = (frame["job"], frame["node"], frame["port"])
        self._pictures.pop(key, None)
        self._pictures[key] = data = msgpack.packb(frame)
        while len(self._pictures) > PICTURES:
            del self._pictures[next(iter(self._pictures))]
        for page in self._pages:
            page.show(key, data)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One page, until it goes."""
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=CLIENT_MESSAGE)
        await socket.prepare(request)
        if not self._open or self._greet is None or self._journals is None:
            await socket.close(code=WSCloseCode.GOING_AWAY)
            return socket
        page = _Page(socket, self._journals)
        self._pages.add(page)
        writer: asyncio.Task[None] | None = None
        try:
            with suppress(GraphErrors):
                page.greet(await self._greet())
            writer = asyncio.create_task(page.write())
            async for received in socket:
                if received.type is WSMsgType.TEXT:
                    self._hear(page, received.data)
        finally:
            self._pages.discard(page)
            if writer is not None:
                writer.cancel()
                with suppress(asyncio.CancelledError):
                    await writer
        return socket

    def _hear(self, page: _Page, text: str) -> None:
        """A message of a page; what is none is not answered."""
        try:
            message = json.loads(text)
            kind, job, since = message["type"], message["job"], message.get("since", 0)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return
        if kind == "unfollow" and isinstance(job, str):
            page.unfollow(job)
        if kind == "follow" and isinstance(job, str) and isinstance(since, int) and page.follow(job, since):
            for key, data in self._pictures.items():
                page.show(key, data)


class _Page:
    def __init__(self, socket: web.WebSocketResponse, journals: Journals) -> None:
        self._socket = socket
        self._journals = journals
        self._messages: dict[tuple[str, str], Message] = {}
        self._frames: dict[tuple[str, str, str], bytes] = {}
        self._follows: dict[str, _Follow] = {}
        self._news: set[str] = set()
        self._wake = asyncio.Event()

    def greet(self, messages: Iterable[Message]) -> None:
        """Send these before all else; what was told meanwhile is newer and stands in for those of its kind."""
        self._messages = {**{_kind(message): message for message in messages}, **self._messages}
        self._wake.set()

    def tell(self, message: Message) -> None:
        """Send a message instead of one of the same kind that is not sent yet."""
        self._messages.pop(_kind(message), None)
        self._messages[_kind(message)] = message
        self._wake.set()

    def show(self, key: tuple[str, str, str], frame: bytes) -> None:
        if key[0] in self._follows:
            self._frames[key] = frame
            self._wake.set()

    def follow(self, job: str, since: int) -> bool:
        """Send the events after number `since`; False where that cannot be."""
        if self._journals(job) is None or (job not in self._follows and len(self._follows) >= FOLLOWED):
            return False
        self._follows[job] = _Follow(max(since, 0))
        self.look(job)
        return True

    def unfollow(self, job: str) -> None:
        self._follows.pop(job, None)
        self._news.discard(job)

    def look(self, job: str) -> None:
        if job in self._follows:
            self._news.add(job)
            self._wake.set()

    async def close(self) -> None:
        with suppress(ConnectionError, TimeoutError):
            await self._socket.close(code=WSCloseCode.GOING_AWAY, message=b"the server stops")

    async def write(self) -> None:
        """Send what there is to send, until the page is gone."""
        with suppress(ConnectionError):
            while True:
                await self._wait()
                while self._messages:
                    message = self._messages.pop(next(iter(self._messages)))
                    await self._socket.send_str(to_text(message))
                while self._frames:
                    key = next(iter(self._frames))
                    await self._socket.send_bytes(self._frames.pop(key))
                for job in self._due():
                    await self._send_events(job)

    async def _wait(self) -> None:
        """Until somebody has something to say, or a job whose turn had not come yet is due."""
        due = [self._follows[job].due for job in self._news if job in self._follows]
        delay = min(due, default=None)
        if delay is not None:
            delay = max(0.0, delay - asyncio.get_running_loop().time())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), delay)
        self._wake.clear()

    def _due(self) -> list[str]:
        now = asyncio.get_running_loop().time()
        return [job for job in self._news if job in self._follows and self._follows[job].due <= now]

    async def _send_events(self, job: str) -> None:
        journal, follow = self._journals(job), self._follows.get(job)
        self._news.discard(job)
        if journal is None or follow is None:  # the page may stop to follow it while it is told of another
            return
        events = await journal.after(follow.since, BATCH)
        if self._follows.get(job) is not follow:
            return
        if events:
            follow.since = events[-1]["seq"]
            follow.due = asyncio.get_running_loop().time() + INTERVAL
            self._news.add(job)
            await self._socket.send_str(to_text({"type": "events", "job": job, "events": thinned(events)}))


def thinned(events: Iterable[Event]) -> list[Event]:
    """Events without the progress that a later one of the same node in them makes old."""
    kept: list[Event] = []
    latest: set[str] = set()
    for event in reversed(list(events)):
        if event["kind"] == "progress":
            if event["node"] in latest:
                continue
            latest.add(event["node"])
        kept.append(event)
    return kept[::-1]


def _kind(message: Message) -> tuple[str, str]:
    """Type of a message, and the job that it is about."""
    return message["type"], message["job"]["id"] if message["type"] == "job" else ""
