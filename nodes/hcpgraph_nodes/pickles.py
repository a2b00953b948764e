"""Files that torch pickled, read as tensors and plain containers alone: no code in them runs."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SAFER = "only tensors are ever taken from pickles; ask who made the file for a .safetensors of it"
_OBJECT = re.compile(r"GLOBAL ([A-Za-z_][\w.]*)")


class PickleTrouble(Exception):
    """Why a file cannot be read, in our words: those of torch advise to run what the file holds."""


def read_pickle(path: Path, allowed: Sequence[type] = ()) -> Any:
    """What `torch.save` wrote: tensors in containers of Python, on the CPU.

    Args:
        path: The file.
        allowed: Further classes that it may hold.

    Raises:
        PickleTrouble: it holds anything else, or is damaged.
    """
    import torch

    try:
        with torch.serialization.safe_globals(list(allowed)), warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise PickleTrouble(f"it cannot be read: {error.strerror}") from None
    except Exception as error:  # whatever a pickle may raise, some of it without a word
        found = _OBJECT.search(str(error))
        why = f"it holds {found[1]}, which is no tensor" if found else "it is damaged, or torch did not write it"
        raise PickleTrouble(why) from None
