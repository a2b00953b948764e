"""`validate`, `nodes`, `trust`, `doctor`, `demo`, and what all commands have in common."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hcpgraph
from hcpgraph.cli import COMMANDS

from .conftest import TOYS

QUICKSTART = Path(__file__).resolve().parents[2] / "graphs/quickstart/train_lora.json"

NODE = '''from hcpgraph import node


@node("mine.twice")
def twice(a: float) -> float:
    """Twice a number.

    Args:
        a: The number.
    """
    return 2 * a
'''


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(cli, name):
    assert f"hcpgraph {name}" in cli(name, "--help").stdout


def test_help_version_and_unknown_commands(cli):
    for name in COMMANDS:
        assert name in cli("--help").stdout
    assert cli("--version").stdout.strip() == hcpgraph.__version__
    cli("valdate", code=2)


def test_validate_lists_problems_as_json(cli, write):
    graph = write({"a": ("toy.number", {"valu": 1}), "s": ("toy.add", {})})
    told = json.loads(cli("validate", graph, "--pack", TOYS, "--json", code=2).stdout)
    assert told["ok"] is False
    assert {(p["code"], p["node"], p["port"]) for p in told["problems"]} == {
        ("E_SETTING_UNKNOWN", "a", "valu"),
        ("E_PORT_MISSING", "s", "a"),
    }


def test_validate_a_valid_graph(cli, chain):
    assert json.loads(cli("validate", chain, "--pack", TOYS, "--json").stdout) == {"ok": True, "problems": []}
    assert "is valid" in cli("validate", chain, "--pack", TOYS).stderr


PROBE = """
import sys
from hcpgraph.cli import main
try:
    main([{arguments}], prog_name="hcpgraph")
except SystemExit as end:
    assert end.code == 0, end.code
print(sorted({{"torch", "diffusers", "transformers", "rich", "networkx", "PIL", "jsonschema", "packaging"}} & set(sys.modules)))
"""


@pytest.mark.parametrize("arguments", [("validate",), ("fmt", "--check"), ("inspect",)])
def test_a_warm_manifest_needs_no_torch(cli, chain, arguments):
    cli("fmt", chain, "--pack", TOYS)
    assert imported(*arguments, chain, "--pack", TOYS) == "[]"


def imported(*arguments):
    """What a command imports of the packages that take long."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(arguments=", ".join(repr(str(word)) for word in arguments))],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    return done.stdout.splitlines()[-1]


def test_what_only_faults_and_odd_versions_need_is_not_imported_for_a_graph_without(tmp_path):
    graph = hcpgraph.load(QUICKSTART)
    assert graph.requires.hcpgraph == ">=0.1"
    assert imported("validate", QUICKSTART) == "[]"
    graph.requires.hcpgraph = "~=0.1"
    graph.save(tmp_path / "odd.json")
    assert imported("validate", tmp_path / "odd.json") == "['packaging']"


def test_a_pack_of_one_file_works_and_a_broken_sibling_is_named(cli, write, workspace, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "twice.py").write_text(NODE)
    (folder / "broken.py").write_text("import no_such_module\n")
    graph = write({"n": ("toy.number", {"value": 4}), "t": ("mine.twice", {})}, {"t.a": "n.out"})
    packs = ("--pack", TOYS, "--pack", folder)
    result = cli("run", graph, *packs, "--workspace", workspace, "--json")
    assert json.loads(result.stdout)["outputs"] == {"t.out": 8.0}
    assert "broken.py" in result.stderr and "no_such_module" in result.stderr and "twice.py" not in result.stderr
    assert "broken.py" in cli("validate", graph, *packs).stderr
    assert "mine.twice" in cli("nodes", "mine", *packs).stderr
    missing = cli("run", write({"x": ("mine.thrice", {})}), *packs, code=2).stderr
    assert "E_TYPE_UNKNOWN" in missing and "broken.py" in missing


def test_a_pack_that_is_not_there(cli, chain, tmp_path):
    assert "E_PACK" in cli("validate", chain, "--pack", tmp_path / "none", code=2).stderr


def test_nodes(cli):
    told = json.loads(cli("nodes", "toy.", "--pack", TOYS, "--json").stdout)
    assert {"toy.number", "toy.repeat"} <= {item["id"] for item in told}
    assert next(item for item in told if item["id"] == "toy.add")["inputs"] == {"a": "float", "b": "float"}
    one = json.loads(cli("nodes", "toy.repeat", "--pack", TOYS, "--json").stdout)
    assert one["schema"]["properties"]["times"]["minimum"] == 0
    shown = cli("nodes", "toy.repeat", "--pack", TOYS).stderr
    for text in ("Run the body again", "times: int, default 1, ≥ 0", "index: int", "next: $S"):
        assert text in shown
    assert "did you mean 'toy.number'" in cli("nodes", "toy.numbr", "--pack", TOYS, code=2).stderr


def test_trust(cli, config):
    path = "some_package.module:Thing"
    assert json.loads(cli("trust", "list", "--json").stdout)["own"] == []
    cli("trust", "add", path)
    assert json.loads((config / "trusted.json").read_text()) == [path]
    assert "already" in cli("trust", "add", path).stderr
    assert path in cli("trust", "list").stderr
    cli("trust", "remove", path)
    assert json.loads(cli("trust", "list", "--json").stdout)["own"] == []
    assert "E_TRUST" in cli("trust", "remove", path, code=2).stderr
    assert "comes with hcpgraph" in cli("trust", "remove", "torch.optim:AdamW", code=2).stderr


def test_doctor(cli, workspace, tmp_path):
    told = json.loads(cli("doctor", "--workspace", workspace, "--json").stdout)
    found = {item["name"]: item for item in told["findings"]}
    assert told["ok"] and found["torch"]["ok"] and "cpu" in found["devices"]["value"]
    assert found["pack hcpgraph_nodes"]["ok"] and "extra demo" in found
    assert not workspace.exists()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "bad.py").write_text("1 / 0\n")
    result = cli("doctor", "--workspace", workspace, "--pack", tmp_path / "broken", code=1)
    assert "bad.py" in result.stderr and "MISSING" in result.stderr


def test_a_missing_extra_is_named():
    from hcpgraph.extras import EXTRAS, missing, need

    assert missing(["json", "no_such_module"]) == ["no_such_module"]
    with pytest.raises(hcpgraph.GraphErrors, match=r"no_such_module\n.*pip install 'hcpgraph\[demo\]'"):
        need("demo", ("json", "no_such_module"))
    assert set(EXTRAS) == {"demo"}
