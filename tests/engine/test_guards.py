"""`flow.switch` in a region with a condition that a pass decides: what only the other branch needs does not run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hcpgraph.running.guards import needs, ordered

from .support import codes, graph, module, run

EACH = {"list": ("toy.numbers", {"values": [1.0, 2.0, 3.0, 4.0]}), "each": "toy.each"}


@pytest.fixture
def calls():
    module("calls").CALLS.clear()
    return module("calls").CALLS


def switched(nodes: dict[str, Any], edges: dict[str, str]):
    """`sw` takes `yes` or `no`, both of `each.item`; the first two items are for yes."""
    base = {"early": ("value.compare", {"comparison": "lt", "b": 2.0}, "each"), "sw": ("flow.switch", {}, "each"),
            "yes": ("calls.pure", {"plus": 10.0}, "each"), "no": ("calls.pure", {"plus": 20.0}, "each")}  # fmt: skip
    wires = {"each.items": "list.out", "early.a": "each.index", "sw.condition": "early.out", "sw.on_true": "yes.out",
             "sw.on_false": "no.out", "yes.a": "each.item", "no.a": "each.item", "each.result": "sw.out"}  # fmt: skip
    return graph(EACH | base | {id: (*what, "each") for id, what in nodes.items()}, wires | edges)


def test_only_the_branch_that_is_taken_runs(workspace, calls):
    g = switched({}, {})
    assert codes(g) == []
    assert run(g, workspace).outputs["each.out"] == [11, 12, 23, 24]
    assert calls == ["yes", "yes", "no", "no"]


def test_what_both_need_runs_once_and_what_only_one_needs_with_it(workspace, calls):
    g = switched({"both": ("calls.pure", {"plus": 0.5}), "mine": ("calls.pure", {})},
                 {"both.a": "each.item", "yes.a": "both.out", "no.a": "both.out", "mine.a": "each.item", "yes.b": "mine.out"})  # fmt: skip
    assert run(g, workspace).outputs["each.out"] == [12.5, 14.5, 23.5, 24.5]
    assert calls.count("both") == 4 and calls.count("mine") == 2 and calls.count("yes") == calls.count("no") == 2


def test_what_is_needed_elsewhere_runs_whatever_is_taken(workspace, calls):
    g = switched({"all": ("toy.add", {})}, {"all.a": "sw.out", "all.b": "yes.out", "each.result": "all.out"})
    assert run(g, workspace).outputs["each.out"] == [22, 24, 36, 38]
    assert calls.count("yes") == 4 and calls.count("no") == 2


def test_what_is_hoisted_stays_hoisted(workspace, calls):
    g = switched({"once": ("calls.pure", {"plus": 1.0})}, {"yes.b": "once.out"})
    run(g, workspace)
    assert calls.count("once") == 1 and calls[0] == "once"


def test_a_switch_in_the_branch_of_a_switch(workspace, calls):
    g = switched({"late": ("value.compare", {"comparison": "ge", "b": 3.0}), "inner": ("flow.switch", {}),
                  "far": ("calls.pure", {"plus": 30.0})},
                 {"late.a": "each.index", "inner.condition": "late.out", "inner.on_true": "far.out", "inner.on_false": "no.out",
                  "far.a": "each.item", "sw.on_false": "inner.out"})  # fmt: skip
    assert run(g, workspace).outputs["each.out"] == [11, 12, 23, 34]
    assert calls == ["yes", "yes", "no", "far"]


def test_a_region_in_a_branch_is_not_entered(workspace, calls):
    g = switched(
        {"again": ("toy.repeat", {"times": 2})},
        {"again.state": "each.item", "again.next": "in.out", "sw.on_true": "again.out"},
    )
    g.add("calls.pure", "in", inside="again", plus=1.0)
    g.connect("again.state", "in.a")
    assert run(g, workspace).outputs["each.out"] == [3, 4, 23, 24]
    assert calls == ["in"] * 4 + ["no"] * 2


def test_draws_of_others_do_not_move_and_state_counts_what_ran(workspace, calls):
    def drawn(**which):
        g = switched({"draw": ("calls.random", {}), "count": ("calls.state", {}), "all": ("toy.add", {})},
                     {"no.b": "count.out", "all.a": "sw.out", "all.b": "draw.out", "each.result": "all.out"})  # fmt: skip
        if which:
            g.add("calls.random", "other", inside="each")
            g.connect("other.out", "yes.b")
        return g

    plain, more = (run(drawn(**which), workspace).outputs["each.out"] for which in ({}, {"other": 1}))
    assert plain[2:] == more[2:] and plain[:2] != more[:2]
    assert [value - int(value) for value in plain] == [0] * 4
    counted = plain[3] - plain[2]
    g = drawn()
    g.set("early.b", 0.0)
    always = run(g, workspace).outputs["each.out"]
    assert always[3] - always[2] == counted and always[3] - plain[3] == 2, "it had counted two passes more"


def test_a_writer_in_a_branch_writes_in_every_pass(workspace):
    g = switched({"log": ("toy.write", {})}, {"log.value": "yes.out"})
    run(g, workspace)
    assert len(list((workspace / "out").iterdir())) == 4


def test_a_condition_that_is_no_answer_names_the_switch(workspace):
    g = switched({"what": ("value.pick", {"index": 0})}, {"sw.condition": "what.out"})
    g.add("value.list", "words", value=["perhaps"])
    g.connect("words.out", "what.items")
    g.connect("each.index", "what.index")
    error = run(g, workspace, on_error="continue").failed["each"].problem
    assert (error.code, error.node, error.port) == ("E_SETTING", "sw", "condition")


def test_a_word_chooses_too(workspace, calls):
    g = switched(
        {"which": ("value.pick", {}), "pick": ("toy.choose", {})},
        {
            "which.index": "each.index",
            "pick.take": "which.out",
            "pick.a": "yes.out",
            "pick.b": "no.out",
            "each.result": "pick.out",
        },
    )
    g.add("value.list", "words", value=["a", "b", "b", "a"])
    g.connect("words.out", "which.items")
    for end in ("condition", "on_true", "on_false"):
        del g.edges[f"sw.{end}"]
    assert run(g, workspace, targets=["each"]).outputs["each.out"] == [11, 22, 23, 14]
    assert calls == ["yes", "no", "no", "yes"]


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_every_order_of_guarded_ops_can_be_run(data):
    """Against demand from the end: an op runs if and only if it is asked for (or cannot wait and always runs)."""
    count = data.draw(st.integers(3, 9))
    ids = [f"n{i}" for i in range(count)]
    reads, deciding, ports = {}, {}, {}
    readers: dict[str, list[tuple[str, str | None]]] = {}
    for i, id in enumerate(ids):
        before = ids[:i]
        switch = i >= 3 and data.draw(st.booleans())
        ports[id] = [
            (data.draw(st.sampled_from(before)), port)
            for port in (("t", "f", None) if switch else (None, None))
            if before
        ]
        if switch:
            deciding[id] = ports[id][2][0]
        reads[id] = {}
        for other, port in ports[id]:
            readers.setdefault(other, []).append((id, port))
            reads[id][other] = port is not None and reads[id].get(other, True)
    last = ids[-1]
    reached, stack = set(), [last]
    while stack:
        id = stack.pop()
        if id not in reached:
            reached.add(id)
            stack += reads[id]
    body = [id for id in ids if id in reached]
    readers = {id: [one for one in found if one[0] in reached] for id, found in readers.items()}
    needed = needs(body, readers, [last])
    order = ordered(body, reads, needed, {id: other for id, other in deciding.items() if id in reached})
    assert sorted(order) == sorted(body)
    answer = {id: data.draw(st.sampled_from("tf")) for id in body}
    ran: list[str] = []

    def runs(id):
        if (branches := needed[id]) is None:
            return True
        return any(
            runs(switch) and deciding[switch] in ran and answer[deciding[switch]] == port for switch, port in branches
        )

    for id in order:
        if runs(id):
            assert all(other in ran for other, port in ports[id] if port is None or (port == answer[deciding[id]])), id
            ran.append(id)
    asked, stack = set(), [last]
    while stack:
        id = stack.pop()
        if id not in asked:
            asked.add(id)
            stack += [other for other, port in ports[id] if port is None or port == answer[deciding[id]]]
    assert asked <= set(ran)
    forced = {id for id in body if needed[id] is None}
    assert set(ran) - asked <= forced | {
        id for id in ran if needed[id] is not None and any(s in forced for s, _ in needed[id])
    }
