"""What other libraries have and do not promise: every name that begins with `_` or is in no documentation of theirs.

Each stands behind a function of ours, and nowhere else. A release may take such a name away;
tests/test_private_names.py then says which, and of which version.
"""

from __future__ import annotations

from typing import Any


def tensor_version(tensor: Any) -> int:
    """How often a tensor was changed in place; torch.Tensor._version. One made in inference mode does not count."""
    return int(tensor._version)


def malformed_request() -> type[Exception]:
    """What a request raises that is no HTTP; aiohttp.http_exceptions.HttpProcessingError."""
    from aiohttp.http_exceptions import HttpProcessingError

    return HttpProcessingError
