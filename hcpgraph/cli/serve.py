"""`hcpgraph serve`: the editor in the browser, and the API below it."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import threading
import webbrowser
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from ..errors import GraphErrors
from .common import CANCELLED, Command, allow_write_option, pack_option, root_option, said, workspace_option
from .signals import HANGUP, leave, stopping
from .workspace import welcome

if TYPE_CHECKING:
    from aiohttp import web

    from ..server.state import ServerState

PORT = 8188
CLOSING_SECONDS = 60.0


@click.command("serve", cls=Command)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on; 0: a free one."
)
@workspace_option
@root_option
@pack_option
@allow_write_option
@click.option("--token", help="The secret of the address. [default: a new random one at every start]")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def command(
    host: str,
    port: int,
    workspace: Path | None,
    roots: dict[str, Path],
    packs: tuple[Path, ...],
    allow_write: tuple[str, ...],
    token: str | None,
    no_browser: bool,
) -> None:
    """Open the editor: build graphs, run them, watch them.

    The address that is printed holds a secret: who has it may run graphs and read the files of the workspace.
    --allow-write holds for every run; the editor asks for one run where a graph wants more.
    Ctrl-C stops a run after its step, keeps its checkpoint, and ends the server.
    """
    from ..server.http.security import MIN_TOKEN, is_loopback
    from ..server.start import log_to_stderr, make_state

    if token is not None and (len(token) < MIN_TOKEN or not token.isascii() or not token.isalnum()):
        raise click.BadParameter(f"at least {MIN_TOKEN} letters and digits", param_hint="--token")
    log_to_stderr()
    welcome(workspace, roots)
    state = make_state(workspace, roots, packs, token or secrets.token_hex(24), host, allow_write)
    if not is_loopback(host):
        said(
            f"warning: {host} can be reached by other machines. Whoever has the address with its secret can run graphs "
            "here and read and delete files of the workspace; it travels unencrypted. Safer: leave out --host and use "
            "an SSH tunnel.",
            fg="yellow",
        )
    asyncio.run(_serve(state, host, port, browser=not no_browser))


async def _serve(state: ServerState, host: str, port: int, *, browser: bool) -> None:
    from aiohttp import web

    from ..server.http.app import create_app

    runner = web.AppRunner(
        create_app(state), access_log=None, handle_signals=False, shutdown_timeout=3.0, auto_decompress=False
    )
    stopped = _stop_signals()
    try:
        await runner.setup()
        await _listen(runner, host, port)
        url = _url(runner, host, state.token)
        click.echo(url)
        said("the editor is open there; Ctrl-C ends it")
        if browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        await stopped.wait()
        said("\nstopping")
    finally:
        await asyncio.wait_for(runner.cleanup(), CLOSING_SECONDS)


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    from aiohttp import web

    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        hint = "is another editor open there? --port 0 takes a free port" if port else None
        raise GraphErrors.one("E_LISTEN", f"cannot listen on {host}:{port}: {reason.lower()}", hint=hint) from None


def _url(runner: web.AppRunner, host: str, token: str) -> str:
    port = runner.addresses[0][1]
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}
    name = anywhere.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/?token={token}"


def _stop_signals() -> asyncio.Event:
    """An event that Ctrl-C, SIGTERM and a closed terminal set; a second of the first two ends the process at once."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    terminals = [number for number in (0, 1, 2) if os.isatty(number)]

    def stop(number: int, frame: FrameType | None) -> None:
        if number == HANGUP:
            leave(terminals)
        elif stopped.is_set():
            os._exit(CANCELLED)
        loop.call_soon_threadsafe(stopped.set)

    for number in stopping():
        signal.signal(number, stop)
    return stopped
