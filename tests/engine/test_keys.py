"""Merkle keys: what changes which (DESIGN §7), and ComfyUI's nine cases of cache key signatures."""

import os
import subprocess
import sys

import pytest

import hcpgraph
from hcpgraph.fingerprint import Fingerprints
from hcpgraph.planning.cache_keys import environment, keys
from hcpgraph.planning.demand import bodies

from .support import ALL, graph


def key(g, workspace, **options):
    return hcpgraph.plan(g, packs=ALL, workspace=workspace, **options).keys.of


def changed(before, after):
    return {id for id in before if before[id] != after[id]}


def diamond(**settings):
    g = graph({"n": ("toy.number", {"value": 1}), "l": ("toy.add", {"plus": 1}), "r": ("toy.add", {"plus": 2}), "end": "toy.add"},
              {"l.a": "n.out", "r.a": "n.out", "end.a": "l.out", "end.b": "r.out"})  # fmt: skip
    for name, value in settings.items():
        g.set(name.replace("_", "."), value)
    return g


def test_one_setting_changes_its_node_and_what_stands_on_it(workspace):
    before = key(diamond(), workspace)
    assert changed(before, key(diamond(l_plus=5), workspace)) == {"l", "end"}
    assert changed(before, key(diamond(n_value=5), workspace)) == {"n", "l", "r", "end"}
    assert changed(before, key(diamond(), workspace)) == set()


def test_ids_titles_positions_and_meta_change_nothing(workspace):
    g = diamond()
    before = key(g, workspace)
    g.rename("l", "left")
    g.nodes["r"].title = "Right"
    g.meta.title = "A"
    g.view.nodes["n"] = [1, 2]
    after = key(g, workspace)
    assert after["left"] == before["l"] and after["end"] == before["end"]


def test_defaults_count_as_written_and_numbers_as_the_file_writes_them(workspace):
    g = diamond()
    before = key(g, workspace)
    g.set("end.plus", 0)
    g.set("n.value", 1.0)
    assert key(g, workspace) == before
    assert key(hcpgraph.loads(g.dump()), workspace) == before


def test_an_additional_wire_or_another_port_changes_the_key(workspace):
    before = key(diamond(), workspace)
    more = diamond()
    del more.edges["end.b"]
    assert changed(before, key(more, workspace)) == {"end"}
    swapped = diamond()
    swapped.edges |= {"end.a": "r.out", "end.b": "l.out"}
    assert changed(before, key(swapped, workspace)) == {"end"}
    outputs = graph({"n": "toy.number", "s": "toy.split", "add": "toy.add"}, {"s.a": "n.out", "add.a": "s.whole"})
    first = key(outputs, workspace)["add"]
    outputs.edges["add.a"] = "s.rest"
    assert key(outputs, workspace)["add"] != first


def test_the_order_of_a_list_port_counts(workspace):
    g = graph({"a": ("toy.number", {"value": 1}), "b": ("toy.number", {"value": 2}), "s": "toy.sum"},
              {"s.numbers.0": "a.out", "s.numbers.1": "b.out"})  # fmt: skip
    before = key(g, workspace)["s"]
    g.edges = {"s.numbers.0": "b.out", "s.numbers.1": "a.out"}
    assert key(g, workspace)["s"] != before


def test_seed_and_stream_change_random_nodes_only(workspace):
    g = graph(
        {"n": "toy.number", "d": "toy.draw", "e": "toy.draw", "add": "toy.add"}, {"d.a": "n.out", "add.a": "d.out"}
    )
    before = key(g, workspace)
    assert before["d"] != before["e"]
    assert changed(before, key(g, workspace, seed=1)) == {"d", "e", "add"}
    g.nodes["d"].stream = "other"
    assert changed(before, key(g, workspace)) == {"d", "add"}


def test_a_region_has_the_keys_of_its_body(workspace):
    def region(plus=1, wasted=1, logged=1):
        return graph(
            {"list": "toy.numbers", "each": "toy.each", "in": ("toy.add", {"plus": plus}, "each"), "dead": ("toy.add", {"plus": wasted}, "each"),
             "log": ("calls.write", {}, "each"), "seen": ("toy.add", {"plus": logged}, "each")},
            {"each.items": "list.out", "in.a": "each.item", "dead.a": "each.item", "each.result": "in.out", "seen.a": "each.item",
             "log.a": "seen.out"},
        )  # fmt: skip

    def each(g):
        return key(g, workspace)["each"]

    assert each(region(plus=2)) != each(region())
    assert each(region(wasted=2)) == each(region())
    assert each(region(logged=2)) != each(region())
    renamed = region()
    renamed.rename("each", "other")
    assert key(renamed, workspace)["other"] == each(region())


def test_regions_of_different_depth_do_not_share_keys(workspace):
    def nested(source):
        return graph(
            {"list": "toy.numbers", "o": "toy.each", "i": ("toy.each", {}, "o"), "in": ("toy.add", {}, "i")},
            {"o.items": "list.out", "i.items": "list.out", "in.a": source, "i.result": "in.out", "o.result": "i.out"},
        )

    assert key(nested("o.item"), workspace)["o"] != key(nested("i.item"), workspace)["o"]


def test_the_device_type_and_precision_belong_to_the_key():
    assert len({environment("cpu", "fp32"), environment("cpu", "bf16"), environment("cuda", "fp32")}) == 3
    assert environment("cuda:0", "fp32") == environment("cuda:1", "fp32")
    assert "torch=" in environment("cpu", "fp32")


def reading(workspace):
    (workspace / "data").mkdir(parents=True)
    (workspace / "data" / "a.txt").write_text("one")
    return graph({"r": ("toy.read", {"path": "data:a.txt"}), "w": "toy.write", "n": "toy.number"}, {"w.value": "r.out"})


def with_files(g, workspace, **options):
    registry = hcpgraph.default_registry(ALL)
    roots = hcpgraph.checking.analyse.default_roots(workspace)
    analysis = hcpgraph.checking.analyse.analyse(g, registry, roots)
    return keys(
        analysis,
        bodies(analysis),
        roots,
        environment="e",
        seed=0,
        fingerprints=Fingerprints(workspace / "f.sqlite"),
        **options,
    )


def test_a_file_that_is_read_belongs_to_the_key(workspace):
    g = reading(workspace)
    assert with_files(g, workspace, known_only=True).of["r"] is None
    first = with_files(g, workspace)
    assert first.files["data:a.txt"]["size"] == 3 and len(first.files["data:a.txt"]["sha256"]) == 64
    assert with_files(g, workspace, known_only=True).of == first.of
    os.utime(workspace / "data" / "a.txt", (1, 1))
    assert with_files(g, workspace).of == first.of
    (workspace / "data" / "a.txt").write_text("two")
    assert changed(first.of, with_files(g, workspace).of) == {"r", "w"}


def test_an_unknown_fingerprint_makes_everything_after_it_unknown(workspace):
    found = with_files(reading(workspace), workspace, known_only=True).of
    assert (found["r"], found["w"]) == (None, None) and found["n"]


def test_the_code_of_a_node_belongs_to_the_key(tmp_path):
    pack = tmp_path / "keys_code"
    pack.mkdir()
    source = '''
from hcpgraph import node

@node("keys.code")
def code(a: float = 0.0) -> float:
    """Give a number.

    Args:
        a: Added to it.
    """
    return a + 1
'''
    (pack / "nodes.py").write_text(source)
    g = graph({"n": "toy.number", "c": "keys.code", "end": "toy.add"}, {"c.a": "n.out", "end.a": "c.out"})
    g.save(tmp_path / "g.json")

    def in_another_process():
        script = f"""
import hcpgraph, hcpgraph.testing
r = hcpgraph.run({str(tmp_path / "g.json")!r}, packs=[{str(pack)!r}, hcpgraph.testing.FOLDER], workspace={str(tmp_path / "ws")!r})
p = hcpgraph.plan({str(tmp_path / "g.json")!r}, packs=[{str(pack)!r}, hcpgraph.testing.FOLDER], workspace={str(tmp_path / "ws")!r})
print(r.outputs["end.out"], p.keys.of["n"], p.keys.of["c"], p.keys.of["end"])
"""
        return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    first = in_another_process()
    (pack / "nodes.py").write_text(source.replace("a + 1", "a + 20"))
    second = in_another_process()
    assert (first[0], second[0]) == ("1.0", "20.0")
    assert first[1] == second[1] and first[2] != second[2] and first[3] != second[3]


def test_a_chain_of_3000_and_a_ladder_of_diamonds_are_linear(workspace):
    size = 3000
    g = graph({"n0": "toy.number", **{f"n{i}": "toy.add" for i in range(1, size)}},
              {f"n{i}.{port}": f"n{i - 1}.out" for i in range(1, size) for port in "ab"})  # fmt: skip
    assert len(set(key(g, workspace).values())) == size


def test_steps_that_may_grow_are_left_out_of_the_resumable_key(workspace):
    def loop(steps):
        g = graph({"new": "value.int", "list": "toy.numbers"})
        g.add("train.loop", "train", steps=steps)
        return g

    registry = hcpgraph.default_registry(ALL)
    roots = hcpgraph.checking.analyse.default_roots(workspace)
    found = []
    for steps in (3, 5):
        analysis = hcpgraph.checking.analyse.analyse(loop(steps), registry, roots)
        found.append(keys(analysis, bodies(analysis), roots, environment="e", seed=0, fingerprints=Fingerprints()))
    assert found[0].resumable["train"] == found[1].resumable["train"]
    assert found[0].of["train"] != found[1].of["train"]


def test_what_happens_once_and_what_every_pass_is_known_before(workspace):
    g = graph({"n": "toy.number", "list": "toy.numbers", "each": "toy.each", "once": ("toy.add", {}, "each"), "in": ("toy.add", {}, "each")},
              {"each.items": "list.out", "once.a": "n.out", "in.a": "each.item", "in.b": "once.out", "each.result": "in.out"})  # fmt: skip
    plan = hcpgraph.plan(g, packs=ALL, workspace=workspace)
    assert plan.bodies["each"].ops == ["in"] and plan.bodies["each"].outer == {"once"}
    assert set(plan.needed()) == {"n", "list", "once", "each"}


@pytest.mark.parametrize("value", [1, True, "1", [1], None])
def test_values_of_different_types_have_different_keys(workspace, value):
    g = graph({"l": ("value.list", {"value": [value]})})
    others = [graph({"l": ("value.list", {"value": [other]})}) for other in (1, True, "1", [1], None)]
    assert [key(other, workspace)["l"] for other in others].count(key(g, workspace)["l"]) == 1
