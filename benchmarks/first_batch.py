"""How long a training waits for its first batch from two workers.

    python benchmarks/first_batch.py [--pictures 10000] [--rounds 5]

Each round is a process of its own. `fork` is DataLoader's start on Linux, which copies the process with its threads and
so may hang for ever; it is the measure here. `first`: the loader is made and asked at once, so that the process which
readers are forked from imports torch meanwhile. `later`: it is asked 3 s after it was made, as when a model is read in
between. `second`: another loader of the same process.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from hcpgraph_nodes.data.bucketing.bucketed import Bucket, Bucketed
from hcpgraph_nodes.data.loader import Loader
from hcpgraph_nodes.data.sources.dataset import Dataset, PictureFile, Sample
from PIL import Image
from torch.utils.data import DataLoader

KINDS = ("fork", "first", "later", "second")
MODEL_SECONDS = 3.0


def made(file: Path, pictures: int) -> Loader:
    samples = tuple(Sample(PictureFile(str(file), (64, 64)), f"picture {i}", str(i)) for i in range(pictures))
    bucket = Bucket(64, 64, tuple(range(pictures)))
    return Loader(Bucketed(Dataset("pictures", samples), (bucket,), "center", "partial"), 4, workers=2)


def wait(kind: str, file: Path, pictures: int) -> float:
    """Seconds that the training waits: for the making of the loader and for its first batch."""
    loader = made(file, pictures)
    if kind == "fork":
        start = time.perf_counter()
        steps = torch.utils.data.SequentialSampler(range(1000))
        reads = [loader.read] * 1000
        next(iter(DataLoader(_Reads(reads), None, sampler=steps, num_workers=2, multiprocessing_context="fork")))
        return time.perf_counter() - start
    if kind == "second":
        loader.batch(0)
        loader = made(file, pictures)
    start = time.perf_counter()
    loader.get_ready()
    ready = time.perf_counter() - start
    if kind == "later":
        time.sleep(MODEL_SECONDS)
    start = time.perf_counter()
    loader.batch(0)
    waited = ready + time.perf_counter() - start
    loader.close()
    return waited


class _Reads:
    def __init__(self, reads: list) -> None:
        self.reads = reads

    def __getitem__(self, step: int) -> object:
        return self.reads[step](step)

    def __len__(self) -> int:
        return len(self.reads)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pictures", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--one", choices=KINDS, help=argparse.SUPPRESS)
    options.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.one:
        print(wait(asked.one, asked.file, asked.pictures))
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "picture.png"
        Image.new("RGB", (64, 64), "#336699").save(file)
        command = [sys.executable, __file__, "--file", str(file), "--pictures", str(asked.pictures), "--one"]
        for kind in KINDS:
            runs = (subprocess.run([*command, kind], check=True, capture_output=True) for _ in range(asked.rounds))
            print(f"{kind:8} {statistics.median(float(run.stdout) for run in runs):6.2f} s")


if __name__ == "__main__":
    main()
