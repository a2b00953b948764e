"""`data.loader`: step -> batch is a pure function, whatever reads it."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from hcpgraph_nodes.data.batch import Pictures, batch
from hcpgraph_nodes.data.bucketing.bucketed import Bucketed
from hcpgraph_nodes.data.bucketing.resize import crop_to, resize_cover
from hcpgraph_nodes.data.loader import Batch, Loader, loader
from hcpgraph_nodes.data.openmoji import openmoji
from hcpgraph_nodes.data.ratio_bucket import ratio_bucket
from hcpgraph_nodes.data.sources.dataset import Dataset, PictureFile, Sample

from hcpgraph.errors import GraphError
from hcpgraph.rng import stream_seed
from hcpgraph.testing import context


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loader")


@pytest.fixture(scope="module")
def pictures(workspace: Path) -> Dataset:
    """27 real pictures in three shapes, as files."""
    from PIL import Image

    source = openmoji(context(workspace), groups=["animals-nature"], limit=27, size=48)
    samples = []
    for i in range(len(source)):
        size = [(48, 48), (60, 40), (40, 70)][i % 3]
        path = workspace / f"{i}.png"
        Image.fromarray(source.load(i)).resize(size).save(path)
        samples.append(Sample(PictureFile(str(path), size), source.caption(i), path.name))
    return Dataset("zoo", tuple(samples))


def bucketed(pictures: Dataset, workspace: Path, **settings: Any) -> Bucketed:
    return ratio_bucket(context(workspace), pictures, target_area=32 * 32, **settings)


def same(a: Batch | Pictures, b: Batch) -> bool:
    return torch.equal(a.images.data, b.images.data) and (a.images.keys, a.captions) == (b.images.keys, b.captions)


def test_a_batch_against_a_reference(pictures: Dataset, workspace: Path) -> None:
    data = bucketed(pictures, workspace)
    made = Loader(data, 4, seed=5, flip=0.5)
    flipped = 0
    for step in range(made.batches_per_epoch, made.batches_per_epoch + 4):
        group = made.epoch(1)[step - made.batches_per_epoch]
        shape = data.buckets[group.bucket]
        got = made.batch(step)
        assert got.images.data.shape == (4, 3, shape.height, shape.width)
        assert got.images.data.dtype == torch.float32 and got.images.data.is_contiguous()
        for row, index in enumerate(group.samples):
            key = ("zoo", 1, group.start + row)
            picture = resize_cover(pictures.load(index), (shape.width, shape.height))
            picture = crop_to(picture, (shape.width, shape.height), stream_seed(5, "crop", (), key))
            if stream_seed(5, "flip", (), key) / 2**63 < 0.5:
                picture, flipped = picture[:, ::-1], flipped + 1
            assert got.captions.texts[row] == pictures.caption(index)
            assert got.images.keys == got.captions.keys and got.images.keys[row] == key  # type: ignore[index]
            assert np.array_equal((got.images.data[row] * 255).round().byte().permute(1, 2, 0).numpy(), picture)
    assert 0 < flipped < 16


@pytest.mark.parametrize("leftover", ["pad_repeat", "partial"])
def test_every_sample_once_an_epoch(pictures: Dataset, workspace: Path, leftover: str) -> None:
    made = Loader(bucketed(pictures, workspace, leftover=leftover), 4, seed=1)
    for epoch in range(3):
        steps = range(epoch * made.batches_per_epoch, (epoch + 1) * made.batches_per_epoch)
        seen = [made.batch(step) for step in steps]
        texts = [text for b in seen for text in b.captions.texts]
        keys = [key for b in seen for key in b.captions.keys or ()]
        assert keys == [("zoo", epoch, i) for i in range(made.samples)]
        assert set(texts) == {s.caption for s in pictures.samples}
        assert len(texts) == (27 if leftover == "partial" else 36)


def test_order_and_crop_change_with_epoch_and_seed(pictures: Dataset, workspace: Path) -> None:
    data = bucketed(pictures, workspace)
    a, b = Loader(data, 4, seed=1), Loader(data, 4, seed=2)
    assert a.epoch(0) != a.epoch(1) and a.epoch(0) != b.epoch(0)
    plain = Loader(bucketed(pictures, workspace, crop="center"), 4, shuffle=False)
    assert plain.epoch(0) == plain.epoch(5)
    assert torch.equal(plain.batch(0).images.data, plain.batch(plain.batches_per_epoch).images.data)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(pictures: Dataset, workspace: Path, workers: int) -> None:
    data = bucketed(pictures, workspace)
    alone, helped = Loader(data, 4, seed=3, flip=0.3), Loader(data, 4, seed=3, flip=0.3, workers=workers)
    for step in [*range(20), 7, 8, 9, 100, 101, 0]:
        assert same(alone.batch(step), helped.batch(step)), step
    helped.close()
    assert same(alone.batch(4), helped.batch(4))
    helped.close()


def test_memory_changes_nothing(pictures: Dataset, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bucketed(pictures, workspace)
    kept = Loader(data, 4, seed=3)
    monkeypatch.setattr("hcpgraph_nodes.data.loader.KEEP_BYTES", 1000)
    fresh = Loader(data, 4, seed=3)
    assert kept._keep and not fresh._keep
    for step in range(30):
        assert same(kept.batch(step), fresh.batch(step))
    assert len(kept._kept) == 27 and not fresh._kept


def test_a_loader_survives_pickling(pictures: Dataset, workspace: Path) -> None:
    made = Loader(bucketed(pictures, workspace), 4, seed=3, workers=1)
    first = made.batch(6)
    again = pickle.loads(pickle.dumps(made))
    assert again._stream is None and same(again.batch(6), first)
    again.close()
    made.close()


def test_errors_of_workers_keep_their_code(pictures: Dataset, workspace: Path, tmp_path: Path) -> None:
    lost = PictureFile(str(tmp_path / "lost.png"), (48, 48))
    data = Dataset("lost", (*pictures.samples[:3], Sample(lost, "", "lost.png")))
    for workers in (0, 1):
        made = Loader(bucketed(data, workspace), 4, workers=workers)
        with pytest.raises(GraphError, match=r"E_PICTURE 'lost\.png'.*\n.*replace"):
            for step in range(4):
                made.batch(step)
        made.close()


def test_drop_without_a_full_batch(pictures: Dataset, workspace: Path) -> None:
    with pytest.raises(GraphError, match=r"E_DATA.*fills a batch of 16"):
        Loader(bucketed(pictures, workspace, leftover="drop"), 16)


def test_nodes(pictures: Dataset, workspace: Path) -> None:
    made = loader(context(workspace), bucketed(pictures, workspace), batch_size=4, seed=9)
    images, captions, masks, sizes = batch(context(workspace, step=11), made)
    assert same(Pictures(images, captions, masks, sizes), Loader(made.data, 4, seed=9).batch(11))


CHILD = """
import signal, sys
from pathlib import Path
from hcpgraph.testing import context
from hcpgraph_nodes.data.openmoji import openmoji
from hcpgraph_nodes.data.ratio_bucket import ratio_bucket
from hcpgraph_nodes.data.loader import Loader

asked = []
signal.signal(signal.SIGINT, lambda *_: asked.append(1))

if __name__ == "__main__":
    ctx = context(Path(sys.argv[1]))
    loader = Loader(ratio_bucket(ctx, openmoji(ctx, limit=20, size=16), target_area=256), 4, workers=2)
    loader.batch(0)
    print("ready", flush=True)
    step = 0
    while len(asked) < 1 or step < 200:
        step += 1
        loader.batch(step)
    print("answered", flush=True)
    signal.pause()
"""


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.skipif(os.name == "nt", reason="no signals to a process group here")
def test_workers_ignore_sigint_and_die_with_their_parent(tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    child = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "ready\n"
        workers = psutil.Process(child.pid).children(recursive=True)
        assert len(workers) >= 2
        os.killpg(child.pid, signal.SIGINT)
        assert child.stdout.readline() == "answered\n"
        assert all(worker.is_running() for worker in workers)
        child.kill()
        child.wait()
        _, alive = psutil.wait_procs(workers, timeout=30)
        assert [w for w in alive if w.status() != psutil.STATUS_ZOMBIE] == []
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
