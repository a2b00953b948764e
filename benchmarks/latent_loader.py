"""How many cached samples a second data.latent_loader gives, from the disk's mapped files and from memory.

    python benchmarks/latent_loader.py [--samples 20000] [--batch 8] [--seconds 5]

Items are written into a store of their own in a temporary folder, as data.latents writes them, without a VAE. Printed
are, for latents of 4 × 64 × 64 (Stable Diffusion at 512 × 512) and 16 × 8 × 8 (the emoji model), float32, how long it
takes to write them, to check all of them when a run begins, and the samples a second of shuffled batches.
"""

import argparse
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from hcpgraph_nodes.data.batches.store import SampleStore
from hcpgraph_nodes.data.bucketing.bucketed import Bucket, Bucketed
from hcpgraph_nodes.data.latent_loader import LatentLoader
from hcpgraph_nodes.data.latents import LatentSet
from hcpgraph_nodes.data.sources.dataset import Dataset, PictureFile, Sample
from hcpgraph_nodes.model.statistics import Statistics

SHAPES = {"4x64x64": (4, 64, 64), "16x8x8": (16, 8, 8)}
AT_ONCE = 64


def filled(store: SampleStore, shape: tuple[int, ...], samples: int) -> list[str]:
    drawn = np.random.default_rng(0)
    keys = [sha256(f"{shape}{i}".encode()).hexdigest() for i in range(samples)]
    sizes = np.array([512, 512, 0, 0, 512, 512], np.int64)
    for start in range(0, samples, AT_ONCE):
        part = keys[start : start + AT_ONCE]
        drawn_of = {key: drawn.standard_normal((2, *shape), np.float32) for key in part}
        store.put({key: {"mean": m, "deviation": d, "sizes": sizes} for key, (m, d) in drawn_of.items()})
    return keys


def bucketed(samples: int) -> Bucketed:
    pictures = tuple(Sample(PictureFile(f"/{i}.png", (512, 512)), f"picture {i}", f"{i}.png") for i in range(samples))
    return Bucketed(Dataset("bench", pictures), (Bucket(512, 512, tuple(range(samples))),), "center", "pad_repeat")


def speed(loader: LatentLoader, seconds: float) -> float:
    """Samples a second; the first epoch's order is made before."""
    loader.batch(0)
    start, step = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        step += 1
        loader.batch(step)
    return step * loader.order.batch_size / (time.perf_counter() - start)


def measure(name: str, samples: int, batch: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        keys = filled(SampleStore(Path(folder)), SHAPES[name], samples)
        written = time.perf_counter()
        store = SampleStore(Path(folder))
        assert not store.missing(keys, lambda done, total: None)
        checked = time.perf_counter()
        mapped = store.open(keys)
        rows = ({index: (index,) for index in range(samples)},)
        found = []
        for items in (mapped, mapped.in_memory()):
            found.append(
                speed(LatentLoader(LatentSet(bucketed(samples), items, rows, Statistics(0.18215)), batch), seconds)
            )
        rates = (samples / (written - begun), samples / (checked - written), *found)
        told = zip(("written", "checked", "read from disk", "read from ram"), rates, strict=True)
        print(f"{name:>8}: " + ", ".join(f"{what} {rate:,.0f}/s" for what, rate in told))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    torch.set_num_threads(2)
    for name in SHAPES:
        measure(name, given.samples, given.batch, given.seconds)


if __name__ == "__main__":
    main()
