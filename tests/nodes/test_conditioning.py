"""`Conditioning`: named parts with masks, joined, padded, kept."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.text import embeddings as module
from hcpgraph_nodes.text import encode as encoding
from hcpgraph_nodes.text.embeddings import embeddings
from hcpgraph_nodes.text.encode import encode
from hcpgraph_nodes.types import Captions, Conditioning, Images

import hcpgraph
from hcpgraph import Graph, GraphError
from hcpgraph.running.codec import read_folder, write_folder
from hcpgraph.testing import context


def text(rows: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, length, 3, generator=torch.Generator().manual_seed(seed))


def code(call: Any) -> str:
    with pytest.raises(GraphError) as caught:
        call()
    return str(caught.value.problem.code)


def test_equal_lengths_are_put_together_as_they_are():
    one, other = Conditioning.of(text(2, 5), torch.ones(2, 4)), Conditioning.of(text(1, 5, 1), torch.zeros(1, 4))
    both = Conditioning.joined([one, other])
    assert torch.equal(both.data, torch.cat([one.data, other.data])) and both.masks == {}
    assert both.pooled is not None and torch.equal(both.pooled, torch.tensor([[1.0] * 4] * 2 + [[0.0] * 4]))
    assert one.alike(other) and not one.alike(Conditioning.of(text(2, 5)))


def test_ragged_texts_are_padded_and_masked():
    """Against a loop over rows and tokens."""
    mask = torch.tensor([[True, True, False]])
    given = [Conditioning.of(text(2, 4)), Conditioning.of(text(1, 3, 1), mask=mask), Conditioning.of(text(1, 6, 2))]
    both = Conditioning.joined(given)
    assert both.data.shape == (4, 6, 3) and both.masks["text"].dtype == torch.bool
    rows = [(row, None if one.masks == {} else mask[0]) for one in given for row in one.data]
    for found, counts, (row, own) in zip(both.data, both.masks["text"], rows, strict=True):
        assert torch.equal(found[: len(row)], row) and not found[len(row) :].any()
        assert counts.tolist() == [*([True] * len(row) if own is None else own.tolist()), *[False] * (6 - len(row))]


def test_one_row_stands_for_all():
    one = Conditioning.of(text(1, 4), mask=torch.ones(1, 4, dtype=torch.bool), guidance=torch.ones(1))
    found = one.rows(3)
    assert {name: len(part) for name, part in {**found.parts, "mask": found.masks["text"]}.items()} == {
        "text": 3,
        "guidance": 3,
        "mask": 3,
    }
    assert code(lambda: Conditioning.of(text(2, 4)).rows(3)) == "E_BATCH"


def test_what_does_not_go_together():
    plain, pooled = Conditioning.of(text(1, 4)), Conditioning.of(text(1, 4), torch.ones(1, 2))
    assert code(lambda: Conditioning.joined([plain, pooled])) == "E_PARTS"
    pictures = [plain.with_parts(image_channels=torch.ones(1, 4, side, side)) for side in (2, 3)]
    assert code(lambda: Conditioning.joined(pictures)) == "E_BATCH"
    assert code(lambda: Conditioning({"pooled": torch.ones(1, 2)}).data) == "E_PARTS"


def test_parts_that_nobody_reads_are_refused():
    held = Conditioning.of(text(1, 4), mask=torch.ones(1, 4, dtype=torch.bool), image_tokens_1=torch.ones(1, 4, 2, 2))
    held.require_read(frozenset({"text", "image_tokens_"}), masked=True)
    assert code(lambda: held.require_read(frozenset({"text"}), masked=True)) == "E_PARTS"
    assert code(lambda: held.require_read(frozenset({"text", "image_tokens_"}), masked=False)) == "E_PARTS"


def test_references_are_in_order():
    made = Conditioning.of(text(1, 4), **{f"image_tokens_{n}": torch.full((1, 4, n, n), float(n)) for n in (10, 2, 1)})
    assert [len(one[0, 0]) for one in made.references] == [1, 2, 10]


def test_parts_and_masks_are_written_and_read(tmp_path: Path):
    made = Conditioning.of(text(2, 4), mask=torch.tensor([[True] * 4, [False] * 4]), guidance=torch.tensor([3.5, 1]))
    write_folder(tmp_path / "value", made)
    found, _ = read_folder(tmp_path / "value")
    assert isinstance(found, Conditioning) and list(found.parts) == ["text", "guidance"]
    assert all(torch.equal(found.parts[name], part) for name, part in made.parts.items())
    assert torch.equal(found.masks["text"], made.masks["text"])


def words(ids: int) -> torch.Tensor:
    return text(1, ids, ids)


@pytest.mark.parametrize("cache", ["ram", "disk"])
def test_cached_rows_keep_masks_and_every_part(
    tmp_path: Path, tiny_folder: Path, cache: Any, monkeypatch: pytest.MonkeyPatch
):
    """A family whose texts are ragged: rows that were kept alone are padded to the longest one of the batch."""

    def encode_prompt(encoder: Any, texts: Any, clip_skip: int, images: Any = ()) -> Conditioning:
        (one,) = texts
        mask = torch.tensor([[True] * (len(one) - 1) + [False]])
        return Conditioning({"text": words(len(one)), "style": torch.tensor([len(one)])}, {"text": mask})

    monkeypatch.setattr(module, "family", lambda name: SimpleNamespace(encode_prompt=encode_prompt))
    models = tmp_path / "models"
    models.mkdir()
    (models / "tiny").symlink_to(tiny_folder)
    texts = ["abcdef", "abc", "ab"]
    for turn in range(2):
        encoder = load_model(context(tmp_path), path="models:tiny").text_encoder
        encoder.root.origin = "equal"
        found = encode(context(tmp_path), encoder, Captions(tuple(texts)), cache=cache)
        assert embeddings(encoder).encoded == (0 if turn and cache == "disk" else 3)
        for row, each in enumerate(texts):
            assert torch.equal(found.data[row, : len(each)], words(len(each))[0])
            assert found.masks["text"][row].tolist() == [True] * (len(each) - 1) + [False] * (7 - len(each))
        assert found.parts["style"].tolist() == [6, 3, 2]
        random.Random(turn).shuffle(texts)
        texts.sort(key=len, reverse=True)


def test_pictures_go_to_encoders_that_take_them(tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/tiny").symlink_to(tiny_folder)
    encoder = load_model(context(tmp_path), path="models:tiny").text_encoder
    captions, pictures = Captions(("a", "b")), Images(torch.rand(2, 3, 4, 4))
    assert code(lambda: encode(context(tmp_path), encoder, captions, pictures)) == "E_IMAGES"
    seen: list[Any] = []

    def encode_prompt(encoder: Any, texts: Any, clip_skip: int, images: Any = ()) -> Conditioning:
        seen.extend(images)
        return Conditioning.of(words(len(texts)))

    monkeypatch.setattr(encoding, "family", lambda name: SimpleNamespace(encode_prompt=encode_prompt))
    encode(context(tmp_path), encoder, captions, pictures)
    assert len(seen) == 1 and seen[0] is pictures.data
    assert code(lambda: encode(context(tmp_path), encoder, captions, pictures, cache="ram")) == "E_CACHE"
    three = Images(torch.rand(3, 3, 4, 4))
    assert code(lambda: encode(context(tmp_path), encoder, captions, three)) == "E_BATCH"


def test_pictures_for_an_encoder_that_takes_none_are_told_before(tmp_path: Path, tiny_folder: Path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/tiny").symlink_to(tiny_folder)
    g = Graph()
    g.add("model.load", "model", path="models:tiny")
    g.add("text.prompt", "prompt", texts=["x"])
    g.add("image.load", "picture", path="data:x.png")
    g.add("text.encode", "encode")
    g.edges |= {
        "encode.text_encoder": "model.text_encoder",
        "encode.captions": "prompt.out",
        "encode.images": "picture.out",
    }
    assert ("E_IMAGES", "images") in [(each.code, each.port) for each in hcpgraph.validate(g, workspace=tmp_path)]
    del g.edges["encode.images"]
    assert "E_IMAGES" not in [each.code for each in hcpgraph.validate(g, workspace=tmp_path)]
