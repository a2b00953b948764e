"""The JSON object in the body of a request, read strictly and within limits; also in a helper, without aiohttp."""

from __future__ import annotations

from typing import Any

from ...document import strict_json
from ...document.fileformat import MAX_BYTES, MAX_DEPTH
from ...errors import GraphErrors

JSON_BYTES = MAX_BYTES + 64 * 1024
"""Of a JSON body: a graph and what is said beside it."""
WRAPPING = 1
"""How much deeper than a graph a body with a graph in it is nested."""


def json_object(data: bytes) -> dict[str, Any]:
    """The JSON object that bytes hold.

    Raises:
        GraphErrors: as `read_json`.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise GraphErrors.one("E_JSON", f"the body is not UTF-8 at byte {error.start}") from None
    if strict_json.depth(text) > MAX_DEPTH + WRAPPING:
        raise GraphErrors.one("E_TOO_DEEP", f"objects and lists are nested more than {MAX_DEPTH} deep")
    value, problems = strict_json.parse(text)
    if problems:
        raise GraphErrors(problems)
    if not isinstance(value, dict):
        raise GraphErrors.one("E_FIELD", "the body is no JSON object")
    return value
