"""`requires.files`: what a graph read is found again by its content (DESIGN §4)."""

import pytest

from hcpgraph import GraphErrors
from hcpgraph.document.required_files import locate, with_requirements
from hcpgraph.fingerprint import Fingerprints, measure
from hcpgraph.paths import Roots

from .support import graph, run


@pytest.fixture
def reading(workspace):
    data = workspace / "data"
    (data / "folder").mkdir(parents=True)
    (data / "a.txt").write_text("the content")
    (data / "other.txt").write_text("the context")
    (data / "folder" / "one.txt").write_text("1")
    g = graph({"r": ("toy.read", {"path": "data:a.txt"})})
    paths = {"data:a.txt": data / "a.txt", "data:folder": data / "folder"}
    return with_requirements(
        g, {uri: {"sha256": Fingerprints().of(path), **measure(path)} for uri, path in paths.items()}
    )


def test_what_is_there_is_silent(reading, workspace):
    assert locate(reading, Roots(workspace)) == (reading, [])
    assert reading.requires.files["data:folder"].count == 1 and reading.requires.files["data:a.txt"].size == 11


def test_a_moved_file_is_found_by_its_hash(reading, workspace):
    (workspace / "data" / "deep").mkdir()
    (workspace / "data" / "a.txt").rename(workspace / "data" / "deep" / "b.txt")
    changed, notes = locate(reading, Roots(workspace))
    assert (
        changed.nodes["r"].settings["path"] == "data:deep/b.txt" and reading.nodes["r"].settings["path"] == "data:a.txt"
    )
    assert [(note.code, note.severity) for note in notes] == [("W_FILE_MOVED", "warning")]
    done = run(reading, workspace)
    assert done.outputs["r.out"] == "the content" and "W_FILE_MOVED" in [p.code for p in done.problems]


def test_changed_content_is_a_warning_or_with_locked_an_error(reading, workspace):
    (workspace / "data" / "a.txt").write_text("changed")
    (workspace / "data" / "folder" / "two.txt").write_text("2")
    done = run(reading, workspace)
    assert done.outputs["r.out"] == "changed"
    assert [p.code for p in done.problems] == ["W_FILE_CHANGED", "W_FILE_CHANGED"]
    with pytest.raises(GraphErrors) as raised:
        run(reading, workspace, locked=True)
    assert {p.code for p in raised.value.problems} == {"E_FILE_CHANGED"}


def test_a_file_that_is_nowhere_is_an_error_of_its_node(reading, workspace):
    (workspace / "data" / "a.txt").unlink()
    with pytest.raises(GraphErrors) as raised:
        run(reading, workspace)
    assert [(p.code, p.where) for p in raised.value.problems] == [("E_NOT_FOUND", "r.path")]


def test_where_to_fetch_a_file_stays_known(reading):
    reading.requires.files["data:a.txt"].hub = "hub:somebody/data"
    again = with_requirements(reading, {"data:a.txt": {"sha256": "0" * 64, "size": 1}})
    assert again.requires.files["data:a.txt"].hub == "hub:somebody/data" and list(again.requires.files) == [
        "data:a.txt"
    ]


def test_files_of_a_subgraph_move_too(workspace):
    (workspace / "data").mkdir(parents=True)
    (workspace / "data" / "new.txt").write_text("x")
    g = graph({"s": ("graph:s", {"path": "data:old.txt"})})
    g.graphs["s"] = graph({"r": "toy.read"})
    g.graphs["s"].interface.inputs["path"] = ["r.path"]
    g = with_requirements(g, {"data:old.txt": {"sha256": Fingerprints().of(workspace / "data" / "new.txt"), "size": 1}})
    assert run(g, workspace).outputs == {"s/r.out": "x"}
