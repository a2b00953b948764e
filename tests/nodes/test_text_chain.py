"""Text nodes one after the other: what a sample gets depends on its key, and on nothing else of the run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hcpgraph_nodes.data.bucketing.bucketed import Bucket, Bucketed
from hcpgraph_nodes.data.caption_dropout import caption_dropout
from hcpgraph_nodes.data.loader import Loader
from hcpgraph_nodes.data.sources.dataset import ArrayRow, Dataset, Sample
from hcpgraph_nodes.text.affix import affix
from hcpgraph_nodes.text.drop_tags import drop_tags
from hcpgraph_nodes.text.join import join
from hcpgraph_nodes.text.pick_line import pick_line
from hcpgraph_nodes.text.shuffle_tags import shuffle_tags
from hcpgraph_nodes.text.template import template
from hcpgraph_nodes.text.wildcards import wildcards
from hcpgraph_nodes.text.word import word
from hcpgraph_nodes.types import Captions

import hcpgraph
from hcpgraph.testing import context

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/captions.md"
COUNT = 36


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Random pictures with two captions and a column of tags each."""
    path = tmp_path_factory.mktemp("chain") / "pictures.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (COUNT, 8, 8, 3), np.uint8))
    return Dataset(
        "chain",
        tuple(
            Sample(
                ArrayRow(str(path), i, (8, 8)),
                f"picture {i}\n{{red|blue}} 图片 {i}",
                str(i),
                words={"class": f"c{i % 3}", "tags": f"t{i}, a, b, c, d"},
            )
            for i in range(COUNT)
        ),
    )


def loader(dataset: Dataset, batch_size: int, shuffle: bool = True, **settings: int) -> Loader:
    data = Bucketed(dataset, (Bucket(8, 8, tuple(range(COUNT))),), "center", "partial")
    return Loader(data, batch_size, shuffle=shuffle, seed=3, **settings)


def chain(tmp_path: Path, captions: Captions, path: tuple[int, ...] = ()) -> Captions:
    """Every drawing node, as a training region has them."""

    def ctx(node: str) -> hcpgraph.Context:
        return context(tmp_path, node=node, seed=11, path=path)

    described = wildcards(ctx("choices"), pick_line(ctx("line"), captions))
    tags = drop_tags(ctx("drop"), word(captions, name="tags"), rate=0.3, keep_first=1)
    tags = shuffle_tags(ctx("shuffle"), tags, keep_first=1)
    lines = ["{caption}", "a {class}: {caption}", "{caption} ({class})"]
    sentences = template(ctx("sentence"), join((described, tags)), templates=lines)
    return affix(caption_dropout(ctx("dropout"), sentences, probability=0.2), suffix="end")


def texts(tmp_path: Path, made: Loader, steps: int, stepped: bool = False) -> dict[tuple[str, int, int], str]:
    """Sample key -> text; with `stepped` the step is part of the draws, as in a training loop."""
    found: dict[tuple[str, int, int], str] = {}
    for step in range(steps):
        out = chain(tmp_path, made.batch(step).captions, (step,) if stepped else ())
        assert out.keys is not None and out.words is not None
        found |= zip(out.keys, out.texts, strict=True)
    made.close()
    return found


def test_the_batch_size_changes_no_text(dataset: Dataset, tmp_path: Path) -> None:
    alone = texts(tmp_path, loader(dataset, 1, shuffle=False), 2 * COUNT)
    assert len(alone) == 2 * COUNT and len(set(alone.values())) > COUNT
    for size in (5, 12):
        made = loader(dataset, size, shuffle=False)
        assert texts(tmp_path, made, 2 * made.batches_per_epoch) == alone
    kept = [text for text in alone.values() if text]
    assert len(kept) > 40 and all(text.endswith("end") and not re.search(r"[{}|\n]", text) for text in kept)


@pytest.mark.parametrize("stepped", [False, True])
def test_workers_and_ranks_change_no_text(stepped: bool, dataset: Dataset, tmp_path: Path) -> None:
    alone = texts(tmp_path, loader(dataset, 6), 8, stepped)
    assert texts(tmp_path, loader(dataset, 6, workers=2), 8, stepped) == alone
    ranks = [texts(tmp_path, loader(dataset, 3, rank=rank, world=2), 8, stepped) for rank in (0, 1)]
    assert not ranks[0].keys() & ranks[1].keys() and ranks[0] | ranks[1] == alone
    assert alone != texts(tmp_path, loader(dataset, 6), 8, not stepped)


def test_every_epoch_has_texts_of_its_own(dataset: Dataset, tmp_path: Path) -> None:
    found = texts(tmp_path, loader(dataset, 6, shuffle=False), 12)
    first = [found["chain", 0, i] for i in range(COUNT)]
    second = [found["chain", 1, i] for i in range(COUNT)]
    assert sum(a != b for a, b in zip(first, second, strict=True)) > COUNT * 0.8


def test_a_chain_in_a_region_reads_files_and_draws_anew_every_turn(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "wild").mkdir(parents=True)
    (folder / "wild" / "digit.txt").write_text("\n".join("0123456789"))
    (folder / "lines.txt").write_text("{caption}__digit__")
    graph = hcpgraph.Graph()
    graph.add("text.prompt", "prompts", texts=["x"], repeat=30)
    graph.add("flow.repeat", "turns", times=3)
    graph.add("text.template", "sentence", inside="turns", file="data:lines.txt")
    graph.add("text.wildcards", "digit", inside="turns", folder="data:wild")
    for source, target in {
        "prompts.out": "turns.state",
        "turns.state": "sentence.captions",
        "sentence.out": "digit.captions",
        "digit.out": "turns.next",
    }.items():
        graph.connect(source, target)

    def texts_of(seed: int) -> tuple[str, ...]:
        result = hcpgraph.run(graph, targets=["turns"], workspace=tmp_path, seed=seed, record=False)
        (out,) = result.outputs.values()
        return tuple(out.texts)

    first = texts_of(1)
    assert all(re.fullmatch(r"x\d{3}", text) for text in first)
    assert len({text[1] + text[2] for text in first}) > 15, "the second turn does not repeat the first"
    assert texts_of(1) == first != texts_of(2)
    (folder / "wild" / "digit.txt").write_text("7")
    assert set(texts_of(1)) == {"x777"}, "the files belong to the key of the result"


def test_the_example_of_the_page_is_a_valid_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(ROOT)
    values: dict[str, object] = {}
    exec(compile(example, str(PAGE), "exec"), values)  # noqa: S102 - our own page
    graph = values["graph"]
    assert isinstance(graph, hcpgraph.Graph)
    assert hcpgraph.validate(graph) == []
    edges = graph.graphs["diffusion_step"].edges
    assert [edges[f"{id}.captions"] for id in ("drop", "shuffle", "sentence", "dropout")] == [
        "batch.captions",
        "drop.out",
        "shuffle.out",
        "sentence.out",
    ]


def test_every_text_node_is_on_the_page() -> None:
    registry = hcpgraph.default_registry()
    page = PAGE.read_text(encoding="utf-8")
    changing = [
        id
        for id, spec in registry.specs.items()
        if id.startswith(("text.", "data.caption_dropout")) and any("Captions" in str(p.type) for p in spec.outputs)
    ]
    assert len(changing) >= 10
    assert [id for id in changing if f"`{id}`" not in page] == []
