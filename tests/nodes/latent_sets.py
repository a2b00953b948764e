"""Small data sets that go through the VAE of the tiny model, for the tests of the latent cache."""

from __future__ import annotations

from pathlib import Path
from threading import get_ident
from typing import Any

import pytest
from hcpgraph_nodes.data.bucketing.bucketed import Bucketed
from hcpgraph_nodes.data.latents import LatentSet, latents
from hcpgraph_nodes.data.masks import MaskFile
from hcpgraph_nodes.data.openmoji import openmoji
from hcpgraph_nodes.data.ratio_bucket import ratio_bucket
from hcpgraph_nodes.data.sources.dataset import Dataset, PictureFile, Sample
from hcpgraph_nodes.model.handles import Vae
from hcpgraph_nodes.model.load import load_model
from PIL import Image

from hcpgraph.testing import context

SIZES = [(32, 32), (48, 32), (32, 44), (32, 32), (50, 34), (32, 40)]


@pytest.fixture
def folder(workspace: Path) -> Path:
    """Six real pictures in three shapes with masks and conditions."""
    source = openmoji(context(workspace), groups=["animals-nature"], limit=6, size=48)
    for kind in ("pictures", "masks", "edges"):
        (workspace / "data" / kind).mkdir(parents=True)
    for i, size in enumerate(SIZES):
        picture = Image.fromarray(source.load(i)).resize(size)
        picture.save(workspace / f"data/pictures/{i}.png")
        picture.convert("L").save(workspace / f"data/masks/{i}.png")
        picture.rotate(180).save(workspace / f"data/edges/{i}.png")
    return workspace / "data/pictures"


def dataset(folder: Path, *, masks: bool = False, edges: bool = False, **fields: Any) -> Dataset:
    samples = []
    for path in sorted(folder.glob("*.png")):
        size = Image.open(path).size
        side = {kind: folder.parent / kind / path.name for kind in ("masks", "edges")}
        mask = MaskFile(str(side["masks"]), "linear") if masks and side["masks"].exists() else None
        edge = PictureFile(str(side["edges"]), size) if edges and side["edges"].exists() else None
        samples.append(Sample(PictureFile(str(path), size), path.stem, path.name, edge, mask, None, **fields))
    return Dataset("zoo", tuple(samples))


def bucketed(folder: Path, data: Dataset | None = None, **settings: Any) -> Bucketed:
    made = data or dataset(folder)
    return ratio_bucket(context(folder), made, **{"target_area": 256, "crop": "center", "step_size": 4, **settings})


def opened(workspace: Path, **settings: Any) -> Vae:
    return load_model(context(workspace), path="models:tiny", **settings).vae


def encode(workspace: Path, data: Bucketed, vae: Vae | None = None, **settings: Any) -> tuple[LatentSet, str]:
    """The set, and what the node said: `n of m`."""
    events: list[dict[str, Any]] = []
    ctx = context(workspace)
    ctx.run.events.listener = events.append
    made = latents(ctx, data, vae or opened(workspace), **settings)
    told = [event["message"] for event in events if event["kind"] == "log"]
    return made, next(text.removesuffix(" encoded") for text in told if text.endswith("encoded"))


def painted(folder: Path) -> None:
    """Another picture in place of the third, whole at every moment."""
    part = folder / f"{get_ident()}.part"
    Image.new("RGB", SIZES[2], "white").save(part, "PNG")
    part.replace(folder / "2.png")
