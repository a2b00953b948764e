"""Picture, mask and condition of a sample: one crop for all, whoever reads it, and never half a batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hcpgraph_nodes.data.batch import batch
from hcpgraph_nodes.data.batch_conditions import batch_conditions
from hcpgraph_nodes.data.bucketing.bucketed import Bucket, Bucketed
from hcpgraph_nodes.data.bucketing.leftover import merged
from hcpgraph_nodes.data.caption_batch import caption_batch
from hcpgraph_nodes.data.loader import Loader
from hcpgraph_nodes.data.sources.dataset import Dataset, PictureFile, Sample
from hcpgraph_nodes.loss.mask import mask as loss_mask
from hcpgraph_nodes.types import LossMask, SampleLoss

from hcpgraph.errors import GraphError
from hcpgraph.testing import context

from .ramps import Ramp, RampMask


def dataset(sizes: list[tuple[int, int]], *, extras: bool = True) -> Dataset:
    samples = [
        Sample(
            Ramp(size, i),
            f"text {i}",
            str(i),
            condition=Ramp(size, 100 + i) if extras else None,
            mask=RampMask(size) if extras else None,
            words={"class": str(i % 2)},
        )
        for i, size in enumerate(sizes)
    ]
    return Dataset("ramps", tuple(samples))


def one_bucket(data: Dataset, size: tuple[int, int], **fields: object) -> Bucketed:
    bucket = Bucket(*size, tuple(range(len(data))))
    return replace(Bucketed(data, (bucket,), "random", "pad_repeat"), **fields)  # type: ignore[arg-type]


def test_one_crop_and_one_mirror_for_picture_mask_condition_and_sizes() -> None:
    data = one_bucket(dataset([(40, 20)] * 6), (20, 20))
    made = Loader(data, 6, seed=4, flip=0.5)
    turned = set()
    for step in range(6):
        got = made.batch(step)
        assert got.conditions is not None
        pixels = (got.images.data * 255).round()
        conditions = (got.conditions.data * 255).round()
        assert torch.equal(pixels[:, :2], conditions[:, :2])
        assert torch.equal(got.masks.data[:, 0], pixels[:, 0]), "the mask holds the column it comes from"
        for row in range(6):
            height, width, top, left, *target = got.sizes.data[row].tolist()
            assert (height, width, target) == (20, 40, [20, 20]) and top == 0
            columns = pixels[row, 0, 0].tolist()
            mirrored = columns[0] > columns[-1]
            turned.add(mirrored)
            # the corner is that in the picture as it is shown: of a mirrored one counted from its right edge
            assert left == (39 - columns[0] if mirrored else columns[0])
    assert turned == {True, False}


def test_a_picture_that_keeps_its_scale_is_padded_and_the_padding_counts_nothing() -> None:
    sizes = [(10, 30), (40, 12)]
    data = one_bucket(dataset(sizes, extras=False), (20, 16), fit="pad", background=(9, 8, 7), crop="center")
    got = Loader(data, 2, shuffle=False).batch(0)
    pixels = (got.images.data * 255).round().byte().permute(0, 2, 3, 1).numpy()
    assert np.array_equal(pixels[0, :, :10], Ramp(sizes[0]).load()[7:23])
    assert (pixels[0, :, 10:] == (9, 8, 7)).all() and (pixels[1, 12:] == (9, 8, 7)).all()
    assert np.array_equal(pixels[1, :12, :, 0], Ramp(sizes[1]).load()[:, 10:30, 0])
    assert got.masks.data[0, 0, :, :10].eq(1).all() and got.masks.data[0, 0, :, 10:].eq(0).all()
    assert got.masks.data[1, 0, :12].eq(1).all() and got.masks.data[1, 0, 12:].eq(0).all()
    assert got.sizes.data.tolist() == [[30, 10, 7, 0, 16, 20], [12, 40, 0, 10, 16, 20]]


@pytest.mark.parametrize("leftover", ["pad_repeat", "drop", "partial", "merge"])
@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_what_one_process_would_see(leftover: str, world: int) -> None:
    data = dataset([(40, 20)] * 11 + [(20, 40)] * 8)
    buckets = (Bucket(20, 10, tuple(range(11))), Bucket(10, 20, tuple(range(11, 19))))
    bucketed = Bucketed(data, buckets, "random", leftover)  # type: ignore[arg-type]
    ranks = [Loader(bucketed, 2, seed=3, flip=0.5, rank=rank, world=world) for rank in range(world)]
    alone = Loader(bucketed, 2 * world, seed=3, flip=0.5)
    assert {rank.batches_per_epoch for rank in ranks} == {alone.batches_per_epoch}
    for step in range(2 * alone.batches_per_epoch):
        parts, whole = [rank.batch(step) for rank in ranks], alone.batch(step)
        assert len({len(part.captions.texts) for part in parts}) == 1, "every rank has as many"
        count = len(whole.captions.texts)
        texts = [text for part in parts for text in part.captions.texts]
        pixels = torch.cat([part.images.data for part in parts])
        if leftover in ("pad_repeat", "drop"):
            assert [key for part in parts for key in part.images.keys or ()] == list(whole.images.keys or ())
            assert torch.equal(pixels, whole.images.data)
        assert texts[:count] == list(whole.captions.texts)


def test_an_unreadable_picture_is_replaced_by_the_next_of_its_bucket(tmp_path: Path) -> None:
    from PIL import Image

    samples = []
    for i in range(8):
        file = tmp_path / f"{i}.png"
        Image.fromarray(Ramp((16, 16), i).load()).save(file)
        if i in (2, 3):
            file.write_bytes(file.read_bytes()[:60])
        samples.append(Sample(PictureFile(str(file), (16, 16)), str(i), file.name))
    data = one_bucket(Dataset("files", tuple(samples)), (16, 16))
    for workers in (0, 1):
        made = Loader(data, 4, shuffle=False, on_bad="skip", workers=workers)
        texts = [text for step in range(2) for text in made.batch(step).captions.texts]
        blue = [int(x) for step in (0, 1) for x in (made.batch(step).images.data[:, 2, 0, 0] * 255).round()]
        assert texts == ["0", "1", "4", "4", "4", "5", "6", "7"] and blue == [int(text) for text in texts]
        assert set(made.bad) == {"2.png", "3.png"} and "truncated" in made.bad["2.png"].lower()
        made.close()
    with pytest.raises(GraphError, match=r"E_PICTURE '2\.png'"):
        Loader(data, 4, shuffle=False).batch(0)
    lost = one_bucket(Dataset("lost", (samples[2], samples[3])), (16, 16))
    with pytest.raises(GraphError, match=r"no picture of the bucket 16x16 can be read, such as 2\.png"):
        Loader(lost, 2, shuffle=False, on_bad="skip").batch(0)


def test_the_nodes_of_a_step(tmp_path: Path) -> None:
    made = Loader(one_bucket(dataset([(40, 20)] * 6), (20, 20)), 3, seed=1)
    ctx = context(tmp_path, step=5)
    images, captions, _, sizes = batch(ctx, made)
    assert caption_batch(ctx, made) == captions and captions.words is not None
    assert [words["class"] for words in captions.words] == [str(int(text[-1]) % 2) for text in captions.texts]
    conditions = batch_conditions(ctx, made)
    assert conditions.keys == images.keys == sizes.keys
    plain = Loader(one_bucket(dataset([(40, 20)] * 6, extras=False), (20, 20)), 3)
    with pytest.raises(GraphError, match=r"E_DATA.*'ramps' has no conditions\n.*data\.conditions"):
        batch_conditions(ctx, plain)


def test_texts_alone_need_no_pictures(tmp_path: Path) -> None:
    texts = Dataset("texts", tuple(Sample(None, f"line {i}", str(i)) for i in range(5)))
    made = Loader(Bucketed(texts, (Bucket(64, 64, tuple(range(5))),), "center", "partial"), 2, seed=1)
    seen = {text for step in range(3) for text in made.captions(step).texts}
    assert seen == {f"line {i}" for i in range(5)}
    with pytest.raises(GraphError, match=r"E_DATA.*'texts' is of texts alone\n.*data\.caption_batch"):
        made.batch(0)


def test_leftovers_move_to_the_nearest_bucket() -> None:
    sizes = [(64, 64)] * 9 + [(66, 62)] * 3 + [(128, 32)] * 5
    data = dataset(sizes, extras=False)
    buckets = (
        Bucket(64, 64, tuple(range(9))),
        Bucket(66, 62, tuple(range(9, 12))),
        Bucket(128, 32, tuple(range(12, 17))),
    )
    bucketed = Bucketed(data, buckets, "center", "merge")
    got = merged(bucketed, 4)
    assert sorted(index for bucket in got for index in bucket.members) == list(range(17))
    assert [(b.width, len(b.members)) for b in got] == [(64, 8), (66, 4), (128, 5)]
    # the long ones stay: in a square three quarters of them would be cut off
    assert got[-1].members == tuple(range(12, 17))
    assert merged(bucketed, 1) == buckets
    alone = Bucketed(data, (Bucket(64, 64, tuple(range(9))),), "center", "merge")
    assert merged(alone, 4) == alone.buckets
    made = Loader(bucketed, 4, seed=2)
    assert sorted(len(group.samples) for group in made.epoch(0)) == [1, 4, 4, 4, 4]


def test_loss_mask_against_its_formula() -> None:
    loss = torch.rand(2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    weights = torch.zeros(2, 1, 32, 32)
    weights[0, :, :16] = 5
    out = loss_mask(SampleLoss(loss), LossMask(weights)).data
    assert torch.equal(out[0, :, :2], loss[0, :, :2] * 5) and out[0, :, 2:].eq(0).all() and out[1].eq(0).all()
    even = loss_mask(SampleLoss(loss), LossMask(weights), normalize=True).data
    torch.testing.assert_close(even[0, :, :2], loss[0, :, :2] * 2)
    assert even[1].eq(0).all()
    with pytest.raises(GraphError, match="2 masks for the losses of 1 samples"):
        loss_mask(SampleLoss(loss[:1]), LossMask(weights))
