"""Runs: order, failures, cancel, records, and the cases of ComfyUI's engine tests that apply (DESIGN §7)."""

import hashlib
import json
import sys
import threading

import pytest

from hcpgraph import Cache, GraphErrors
from hcpgraph.document.embed import REMOVED

from .support import graph, module, run


@pytest.fixture
def calls():
    trace = module("calls").CALLS
    trace.clear()
    yield trace
    trace.clear()


def diamond():
    return graph({"n": ("toy.number", {"value": 1}), "top": "calls.pure", "l": ("calls.pure", {"plus": 1}), "r": ("calls.pure", {"plus": 2}),
                  "end": "calls.pure"},
                 {"top.a": "n.out", "l.a": "top.out", "r.a": "top.out", "end.a": "l.out", "end.b": "r.out"})  # fmt: skip


def test_a_diamond_runs_its_top_once(workspace, calls):
    done = run(diamond(), workspace)
    assert done.status == "done" and done.outputs == {"end.out": 5}
    assert calls == ["top", "l", "r", "end"] and done.ran == ["n", *calls]


@pytest.mark.slow
def test_ten_thousand_nodes_in_a_row(workspace):
    size = 10_000
    g = graph({"n0": ("toy.number", {"value": 1}), **{f"n{i}": ("toy.add", {"plus": 1}) for i in range(1, size)}},
              {f"n{i}.a": f"n{i - 1}.out" for i in range(1, size)})  # fmt: skip
    assert size > sys.getrecursionlimit()
    done = run(g, workspace)
    assert done.outputs == {f"n{size - 1}.out": size} and len(done.ran) == size


def test_the_same_graph_twice_runs_nothing(workspace, calls):
    cache = Cache()
    run(diamond(), workspace, cache=cache)
    done = run(diamond(), workspace, cache=cache)
    assert (done.ran, done.cached, done.outputs) == ([], ["end"], {"end.out": 5})
    assert len(calls) == 4
    run(diamond(), workspace)
    assert len(calls) == 8


def test_one_changed_setting_runs_its_node_and_what_stands_on_it(workspace, calls):
    cache = Cache()
    run(diamond(), workspace, cache=cache)
    calls.clear()
    done = run(diamond(), workspace, cache=cache, settings={"l.plus": 10})
    assert calls == ["l", "end"] and set(done.cached) == {"top", "r"} and done.outputs["end.out"] == 14


def test_view_and_meta_run_nothing(workspace, calls):
    cache, g = Cache(), diamond()
    run(g, workspace, cache=cache)
    g.view.nodes["top"] = [5, 5]
    g.meta.description = "moved"
    assert run(g, workspace, cache=cache).ran == []


def test_an_edited_file_runs_what_reads_it(workspace, calls):
    (workspace / "data").mkdir(parents=True)
    (workspace / "data" / "a.txt").write_text("one")
    g = graph({"r": ("toy.read", {"path": "data:a.txt"}), "w": "toy.write", "n": "toy.number", "p": "calls.pure"},
              {"w.value": "r.out", "p.a": "n.out"})  # fmt: skip
    cache = Cache()
    assert set(run(g, workspace, cache=cache).ran) == {"r", "w", "n", "p"}
    assert run(g, workspace, cache=cache).ran == []
    (workspace / "data" / "a.txt").write_text("two")
    done = run(g, workspace, cache=cache)
    assert done.ran == ["r", "w"] and done.cached == ["p"] and (workspace / "out" / "toy-2.txt").read_text() == "two"


def test_two_equal_outputs_both_report(workspace):
    g = graph({"n": "toy.number", "a": "toy.write", "b": "toy.write"}, {"a.value": "n.out", "b.value": "n.out"})
    done = run(g, workspace)
    assert done.outputs == {"a.out": "out:toy.txt", "b.out": "out:toy.txt"}
    assert [entry["node"] for entry in done.artifacts] == ["a", "b"]


def test_equal_nodes_share_a_result(workspace, calls):
    g = graph({"n": "toy.number", "x": "calls.pure", "y": "calls.pure"}, {"x.a": "n.out", "y.a": "n.out"})
    done = run(g, workspace, cache=Cache())
    assert done.outputs == {"x.out": 0, "y.out": 0} and calls == ["x"] and done.cached == ["y"]


def test_draws_do_not_depend_on_other_nodes(workspace):
    g = graph({"d": "toy.draw"})
    before = run(g, workspace).outputs["d.out"]
    g.add("toy.draw", "another")
    done = run(g, workspace)
    assert done.outputs["d.out"] == before != done.outputs["another.out"]
    g.rename("d", "renamed")
    assert run(g, workspace).outputs["renamed.out"] == before
    assert run(g, workspace, seed=1).outputs["renamed.out"] != before


def drawing_loop(**more):
    return graph({"list": "toy.numbers", "each": "toy.each", "d": ("toy.draw", {}, "each"), **more},
                 {"each.items": "list.out", "d.a": "each.item", "each.result": "d.out"})  # fmt: skip


def test_draws_in_a_region_depend_on_the_pass_and_on_nothing_else(workspace):
    before = run(drawing_loop(), workspace).outputs["each.out"]
    fractions = [value - i for i, value in enumerate(before, 1)]
    assert len(set(fractions)) == 3
    more = drawing_loop(e=("toy.draw", {}, "each"), sink=("calls.write", {}, "each"))
    more.edges |= {"e.a": "each.item", "sink.a": "e.out"}
    assert run(more, workspace).outputs["each.out"] == before
    shorter = drawing_loop()
    shorter.set("list.values", [1.0, 2.0])
    assert run(shorter, workspace).outputs["each.out"] == before[:2]


def failing(code=""):
    return graph({"n": "toy.number", "bad": ("toy.fail", {"code": code}), "after": "toy.add", "late": "toy.add", "free": "toy.add",
                  "save": "toy.write"},
                 {"bad.a": "n.out", "after.a": "bad.out", "late.a": "after.out", "free.a": "n.out", "save.value": "late.out"})  # fmt: skip


def test_a_failure_stops_the_run_by_default(workspace):
    done = run(failing(), workspace)
    assert done.status == "failed" and list(done.failed) == ["bad"] and "save" not in done.ran
    problem = done.failed["bad"].problem
    assert (problem.code, problem.node) == ("E_RUN", "bad")
    assert problem.message == "ValueError: failed on purpose" and problem.hint == "Fail on purpose."


def test_independent_branches_finish_with_continue(workspace):
    done = run(failing("E_MINE"), workspace, on_error="continue")
    assert done.status == "failed" and done.outputs == {"free.out": 0}
    assert set(done.skipped) == {"after", "late", "save"} and set(done.ran) == {"n", "free"}
    assert (done.failed["bad"].problem.code, done.failed["bad"].problem.hint) == ("E_MINE", "do not use this node")


def test_ten_thousand_nodes_behind_a_failure_are_skipped(workspace):
    g = graph(
        {"n0": "toy.fail", **{f"n{i}": "toy.add" for i in range(1, 10_000)}},
        {f"n{i}.a": f"n{i - 1}.out" for i in range(1, 10_000)},
    )
    done = run(g, workspace, on_error="continue", record=False)
    assert list(done.failed) == ["n0"] and len(done.skipped) == 9999


def test_a_failed_node_is_not_cached_and_the_next_run_is_sound(workspace):
    cache = Cache()
    run(failing(), workspace, cache=cache, on_error="continue")
    assert run(failing(), workspace, cache=cache, on_error="continue").failed.keys() == {"bad"}
    assert run(diamond(), workspace, cache=cache).status == "done"


def test_a_failure_in_a_body_names_the_node(workspace):
    g = graph({"list": "toy.numbers", "each": "toy.each", "bad": ("toy.fail", {}, "each")},
              {"each.items": "list.out", "bad.a": "each.item", "each.result": "bad.out"})  # fmt: skip
    done = run(g, workspace)
    assert done.failed["each"].problem.node == "bad"


def test_a_result_that_is_not_what_was_promised(workspace):
    done = run(graph({"x": "calls.bad_result", "n": "toy.number"}), workspace, on_error="continue")
    assert done.failed["x"].problem.code == "E_RUN" and done.outputs == {"n.out": 0}


def test_shapes_of_ports_are_told(workspace):
    from dataclasses import dataclass

    import hcpgraph
    from hcpgraph.types import port_type

    class Array:
        shape, dtype = (2, 3), "torch.float32"

    @port_type()
    @dataclass(frozen=True)
    class Shaped:
        """Looks like a tensor."""

        data: Array

    @hcpgraph.node("execute.shaped")
    def shaped() -> Shaped:
        """Give one."""
        return Shaped(Array())

    @hcpgraph.node("execute.breaks")
    def breaks(x: Shaped, n: int = 1) -> int:
        """Break.

        Args:
            x: A value.
            n: A number.
        """
        raise RuntimeError("sizes do not match")

    g = graph({"a": "execute.shaped", "b": "execute.breaks"}, {"b.x": "a.out"})
    assert "(ports: x=Shaped(2, 3) float32)" in run(g, workspace).failed["b"].problem.message


def test_cancel_from_another_thread(workspace):
    cancel, events = threading.Event(), []

    def on_event(event):
        events.append(event)
        if event["kind"] == "node_done" and event["node"] == "n5":
            worker = threading.Thread(target=cancel.set)
            worker.start()
            worker.join()

    g = graph(
        {"n0": "toy.number", **{f"n{i}": "toy.add" for i in range(1, 50)}},
        {f"n{i}.a": f"n{i - 1}.out" for i in range(1, 50)},
    )
    done = run(g, workspace, cancel=cancel, on_event=on_event)
    assert done.status == "cancelled" and done.ran == [f"n{i}" for i in range(6)]
    assert events[-1]["kind"] == "run_done" and events[-1]["status"] == "cancelled"
    assert json.loads((done.folder / "run.json").read_text())["status"] == "cancelled"


def test_cancel_in_a_body(workspace, calls):
    g = graph({"list": "toy.numbers", "rep": ("toy.repeat", {"times": 5}), "n": "toy.number", "stop": ("calls.stop", {}, "rep"),
               "seen": ("calls.pure", {}, "rep")},
              {"rep.state": "n.out", "seen.a": "rep.state", "stop.a": "seen.out", "rep.next": "stop.out"})  # fmt: skip
    done = run(g, workspace)
    assert done.status == "cancelled" and calls == ["seen"] and "rep" not in done.failed


def test_the_record_of_a_run(workspace):
    g = diamond()
    g.meta.title = "Diamond"
    done = run(g, workspace, seed=7)
    record = json.loads((done.folder / "run.json").read_text())
    assert done.folder == workspace / "runs" / done.id
    assert (record["status"], record["title"], record["seed"], record["device"]) == ("done", "Diamond", 7, "cpu")
    assert (
        record["ran"] == done.ran and record["cached"] == [] and record["failed"] == {} and record["targets"] == ["end"]
    )
    assert set(record["timing"]) == set(done.ran) and all(row["seconds"] >= 0 for row in record["timing"].values())
    assert {"hcpgraph", "torch", "hcpgraph_nodes"} <= set(record["versions"])
    text = (done.folder / "graph.json").read_bytes()
    g.run.seed = 7
    assert record["graph_sha256"] == hashlib.sha256(text).hexdigest() and text.decode() == g.dump()


def test_failures_and_artifacts_stand_in_the_record(workspace):
    record = json.loads((run(failing("E_MINE"), workspace, on_error="continue").folder / "run.json").read_text())
    assert record["failed"]["bad"]["code"] == "E_MINE" and set(record["skipped"]) == {"after", "late", "save"}
    done = run(graph({"n": "toy.number", "w": "toy.write"}, {"w.value": "n.out"}), workspace)
    assert json.loads((done.folder / "run.json").read_text())["artifacts"] == [
        {"node": "w", "uri": "out:toy.txt", "type": "file"}
    ]


def test_events_of_a_run(workspace):
    events = []
    done = run(diamond(), workspace, on_event=events.append)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {event["run"] for event in events} == {done.id}
    assert [e["kind"] for e in events] == ["run_started", *["node_started", "node_done"] * 5, "run_done"]
    lines = [json.loads(line) for line in (done.folder / "events.jsonl").read_text().splitlines()]
    assert lines == events
    cached = []
    cache = Cache()
    run(diamond(), workspace, cache=cache)
    run(diamond(), workspace, cache=cache, on_event=cached.append)
    assert [e["kind"] for e in cached] == ["run_started", "node_cached", "run_done"]


def test_nothing_is_recorded_when_asked(workspace):
    done = run(diamond(), workspace, record=False)
    assert done.folder is None and not (workspace / "runs").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"on_error": "perhaps"}, "E_CALL"),
        ({"precision": "fp8"}, "E_CALL"),
        ({"seed": -1}, "E_SEED"),
        ({"seed": 2**32}, "E_SEED"),
        ({"settings": {"nope.x": 1}}, "E_NODE_UNKNOWN"),
        ({"settings": {"top.nope": 1}}, "E_SETTING_UNKNOWN"),
        ({"targets": ["nope"]}, "E_TARGET"),
        ({"targets": []}, "E_TARGET"),
        ({"device": "abacus"}, "E_DEVICE"),
        ({"device": "cuda:99"}, "E_DEVICE"),
    ],
)
def test_wrong_calls(workspace, options, code):
    with pytest.raises(GraphErrors) as raised:
        run(diamond(), workspace, **options)
    assert code in [problem.code for problem in raised.value.problems]
    assert not (workspace / "runs").exists()


def test_the_seed_of_a_run_sets_every_seed(workspace):
    g = graph({"a": "toy.seeded", "b": ("toy.seeded", {"seed": 3})})
    assert run(g, workspace, seed=9).outputs == {"a.out": 9, "b.out": 9}
    assert run(g, workspace).outputs == {"a.out": 0, "b.out": 3}


def test_named_settings_of_the_interface(workspace):
    g = diamond()
    g.interface.inputs["both"] = ["l.plus", "r.plus"]
    assert run(g, workspace, settings={"both": 10}).outputs["end.out"] == 22


def test_a_run_hands_back_what_its_files_would_carry(workspace):
    g = graph(
        {"n": "toy.number", "p": ("files.picture", {"note": {"file": "/home/somebody/secret.txt"}})},
        {"p.gray": "n.out"},
    )
    run(g, workspace)
    from hcpgraph import load

    assert load(workspace / "out" / "picture.png").nodes["p"].settings["note"] == {"file": REMOVED}
