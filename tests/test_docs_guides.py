"""The guides of the docs do what they say: the pack of a data source, and random streams."""

import io
import re
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hcpgraph

ROOT = Path(__file__).resolve().parents[1]


def code_of(page: str, language: str = "python") -> str:
    return "\n\n".join(re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL))


def picture(colour: tuple[int, int, int]) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (40, 32), colour).save(made, "PNG")
    return made.getvalue()


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Path:
    """The folder of the guide; one for all tests, since a process declares a node once."""
    folder = tmp_path_factory.mktemp("my_nodes")
    (folder / "shots.py").write_text(code_of("docs/data-source.md"), encoding="utf-8")
    return folder


@pytest.fixture
def shots(pack, workspace):
    """A workspace with an SQLite file of pictures, and a graph that loads them in batches."""
    (workspace / "data").mkdir(parents=True)
    with sqlite3.connect(workspace / "data/shots.sqlite") as file:
        file.execute("CREATE TABLE pictures (picture BLOB, caption TEXT)")
        rows = [(picture((40 * i, 0, 255 - 40 * i)), f"shot {i}") for i in range(4)]
        file.executemany("INSERT INTO pictures VALUES (?, ?)", rows)
    file.close()
    graph = hcpgraph.Graph()
    graph.add("my.shots", "shots", path="data:shots.sqlite", trigger="sks")
    graph.add("data.fixed_bucket", "bucket", width=32, height=32)
    graph.add("data.loader", "loader", batch_size=4, workers=1)
    graph.connect("shots.out", "bucket.dataset")
    graph.connect("bucket.out", "loader.data")
    return graph


def test_the_data_source_is_read_by_workers_and_again_only_when_its_file_changes(shots, pack, workspace):
    cache = hcpgraph.Cache()

    def run():
        return hcpgraph.run(shots, targets=["loader.out"], workspace=workspace, packs=[pack], cache=cache)

    first = run()
    loader = first.outputs["loader.out"]
    try:
        batch = loader.batch(0)
    finally:
        loader.close()
    assert sorted(batch.captions.texts) == [f"sks, shot {i}" for i in range(4)]
    reds = sorted(round(float(one[0].mean()) * 255) for one in batch.images.data)
    assert np.allclose(reds, [0, 40, 80, 120], atol=1)
    (kept,) = (workspace / "cache/my-shots").iterdir()
    written = kept.stat().st_mtime_ns
    assert "shots" not in run().ran
    with sqlite3.connect(workspace / "data/shots.sqlite") as file:
        file.execute("INSERT INTO pictures VALUES (?, ?)", (picture((0, 255, 0)), "shot 4"))
    file.close()
    again = run()
    assert "shots" in again.ran and len(again.outputs["loader.out"].data.dataset) == 5
    assert kept.stat().st_mtime_ns > written


def test_latents_are_kept_by_the_content_of_the_data_source(shots, pack, workspace):
    dataset = hcpgraph.run(shots, targets=["shots.out"], workspace=workspace, packs=[pack]).outputs["shots.out"]
    digests = [sample.source.content() for sample in dataset.samples]
    with sqlite3.connect(workspace / "data/shots.sqlite") as file:
        file.execute("UPDATE pictures SET caption = 'another', picture = ? WHERE rowid = 2", (picture((9, 9, 9)),))
    file.close()
    assert [sample.source.content() == old for sample, old in zip(dataset.samples, digests, strict=True)] == [
        True,
        False,
        True,
        True,
    ]


def test_a_file_that_is_no_database_is_an_error_that_says_so(shots, pack, workspace):
    (workspace / "data/shots.sqlite").write_bytes(b"this is no database, " * 50)
    told = hcpgraph.run(shots, targets=["shots.out"], workspace=workspace, packs=[pack])
    assert told.status == "failed" and "E_DATA" in str(told.failed["shots"])


@pytest.fixture(scope="module")
def dice(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dice")
    (folder / "die.py").write_text(code_of("docs/random.md"), encoding="utf-8")
    return folder


def throws(graph: hcpgraph.Graph, dice: Path, workspace: Path, **more) -> dict[str, int]:
    for name in ("die", "same", "pair/own", "pair/shared"):
        graph.set(f"{name}.sides", 1000)
    targets = ["die.out", "same.out", "pair.own", "pair.shared"]
    return hcpgraph.run(graph, targets=targets, packs=[dice], workspace=workspace, **more).outputs


def test_streams_are_as_the_guide_says(dice, workspace):
    graph = hcpgraph.loads(code_of("docs/random.md", "json"))
    assert {problem.code for problem in hcpgraph.validate(graph, packs=[dice])} == {"W_STREAM"}
    found = throws(graph, dice, workspace)
    assert found["die.out"] == found["same.out"] == found["pair.shared"] != found["pair.own"]
    graph.rename("die", "cube")
    assert graph.nodes["cube"].stream == "die"
    apart = hcpgraph.loads(code_of("docs/random.md", "json"))
    apart.nodes["same"].stream = None
    assert throws(apart, dice, workspace)["same.out"] != found["same.out"]
    assert throws(apart, dice, workspace, seed=7)["die.out"] != found["die.out"]
