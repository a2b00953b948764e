"""What is kept is never shared with whoever may change it, and never older than what it was made of."""

import json
import subprocess
import sys
from typing import Annotated

import pytest

from hcpgraph import Cache, node
from hcpgraph.errors import SpecError
from hcpgraph.widgets import PathPicker

from .support import graph, run


def test_lists_that_a_run_hands_out_are_not_those_that_are_kept(workspace):
    g = graph(
        {"l": "toy.numbers", "more": "changing.append", "also": "changing.append"},
        {"more.numbers": "l.out", "also.numbers": "l.out"},
    )
    g.interface.outputs["list"] = "l.out"
    cache = Cache()
    for _ in range(3):
        r = run(g, workspace, targets=["l", "more", "also"], cache=cache)
        assert r.outputs == {"l.out": [1.0, 2.0, 3.0], "more.out": 1006.0, "also.out": 1006.0}
        r.outputs["l.out"].append(99)


def test_a_node_that_changes_a_tensor_in_place_is_an_error_and_what_it_changed_is_made_again(workspace):
    g = graph({"z": "changing.zeros", "bad": "changing.tensor"}, {"bad.zeros": "z.out"})
    cache = Cache()
    run(g, workspace, targets=["z"], cache=cache)
    for _ in range(2):
        r = run(g, workspace, cache=cache)
        problem = r.failed["bad"].problem
        assert (problem.code, problem.node, problem.port) == ("E_MUTATED", "bad", "zeros") and "clone" in problem.hint
        assert run(g, workspace, targets=["z"], cache=cache).outputs["z.out"].data.tolist() == [0, 0, 0]


def test_nobody_reads_what_was_changed_in_place(workspace):
    g = graph(
        {
            "z": "changing.zeros",
            "same": "flow.reroute",
            "bad": "changing.tensor",
            "more": ("changing.tensor", {"by": 0.0}),
        },
        {"same.value": "z.out", "bad.zeros": "z.out", "more.zeros": "same.out"},
    )
    for first, then in (("bad", "more"), ("more", "bad")):
        r = run(g, workspace, targets=[first, then], on_error="continue", cache=Cache())
        assert set(r.failed) == {first} and r.failed[first].problem.code == "E_MUTATED"
        assert then in r.skipped and not r.outputs


def test_an_array_refuses_to_be_changed(workspace):
    g = graph({"z": "changing.zeros", "bad": "changing.array"}, {"bad.zeros": "z.out"})
    assert "read-only" in run(g, workspace).failed["bad"].problem.message


def test_a_tensor_that_somebody_changed_after_the_run_is_made_again(workspace):
    g = graph({"z": "changing.zeros"})
    cache = Cache()
    first = run(g, workspace, cache=cache)
    assert run(g, workspace, cache=cache).cached == ["z"]
    first.outputs["z.out"].data[0] = 5
    again = run(g, workspace, cache=cache)
    assert again.ran == ["z"] and again.outputs["z.out"].data.tolist() == [0, 0, 0]


def test_a_file_that_no_setting_names_cannot_be_read(workspace):
    (workspace / "data").mkdir(parents=True)
    (workspace / "data" / "a.txt").write_text("one")
    problem = run(graph({"r": "changing.reads_more"}), workspace).failed["r"].problem
    assert problem.code == "E_READ" and "PathPicker" in problem.hint


def test_a_reader_says_what_it_reads():
    def plain(*, path: str = "data:x") -> str:
        """Read.

        Args:
            path: Where.
        """
        return path

    def picked(*, path: Annotated[str, PathPicker()] = "data:x") -> str:
        """Read.

        Args:
            path: Where.
        """
        return path

    with pytest.raises(SpecError, match="'read' needs a setting with a PathPicker"):
        node("kept.plain", effects="read")(plain)
    with pytest.raises(SpecError, match="so its effects are 'read' too"):
        node("kept.picked")(picked)


HELPED = '''
from hcpgraph import node
from kept_second.helper import plus

@node("kept.helped")
def helped(a: float = 0.0) -> float:
    """Give a number.

    Args:
        a: Added to it.
    """
    return a + plus()
'''


@pytest.mark.slow
def test_a_helper_of_an_installed_pack_that_is_edited_runs_its_readers_again(tmp_path):
    """Two packs as pip installs them; a node of the first stands on a helper and a table of the second."""
    site = tmp_path / "site-packages"
    for name, files in {
        "kept_first": {"nodes.py": HELPED},
        "kept_second": {"helper.py": HELPER, "table.json": "[1]"},
    }.items():
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").write_text("")
        for file, text in files.items():
            (site / name / file).write_text(text)
        info = site / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[hcpgraph.packs]\n{name} = {name}\n")
    g = graph({"h": "kept.helped", "n": "toy.number", "end": "toy.write"}, {"h.a": "n.out", "end.value": "h.out"})
    g.save(tmp_path / "g.json")

    def go():
        paths = [str(site), *(path for path in sys.path if path)]
        script = f"""
import sys; sys.path[:0] = {paths!r}
import hcpgraph, hcpgraph.testing, json
r = hcpgraph.run({str(tmp_path / "g.json")!r}, packs=[hcpgraph.testing.FOLDER], workspace={str(tmp_path / "ws")!r})
assert r.status == "done", r.failed
print(json.dumps([r.ran, (r.folder.parents[1] / "out" / r.outputs["end.out"][4:]).read_text()]))
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert go() == [["n", "h", "end"], "2.0"]
    assert go() == [[], "2.0"]
    (site / "kept_second" / "table.json").write_text("[10]")
    assert go() == [["n", "h", "end"], "11.0"]
    (site / "kept_second" / "helper.py").write_text(HELPER.replace("1 +", "100 +"))
    assert go() == [["n", "h", "end"], "110.0"]


HELPER = """
import json
from pathlib import Path


def plus():
    return 1 + json.loads(Path(__file__).with_name("table.json").read_text())[0]
"""
