"""How busy the machine is: processor, memory, the worker's share of it, and NVIDIA GPUs where there are any."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from typing import Any

import psutil

from ...processes.commands import ask

QUERY = "--query-gpu=name,memory.used,memory.total,utilization.gpu"
TIMEOUT = 5.0


class Meter:
    """Samples the schema's Meter; sizes are in bytes, loads in percent."""

    def __init__(self) -> None:
        self._tool = shutil.which("nvidia-smi")
        psutil.cpu_percent()

    async def sample(self, worker: int | None) -> dict[str, Any]:
        """The state now; the processor's load is that since the sample before.

        Args:
            worker: Process id of the worker, if it runs.
        """
        memory = psutil.virtual_memory()
        return {
            "cpu": psutil.cpu_percent(),
            "memory": memory.total - memory.available,
            "memory_total": memory.total,
            "worker_memory": await asyncio.to_thread(_family, worker) if worker else 0,
            "gpus": await self._gpus(),
        }

    async def _gpus(self) -> list[dict[str, Any]]:
        """What nvidia-smi says; a tool that fails or hangs is not asked again."""
        if self._tool is None:
            return []
        out = await ask(self._tool, QUERY, "--format=csv,noheader,nounits", seconds=TIMEOUT)
        if out is None:
            self._tool = None
            return []
        return [_gpu(line) for line in out.decode(errors="replace").splitlines() if line.count(",") >= 3]


def _family(pid: int) -> int:
    """Memory of a process and what it started, such as the workers of a data loader."""
    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += member.memory_info().rss
    return total


def _gpu(line: str) -> dict[str, Any]:
    name, used, total, load = (part.strip() for part in line.rsplit(",", 3))
    return {
        "name": name,
        "used": int(_number(used) or 0) << 20,
        "total": int(_number(total) or 0) << 20,
        "load": _number(load),
    }


def _number(text: str) -> float | None:
    """A number, or None for `[N/A]`."""
    try:
        return float(text)
    except ValueError:
        return None
