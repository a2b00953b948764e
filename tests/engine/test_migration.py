"""Old files and old nodes become new ones, purely, and what cannot is told."""

import json
from importlib import import_module

import pytest

from hcpgraph.document import Drawing, Graph, loads
from hcpgraph.errors import GraphErrors, SpecError

migration = import_module("hcpgraph.document.migration")
migrate, migrate_document = migration.migrate, migration.migrate_document


@pytest.fixture(autouse=True)
def steps(monkeypatch):
    """Migrations that end with the test."""
    monkeypatch.setattr(migration, "_STEPS", {})
    monkeypatch.setattr(migration, "FORMATS", {})


@pytest.fixture
def chain():
    @migrate("noise.offset", since=1, ports={"inp": "noise"})
    def second(node):
        node["settings"]["strength"] = node["settings"].pop("amount", 0) / 100
        return node

    @migrate("noise.offset", since=2, ports={"noise": "latent"})
    def third(node):
        return {**node, "type": "noise.shift"}


def old_graph():
    g = Graph()
    g.add("noise.gaussian", "gauss")
    g.add("noise.offset", "offset", amount=5, title="T", mode="mute")
    g.connect("gauss.inp", "offset.inp", many=False)
    g.connect("offset.inp", "gauss.noise", many=False)
    g.interface.inputs["x"] = ["offset.inp", "gauss.inp"]
    return g


def test_a_chain_of_migrations(chain):
    old = old_graph()
    old.graphs["g"] = Drawing()
    old.graphs["g"].add("noise.offset", "inner", version=2, strength=1)
    before = old.dump()
    new, notes = migrate_document(old, {"noise.shift": 3, "noise.gaussian": 1})
    node = new.nodes["offset"]
    assert (node.type, node.version, node.settings) == ("noise.shift", 3, {"strength": 0.05})
    assert (node.title, node.mode) == ("T", "mute")
    assert new.edges == {"offset.latent": "gauss.inp", "gauss.noise": "offset.latent"}
    assert new.interface.inputs == {"x": ["offset.latent", "gauss.inp"]}
    assert new.graphs["g"].nodes["inner"].type == "noise.shift"
    assert [(note.code, note.node, note.severity) for note in notes] == [
        ("W_MIGRATED", "offset", "warning"),
        ("W_MIGRATED", "g/inner", "warning"),
    ]
    assert old.dump() == before
    assert loads(new.dump()) == new
    assert migrate_document(new, {"noise.shift": 3}) == (new, [])


def test_what_is_up_to_date_or_unknown_is_left_alone():
    graph = old_graph()
    assert migrate_document(graph, {"noise.offset": 1}) == (graph, [])
    assert migrate_document(graph, {}) == (graph, [])


def test_migrations_stop_at_the_installed_version(chain):
    new, _ = migrate_document(old_graph(), {"noise.offset": 2})
    assert (new.nodes["offset"].type, new.nodes["offset"].version) == ("noise.offset", 2)


def test_a_node_from_the_future_needs_a_newer_pack():
    graph = old_graph()
    graph.nodes["offset"].version = 7
    new, (note,) = migrate_document(graph, {"noise.offset": 2})
    assert (note.code, note.severity, note.node) == ("E_VERSION", "error", "offset")
    assert "update the pack" in note.hint
    assert new == graph


def test_a_version_without_a_migration_is_taken_over_with_a_warning():
    new, (note,) = migrate_document(old_graph(), {"noise.offset": 4})
    assert (note.code, note.severity) == ("W_VERSION", "warning")
    assert new.nodes["offset"].version == 4


@pytest.mark.parametrize(
    "broken", [lambda node: node["nothing"], lambda node: None, lambda node: {**node, "settings": 5}]
)
def test_a_broken_migration_is_a_problem_of_the_node(broken):
    migrate("noise.offset", since=1)(broken)
    graph = old_graph()
    new, (note,) = migrate_document(graph, {"noise.offset": 2})
    assert (note.code, note.node) == ("E_MIGRATION", "offset")
    assert new == graph


def test_one_migration_for_a_version(chain):
    with pytest.raises(SpecError):
        migrate("noise.offset", since=1)(lambda node: node)


def test_migrate_returns_the_function():
    def function(node):
        return node

    assert migrate("a.b", since=1)(function) is function


def test_old_file_formats_are_migrated(monkeypatch):
    monkeypatch.setattr(migration, "FORMATS", {"hcpgraph/0": lambda raw: {**raw, "format": "hcpgraph/1"}})
    assert loads(json.dumps({"format": "hcpgraph/0"})) == Graph()
    with pytest.raises(GraphErrors):
        loads(json.dumps({"format": "hcpgraph/00"}))
