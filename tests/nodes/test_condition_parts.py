"""Conditionings put together, dropped and masked, against loops over rows and tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.condition.concat import concat
from hcpgraph_nodes.condition.drop import drop
from hcpgraph_nodes.condition.mask import mask
from hcpgraph_nodes.condition.part import part
from hcpgraph_nodes.text.encode import encode
from hcpgraph_nodes.types import Captions, Conditioning, Features

from hcpgraph import GraphError
from hcpgraph.rng import stream_seed
from hcpgraph.testing import context


def data(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def keys(count: int) -> tuple[tuple[str, int, int], ...]:
    return tuple(("set", 0, index) for index in range(count))


def keyed(given: Conditioning) -> Conditioning:
    return Conditioning(given.parts, given.masks, keys(given.count))


def code(call: Any) -> str:
    with pytest.raises(GraphError) as caught:
        call()
    return str(caught.value.problem.code)


MASK = torch.tensor([[True, True, True], [True, False, False]])


def test_features_are_put_among_the_tokens() -> None:
    text, picture = Conditioning.of(data(2, 3, 4), data(2, 5)), Features(data(2, 2, 4, seed=1))
    behind = part(text, picture, name="text", place="behind")
    assert torch.equal(behind.data, torch.cat([text.data, picture.data], 1)) and behind.masks == {}
    assert behind.pooled is not None and torch.equal(behind.pooled, data(2, 5))
    masked = Conditioning.of(text.data, mask=MASK)
    before = part(masked, picture, name="text", place="before")
    assert torch.equal(before.data, torch.cat([picture.data, text.data], 1))
    assert before.masks["text"].tolist() == [[True] * 5, [True, True, True, False, False]]
    assert part(masked, picture, name="text", place="instead").masks == {}
    own = part(masked, picture)
    assert torch.equal(own.parts["image_embeds"], picture.data) and torch.equal(own.masks["text"], MASK)
    one = part(Conditioning.of(data(1, 3, 4)), picture)
    assert one.count == 2 and part(masked, Features(data(1, 2, 4))).parts["image_embeds"].shape == (2, 2, 4)


def test_features_that_do_not_go_with_it_are_refused() -> None:
    text = Conditioning.of(data(2, 3, 4))
    assert code(lambda: part(text, Features(data(3, 2, 4)))) == "E_BATCH"
    assert code(lambda: part(text, Features(data(2, 2, 5)), name="text", place="behind")) == "E_PARTS"
    assert code(lambda: part(text, Features(data(2, 2, 4)), place="behind")) == "E_PARTS"
    assert code(lambda: part(text, Features(data(2, 2, 4)), name="text")) == "E_PARTS"


def test_conditionings_stand_behind_each_other() -> None:
    one = keyed(Conditioning.of(data(2, 3, 4), data(2, 5), mask=MASK))
    other = Conditioning.of(data(2, 2, 4, seed=1), data(2, 5, seed=2), style=data(2, seed=3))
    both = concat([one, other])
    assert torch.equal(both.data, torch.cat([one.data, other.data], 1))
    assert both.masks["text"].tolist() == [[True] * 5, [True, False, False, True, True]]
    assert both.pooled is not None and torch.equal(both.pooled, data(2, 5))
    assert torch.equal(both.parts["style"], other.parts["style"])
    assert both.keys == one.keys
    pairs = concat([one, keyed(Conditioning.of(data(2, 2, 4), data(2, 5)))], along="rows")
    assert pairs.data.shape == (4, 3, 4) and pairs.keys == (*keys(2), *keys(2))
    assert code(lambda: concat([one, Conditioning.of(data(2, 3, 5), data(2, 5))])) == "E_PARTS"
    assert code(lambda: concat([one, Conditioning.of(data(3, 3, 4), data(3, 5))])) == "E_BATCH"


COUNT = 400
SHARES = {"text": 0.2, "image": 0.3, "text+image": 0.1}


def given() -> tuple[Conditioning, Conditioning]:
    full = Conditioning.of(data(COUNT, 3, 4), data(COUNT, 5), image_channels=data(COUNT, 2, 4, 4))
    return keyed(full), Conditioning.of(data(1, 3, 4, seed=1), data(1, 5, seed=1))


def test_parts_are_dropped_by_one_draw_a_sample(tmp_path: Path) -> None:
    """As published for InstructPix2Pix: the text, the picture, or both; against a loop with the sample's own seed."""
    full, empty = given()
    found = drop(context(tmp_path, node="drop", seed=5), full, empty, probabilities=SHARES)
    counts = {"text": 0, "image": 0, "both": 0, "none": 0}
    assert full.keys is not None and full.pooled is not None and found.pooled is not None and empty.pooled is not None
    for row, key in enumerate(full.keys):
        seed = stream_seed(5, "drop", (), key)
        u = float(torch.rand((), dtype=torch.float64, generator=torch.Generator().manual_seed(seed)))
        text, picture = u < 0.2 or 0.5 <= u < 0.6, 0.2 <= u < 0.6
        assert torch.equal(found.data[row], empty.data[0] if text else full.data[row])
        assert torch.equal(found.pooled[row], empty.pooled[0] if text else full.pooled[row])
        channels = full.parts["image_channels"][row]
        assert torch.equal(found.parts["image_channels"][row], torch.zeros_like(channels) if picture else channels)
        counts[("both" if picture else "text") if text else ("image" if picture else "none")] += 1
    assert all(
        abs(counts[name] / COUNT - share) < 0.06 for name, share in zip(counts, (0.2, 0.3, 0.1, 0.4), strict=True)
    )
    other = drop(context(tmp_path, node="other", seed=5), full, empty, probabilities=SHARES)
    assert not torch.equal(other.data, found.data)
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(0)).tolist()
    turned = Conditioning(
        {name: value[order] for name, value in full.parts.items()}, {}, tuple(full.keys[row] for row in order)
    )
    again = drop(context(tmp_path, node="drop", seed=5), turned, empty, probabilities=SHARES)
    assert torch.equal(again.data, found.data[order])


def test_what_takes_the_place_may_be_shorter_and_masked(tmp_path: Path) -> None:
    full = keyed(Conditioning.of(data(40, 3, 4)))
    empty = Conditioning.of(data(1, 2, 4, seed=1), mask=torch.tensor([[True, False]]))
    found = drop(context(tmp_path), full, empty, probabilities={"text": 0.5})
    rows = (found.data != full.data).any(-1).any(-1)
    assert 5 < int(rows.sum()) < 35
    for row in range(40):
        expected = [True, False, False] if rows[row] else [True] * 3
        assert found.masks["text"][row].tolist() == expected
        assert not rows[row] or (torch.equal(found.data[row, :2], empty.data[0]) and not found.data[row, 2].any())
    bare = drop(context(tmp_path), full, probabilities={"text": 1.0})
    assert not bare.data.any() and bare.masks == {}


def test_gradients_pass_by_what_is_kept(tmp_path: Path) -> None:
    text = data(40, 3, 4).requires_grad_()
    found = drop(context(tmp_path), keyed(Conditioning.of(text)), probabilities={"text": 0.5})
    (gradient,) = torch.autograd.grad(found.data.sum(), text)
    assert torch.equal(gradient, (found.data != 0).float()) and 0 < gradient.mean() < 1


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [({"text": 0.6, "image": 0.6}, "E_RANGE"), ({"image_tokens_1": 0.1}, "E_PARTS"), ({"": 0.1}, "E_PARTS")],
)
def test_what_cannot_be_dropped_is_refused(probabilities: dict[str, float], expected: str, tmp_path: Path) -> None:
    full, empty = given()
    assert code(lambda: drop(context(tmp_path), full, empty, probabilities=probabilities)) == expected


def test_parts_of_other_shapes_are_refused(tmp_path: Path) -> None:
    full, _ = given()
    other = Conditioning.of(data(1, 3, 5), data(1, 5))
    assert code(lambda: drop(context(tmp_path), full, other)) == "E_BATCH"
    assert code(lambda: drop(context(tmp_path), full, Conditioning.of(data(3, 3, 4), data(3, 5)))) == "E_BATCH"


def test_tokens_are_masked(tmp_path: Path) -> None:
    text = keyed(Conditioning.of(data(2, 3, 4), mask=MASK))
    found = mask(context(tmp_path), text, first=1, stop=2)
    assert found.masks["text"].tolist() == [[True, False, True], [True, False, False]] and found.data is text.data
    last = mask(context(tmp_path), Conditioning.of(text.data), first=-1)
    assert last.masks["text"].tolist() == [[True, True, False]] * 2
    zero = mask(context(tmp_path), text, first=2, how="zero")
    assert not zero.data[:, 2].any() and torch.equal(zero.data[:, :2], text.data[:, :2]) and zero.masks == text.masks
    many = keyed(Conditioning.of(data(30, 20, 4)))
    some = mask(context(tmp_path, node="m", seed=2), many, probability=0.25, stop=10).masks["text"]
    assert some[:, 10:].all() and 0.15 < 1 - float(some[:, :10].float().mean()) < 0.35
    for row, key in enumerate(keys(30)):
        drawn = torch.rand(20, generator=torch.Generator().manual_seed(stream_seed(2, "m", (), key)))
        assert torch.equal(some[row, :10], drawn[:10] >= 0.25)
    assert code(lambda: mask(context(tmp_path), Conditioning.of(data(2, 3, 4), data(2, 5)), part="pooled")) == "E_PARTS"


def test_conditionings_know_their_samples(tiny_folder: Path, tmp_path: Path) -> None:
    """So that what is dropped is theirs, whatever batch they are in."""
    from hcpgraph_nodes.model.load import load_model

    (tmp_path / "models").mkdir()
    (tmp_path / "models/tiny").symlink_to(tiny_folder)
    encoder = load_model(context(tmp_path), path="models:tiny").text_encoder
    for cache in ("off", "ram"):
        found = encode(context(tmp_path), encoder, Captions(("a", "b"), keys(2)), cache=cache)
        assert found.keys == keys(2) and found.rows(2).keys == keys(2)
        assert part(found, Features(data(2, 3, 4))).keys == keys(2)
    assert encode(context(tmp_path), encoder, Captions(("a",))).rows(3).keys is None
