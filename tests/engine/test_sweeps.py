"""Settings that come from the items of `flow.for_each`: what is known before the run is checked for each of them."""

from __future__ import annotations

import pytest

import hcpgraph

from .support import codes, graph, problems, run
from .training_graphs import PACK, training

STEPS = 4


def reading(items, **more):
    """A file for each item; the second of two nodes reads it."""
    return graph({"items": ("value.list", {"value": items}), "each": ("flow.for_each", more),
                  "read": ("toy.read", {}, "each")},
                 {"each.items": "items.out", "read.path": "each.item", "each.result": "read.out"})  # fmt: skip


@pytest.fixture
def files(workspace):
    (workspace / "data").mkdir(parents=True)
    for name in "abc":
        (workspace / "data" / name).write_text(f"text of {name}")
    return workspace / "data"


def test_files_of_literal_items_are_read_and_belong_to_the_key(workspace, files):
    g = reading(["data:a", "data:b"])
    assert codes(g, workspace=workspace) == []
    cache = hcpgraph.Cache()
    assert run(g, workspace, cache=cache).outputs["each.out"] == ["text of a", "text of b"]
    assert run(g, workspace, cache=cache).ran == []
    (files / "b").write_text("new")
    assert run(g, workspace, cache=cache).outputs["each.out"] == ["text of a", "new"]


def test_each_item_is_checked_in_its_place(workspace, files):
    found = problems(reading(["data:a", "data:../b", 5]), workspace=workspace, files=True)
    assert [(p.code, p.where) for p in found] == [("E_SETTING", "read.path"), ("E_PATH", "read.path")]
    assert "item 2 of 'each'" in found[0].message
    missing = problems(reading(["data:a", "data:z"]), workspace=workspace, files=True)
    assert [(p.code, p.where) for p in missing] == [("E_NOT_FOUND", "read.path")]


def test_items_that_only_the_run_knows_name_no_files(workspace, files):
    g = reading(["data:a"])
    g.add("toy.repeat", "rep", times=1)
    g.connect("items.out", "rep.state")
    g.connect("rep.state", "rep.next")
    g.connect("rep.out", "each.items")
    assert codes(g, workspace=workspace) == [("E_WIRED", "read.path")]


def test_value_nodes_work_on_items_before_the_run(workspace, files):
    g = reading(["a", "b"])
    g.add("value.join", "name", inside="each", separator="")
    g.add("value.text", "root", value="data:")
    g.connect("root.out", "name.texts", many=True)
    g.connect("each.item", "name.texts", many=True)
    g.connect("name.out", "read.path")
    assert codes(g, workspace=workspace, files=True) == []
    assert run(g, workspace, targets=["each"]).outputs["each.out"] == ["text of a", "text of b"]
    g.set("items.value", ["a", "z"])
    assert codes(g, workspace=workspace, files=True) == [("E_NOT_FOUND", "read.path")]


def test_rules_are_asked_for_each_item():
    g = graph({"items": ("value.list", {"value": [1, 13]}), "each": "flow.for_each", "p": ("files.picture", {}, "each")},
              {"each.items": "items.out", "p.level": "each.item", "each.result": "p.out"})  # fmt: skip
    found = [p for p in problems(g) if p.code == "E_RULE"]
    assert [p.where for p in found] == ["p.level"] and "item 1 of 'each'" in found[0].message


def test_a_sweep_in_a_sweep_takes_the_items_that_go_together(workspace, files):
    """The items of the inner one are those of the outer one's item."""
    g = graph({"items": ("value.list", {"value": [["a"], ["b", "c"]]}), "outer": "flow.for_each", "inner": ("flow.for_each", {}, "outer"),
               "root": ("value.text", {"value": "data:"}), "name": ("value.join", {"separator": ""}, "inner"), "read": ("toy.read", {}, "inner")},
              {"outer.items": "items.out", "inner.items": "outer.item", "name.texts.0": "root.out", "name.texts.1": "inner.item",
               "read.path": "name.out", "inner.result": "read.out", "outer.result": "inner.out"})  # fmt: skip
    assert codes(g, workspace=workspace, files=True) == []
    assert run(g, workspace, targets=["outer"]).outputs["outer.out"] == [["text of a"], ["text of b", "text of c"]]
    g.set("items.value", [["a"], ["b", "z"]])
    assert codes(g, workspace=workspace, files=True) == [("E_NOT_FOUND", "read.path")]


def test_what_a_sweep_touches_is_told(workspace, files):
    from hcpgraph.checking.analyse import analyse
    from hcpgraph.checking.touches import touches
    from hcpgraph.declaring.registry import default_registry
    from hcpgraph.paths import Roots

    from .support import ALL

    roots = Roots(workspace)
    found = analyse(reading(["data:a", "data:b"]), default_registry(ALL), roots)
    told = touches(found.flat, found.settings, roots)
    assert [touch.value for touch in told.reads] == ["data:a", "data:b"] and told.unknown == []


def swept(items, setting="adamw.lr", **more):
    """A training from fresh weights for every item, which is the value of a setting."""
    g = training(STEPS)
    g.add("flow.for_each", "sweep", **more)
    g.add("value.list", "items", settings={"value": items})
    g.connect("items.out", "sweep.items")
    for id in ("made", "adamw", "train", "after", "w"):
        g.move_into(id, "sweep")
    g.connect("sweep.item", setting)
    g.connect("w.out", "sweep.result")
    return g


def train(g, workspace, **options):
    metrics: list[int] = []
    result = hcpgraph.run(g, packs=[PACK], workspace=workspace, **options,
                          on_event=lambda e: e["kind"] == "metric" and metrics.append(e["step"]))  # fmt: skip
    assert result.status == "done", result.failed
    return result, metrics


@pytest.mark.parametrize(("setting", "items"), [
    ("adamw.lr", [0.01, 0.03, 0.01]), ("made.seed", [0, 3, 0]), ("noise0.strength", [0.1, 0.5, 0.1]), ("train.seed", [5, 6, 5]),
    ("train.steps", [2, 4, 2]),
])  # fmt: skip
def test_each_item_trains_as_the_graph_with_that_value_written(workspace, tmp_path, setting, items):
    result, _ = train(swept(items, setting), workspace, targets=["sweep"])
    one, two, three = result.outputs["sweep.out"]
    assert one == three and one != two
    for place, weights in enumerate((one, two)):
        g = training(STEPS)
        g.set(setting, items[place])
        alone, _ = train(g, tmp_path / str(place), targets=["w"])
        assert alone.outputs["w.out"] == weights


@pytest.mark.parametrize("setting", ["adamw.lr", "noise0.strength", "made.dropout"])
def test_items_in_front_and_behind_retrain_no_other_and_taking_away_neither(workspace, setting):
    first, metrics = train(swept([0.01, 0.02], setting), workspace, targets=["sweep"])
    assert metrics == [*range(1, STEPS + 1)] * 2
    more, metrics = train(swept([0.03, 0.01, 0.02, 0.04], setting), workspace, targets=["sweep"])
    assert metrics == [*range(1, STEPS + 1)] * 2
    assert more.outputs["sweep.out"][1:3] == first.outputs["sweep.out"]
    less, metrics = train(swept([0.02], setting), workspace, targets=["sweep"])
    assert metrics == [] and less.outputs["sweep.out"] == first.outputs["sweep.out"][1:]


def test_own_draws_follow_the_place(workspace):
    result, _ = train(swept([0.01, 0.01], draws="own"), workspace, targets=["sweep"])
    assert result.outputs["sweep.out"][0] != result.outputs["sweep.out"][1]


def test_files_of_other_items_retrain_nothing_and_that_of_an_item_its_own(workspace):
    """The strength of the noise is as long as the text of a file."""
    (workspace / "data").mkdir(parents=True)
    for name in "abc":
        (workspace / "data" / name).write_text(name * (1 + "abc".index(name)))

    def graph_of(*names):
        g = training(STEPS)
        g.add("flow.for_each", "sweep")
        g.add("value.list", "items", settings={"value": [f"data:{name}" for name in names]})
        g.connect("items.out", "sweep.items")
        for id in ("made", "adamw", "train", "after", "w"):
            g.move_into(id, "sweep")
        g.add("net.length", "read", inside="sweep")
        g.connect("sweep.item", "read.path")
        g.add("net.scale", "scale", inside="train")
        g.connect("read.out", "scale.factor")
        g.connect("noise0.out", "scale.rows")
        g.connect("scale.out", "pred.rows")
        g.connect("w.out", "sweep.result")
        return g

    first, metrics = train(graph_of("a", "b"), workspace, targets=["sweep"])
    assert len(metrics) == 2 * STEPS
    more, metrics = train(graph_of("c", "a", "b"), workspace, targets=["sweep"])
    assert len(metrics) == STEPS and more.outputs["sweep.out"][1:] == first.outputs["sweep.out"]
    (workspace / "data" / "a").write_text("longer than before")
    other, metrics = train(graph_of("a", "b"), workspace, targets=["sweep"])
    assert len(metrics) == STEPS, "a alone is another"
    assert other.outputs["sweep.out"][1] == first.outputs["sweep.out"][1] != other.outputs["sweep.out"][0]


def test_what_depends_on_no_item_runs_once(workspace):
    g = swept([0.01, 0.02])
    result, _ = train(g, workspace, targets=["sweep"])
    assert result.ran.count("items") == 1


def spread_graph(*sources):
    """`sum` of wires: numbers, and lists of them that a sweep gives."""
    g = graph({"items": ("value.list", {"value": [1.0, 2.0]}), "each": "flow.for_each", "add": ("toy.add", {"plus": 10.0}, "each"),
               "one": ("toy.number", {"value": 100.0}), "sum": "calls.joined"},
              {"each.items": "items.out", "add.a": "each.item", "each.result": "add.out"})  # fmt: skip
    for source in sources:
        g.connect(source, "sum.numbers", many=True)
    return g


def test_a_list_is_as_many_wires_as_it_has_items_also_beside_others(workspace):
    g = spread_graph("one.out", "each.out", "one.out")
    assert codes(g) == []
    assert run(g, workspace, targets=["sum"]).outputs["sum.out"] == "100.0 11.0 12.0 100.0"


def test_in_a_region_too(workspace):
    g = spread_graph("each.out", "one.out")
    g.add("toy.repeat", "rep", times=2)
    g.move_into("sum", "rep")
    g.add("toy.number", "zero")
    g.connect("zero.out", "rep.state")
    g.connect("rep.index", "sum.numbers", many=True)
    g.add("calls.length", "long", inside="rep")
    g.connect("sum.out", "long.text")
    g.connect("long.out", "rep.next")
    assert codes(g) == []
    assert run(g, workspace, targets=["rep"]).outputs["rep.out"] == len("11.0 12.0 100.0 1")


def test_folding_spreads_lists_as_a_run_does(workspace):
    g = graph({"words": ("value.list", {"value": ["a", "b"]}), "c": ("value.text", {"value": "c"}), "join": ("value.join", {"separator": "-"}),
               "word": "toy.word"},
              {"join.texts.0": "words.out", "join.texts.1": "c.out", "word.text": "join.out"})  # fmt: skip
    assert codes(g) == []
    done = run(g, workspace, targets=["word", "join"])
    assert done.outputs["word.out"] == done.outputs["join.out"] == "a-b-c"


def test_lists_of_other_things_and_at_ports_for_one_wire_are_refused():
    g = spread_graph("each.out")
    g.add("toy.word", "w")
    g.connect("w.out", "each.result")
    assert ("E_TYPE", "sum.numbers.0") in codes(g)
    g = spread_graph("each.out")
    g.add("toy.add", "single")
    g.connect("each.out", "single.a")
    assert ("E_TYPE", "single.a") in codes(g)


def test_an_input_that_takes_anything_takes_a_list_as_it_is(workspace):
    g = spread_graph("each.out")
    g.add("value.collect", "all")
    g.connect("each.out", "all.values", many=True)
    assert run(g, workspace, targets=["all"]).outputs["all.out"] == [[11.0, 12.0]]


def test_curves_of_all_trainings_stand_on_one_picture_beside_another(workspace):
    g = swept([0.01, 0.03])
    g.connect("train.losses", "sweep.result")
    other = training(STEPS)
    for id, node in other.nodes.items():
        inside = {"inside": f"{node.inside}2"} if node.inside else {}
        g.nodes[f"{id}2"] = node.model_copy(update=inside)
    g.edges.update(
        (target.replace(".", "2.", 1), source.replace(".", "2.", 1)) for target, source in other.edges.items()
    )
    g.add("image.plot", "plot", names=["slow", "fast", "alone"])
    g.connect("sweep.out", "plot.curves", many=True)
    g.connect("train2.losses", "plot.curves", many=True)
    assert not [p for p in hcpgraph.validate(g, packs=[PACK]) if p.node == "plot"], "nobody counts wires of a list"
    result, _ = train(g, workspace, targets=["plot", "sweep"])
    assert len(result.outputs["sweep.out"]) == 2 and result.outputs["plot.out"].data.shape[0] == 1
