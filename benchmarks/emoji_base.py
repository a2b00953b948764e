"""How well a model knows its training pictures: does a caption give the right one?

    python benchmarks/emoji_base.py [--model builtin:emoji] [--limit 0] [--out sheet.png]

Captions and pictures are those of `data.openmoji` in graphs/train/emoji_base.json. Every caption is drawn once (picture
k from seed + k), brought to 16 × 16 by averaging, and compared with all training pictures in RGB by L2. Its rank is the
number of pictures that are strictly nearer than the right one, so that exact twins (some flags) do not count as wrong.
Prints the share of rank 0 (top-1) and of ranks below 5 (top-5), the time of one picture drawn alone, and the same as
one line of JSON; --out writes a 10 × 10 contact sheet.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from hcpgraph_nodes.image.grid import grid
from hcpgraph_nodes.image.pixels import from_pixels, to_pixels
from hcpgraph_nodes.types import Captions, Images
from PIL import Image
from torch import Tensor

import hcpgraph
from hcpgraph.testing import context

GRAPH = Path(__file__).resolve().parents[1] / "graphs/train/emoji_base.json"
SHEET = 100


def training_pictures() -> hcpgraph.Graph:
    """The data set of the training graph alone, at `pictures.out`."""
    g = hcpgraph.Graph()
    g.add("data.openmoji", "pictures", settings=hcpgraph.load(GRAPH).nodes["pictures"].settings)
    return g


def drawing(model: str, texts: list[str], seed: int, asked: argparse.Namespace) -> hcpgraph.Graph:
    """Draw every text once: 64 × 64 pictures at `decode.out`."""
    g = hcpgraph.Graph()
    g.add("model.load", "model", path=model)
    g.add("text.prompt", "prompts", texts=texts)
    g.add("text.prompt", "nothing", texts=[""])
    g.add("text.encode", "positive")
    g.add("text.encode", "negative")
    g.add("sample.empty_latents", "canvas", width=64, height=64, count=len(texts))
    g.add("sample.denoise", "sample", sampler=asked.sampler, steps=asked.steps, guidance=asked.guidance, seed=seed)
    g.add("image.decode", "decode")
    for source, target in [
        ("model.text_encoder", "positive.text_encoder"),
        ("model.text_encoder", "negative.text_encoder"),
        ("prompts.out", "positive.captions"),
        ("nothing.out", "negative.captions"),
        ("model.vae", "canvas.vae"),
        ("model.denoiser", "sample.denoiser"),
        ("model.schedule", "sample.schedule"),
        ("positive.out", "sample.positive"),
        ("negative.out", "sample.negative"),
        ("canvas.out", "sample.latents"),
        ("model.vae", "decode.vae"),
        ("sample.out", "decode.latents"),
    ]:
        g.connect(source, target)
    return g


def ranks(drawn: Tensor, known: Tensor, right: Tensor) -> Tensor:
    """How many of the known rows (N, D) are strictly nearer to each drawn row (B, D) than the right one, by L2."""
    distances = torch.cdist(drawn, known, compute_mode="donot_use_mm_for_euclid_dist")
    return (distances < distances.gather(1, right[:, None])).sum(dim=1)


def small(pictures: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) as rows of 16 × 16 RGB values, rounded to 8 bits before they shrink."""
    rounded = (pictures.clamp(0, 1) * 255).round() / 255
    return torch.nn.functional.adaptive_avg_pool2d(rounded, 16).flatten(1)


def spread(count: int, size: int) -> list[int]:
    """`count` positions, evenly over `size`."""
    count = min(count, size) if count else size
    return [i * size // count for i in range(count)]


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="builtin:emoji", help="a diffusers folder, or root:path")
    parser.add_argument("--limit", type=int, default=0, help="how many captions, spread over all; 0 is all")
    parser.add_argument("--out", type=Path, help="where the contact sheet goes, .png")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument("--sampler", default="ddim")
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    asked = parser.parse_args(arguments)

    folder = Path(asked.model)
    roots = {"models": folder.resolve().parent} if folder.is_dir() else {}
    model = f"models:{folder.resolve().name}" if folder.is_dir() else asked.model
    cache = hcpgraph.Cache()

    def run(graph: hcpgraph.Graph, target: str) -> Any:
        result = hcpgraph.run(
            graph,
            targets=[target],
            workspace=asked.workspace,
            roots=roots,
            cache=cache,
            disk_cache=False,
            record=False,
        )
        if result.status != "done":
            sys.exit("\n".join(map(str, result.failed.values())))
        return result.outputs[target]

    pictures = run(training_pictures(), "pictures.out")
    known = small(from_pixels([pictures.load(index) for index in range(len(pictures))]).data)
    chosen = spread(asked.limit, len(pictures))
    drawn: list[Tensor] = []
    started = time.perf_counter()
    for start in range(0, len(chosen), asked.batch):
        texts = [pictures.caption(index) for index in chosen[start : start + asked.batch]]
        drawn.append(run(drawing(model, texts, asked.seed + start, asked), "decode.out").data)
        print(f"{start + len(texts)} of {len(chosen)}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    images = torch.cat(drawn)
    found = ranks(small(images), known, torch.tensor(chosen))

    alone = []
    for turn in range(4):
        began = time.perf_counter()
        run(drawing(model, [pictures.caption(chosen[0])], asked.seed + len(chosen) + turn, asked), "decode.out")
        alone.append(time.perf_counter() - began)

    if asked.out is not None:
        shown = spread(SHEET, len(chosen))
        captions = Captions(tuple(pictures.caption(chosen[index]) for index in shown))
        sheet = grid(context(Path("workspace")), [Images(images[shown])], captions, columns=10, upscale=2, font_size=11)
        Image.fromarray(to_pixels(sheet)[0]).save(asked.out)
    measured = {
        "model": asked.model,
        "captions": len(chosen),
        "pictures": len(pictures),
        "top1": float((found == 0).float().mean()),
        "top5": float((found < 5).float().mean()),
        "seconds_a_picture": statistics.median(alone[1:]),
    }
    print(
        f"{len(chosen)} captions against {len(pictures)} pictures: top-1 {measured['top1']:.1%}, "
        f"top-5 {measured['top5']:.1%}; one picture alone {measured['seconds_a_picture']:.2f} s"
    )
    print(json.dumps(measured))
    return measured


if __name__ == "__main__":
    main()
