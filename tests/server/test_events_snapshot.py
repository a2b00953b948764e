"""What events add up to: snapshots and curves."""

import csv
import io
import math
import random
from array import array

from hcpgraph.events import EventLog
from hcpgraph.server.queue.progress import LOG_LINES, TABLE_HEAD, Curves, Fold, table, thin


def told(*calls):
    events = []
    log = EventLog("r", None, events.append)
    for kind, node, fields in calls:
        log.emit(kind, node, **fields)
    return events


def fold(events):
    result = Fold()
    for event in events:
        result.take(event)
    return result


def test_the_states_of_nodes():
    problem = {"code": "E_RUN", "message": "no", "severity": "error"}
    events = told(
        ("run_started", None, {"nodes": 5, "targets": []}),
        ("node_cached", "a", {}),
        ("node_started", "b", {}),
        ("progress", "b", {"value": 3, "total": 9, "loss": 0.5, "note": "text"}),
        ("progress", "inner", {"value": 4, "total": 4}),
        ("node_started", "c", {}),
        ("node_done", "c", {"seconds": 1.5}),
        ("node_started", "d", {}),
        ("node_failed", "d", {"problem": problem, "traceback": None}),
        ("node_failed", "own", {"problem": problem, "traceback": "Traceback …"}),
        ("node_skipped", "e", {}),
    )
    nodes = fold(events).nodes
    assert nodes == {
        "a": {"state": "cached"},
        "b": {"state": "running", "value": 3, "total": 9, "numbers": {"loss": 0.5}},
        "inner": {"state": "done", "value": 4, "total": 4},
        "c": {"state": "done", "seconds": 1.5},
        "d": {"state": "failed", "problem": problem},
        "own": {"state": "failed", "problem": problem, "traceback": "Traceback …"},
        "e": {"state": "skipped"},
    }


def test_the_checkpoints_that_are_kept():
    def written(step, *forgotten):
        return ("checkpoint", "b", {"step": step, "uri": f"cache:b/{step}", "forgotten": list(forgotten)})

    def steps(events):
        return [(one["step"], one["uri"]) for one in fold(events).nodes["b"]["checkpoints"]]

    events = told(
        ("node_started", "b", {}), written(5), written(10), written(15, 5), ("node_done", "b", {"seconds": 1})
    )
    assert steps(events) == [(10, "cache:b/10"), (15, "cache:b/15")]
    assert fold(events).nodes["b"]["state"] == "done"
    assert steps(told(written(5), written(10), written(10))) == [(5, "cache:b/5"), (10, "cache:b/10")]


def test_a_run_that_is_over_runs_nothing():
    begun = told(("node_started", "b", {}), ("progress", "b", {"value": 3, "total": 9}))
    for status, state in (("done", "done"), ("cancelled", "waiting"), ("failed", "waiting")):
        end = {"run": "r", "seq": 3, "t": 1.0, "kind": "run_done", "status": status, "seconds": 1.0}
        assert fold([*begun, end]).nodes["b"] == {"state": state, "value": 3, "total": 9}


def test_events_that_come_again_change_nothing():
    events = told(*[("log", "a", {"message": str(i), "level": "info"}) for i in range(10)],
                  ("artifact", "a", {"uri": "out:a.png", "type": "image"}))  # fmt: skip
    once, again = fold(events), fold([*events, *events[3:], *events])
    assert once.to_json() == again.to_json()
    assert once.picture() == "out:a.png"
    assert once.artifacts == [{"seq": 11, "t": events[-1]["t"], "node": "a", "uri": "out:a.png", "type": "image"}]


def test_a_long_log_keeps_its_end():
    events = told(*[("log", "a", {"message": str(i), "level": "info"}) for i in range(LOG_LINES + 10)])
    log = fold(events).to_json()["log"]
    assert (len(log), log[-1]["message"]) == (LOG_LINES, str(LOG_LINES + 9))


def test_a_thinned_curve_keeps_its_ends_and_every_piece_s_extremes():
    chance = random.Random(5)
    for count in (2_001, 2_500, 10_000, 123_457):
        values = array("d", (chance.gauss(0, 1) for _ in range(count)))
        spikes = {chance.randrange(count): sign * (100.0 + at) for at, sign in enumerate((1, -1, 1, -1))}
        for at, value in spikes.items():
            values[at] = value
        steps = array("q", range(10, 10 + count))
        points = thin(steps, values, 2_000)
        assert len(points) <= 2_000
        assert [step for step, _ in points] == sorted({step for step, _ in points})
        assert all(values[step - 10] == value for step, value in points)
        assert {points[0][0], points[-1][0]} == {10, 9 + count}
        assert all([10 + at, value] in points for at, value in spikes.items())
        assert (max(v for _, v in points), min(v for _, v in points)) == (max(values), min(values))


def test_a_short_curve_is_left_alone():
    assert thin(array("q", [1, 2]), array("d", [5.0, 6.0]), 2_000) == [[1, 5.0], [2, 6.0]]


def test_curves_are_kept_by_node_and_name_and_leave_out_what_is_no_number():
    events = told(
        ("metric", "a", {"step": 1, "values": {"loss": 1.0, "lr": 1}}),
        ("metric", "b", {"step": 1, "values": {"loss": 2.0}}),
        ("metric", "a", {"step": 2, "values": {"loss": math.nan, "lr": math.inf}}),
        ("metric", "a", {"step": 3, "values": {"loss": 3.0}}),
    )
    curves = Curves()
    for event in [*events, *events]:
        curves.take(event)
    assert curves.to_json() == {
        "seq": 4,
        "series": {"a": {"loss": [[1, 1.0], [3, 3.0]], "lr": [[1, 1.0]]}, "b": {"loss": [[1, 2.0]]}},
    }


def test_the_table_has_every_number_and_no_formula():
    events = told(
        ("metric", "a/b", {"step": 1, "values": {"loss": 0.1, 'x,"y': 2.0, "=1+1": 3}}),
        ("log", "a", {"message": "x", "level": "info"}),
    )
    rows = list(csv.reader(io.StringIO(TABLE_HEAD + "".join(table(iter(events))))))
    assert rows == [
        ["node", "name", "step", "value"],
        ["a/b", "loss", "1", "0.1"],
        ["a/b", 'x,"y', "1", "2.0"],
        ["a/b", "'=1+1", "1", "3"],
    ]
