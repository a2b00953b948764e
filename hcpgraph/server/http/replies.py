"""What routes share: reading a body within its limits, answering JSON, and the status that a problem means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from ...errors import GraphErrors, Problem
from ..json_text import to_text
from ..state import ServerState
from .bodies import JSON_BYTES, json_object

STATE = web.AppKey("state", ServerState)

STATUS = {
    "E_TOKEN": 401,
    "E_HOST": 403,
    "E_ORIGIN": 403,
    "E_NOT_FOUND": 404,
    "E_METHOD": 405,
    "E_CONFLICT": 409,
    "E_TOO_LARGE": 413,
    "E_CONTENT_TYPE": 415,
    "E_SERVER": 500,
    "E_WORKER": 503,
    "E_BUSY": 503,
    "E_DISK": 507,
}


def json_reply(data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer; infinite and undefined numbers, which JSON does not have, are null."""
    return json_text(to_text(data), status=status, headers=headers)


def json_text(text: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer whose JSON text is there already."""
    return web.Response(
        body=text.encode(errors="replace"), status=status, headers=headers, content_type="application/json"
    )


def failure(problems: Iterable[Problem], status: int | None = None) -> web.Response:
    """The answer to a request that cannot be served: every problem, under the status of the first one."""
    found = list(problems)
    chosen = status or next((STATUS[problem.code] for problem in found if problem.code in STATUS), 422)
    return json_reply({"problems": [problem.to_json() for problem in found]}, status=chosen)


async def read_body(request: web.Request, limit: int = JSON_BYTES) -> bytes:
    """The whole body.

    Raises:
        GraphErrors: E_TOO_LARGE, as soon as it is known.
    """
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    data = bytearray()
    async for chunk in request.content.iter_any():
        data += chunk
        if len(data) > limit:
            raise _too_large(limit)
    return bytes(data)


async def read_json(request: web.Request, limit: int = JSON_BYTES) -> dict[str, Any]:
    """The JSON object in the body. For bodies with a graph see `check`: those are read in a helper.

    Raises:
        GraphErrors: E_TOO_LARGE, E_TOO_DEEP, E_JSON and its kin, E_FIELD if it is no object.
    """
    return json_object(await read_body(request, limit))


def _too_large(limit: int) -> GraphErrors:
    return GraphErrors.one("E_TOO_LARGE", f"the body has more than {limit // 2**20} MB, which is the limit here")
