"""The plan of the house: no circle, every node in the file of its name, packs on public ground."""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from pathlib import Path

import grimp
import networkx as nx
import pytest

import hcpgraph
from hcpgraph.testing import PUBLIC, private_imports

ROOT = Path(__file__).parents[2]
ENGINE, NODES = ROOT / "hcpgraph", ROOT / "nodes/hcpgraph_nodes"
ROOMS = {"plugin": "plugins", "word": "words"}
"""Categories whose folder is their plural, as `plugins.base` and `words.tokens` are of many."""
SHARED = {"data": set(), "plugins": {"attach.py", "several.py", "base.py", "kinds.py"}}
"""What lies beside the nodes of a folder: what packs import to make plugins of their own."""


def circles(*packages: str) -> list[list[str]]:
    """Modules that import each other in a round, also inside of functions and for type checkers."""
    graph = grimp.build_graph(*packages, cache_dir=None)
    edges = nx.DiGraph(
        (name, found) for name in graph.modules for found in graph.find_modules_directly_imported_by(name)
    )
    return [sorted(found) for found in nx.strongly_connected_components(edges) if len(found) > 1]


def test_no_module_imports_itself_in_a_round():
    assert circles("hcpgraph", "hcpgraph_nodes") == []


def test_a_round_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "roundabout"
    package.mkdir()
    lazy = "def go():\n    from . import b\n"
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .a import go\n"
    for name, text in {"__init__": "", "a": lazy, "b": "from .c import x\n", "c": f"{typed}x = 1\n"}.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    assert circles("roundabout") == [["roundabout.a", "roundabout.b", "roundabout.c"]]


def test_the_root_of_the_engine_can_be_taken_in_at_a_glance():
    assert len(list(ENGINE.glob("*.py"))) <= 25


def test_a_node_is_declared_in_the_file_of_its_name():
    specs = hcpgraph.default_registry().specs.values()
    places = {spec.id: Path(spec.file) for spec in specs if Path(spec.file).is_relative_to(NODES)}
    assert len(places) > 100
    wrong = {}
    for id, path in places.items():
        category, name = id.split(".")
        if path != NODES / ROOMS.get(category, category) / f"{name}.py":
            wrong[id] = path.relative_to(NODES).as_posix()
    assert wrong == {}


@pytest.mark.parametrize("folder", SHARED)
def test_a_folder_of_nodes_lists_its_nodes(folder: str):
    nodes = {Path(spec.file) for spec in hcpgraph.default_registry().specs.values()}
    others = {path.name for path in (NODES / folder).glob("*.py") if path not in nodes}
    assert others == SHARED[folder] | {"__init__.py"}


def test_type_checkers_of_others_read_our_types():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = [ROOT / folder for folder in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
    assert folders == [ENGINE, NODES]
    assert [folder.name for folder in folders if not (folder / "py.typed").is_file()] == []


def test_no_call_takes_nine_values_in_a_row():
    """What is decorated is called by its decorator: parameters of nodes are ports and settings, of commands options."""
    long = [
        f"{path.relative_to(ROOT)}:{found.lineno}: {found.name}"
        for folder in (ENGINE, NODES)
        for path in folder.rglob("*.py")
        for found in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef) and not found.decorator_list
        if len({arg.arg for arg in (*found.args.posonlyargs, *found.args.args)} - {"self", "cls"}) >= 9
    ]
    assert long == []


def test_no_test_leaves_a_setting_of_torch_away():
    """pytest's monkeypatch deletes what it puts back; torch's configuration then hides it from the rest of the run."""
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in (ROOT / "tests").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "setattr"
        if call.args and re.search(r"torch\._(inductor|dynamo)\.config", ast.unparse(call.args[0]))
    ]
    assert found == []


def test_our_packs_import_public_modules_of_the_engine_alone():
    assert private_imports(NODES) == []
    modules = {name: ENGINE.parent.joinpath(*name.split(".")) for name in PUBLIC}
    assert [name for name, path in modules.items() if not (path.is_dir() or path.with_suffix(".py").is_file())] == []


def test_private_imports_are_told_by_file_and_line(tmp_path: Path):
    (tmp_path / "node.py").write_text(
        textwrap.dedent(
            """
            from typing import TYPE_CHECKING

            from hcpgraph import node
            from hcpgraph.widgets import Slider

            if TYPE_CHECKING:
                from hcpgraph.checking.analyse import Analysis


            def use():
                from hcpgraph.running.execute import Execution
            """
        )
    )
    assert private_imports(tmp_path) == ["node.py:12: hcpgraph.running.execute"]
