"""Which device a run uses, and its memory; torch is imported only where an accelerator may be."""

from __future__ import annotations

import platform
from pathlib import Path

from .errors import GraphErrors

DRIVERS = (Path("/proc/driver/nvidia"), Path("/dev/kfd"), Path("/dev/dxg"))


def pick_device(asked: str) -> str:
    """The device that `auto` means here, or the asked one if it is there.

    Raises:
        GraphErrors: E_DEVICE, it is not there.
    """
    if asked == "cpu":
        return asked
    likely = any(path.exists() for path in DRIVERS) or platform.system() in ("Windows", "Darwin")
    if asked == "auto" and not likely:
        return "cpu"
    import torch

    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, index = asked.partition(":")
    count = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}.get(kind, 0)
    if not (index or "0").isdigit() or int(index or 0) >= count:
        hint = "use --device cpu; what is there: hcpgraph doctor"
        raise GraphErrors.one("E_DEVICE", f"there is no device '{asked}' here", hint=hint)
    return asked


def peak_memory(device: str) -> int:
    """Highest use of memory so far, in bytes: of a CUDA device, else of this process; 0 where nobody tells."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:
        return 0
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if platform.system() == "Darwin" else size * 1024
