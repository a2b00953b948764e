"""Where a graph may write: `out:`, new weights in `models:`, and what the person allowed who started the run."""

import hashlib
import json
from pathlib import Path

import pytest

import hcpgraph
from hcpgraph import GraphErrors
from tests.engine.support import graph, problems, run
from tests.security.writing_calls import writing_functions
from tests.server.live import shared
from tests.server.serving import until

NODES = Path(__file__).resolve().parents[2] / "nodes" / "hcpgraph_nodes"
SPECS = hcpgraph.default_registry().specs
SAVERS = [
    (spec.id, name, widget["kind"])
    for spec in SPECS.values()
    for name, schema in spec.settings.items()
    if (widget := schema.get("x-widget", {})).get("write")
]
ENDINGS = {"image.save": ".png", "image.log": ".png"}

GIVEN_A_FREE_PATH = {
    "adapter_files/header.py:tensor_hash",
    "families/dit/family.py:TransformerFamily.save_file",
    "families/dit/saving.py:_component",
    "families/dit/saving.py:save_folder",
    "families/kl_vae.py:KlVae.save_vae",
    "families/saving.py:_component",
    "families/saving.py:save_folder",
    "families/weights.py:_in_order",
    "families/weights.py:write_json",
    "families/weights.py:write_weights",
    "image/png.py:_write",
    "image/png.py:encode",
    "model/folder.py:write_folder",
    "model/save.py:save_model.write",
    "words/save.py:_write_pt",
}
"""What writes where `ctx.output` said, or into memory."""
CACHES_AND_CHECKPOINTS = {
    "train/checkpoint.py:Checkpoints.written",
    "data/sources/headers.py:_Memory._open",
    "data/openmoji.py:_rasterised",
    "data/sources/side_files.py:write_remembered",
    "data/batches/claims.py:Claims._locked",
    "data/batches/claims.py:_unlink",
    "data/batches/index.py:Index._only_read",
    "data/batches/index.py:Index._transaction",
    "data/batches/index.py:Index.do",
    "data/batches/store.py:SampleStore._append",
    "data/batches/store.py:SampleStore._map",
    "data/batches/store.py:SampleStore._pack",
    "data/batches/store.py:SampleStore.trim",
    "model/encoder.py:_digest",
    "model/encoder.py:_recall",
    "model/encoder.py:_remember",
    "report/hashes.py:_remember",
    "report/hashes.py:_remembered",
    "report/sheet.py:_small",
    "train/checkpoint.py:Checkpoints.clear",
    "train/checkpoint.py:Checkpoints.save",
    "train/loop.py:loop.keep_checkpoint",
}
"""What writes below `cache:`, at names that no setting gives."""


def test_nodes_write_nowhere_else():
    """A new place that writes belongs into one of the two lists: look at where its path comes from."""
    found = {
        f"{path.relative_to(NODES).as_posix()}:{name}"
        for path in NODES.rglob("*.py")
        for name in writing_functions(path.read_text("utf-8"))
    }
    assert found == GIVEN_A_FREE_PATH | CACHES_AND_CHECKPOINTS


def test_the_scan_sees_every_way_to_write():
    for text in ("p.write_text('')", "open(p, 'w')", "p.open(mode='ab')", "os.replace(a, b)", "image.save(p)",
                 "save_file(x, p)", "shutil.rmtree(p)", "p.unlink()", "os.fdopen(f, 'r+b')", "sqlite3.connect(p)",
                 "write_text(p, '')", "write_bytes(p, b)", "replacing(p)"):  # fmt: skip
        assert writing_functions(f"def f():\n    {text}") == {"f"}, text
    assert writing_functions("def f():\n    open(p, 'rb'); open(p); 'a'.replace('a', 'b')") == set()


def test_only_savers_have_a_place_to_write_to():
    """A path that a setting gives goes through `ctx.output` exactly in nodes that declare it as written."""
    assert {id for id, _, _ in SAVERS} == {id for id, spec in SPECS.items() if spec.has("write") and not spec.body}, (
        "a node that writes declares its path with write=True"
    )


@pytest.mark.parametrize(("type_id", "setting", "kind"), SAVERS)
@pytest.mark.parametrize("root", ["data", "cache", "runs", "builtin", "models"])
def test_savers_are_refused_before_they_run(type_id, setting, kind, root, tmp_path):
    (tmp_path / root).mkdir()
    ending = ENDINGS.get(type_id, ".safetensors")
    (tmp_path / root / f"taken{ending}").write_bytes(b"mine")

    def refusals(name, overwrite, **more):
        settings = {setting: f"{root}:{name}{ending}"}
        settings |= {"overwrite": overwrite} if "overwrite" in SPECS[type_id].settings else {}
        found = hcpgraph.validate(graph({"s": (type_id, settings)}), workspace=tmp_path, **more)
        assert all(problem.hint for problem in found if problem.code == "E_WRITE")
        return [(problem.code, problem.where) for problem in found if problem.code == "E_WRITE"]

    no = [("E_WRITE", f"s.{setting}")]
    weights = root == "models" and kind == "model"
    assert refusals("new", False) == ([] if weights else no)
    assert refusals("taken", True) == no
    if root != "builtin":
        assert refusals("taken", True, allow_write=[root]) == []
    assert refusals("new", False, allow_write=["data"]) == ([] if weights or root == "data" else no)


def test_what_a_wire_brings_is_refused_when_it_comes(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cat.txt").write_text("data:cat.txt")
    nodes = {"read": ("toy.read", {"path": "data:cat.txt"}), "write": "toy.write", "n": "toy.number"}
    g = graph(nodes, {"write.path": "read.out", "write.value": "n.out"})
    (told,) = problems(g, workspace=tmp_path)
    assert (told.code, told.where, told.severity) == (
        "W_UNKNOWN",
        "write.path",
        "warning",
    ) and "read.out" in told.message
    result = run(g, tmp_path)
    problem = result.failed["write"].problem
    assert (problem.code, problem.node) == ("E_WRITE", "write") and "--allow-write data" in problem.hint
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["cat.txt"]
    allowed = run(g, tmp_path, allow_write=["data"])
    assert allowed.status == "done" and (tmp_path / "data" / "cat-2.txt").exists()
    assert json.loads((allowed.folder / "run.json").read_text())["allow_write"] == ["data"]


@pytest.mark.parametrize("name", ["builtin", "dta", ""])
def test_what_nobody_can_allow(name, tmp_path):
    with pytest.raises(GraphErrors) as raised:
        run(graph({"n": "toy.number"}), tmp_path, allow_write=[name])
    assert [problem.code for problem in raised.value.problems] == ["E_CALL"]


CONSTANT = {
    "nodes": {
        "name": {"type": "value.text", "version": 1, "settings": {"value": "data:cats/1.png"}},
        "around": {"type": "flow.reroute", "version": 1},
        "again": {"type": "graph:handed", "version": 1},
        "class": {"type": "value.text", "version": 1, "settings": {"value": "os:system"}},
        "other": {"type": "flow.reroute", "version": 1},
        "object": {"type": "python.object", "version": 1},
        "picture": {"type": "image.load", "version": 1, "settings": {"path": "data:cats/1.png"}},
        "save": {"type": "image.save", "version": 1, "settings": {"overwrite": True}},
    },
    "edges": {
        "around.value": "name.out",
        "again.text": "around.out",
        "save.path": "again.out",
        "save.images": "picture.out",
        "other.value": "class.out",
        "object.path": "other.out",
    },
    "graphs": {
        "handed": {
            "nodes": {"inside": {"type": "flow.reroute", "version": 1}},
            "edges": {},
            "interface": {"inputs": {"text": ["inside.value"]}, "outputs": {"out": "inside.out"}},
        }
    },
}


def test_constant_wires_are_followed():
    g = hcpgraph.loads(json.dumps({"format": "hcpgraph/1", **CONSTANT}))
    found = [(problem.code, problem.where) for problem in hcpgraph.validate(g, workspace="/nonexistent")]
    assert sorted(found) == [("E_TRUST", "object.path"), ("E_WRITE", "save.path")]


@pytest.fixture(scope="module")
def live():
    return shared()


def test_the_dialog_sees_what_comes_over_wires(live):
    read = {"type": "toy.read", "version": 1, "settings": {"path": "data:name.txt"}}
    late = {"type": "python.object", "version": 1}
    body = {
        "format": "hcpgraph/1",
        "nodes": {**CONSTANT["nodes"], "read": read, "late": late},
        "edges": {**CONSTANT["edges"], "late.path": "read.out"},
        "graphs": CONSTANT["graphs"],
    }
    found = live.post("/api/capabilities", {"graph": body}, "Capabilities")
    (write,) = found["writes"]
    assert (write["uri"], write["node"], write["problem"]["code"]) == ("data:cats/1.png", "save", "E_WRITE")
    assert found["objects"] == [{"path": "os:system", "node": "object", "trusted": False}]
    assert found["unknown"] == [{"node": "late", "setting": "path", "kind": "object", "source": "read.out"}]


def test_a_run_of_the_editor_is_allowed_on_its_own(live):
    name = hashlib.sha256(b"a name of its own").hexdigest()[:8]
    nodes = {
        "n": {"type": "toy.number", "version": 1},
        "w": {"type": "toy.write", "version": 1, "settings": {"path": f"data:{name}.txt"}},
    }
    body = {"format": "hcpgraph/1", "nodes": nodes, "edges": {"w.value": "n.out"}}
    refused = live.request("POST", "/api/jobs", json_body={"graph": body})
    assert refused.status == 422 and refused.codes() == ["E_WRITE"]
    wrong = live.request("POST", "/api/jobs", json_body={"graph": body, "allow_write": ["builtin"]})
    assert wrong.status == 422 and wrong.codes() == ["E_CALL"]
    job = live.post("/api/jobs", {"graph": body, "allow_write": ["data"]}, "Job")
    ended = until(lambda: live.get(f"/api/jobs/{job['id']}")["job"]["status"], lambda status: status == "done")
    assert ended == "done"
    assert (live.workspace / "data" / f"{name}.txt").exists()
    assert live.request("POST", "/api/jobs", json_body={"graph": body}).status == 422
