"""`fmt`, `diff`, `migrate`, `new`, `templates`, `inspect`: graph files in, graph files out."""

import json
import struct
from pathlib import Path

import pytest

import hcpgraph
from tests.carriers import png_info

from .conftest import TOYS


def picture(path, graph=None):
    from PIL import Image

    Image.new("RGB", (2, 2)).save(path, pnginfo=png_info(graph) if graph else None)
    return path


def weights(path, metadata=None):
    header = {"__metadata__": metadata or {}, "up.weight": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(12))
    return path


def test_fmt_writes_every_setting_and_is_idempotent(cli, chain):
    assert "not canonical" in cli("fmt", chain, "--pack", TOYS, "--check", code=2).stderr
    before = chain.read_bytes()
    assert "save" not in json.loads(before)["nodes"]["save"].get("settings", {})
    cli("fmt", chain, "--pack", TOYS)
    once = chain.read_bytes()
    nodes = json.loads(once)["nodes"]
    assert nodes["save"]["settings"] == {"path": "out:toy.txt"} and nodes["sum"]["settings"] == {"plus": 1}
    cli("fmt", chain, "--pack", TOYS)
    assert chain.read_bytes() == once
    cli("fmt", chain, "--pack", TOYS, "--check")


def test_fmt_reaches_subgraphs_and_leaves_unknown_types_alone(cli, write):
    body = {"nodes": {"r": {"type": "toy.number", "version": 1}, "x": {"type": "no.such", "version": 3}}, "edges": {}}
    graph = write({"one": ("graph:inner", {}), "y": ("no.such", {"b": 1, "a": [2]})}, graphs={"inner": body})
    cli("fmt", graph, "--pack", TOYS)
    found = json.loads(graph.read_text())
    assert found["graphs"]["inner"]["nodes"]["r"]["settings"] == {"value": 0}
    assert found["graphs"]["inner"]["nodes"]["x"] == {"type": "no.such", "version": 3}
    assert found["nodes"]["y"]["settings"] == {"a": [2], "b": 1}
    assert "settings" not in found["nodes"]["one"]


def test_fmt_goes_on_after_a_broken_file_and_keeps_it(cli, chain, tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    result = cli("fmt", broken, tmp_path / "none.json", chain, "--pack", TOYS, code=2)
    assert "E_JSON" in result.stderr and "E_FILE" in result.stderr
    assert broken.read_text() == "{"
    cli("fmt", chain, "--pack", TOYS, "--check")


def test_fmt_never_writes_over_a_picture(cli, chain, tmp_path):
    path = picture(tmp_path / "p.png", hcpgraph.load(chain))
    before = path.read_bytes()
    assert "not rewritten" in cli("fmt", path, "--pack", TOYS, code=2).stderr
    assert path.read_bytes() == before


def test_diff(cli, chain, tmp_path):
    changed = json.loads(chain.read_text())
    changed["nodes"]["sum"]["settings"]["plus"] = 5
    changed["meta"] = {"title": "new"}
    other = tmp_path / "other.json"
    other.write_text(json.dumps(changed))
    assert cli("diff", chain, other).stdout.splitlines() == [
        "~ setting sum.plus: 1 -> 5",
        "looks only:",
        '  + meta title: "new"',
    ]
    told = json.loads(cli("diff", chain, other, "--json").stdout)
    assert told["same"] is False
    assert told["changes"][0] == {
        "what": "setting", "place": "sum.plus", "kind": "changed", "cosmetic": False, "old": 1, "new": 5,
    }  # fmt: skip
    assert json.loads(cli("diff", chain, chain, "--json").stdout) == {"same": True, "changes": []}
    assert "+ node sum" in cli("diff", "/dev/null", chain).stdout


@pytest.fixture
def pack(tmp_path):
    """A pack whose node is at version 3, with a migration of version 1 and none of version 2."""
    folder = tmp_path / "moved"
    folder.mkdir()
    (folder / "nodes.py").write_text(
        "from hcpgraph import node\n\n\n@node('moved.times', version=3)\ndef times(a: float, *, factor: float = 2.0) -> float:\n"
        '    """Multiply.\n\n    Args:\n        a: A number.\n        factor: By what.\n    """\n    return a * factor\n'
    )
    (folder / "migrations.py").write_text(
        "from hcpgraph import migrate\n\n\n@migrate('moved.times', since=1, ports={'x': 'a'})\ndef first(node):\n"
        "    node['settings']['factor'] = node['settings'].pop('by', 1.0)\n    return node\n"
    )
    return folder


def test_migrate(cli, process, write, pack, tmp_path):
    graph = write({"n": ("toy.number", {}), "t": ("moved.times", {"by": 4})}, {"t.x": "n.out"})
    options = ("--pack", TOYS, "--pack", pack)
    assert "E_VERSION" in cli("validate", graph, *options, code=2).stderr
    before = graph.read_bytes()
    checking = process("migrate", graph, "--check", *options)
    _, err = checking.communicate(timeout=120)
    assert checking.returncode == 2 and "is out of date" in err
    assert graph.read_bytes() == before
    doing = process("migrate", graph, *options)
    _, err = doing.communicate(timeout=120)
    assert doing.returncode == 0 and "W_MIGRATED" in err and "torch" not in err
    found = json.loads(graph.read_text())
    assert found["nodes"]["t"] == {"type": "moved.times", "version": 3, "settings": {"factor": 4}}
    assert found["edges"] == {"t.a": "n.out"}
    cli("validate", graph, *options)
    again = process("migrate", graph, "--check", *options)
    again.communicate(timeout=120)
    assert again.returncode == 0


def test_migrate_refuses_what_is_newer(cli, write):
    graph = write({"n": ("toy.number", {})})
    graph.write_text(graph.read_text().replace('"version": 1', '"version": 7'))
    before = graph.read_bytes()
    assert "E_VERSION n" in cli("migrate", graph, "--pack", TOYS, code=2).stderr
    assert graph.read_bytes() == before


def test_new(cli, chain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cli("new", "Cats", "--empty")
    assert hcpgraph.load("Cats.json").meta.title == "Cats"
    assert "there already" in cli("new", "Cats", "--empty", code=2).stderr
    picture(tmp_path / "p.png", hcpgraph.load(chain))
    cli("new", "p.png")
    assert hcpgraph.load("p.json").content_hash() == hcpgraph.load(chain).content_hash()
    result = cli("new", "no/such", code=2)
    assert "E_TEMPLATE" in result.stderr


def test_templates_are_listed_and_copied(cli, tmp_path, monkeypatch):
    from hcpgraph.document import shipped

    monkeypatch.chdir(tmp_path)
    told = json.loads(cli("templates", "--json").stdout)
    assert [item["name"] for item in told] == list(shipped.names())
    for item in told:
        assert item["title"] and hcpgraph.load(item["path"]).nodes
        cli("new", item["name"], f"{item['name']}.json")
        assert (tmp_path / f"{item['name']}.json").read_bytes() == Path(item["path"]).read_bytes()


def test_templates_are_found_by_their_last_name(chain, tmp_path):
    from hcpgraph.document import templates

    for name in ("a/one", "a/two", "b/two"):
        (tmp_path / "t" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "t" / f"{name}.json").write_bytes(chain.read_bytes())
    assert templates.find("one", tmp_path / "t").name == "a/one"
    assert templates.find("b/two", tmp_path / "t").name == "b/two"
    for name in ("two", "three"):
        with pytest.raises(hcpgraph.GraphErrors) as caught:
            templates.find(name, tmp_path / "t")
        assert [problem.code for problem in caught.value.problems] == ["E_TEMPLATE"]


def test_inspect_a_graph(cli, write):
    graph = write(
        {
            "r": ("toy.read", {"path": "data:in.txt"}),
            "w": ("toy.write", {"path": "out:x.txt"}),
            "o": ("python.object", {"path": "torch.optim:AdamW"}),
            "p": ("python.object", {"path": "os:system"}),
        },
        {"w.value": "r.out"},
        meta={"title": "A title"},
        requires={"files": {"data:in.txt": {"sha256": "a" * 64}}},
    )
    told = json.loads(cli("inspect", graph, "--pack", TOYS, "--json").stdout)["graph"]
    assert told["title"] == "A title"
    assert told["nodes"] == {"python.object": 2, "toy.read": 1, "toy.write": 1}
    assert told["reads"] == [{"node": "r", "setting": "path", "path": "data:in.txt"}]
    assert told["writes"] == [{"node": "w", "setting": "path", "path": "out:x.txt"}]
    assert told["python_objects"] == [
        {"node": "o", "path": "torch.optim:AdamW", "trusted": True},
        {"node": "p", "path": "os:system", "trusted": False},
    ]
    assert told["files"] == {"data:in.txt": "a" * 64}
    assert "NOT trusted" in cli("inspect", graph, "--pack", TOYS).stderr


def test_inspect_says_what_is_trained(cli, write):
    from .conftest import SLOW

    graph = write(
        {
            "m": ("weights.make", {}),
            "o": ("weights.optimizer", {}),
            "t": ("weights.train", {}),
            "u": ("weights.use", {}),
        },
        {"o.params": "m.params", "t.optimizer": "o.out", "t.loss": "u.out", "u.model": "m.model"},
    )
    raw = json.loads(graph.read_text())
    raw["nodes"]["u"]["in"] = "t"
    graph.write_text(json.dumps(raw))
    told = json.loads(cli("inspect", graph, "--pack", SLOW, "--json").stdout)["graph"]
    assert told["problems"] == [] and list(told["trains"]) == ["t"] and "m" in told["trains"]["t"]


def test_inspect_weights_without_torch(cli, chain, tmp_path):
    from tests.carriers import safetensors_metadata

    told = json.loads(cli("inspect", weights(tmp_path / "w.safetensors", {"rank": "4"}), "--json").stdout)
    assert told["kind"] == "weights" and told["graph"] is None
    assert told["metadata"] == {"rank": "4"} and told["numbers"] == 6 and told["dtypes"] == {"F16": 1}
    assert told["tensors"] == [{"name": "up.weight", "dtype": "F16", "shape": [2, 3]}]
    path = weights(tmp_path / "g.safetensors", safetensors_metadata(hcpgraph.load(chain)))
    result = cli("inspect", path, "--pack", TOYS)
    assert "up.weight  F16 [2, 3]" in result.stderr and "1 x toy.write" in result.stderr


def test_inspect_damaged_files(cli, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", 50) + b"{" * 20)
    assert "E_FILE" in cli("inspect", path, code=2).stderr
    assert "no graph in this picture" in cli("inspect", picture(tmp_path / "p.png"), code=2).stderr
    assert "E_FILE" in cli("inspect", tmp_path / "none", code=2).stderr
