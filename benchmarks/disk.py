"""What it costs to bring a cache entry to the disk before it gets its name, and to read a long queue of jobs."""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from unittest import mock

import torch

from hcpgraph.running.codec import write_folder
from hcpgraph.server.queue.database import Jobs


def entries(folder: Path, count: int) -> float:
    """Milliseconds an entry."""
    began = time.perf_counter()
    for number in range(count):
        write_folder(folder / str(number), {"a": torch.randn(1000), "b": [1, 2, 3]})
    return (time.perf_counter() - began) / count * 1000


async def queue(path: Path, count: int) -> float:
    """Seconds to read a queue of so many jobs."""
    jobs = Jobs(path)
    await jobs.start()
    try:
        for _ in range(count):
            await jobs.add("{}", "h", title="job")
        began = time.perf_counter()
        assert len(await jobs.queue()) == count
        return time.perf_counter() - began
    finally:
        await jobs.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    times: dict[str, list[float]] = {"synchronised": [], "not": []}
    with tempfile.TemporaryDirectory(dir=".") as place:
        for number in range(asked.rounds):
            times["synchronised"].append(entries(Path(place, f"a{number}"), asked.entries))
            with mock.patch.object(os, "fsync", lambda handle: None):
                times["not"].append(entries(Path(place, f"b{number}"), asked.entries))
        for name, found in times.items():
            print(f"cache entry, {name}: median {statistics.median(found):.2f} ms")
        print(f"queue of {asked.jobs} jobs: {asyncio.run(queue(Path(place, 'jobs.sqlite'), asked.jobs)):.3f} s")


if __name__ == "__main__":
    main()
