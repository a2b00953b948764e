"""Buckets for a million pictures, and the bucket algorithms of other trainers beside ours.

Figures of 2 cores without a GPU:

    data.auto_bucket, 1,000,000 pictures: 1.2 s, 504 MB in all, of which 460 are the data set
    data.ratio_bucket, 1,000,000 pictures: 0.8 s, 461 MB

3000 pictures, 1024 x 1024, batch size 4

| algorithm | buckets | crop mean / p95 / max | area | small | drop | copies | both |
|---|---|---|---|---|---|---|---|
| kohya, at most 1024 | 24 | 1.6% / 4.1% / 10.5% | 0.734 (0.25) | 1 | 1.5% | 44 | 3.0% |
| kohya, at most 2048 | 28 | 2.6% / 5.5% / 6.8% | 0.980 (0.91) | 7 | 1.1% | 52 | 4.3% |
| kohya no_upscale /64 | 169 | 2.5% / 5.4% / 11.1% | 0.895 (0.23) | 79 | 8.4% | 312 | 12.9% |
| kohya no_upscale /32 | 352 | 0.9% / 2.8% / 4.8% | 0.920 (0.24) | 256 | 17.3% | 756 | 26.1% |
| OneTrainer /64 | 16 | 3.6% / 9.5% / 12.4% | 0.995 (0.98) | 3 | 0.8% | 28 | 4.5% |
| ai-toolkit /64 | 145 | 1.9% / 3.6% / 8.1% | 0.920 (0.23) | 74 | 7.9% | 272 | 11.0% |
| ai-toolkit /16 | 517 | 0.4% / 0.9% / 2.4% | 0.938 (0.27) | 397 | 21.6% | 1220 | 41.0% |
| SimpleTuner /64 | 43 | 2.3% / 4.7% / 6.2% | 0.997 (0.94) | 13 | 1.9% | 80 | 5.0% |
| HCP-Diffusion, 10 /8 | 10 | 2.9% / 8.9% / 32.1% | 1.000 (1.00) | 0 | 0.3% | 16 | 3.4% |
| diffusers' ladder | 11 | 2.7% / 9.8% / 45.2% | 0.996 (0.99) | 0 | 0.3% | 20 | 3.4% |
| data.ratio_bucket, 10 /8 | 10 | 2.9% / 8.9% / 32.1% | 1.000 (1.00) | 0 | 0.4% | 16 | 3.4% |
| data.ratio_grid_bucket, 10 /8 | 10 | 6.1% / 12.5% / 18.7% | 1.000 (1.00) | 1 | 0.7% | 16 | 6.6% |
| **data.auto_bucket /64** | 19 | 2.6% / 5.6% / 18.7% | 0.992 (0.95) | 0 | 0.0% | 0 | 2.6% |
| **data.auto_bucket /8, at most 10** | 10 | 3.2% / 11.8% / 19.9% | 1.000 (0.99) | 0 | 0.0% | 0 | 3.2% |
| **data.auto_bucket /8** | 37 | 0.7% / 2.3% / 19.4% | 1.000 (0.99) | 0 | 0.0% | 0 | 0.7% |

60 pictures, 1024 x 1024, batch size 4

| algorithm | buckets | crop mean / p95 / max | area | small | drop | copies | both |
|---|---|---|---|---|---|---|---|
| kohya, at most 1024 | 16 | 1.6% / 4.1% / 4.5% | 0.725 (0.38) | 8 | 33.3% | 36 | 61.6% |
| kohya, at most 2048 | 12 | 2.8% / 5.1% / 6.2% | 0.980 (0.94) | 5 | 33.3% | 20 | 36.1% |
| kohya no_upscale /64 | 27 | 2.8% / 5.7% / 7.2% | 0.875 (0.38) | 20 | 53.3% | 60 | 102.8% |
| kohya no_upscale /32 | 38 | 1.1% / 2.9% / 4.3% | 0.903 (0.42) | 35 | 80.0% | 100 | 167.7% |
| OneTrainer /64 | 8 | 3.4% / 8.9% / 10.9% | 0.995 (0.98) | 1 | 13.3% | 16 | 30.1% |
| ai-toolkit /64 | 27 | 2.0% / 3.6% / 5.0% | 0.907 (0.38) | 21 | 60.0% | 64 | 108.7% |
| ai-toolkit /16 | 41 | 0.4% / 0.9% / 1.2% | 0.925 (0.42) | 38 | 80.0% | 112 | 187.0% |
| SimpleTuner /64 | 14 | 2.3% / 4.6% / 5.9% | 1.001 (0.96) | 7 | 46.7% | 28 | 48.9% |
| HCP-Diffusion, 10 /8 | 10 | 1.9% / 5.2% / 6.4% | 1.001 (0.99) | 2 | 26.7% | 20 | 35.3% |
| diffusers' ladder | 10 | 2.2% / 8.7% / 21.5% | 0.996 (0.99) | 2 | 26.7% | 24 | 42.2% |
| data.ratio_bucket, 10 /8 | 10 | 1.9% / 5.2% / 6.4% | 1.001 (0.99) | 2 | 26.7% | 20 | 35.3% |
| data.ratio_grid_bucket, 10 /8 | 7 | 6.3% / 12.7% / 14.5% | 1.000 (1.00) | 1 | 13.3% | 12 | 26.3% |
| **data.auto_bucket /64** | 6 | 6.7% / 15.0% / 18.9% | 0.991 (0.96) | 0 | 0.0% | 0 | 6.7% |
| **data.auto_bucket /8, at most 10** | 7 | 5.7% / 16.4% / 18.0% | 0.999 (1.00) | 0 | 0.0% | 0 | 5.7% |
| **data.auto_bucket /8** | 7 | 5.7% / 16.4% / 18.0% | 0.999 (1.00) | 0 | 0.0% | 0 | 5.7% |

`crop` is the share of a picture's area that is cut off; `area` the bucket's area over the target's, mean (least), over
pictures; `small` buckets with less than a batch; `drop` the samples that are left out if leftovers are, in percent;
`copies` those that are repeated if leftovers are filled up; `both` what crops and copies cost together, as a share of
all pictures. The other algorithms are written in a few lines after the description of each project's source (that of
diffusers is its own) and fed with the same sizes: half of the pictures have one of the common ratios, 1:1, 4:3, 3:2,
16:9 in both directions, half have any (log-normal); areas are log-normal around 1.5 megapixels. Seed 0.

    python benchmarks/buckets.py             # both tables
    python benchmarks/buckets.py --million   # the first
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hcpgraph_nodes.data.auto_bucket import auto_bucket
from hcpgraph_nodes.data.bucketing.bucketed import Bucketed
from hcpgraph_nodes.data.bucketing.kmeans import kmeans_1d
from hcpgraph_nodes.data.bucketing.sizing import size_of
from hcpgraph_nodes.data.ratio_bucket import ratio_bucket
from hcpgraph_nodes.data.ratio_grid_bucket import ratio_grid_bucket
from hcpgraph_nodes.data.sources.dataset import Dataset, PictureFile, Sample

from hcpgraph.testing import context

MILLION = 1_000_000
EDGE = 1024
TARGET = EDGE**2
BATCH = 4
Shapes = np.ndarray
Rule = Callable[[np.ndarray], Shapes]


def web(count: int) -> np.ndarray:
    """(width, height) of a mixed set of pictures, (N, 2)."""
    rng = np.random.default_rng(0)
    common = np.array([1, 4 / 3, 3 / 4, 3 / 2, 2 / 3, 16 / 9, 9 / 16])
    ratio = np.where(rng.random(count) < 0.5, rng.choice(common, count), np.exp(rng.normal(0, 0.4, count)))
    area = np.exp(rng.normal(np.log(1.5e6), 0.5, count))
    return np.maximum(1, np.stack([np.sqrt(area * ratio), np.sqrt(area / ratio)], axis=1).round()).astype(np.int64)


def dataset(sizes: np.ndarray) -> Dataset:
    return Dataset("web", tuple(Sample(PictureFile("", (w, h)), "", "") for w, h in sizes.tolist()))


def nearest_linear(sizes: np.ndarray, shapes: np.ndarray) -> Shapes:
    """Every picture's shape, by the difference of width / height."""
    far = np.abs((sizes[:, 0] / sizes[:, 1])[:, None] - (shapes[:, 0] / shapes[:, 1])[None])
    picked: Shapes = shapes[far.argmin(axis=1)]
    return picked


def ladder(longest: int) -> Rule:
    """kohya's make_bucket_resolutions: for every width the tallest height within the area, both ways."""

    def rule(sizes: np.ndarray) -> Shapes:
        shapes = {(EDGE, EDGE)}
        for width in range(256, longest + 1, 64):
            height = min(longest, TARGET // width // 64 * 64)
            if height >= 256:
                shapes |= {(width, height), (height, width)}
        return nearest_linear(sizes, np.array(sorted(shapes)))

    return rule


def no_upscale(step: int) -> Rule:
    """kohya's bucket_no_upscale: shrink to the area, floor to the step."""

    def rule(sizes: np.ndarray) -> Shapes:
        scale = np.minimum(1, np.sqrt(TARGET / sizes.prod(axis=1)))[:, None]
        return np.maximum(step, (sizes * scale + 0.5).astype(np.int64) // step * step)

    return rule


def onetrainer(sizes: np.ndarray) -> Shapes:
    """Nine fixed ratios both ways, rounded to 64, by the difference of height / width."""
    ratios = np.array([1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4])
    ratios = np.unique(np.concatenate([ratios, 1 / ratios]))
    shapes = np.stack([np.rint(EDGE / np.sqrt(ratios) / 64), np.rint(EDGE * np.sqrt(ratios) / 64)], 1).astype(int) * 64
    return nearest_linear(sizes[:, ::-1], shapes[:, ::-1])[:, ::-1]


def ai_toolkit(step: int) -> Rule:
    """Each picture's own size within the area, not enlarged: of the floors and ceilings the one that crops least."""

    def rule(sizes: np.ndarray) -> Shapes:
        ideal = sizes * np.minimum(1, np.sqrt(TARGET / sizes.prod(axis=1)))[:, None]
        low = np.maximum(1, (ideal / step).astype(np.int64))
        options = np.stack([low + add for add in ([0, 0], [0, 1], [1, 0], [1, 1])]) * step
        lost = np.stack([crop(sizes, option) for option in options])
        lost[(options.prod(axis=2) > TARGET) & (np.arange(4) > 0)[:, None]] = 2
        picked: Shapes = options[lost.argmin(axis=0), np.arange(len(sizes))]
        return picked

    return rule


def simpletuner(sizes: np.ndarray) -> Shapes:
    """Ratios rounded to two decimals, each with its size rounded to 64."""
    ratio = (sizes[:, 0] / sizes[:, 1]).round(2).clip(0.1)
    sides = np.stack([EDGE * np.sqrt(ratio), EDGE / np.sqrt(ratio)], axis=1)
    return np.maximum(64, np.rint(sides / 64).astype(np.int64) * 64)


def hcp(sizes: np.ndarray) -> Shapes:
    """HCP-Diffusion's RatioBucket.from_files: ten clusters of log2 ratios, each picture with its cluster."""
    logs = np.log2(sizes[:, 0] / sizes[:, 1])
    centres = kmeans_1d(logs, 10)
    shapes = np.array([size_of(float(c), TARGET, 8) for c in centres])
    picked: Shapes = shapes[np.abs(logs[:, None] - centres[None]).argmin(axis=1)]
    return picked


def diffusers(sizes: np.ndarray) -> Shapes:
    """The ladder of diffusers' training scripts, by its own functions."""
    from diffusers.training_utils import find_nearest_bucket, generate_aspect_ratio_buckets

    ladder = generate_aspect_ratio_buckets(EDGE)
    return np.array([ladder[find_nearest_bucket(h, w, ladder)][::-1] for w, h in sizes.tolist()])


OTHERS: dict[str, Rule] = {
    "kohya, at most 1024": ladder(1024),
    "kohya, at most 2048": ladder(2048),
    "kohya no_upscale /64": no_upscale(64),
    "kohya no_upscale /32": no_upscale(32),
    "OneTrainer /64": onetrainer,
    "ai-toolkit /64": ai_toolkit(64),
    "ai-toolkit /16": ai_toolkit(16),
    "SimpleTuner /64": simpletuner,
    "HCP-Diffusion, 10 /8": hcp,
    "diffusers' ladder": diffusers,
}


def crop(sizes: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """Share of each picture that is cut off when it is scaled to cover its shape."""
    scaled = sizes * (shapes / sizes).max(axis=1, keepdims=True)
    lost: np.ndarray = 1 - shapes.prod(axis=1) / np.maximum(shapes, np.rint(scaled)).prod(axis=1)
    return lost


@dataclass(frozen=True)
class Row:
    name: str
    shapes: np.ndarray

    def print(self, sizes: np.ndarray) -> None:
        lost, area = crop(sizes, self.shapes), self.shapes.prod(axis=1) / TARGET
        counts = np.unique(self.shapes, axis=0, return_counts=True)[1]
        cells = [
            f"{len(counts)}",
            f"{lost.mean():.1%} / {np.quantile(lost, 0.95):.1%} / {lost.max():.1%}",
            f"{area.mean():.3f} ({area.min():.2f})",
            f"{(counts < BATCH).sum()}",
            f"{(counts % BATCH).sum() / len(sizes):.1%}",
            f"{(-counts % BATCH).sum()}",
            f"{lost.mean() + (-counts % BATCH).sum() / len(sizes):.1%}",
        ]
        print(f"| {self.name} | " + " | ".join(cells) + " |")


def shapes_of(data: Bucketed) -> np.ndarray:
    shapes = np.empty((len(data.dataset), 2), np.int64)
    for bucket in data.buckets:
        shapes[list(bucket.members)] = bucket.width, bucket.height
    return shapes


def compare(folder: Path, count: int) -> None:
    sizes = web(count)
    data, ctx = dataset(sizes), context(folder)
    rows = [Row(name, rule(sizes)) for name, rule in OTHERS.items()]
    ours = {
        "data.ratio_bucket, 10 /8": ratio_bucket(ctx, data, target_area=TARGET),
        "data.ratio_grid_bucket, 10 /8": ratio_grid_bucket(ctx, data, target_area=TARGET),
        "**data.auto_bucket /64**": auto_bucket(ctx, data, target_area=TARGET, step_size=64, batch_size=BATCH),
        "**data.auto_bucket /8, at most 10**": auto_bucket(
            ctx, data, target_area=TARGET, batch_size=BATCH, max_buckets=10
        ),
        "**data.auto_bucket /8**": auto_bucket(ctx, data, target_area=TARGET, batch_size=BATCH),
    }
    rows += [Row(name, shapes_of(made)) for name, made in ours.items()]
    print(f"\n{count} pictures, {EDGE} x {EDGE}, batch size {BATCH}\n")
    print("| algorithm | buckets | crop mean / p95 / max | area | small | drop | copies | both |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        row.print(sizes)


def million(name: str, folder: Path) -> None:
    """Plan for a million pictures in this process."""
    data, ctx = dataset(web(MILLION)), context(folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    made = {"auto": auto_bucket, "ratio": ratio_bucket}[name](ctx, data)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"data.{name}_bucket: {seconds:.1f} s, {len(made.buckets)} buckets, peak {peak:.0f} MB ({before:.0f} before)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--million", action="store_true", help="only the time and memory of a million pictures")
    parser.add_argument("--plan", choices=("auto", "ratio"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.plan:
            million(options.plan, Path(folder))
            return
        for name in ("auto", "ratio"):
            subprocess.run([sys.executable, __file__, "--plan", name], check=True)
        if not options.million:
            for count in (3000, 60):
                compare(Path(folder), count)


if __name__ == "__main__":
    main()
