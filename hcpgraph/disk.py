"""When the disk takes no more: which errors say so, and what to do."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

REFUSALS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""No space, over quota, too large a file, read-only: only what is written meets these."""
HINT = "make room or see the rights of the folder, or write elsewhere: --workspace DIR, --out DIR, --root NAME=DIR"
_NUMBER = re.compile(r"\(os error (\d+)\)")


def refused(error: BaseException) -> str | None:
    """What the disk said, if an error is a refusal of the disk."""
    if not isinstance(error, OSError) or error.errno not in REFUSALS:
        return None
    where = f": {error.filename}" if error.filename else ""
    return f"{(error.strerror or os.strerror(error.errno)).lower()}{where}"


@contextmanager
def told_by_safetensors() -> Iterator[None]:
    """Within it what safetensors says of the disk is an OSError as others raise it.

    Raises:
        OSError: the disk does not take a file.
    """
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        number = _NUMBER.search(str(error))
        raise OSError(int(number[1]) if number else errno.EIO, f"{error}") from None
