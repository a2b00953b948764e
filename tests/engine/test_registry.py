"""Node types from packs: lookups, clashes, code that changed, rules and probers."""

import subprocess
import sys

import pytest

import hcpgraph
from hcpgraph import GraphErrors
from hcpgraph.importing import folder_module
from hcpgraph.testing import FOLDER

from .support import ALL, codes, graph

NODE = '''
from hcpgraph import node

@node("{id}")
def hello() -> {kind}:
    """Say hello."""
    return {value}
'''


def write(folder, name="pack.py", **fields):
    folder.mkdir(exist_ok=True)
    text = NODE.format(**{"id": "mine.hello", "kind": "int", "value": "1", **fields})
    (folder / name).write_text(text)
    return folder


def test_the_same_registry_as_long_as_no_file_changes(tmp_path):
    folder = write(tmp_path / "reg_same", id="reg.same")
    first = hcpgraph.default_registry([folder])
    assert hcpgraph.default_registry([folder]) is first
    write(folder, id="reg.same", value="12")
    assert hcpgraph.default_registry([folder]) is not first


def test_an_unknown_type_gets_a_suggestion():
    assert "did you mean 'toy.number'?" in hcpgraph.default_registry([FOLDER]).suggestion("toy.numbr")
    with pytest.raises(GraphErrors, match="E_TYPE_UNKNOWN"):
        hcpgraph.default_registry([FOLDER]).impl("toy.numbr")


def test_two_packs_with_one_id(tmp_path):
    folders = [write(tmp_path / name, id="reg.twice", value=str(n)) for n, name in enumerate(("one", "two"))]
    registry = hcpgraph.default_registry(folders)
    assert registry.specs["reg.twice"].pack == "one"
    assert [(p.code, p.severity) for p in registry.problems] == [("E_PACK", "warning")]
    assert "already there from 'one'" in registry.problems[0].message


def test_nodes_declared_in_this_process_are_found():
    @hcpgraph.node("reg.here")
    def here() -> int:
        """Here."""
        return 5

    registry = hcpgraph.default_registry()
    assert registry.find("reg.here").outputs[0].type == "int"
    assert registry.impl("reg.here").target is here


def test_nodes_of_a_folder_belong_to_that_folder_only(tmp_path):
    folder = write(tmp_path / "reg_only", id="reg.only")
    assert hcpgraph.default_registry([folder]).impl("reg.only").target() == 1
    assert hcpgraph.default_registry().find("reg.only") is None


def test_old_code_never_runs_under_a_new_key(tmp_path):
    folder = write(tmp_path / "reg_old", id="reg.old")
    hcpgraph.default_registry([folder]).impl("reg.old")
    write(folder, id="reg.old", value="222")
    with pytest.raises(GraphErrors, match="E_CODE_CHANGED"):
        hcpgraph.default_registry([folder]).impl("reg.old")
    script = f"import hcpgraph; print(hcpgraph.default_registry([{str(folder)!r}]).impl('reg.old').target())"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "222\n"


def test_a_module_that_vanished_is_an_import_error(tmp_path):
    folder = write(tmp_path / "reg_gone", id="reg.gone")
    registry = hcpgraph.default_registry([folder])
    (folder / "pack.py").unlink()
    with pytest.raises(GraphErrors, match="E_IMPORT"):
        registry.impl("reg.gone")
    assert folder_module(folder / "pack.py") not in sys.modules


def test_rules_of_a_pack_are_asked():
    assert codes(graph({"p": ("files.picture", {"level": 13})})) == [("E_RULE", "p.level")]
    assert codes(graph({"p": ("files.picture", {"level": 12})})) == []


def test_rules_are_not_asked_about_settings_that_are_wrong():
    assert codes(graph({"p": ("files.picture", {"level": "x"})})) == [("E_SETTING", "p.level")]


def test_a_rule_that_fails_is_a_warning():
    assert codes(graph({"p": ("files.picture", {"level": 111})})) == [("W_RULE", "p")]


def test_broken_rules_are_a_warning(tmp_path):
    folder = write(tmp_path / "reg_rules", id="reg.rules")
    (folder / "rules.py").write_text("raise ValueError('no rules here')")
    found = hcpgraph.validate(graph({"a": "reg.rules"}), packs=[folder])
    assert {(p.code, p.severity) for p in found} == {("E_PACK", "warning")}
    assert any("no rules here" in p.message for p in found)


def test_test_packs_are_sound():
    registry = hcpgraph.default_registry(ALL)
    assert registry.rules and not registry.problems
