"""Editing a graph: every edit is checked, and what it leaves is a graph that can be saved and read again."""

import math
import os
import stat
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hcpgraph.declaring import registry
from hcpgraph.document import MAX_BYTES, MAX_NODES, Drawing, Graph, Interface, NodeEntry, load, loads
from hcpgraph.errors import GraphErrors


@pytest.fixture(autouse=True)
def packs(monkeypatch):
    """Two node types with list ports, and nothing else."""
    port = SimpleNamespace
    specs = {
        "train.loop": port(version=3, inputs=[port(name="optimizer", many=True)], exits=[port(name="loss", many=True)]),
        "optim.adamw": port(version=1, inputs=[port(name="params", many=True)], exits=[]),
    }
    monkeypatch.setattr(registry, "default_registry", lambda: SimpleNamespace(find=specs.get))


@pytest.fixture
def graph():
    g = Graph()
    g.add("plugin.lora", "lora")
    g.add("optim.adamw", "adamw", lr=1e-4)
    g.add("train.loop", "train", steps=10)
    for name in ("a", "b", "c"):
        g.add("loss.mean", name, inside="train")
        g.connect(f"{name}.out", "train.loss")
    g.connect("lora.params", "adamw.params")
    g.connect("adamw.out", "train.optimizer")
    g.interface.inputs["lr"] = ["adamw.lr"]
    g.interface.outputs["trained"] = "train.trained"
    g.view.nodes["adamw"] = [1, 2]
    return g


def same(graph):
    """The graph survives the file."""
    assert loads(graph.dump()) == graph


def code(call):
    with pytest.raises(GraphErrors) as caught:
        call()
    (problem,) = caught.value.problems
    return problem.code


def hint(call):
    with pytest.raises(GraphErrors) as caught:
        call()
    return caught.value.problems[0].hint


def test_add_gives_readable_ids():
    g = Graph()
    assert g.add("optim.adamw") == "adamw"
    assert g.add("optim.adamw") == "adamw_2"
    assert g.add("optim.adamw") == "adamw_3"
    assert g.add("graph:inner") == "inner"
    assert g.add("data.2d") == "_2d"
    assert g.add("a.b", "my-own") == "my-own"
    same(g)


def test_add_takes_everything_a_node_has():
    g = Graph()
    g.add("train.loop", "train")
    g.add(
        "noise.offset", "n", inside="train", mode="mute", stream="s", title="T", version=3,
        settings={"type": "x", "inside": 1}, strength=0.5, size=(1, 2),
    )  # fmt: skip
    assert g.nodes["n"] == NodeEntry(
        type="noise.offset", version=3, inside="train", mode="mute", stream="s", title="T",
        settings={"type": "x", "inside": 1, "strength": 0.5, "size": [1, 2]},
    )  # fmt: skip
    same(g)


def test_add_checks_its_arguments(graph):
    before = graph.copy()
    assert code(lambda: graph.add("a.b", "lora")) == "E_ID"
    assert code(lambda: graph.add("a.b", "a/b")) == "E_ID"
    assert code(lambda: graph.add("a.b", "a\n")) == "E_ID"
    assert code(lambda: graph.add("a b", "x")) == "E_FIELD"
    assert code(lambda: graph.add("a.b", "x", mode="off")) == "E_FIELD"
    assert code(lambda: graph.add("a.b", "x", version=0)) == "E_FIELD"
    assert code(lambda: graph.add("a.b", "x", stream="/x")) == "E_ID"
    assert code(lambda: graph.add("a.b", "x", lr=math.nan)) == "E_NUMBER"
    assert code(lambda: graph.add("a.b", "x", lr=2**53)) == "E_NUMBER"
    assert code(lambda: graph.add("a.b", "x", lr=object())) == "E_FIELD"
    assert code(lambda: graph.add("a.b", "x", lr={1: 2})) == "E_FIELD"
    assert code(lambda: graph.add("a.b", "x", inside="trian")) == "E_NODE_UNKNOWN"
    assert hint(lambda: graph.add("a.b", "x", inside="trian")) == "did you mean 'train'?"
    endless = []
    endless.append(endless)
    assert code(lambda: graph.add("a.b", "x", lr=endless)) == "E_TOO_DEEP"
    assert graph == before


def test_add_copies_its_settings():
    g, layers = Graph(), ["a"]
    g.add("plugin.lora", "lora", layers=layers)
    layers.append("b")
    assert g.nodes["lora"].settings == {"layers": ["a"]}


def test_there_is_a_limit_of_nodes():
    g = Graph()
    g.nodes = {f"n{i}": NodeEntry(type="a.b") for i in range(MAX_NODES)}
    assert code(lambda: g.add("a.b")) == "E_TOO_MANY_NODES"


def test_connect_appends_to_list_ports(graph):
    assert [target for target in graph.edges if "loss" in target] == ["train.loss.0", "train.loss.1", "train.loss.2"]
    assert graph.connect("lora.model", "a.model") == "a.model"
    assert graph.connect("lora.other", "a.model") == "a.model"
    assert graph.edges["a.model"] == "lora.other"
    assert graph.connect("b.out", "train.loss.3") == "train.loss.3"
    assert graph.connect("c.out", "train.loss.0") == "train.loss.0"
    assert graph.connect("a.out", "b.many", many=True) == "b.many.0"
    assert graph.connect("a.out", "adamw.params", many=True) == "adamw.params.1"
    same(graph)


def test_connect_counts_what_the_interface_feeds(graph):
    graph.interface.inputs["extra"] = ["train.loss.3"]
    assert graph.connect("a.out", "train.loss") == "train.loss.4"
    same(graph)


def test_connect_checks_its_arguments(graph):
    before = graph.copy()
    assert code(lambda: graph.connect("lora", "a.x")) == "E_EDGE_SYNTAX"
    assert code(lambda: graph.connect("lora.out", "a")) == "E_EDGE_SYNTAX"
    assert code(lambda: graph.connect("lora.out.0", "a.x")) == "E_EDGE_SYNTAX"
    assert code(lambda: graph.connect("lora.out", "a.x.01")) == "E_EDGE_SYNTAX"
    assert code(lambda: graph.connect("lroa.out", "a.x")) == "E_NODE_UNKNOWN"
    assert hint(lambda: graph.connect("lroa.out", "a.x")) == "did you mean 'lora'?"
    assert code(lambda: graph.connect("lora.out", "z.x")) == "E_NODE_UNKNOWN"
    assert code(lambda: graph.connect("lora.out", "train.loss.7")) == "E_EDGE"
    assert graph == before
    graph.connect("lora.out", "a.x")
    assert code(lambda: graph.connect("lora.out", "a.x.0")) == "E_EDGE"


def test_disconnect_moves_the_list_up(graph):
    graph.interface.inputs["extra"] = ["train.loss.3"]
    graph.disconnect("train.loss.0")
    assert graph.edges["train.loss.0"] == "b.out"
    assert graph.edges["train.loss.1"] == "c.out"
    assert graph.interface.inputs["extra"] == ["train.loss.2"]
    same(graph)
    assert code(lambda: graph.disconnect("train.loss.2")) == "E_EDGE"
    assert code(lambda: graph.disconnect("train.loss")) == "E_EDGE"
    assert hint(lambda: graph.disconnect("train.optimizer.1")) == "did you mean 'train.optimizer.0'?"


def test_set(graph):
    graph.set("adamw.lr", 3e-4)
    graph.set("adamw.betas", (0.9, 0.99))
    assert graph.nodes["adamw"].settings == {"lr": 3e-4, "betas": [0.9, 0.99]}
    same(graph)
    assert code(lambda: graph.set("adamw", 1)) == "E_EDGE_SYNTAX"
    assert code(lambda: graph.set("adam.lr", 1)) == "E_NODE_UNKNOWN"
    assert code(lambda: graph.set("adamw.lr", math.inf)) == "E_NUMBER"
    assert code(lambda: graph.set("adamw/x.lr", 1)) == "E_GRAPH_UNKNOWN"


def test_remove_takes_its_wires_along(graph):
    graph.remove("a")
    assert "train.loss.2" not in graph.edges
    assert graph.edges["train.loss.0"] == "b.out"
    graph.remove("adamw")
    assert graph.edges.keys() == {"train.loss.0", "train.loss.1"}
    assert graph.interface.inputs == {}
    assert graph.view.nodes == {}
    same(graph)
    assert code(lambda: graph.remove("adamw")) == "E_NODE_UNKNOWN"


def test_a_region_is_removed_with_what_lives_in_it(graph):
    graph.add("train.every", "every", inside="train")
    graph.add("image.save", "save", inside="every")
    assert code(lambda: graph.remove("train")) == "E_REGION"
    graph.remove("train", with_inside=True)
    assert graph.nodes.keys() == {"lora", "adamw"}
    assert graph.edges == {"adamw.params.0": "lora.params"}
    assert graph.interface.outputs == {}
    same(graph)


def test_rename_changes_every_mention_and_keeps_the_draws(graph):
    graph.rename("train", "loop")
    graph.rename("adamw", "opt")
    assert graph.nodes["a"].inside == "loop"
    assert graph.edges["loop.loss.1"] == "b.out"
    assert graph.edges["loop.optimizer.0"] == "opt.out"
    assert graph.interface == Interface(inputs={"lr": ["opt.lr"]}, outputs={"trained": "loop.trained"})
    assert graph.view.nodes == {"opt": [1, 2]}
    assert graph.nodes["opt"].stream == "adamw"
    same(graph)
    graph.rename("opt", "third")
    assert graph.nodes["third"].stream == "adamw"
    graph.rename("third", "adamw")
    assert graph.nodes["adamw"].stream is None
    graph.rename("adamw", "adamw")
    assert code(lambda: graph.rename("adamw", "lora")) == "E_ID"
    assert code(lambda: graph.rename("adamw", "1")) == "E_ID"
    assert code(lambda: graph.rename("nobody", "x")) == "E_NODE_UNKNOWN"


def test_move_into(graph):
    graph.move_into("lora", "train")
    assert graph.nodes["lora"].inside == "train"
    graph.move_into("a", None)
    assert graph.nodes["a"].inside is None
    same(graph)
    assert code(lambda: graph.move_into("train", "train")) == "E_REGION"
    assert code(lambda: graph.move_into("train", "b")) == "E_REGION"
    assert code(lambda: graph.move_into("lora", "x")) == "E_NODE_UNKNOWN"


@pytest.fixture
def nested():
    g = Graph()
    g.graphs["inner"] = Drawing(interface=Interface(inputs={"rate": ["adamw.lr"]}))
    g.graphs["inner"].add("optim.adamw", "adamw", lr=1, eps=2)
    g.graphs["middle"] = Drawing(interface=Interface(inputs={"speed": ["in.rate"]}))
    g.graphs["middle"].add("graph:inner", "in")
    g.add("graph:middle", "outer")
    return g


def test_a_promoted_setting_is_set_on_the_instance(nested):
    for name in ("outer.speed", "outer/in.rate", "outer/in/adamw.lr"):
        g = nested.copy()
        g.set(name, 7)
        assert g.nodes["outer"].settings == {"speed": 7}
        assert g.graphs == nested.graphs
        same(g)


def test_another_setting_is_set_in_a_body_that_nobody_shares(nested):
    nested.set("outer/in/adamw.eps", 7)
    assert nested.graphs["inner"].nodes["adamw"].settings == {"lr": 1, "eps": 7}
    same(nested)
    nested.add("graph:middle", "second")
    assert code(lambda: nested.set("outer/in/adamw.eps", 8)) == "E_SHARED_SETTING"
    nested.set("second/in/adamw.lr", 9)
    assert nested.nodes["second"].settings == {"speed": 9}
    assert nested.nodes["outer"].settings == {}


def test_an_instance_has_only_the_settings_of_its_interface(nested):
    assert code(lambda: nested.set("outer.sped", 1)) == "E_SETTING_UNKNOWN"
    assert hint(lambda: nested.set("outer.sped", 1)) == "did you mean 'speed'?"
    assert code(lambda: nested.set("outer/xx.rate", 1)) == "E_NODE_UNKNOWN"
    nested.add("graph:gone", "gone")
    assert code(lambda: nested.set("gone/x.rate", 1)) == "E_GRAPH_UNKNOWN"
    assert code(lambda: nested.set("gone.rate", 1)) == "E_GRAPH_UNKNOWN"


def test_a_copy_shares_nothing(graph):
    other = graph.copy()
    other.set("adamw.lr", 9)
    other.view.nodes["adamw"][0] = 7
    assert graph.nodes["adamw"].settings == {"lr": 1e-4}
    assert graph.view.nodes["adamw"] == [1, 2]
    assert graph != other


def test_save_leaves_the_old_file_or_the_new_one(graph, tmp_path, monkeypatch):
    path = tmp_path / "graph.json"
    graph.save(path)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    link = tmp_path / "link.json"
    link.symlink_to(path)
    graph.set("adamw.lr", 5)
    graph.save(link)
    assert link.is_symlink()
    assert load(path) == graph

    def fail(*_):
        raise OSError(28, "No space left on device")

    old = path.read_bytes()
    graph.set("adamw.lr", 6)
    monkeypatch.setattr(os, "fsync", fail)
    assert code(lambda: graph.save(path)) == "E_FILE"
    assert path.read_bytes() == old
    assert sorted(os.listdir(tmp_path)) == ["graph.json", "link.json"]


def test_save_says_why_not(graph, tmp_path):
    assert code(lambda: graph.save(tmp_path)) == "E_FILE"
    assert code(lambda: graph.save(tmp_path / "no" / "graph.json")) == "E_FILE"
    graph.nodes["a"].settings["x"] = math.nan
    assert code(lambda: graph.save(tmp_path / "graph.json")) == "E_NUMBER"
    graph.nodes["a"].settings["x"] = "x" * MAX_BYTES
    assert code(lambda: graph.save(tmp_path / "graph.json")) == "E_TOO_LARGE"
    assert os.listdir(tmp_path) == []


names = st.sampled_from(["a", "b", "c", "d", "e", "nobody", "bad id"])
edits = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(["train.loop", "optim.adamw", "x.y"]), names),
    st.tuples(st.just("connect"), names, names, st.sampled_from(["loss", "params", "x", "loss.1"])),
    st.tuples(st.just("disconnect"), names, st.sampled_from(["loss.0", "params.0", "x", "loss.1"])),
    st.tuples(st.just("remove"), names, st.booleans()),
    st.tuples(st.just("rename"), names, names),
    st.tuples(st.just("move_into"), names, st.none() | names),
    st.tuples(st.just("set"), names, st.integers() | st.floats()),
)


def apply(graph, edit):
    match edit:
        case "add", kind, name:
            graph.add(kind, name)
        case "connect", source, node, port:
            graph.connect(f"{source}.out", f"{node}.{port}", many=port in {"loss", "params"})
        case "disconnect", node, port:
            graph.disconnect(f"{node}.{port}")
        case "remove", node, inside:
            graph.remove(node, with_inside=inside)
        case "rename", old, new:
            graph.rename(old, new)
        case "move_into", node, owner:
            graph.move_into(node, owner)
        case "set", node, value:
            graph.set(f"{node}.lr", value)


@given(st.lists(edits, max_size=30))
@settings(derandomize=True, deadline=None, max_examples=100)
def test_any_edits_leave_a_graph_that_can_be_read_again(sequence):
    graph = Graph()
    for name in "abc":
        graph.add("train.loop", name)
    for edit in sequence:
        before = graph.copy()
        try:
            apply(graph, edit)
        except GraphErrors:
            assert graph == before
    same(graph)
    for target, source in graph.edges.items():
        assert target.split(".")[0] in graph.nodes
        assert source.split(".")[0] in graph.nodes
    assert all(node.inside is None or node.inside in graph.nodes for node in graph.nodes.values())


def test_a_node_has_the_version_of_the_installed_packs_unless_one_is_given():
    g = Graph()
    for id, type_id, more in (("a", "train.loop", {}), ("b", "no.such", {}), ("c", "train.loop", {"version": 2})):
        g.add(type_id, id, **more)
    assert [node.version for node in g.nodes.values()] == [3, 1, 2]
