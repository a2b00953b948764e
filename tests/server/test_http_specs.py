"""What the API says of node types and of graphs."""

import json
import os
import struct
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import hcpgraph
from hcpgraph.declaring.registry import default_registry
from hcpgraph.document import templates
from hcpgraph.types import accepts, parse, registered_class

from .live import shared

TOYS = {
    "format": "hcpgraph/1",
    "nodes": {
        "one": {"type": "toy.number", "version": 1, "settings": {"value": 1}},
        "loop": {"type": "toy.repeat", "version": 1, "settings": {"times": 3}},
        "fixed": {"type": "toy.add", "version": 1, "in": "loop"},
        "step": {"type": "toy.add", "version": 1, "in": "loop"},
    },
    "edges": {
        "loop.state": "one.out",
        "fixed.a": "one.out",
        "step.a": "loop.state",
        "step.b": "fixed.out",
        "loop.next": "step.out",
    },
}


@pytest.fixture(scope="module")
def live():
    return shared()


def graph(nodes, edges=None, **more):
    return {"format": "hcpgraph/1", "nodes": nodes, "edges": edges or {}, **more}


def test_hello_names_what_the_server_takes(live):
    hello = live.get("/api/hello", "Hello")
    assert hello["version"] == hcpgraph.__version__
    assert hello["languages"] == ["en", "zh-CN"]
    assert "data" in hello["roots"] and "cache" not in hello["roots"]
    assert hello["limits"]["graph"] == 8 * 2**20
    assert str(live.workspace) not in json.dumps(hello), "a page does not need to know where the workspace lies"


def test_specs_are_those_of_the_registry_and_not_sent_twice(live):
    reply = live.request("GET", "/api/specs?lang=en")
    specs = live.get("/api/specs", "Specs")
    registry = default_registry([hcpgraph.testing.FOLDER])
    assert {spec["id"] for spec in specs["specs"]} == set(registry.specs)
    # other tests of this process have registered types of their packs
    ours = {name for name in registry.types if _package(name) in {"builtins", "hcpgraph", "hcpgraph_nodes"}}
    assert {info["name"] for info in specs["types"]} == ours
    add = next(spec for spec in specs["specs"] if spec["id"] == "toy.add")
    assert [port["name"] for port in add["inputs"]] == ["a", "b"] and add["defaults"] == {"plus": 0.0}
    assert "file" not in add and "module" not in add
    again = live.request("GET", "/api/specs?lang=en", headers={"If-None-Match": reply.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    other = live.request("GET", "/api/specs?lang=zh-CN", headers={"If-None-Match": reply.headers["ETag"]})
    assert other.status == 200, "another language is another reply"


def _package(type_name: str) -> str:
    cls = registered_class(type_name)
    return "builtins" if cls is None else cls.__module__.partition(".")[0]


def test_specs_in_chinese_keep_the_english_beside(live):
    english = {spec["id"]: spec for spec in live.get("/api/specs?lang=en")["specs"]}
    chinese = {spec["id"]: spec for spec in live.get("/api/specs?lang=zh-CN", "Specs")["specs"]}
    assert chinese.keys() == english.keys()
    for id, spec in chinese.items():
        assert (spec["title_en"], spec["help_en"]) == (english[id]["title"], english[id]["help"])
        assert english[id].get("also", [spec["title"]]) == [spec["title"]] and "also" not in spec
        assert spec["setting_types"] == english[id]["setting_types"] and spec["defaults"] == english[id]["defaults"]
    assert chinese["train.loop"]["title"] != english["train.loop"]["title"]
    assert live.request("GET", "/api/specs?lang=xx").codes() == ["E_LANGUAGE"]


def test_the_table_of_connections_is_the_rule(live):
    table = live.get("/api/specs")["accepts"]
    lattice = default_registry([hcpgraph.testing.FOLDER]).types
    assert len(table) > 40
    for target, sources in table.items():
        for source in (name for name in table if not name.startswith("Many[")):
            assert accepts(lattice, parse(target), parse(source), {}) == (source in sources), (target, source)
    assert "list[Curve]" in table["Many[Curve]"] and "list[Curve]" not in table["Curve"]
    assert "list[Loss]" not in table["Many[Curve]"]
    assert "int" in table["float"] and "float" not in table["int"]
    assert "Images" in table["$T"] and "Latents" not in table["Images"]


def test_check_tells_types_facts_and_what_runs_once(live):
    check = live.post("/api/check", {"graph": TOYS}, "Check")
    assert check["ok"] and check["problems"] == []
    assert check["ports"]["loop.state"] == "float" and check["ports"]["loop.out"] == "float"
    assert check["once"] == ["fixed"]
    assert len(check["hash"]) == 64


@pytest.mark.slow
def test_a_check_of_each_template_agrees_with_the_engine(live):
    families = set()
    for entry in live.get("/api/templates", "TemplateEntry[]"):
        opened = live.get(f"/api/templates/{entry['name']}", "Opened")
        check = live.post("/api/check", {"graph": opened["graph"]}, "Check")
        assert check["hash"] == opened["hash"]
        path = templates.find(entry["name"]).path
        expected = hcpgraph.validate(path, workspace=live.workspace, files=True)
        assert [p["code"] for p in check["problems"]] == [p.code for p in expected]
        families |= {facts["family"] for facts in check["facts"].values() if "family" in facts}
    assert "sd15" in families


def test_check_tells_every_problem_with_its_place(live):
    nodes = {"a": {"type": "toy.add", "version": 1}, "b": {"type": "toy.addd", "version": 1}}
    check = live.post("/api/check", {"graph": graph(nodes)}, "Check")
    assert not check["ok"]
    assert {(p["code"], p["node"]) for p in check["problems"]} == {("E_PORT_MISSING", "a"), ("E_TYPE_UNKNOWN", "b")}


def test_ports_of_instances_are_told_by_the_instance(live):
    body = {
        "nodes": {"w": {"type": "toy.word", "version": 1}},
        "edges": {},
        "interface": {"inputs": {"text": ["w.text"]}, "outputs": {"said": "w.out"}},
    }
    nodes = {"inst": {"type": "graph:inner", "version": 1, "settings": {"text": "hi"}}}
    check = live.post("/api/check", {"graph": graph(nodes, graphs={"inner": body})}, "Check")
    assert check["ports"]["inst.said"] == "str" and check["ports"]["inst/w.out"] == "str"


@pytest.mark.parametrize(
    ("graph", "code"),
    [
        ({"format": "hcpgraph/1", "nodes": {"a b": {"type": "toy.add", "version": 1}}, "edges": {}}, "E_ID"),
        ({"format": "hcpgraph/9", "nodes": {}, "edges": {}}, "E_FORMAT"),
        ({"format": "hcpgraph/1", "nodes": {}, "edges": {}, "more": 1}, "E_FIELD"),
        ([], "E_FORMAT"),
        (None, "E_FORMAT"),
    ],
)
def test_a_malformed_document_is_told_as_such(live, graph, code):
    for path in ("/api/check", "/api/format", "/api/plan", "/api/capabilities"):
        reply = live.request("POST", path, json_body={"graph": graph})
        assert reply.status == 422 and reply.codes() == [code]


def test_format_writes_defaults_out_and_is_stable(live):
    first = live.post("/api/format", {"graph": TOYS}, "Opened")
    assert first["graph"]["nodes"]["fixed"]["settings"] == {"plus": 0}
    assert first["graph"]["view"] == {} and first["graph"]["meta"] == {} and first["graph"]["graphs"] == {}
    assert hcpgraph.loads(first["text"]).dump() == first["text"]
    second = live.post("/api/format", {"graph": first["graph"]}, "Opened")
    assert (second["text"], second["hash"]) == (first["text"], first["hash"])
    moved = {**first["graph"], "view": {"nodes": {"one": [10, 20]}}}
    assert live.post("/api/format", {"graph": moved})["hash"] == first["hash"], "moving a box changes no result"


def test_unknown_node_types_keep_their_data(live):
    nodes = {"x": {"type": "strange.node", "version": 7, "settings": {"deep": [{"a": 1.5}]}, "title": "kept"}}
    opened = live.post("/api/format", {"graph": graph(nodes)}, "Opened")
    assert opened["graph"]["nodes"] == nodes


def test_plan_says_what_runs_where(live):
    plan = live.post("/api/plan", {"graph": TOYS}, "PlanReply")
    assert plan["ok"] and plan["targets"] == ["loop"]
    rows = {row["node"]: row for row in plan["nodes"]}
    assert rows["one"]["when"] == "once" and rows["one"]["state"] == "runs" and len(rows["one"]["key"]) == 64
    assert rows["step"] == {"node": "step", "type": "toy.add", "state": "runs", "when": "every step", "inside": "loop"}
    assert rows["fixed"]["when"] == "once"
    part = live.post("/api/plan", {"graph": TOYS, "targets": ["one"]}, "PlanReply")
    assert [row["node"] for row in part["nodes"]] == ["one"]


def test_plan_of_a_wrong_graph_or_target_says_why(live):
    wrong = live.post("/api/plan", {"graph": graph({"a": {"type": "toy.add", "version": 1}})}, "PlanReply")
    assert not wrong["ok"] and [p["code"] for p in wrong["problems"]] == ["E_PORT_MISSING"]
    unknown = live.post("/api/plan", {"graph": TOYS, "targets": ["nowhere"]}, "PlanReply")
    assert not unknown["ok"] and unknown["problems"][0]["code"] == "E_TARGET"
    assert live.request("POST", "/api/plan", json_body={"graph": TOYS, "targets": "one"}).codes() == ["E_FIELD"]


def test_plan_knows_the_disk_cache(live):
    nodes = {"n": {"type": "toy.number", "version": 1}, "w": {"type": "toy.write", "version": 1}}
    writing = graph(nodes, {"w.value": "n.out"})

    def planned():
        rows = live.post("/api/plan", {"graph": writing}, "PlanReply")["nodes"]
        return {row["node"]: row["state"] for row in rows}

    assert planned() == {"n": "runs", "w": "runs"}
    hcpgraph.run(hcpgraph.loads(json.dumps(writing)), workspace=live.workspace, packs=[hcpgraph.testing.FOLDER])
    assert planned() == {"w": "cached"}


def octets(live, data):
    return live.request("POST", "/api/import", data, {"Content-Type": "application/octet-stream"})


def test_import_takes_json_pictures_and_heads_of_weights(live, tmp_path):
    text = json.dumps(TOYS).encode()
    plain = live.shaped(octets(live, text), "Imported")
    assert plain["source"] == "json" and plain["etag"] is None

    info = PngInfo()
    info.add_itxt("hcpgraph", text.decode())
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", pnginfo=info)
    picture = live.shaped(octets(live, (tmp_path / "a.png").read_bytes()), "Imported")
    assert picture["source"] == "png" and picture["hash"] == plain["hash"]

    header = json.dumps({"__metadata__": {"hcpgraph": text.decode()}, "w": {"data_offsets": [0, 1 << 40]}}).encode()
    weights = live.shaped(octets(live, struct.pack("<Q", len(header)) + header), "Imported")
    assert weights["source"] == "safetensors" and weights["hash"] == plain["hash"]


def test_import_of_a_file_without_a_graph_says_so(live, tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    for data, code in (((tmp_path / "a.png").read_bytes(), "E_FILE"), (b"hello", "E_JSON"), (b"", "E_JSON")):
        reply = octets(live, data)
        assert reply.status == 422 and reply.codes() == [code]


def test_capabilities_tell_what_a_graph_would_touch(live):
    data = live.workspace / "data"
    data.mkdir(parents=True, exist_ok=True)
    (data / "there.txt").write_text("greetings")
    nodes = {
        "object": {"type": "python.object", "version": 1, "settings": {"path": "torch.optim:SGD"}},
        "evil": {"type": "python.object", "version": 1, "settings": {"path": "os:system"}},
        "read": {"type": "toy.read", "version": 1, "settings": {"path": "data:there.txt"}},
        "lost": {"type": "toy.read", "version": 1, "settings": {"path": "data:nowhere.txt"}},
        "what": {"type": "other.thing", "version": 1},
    }
    record = {"sha256": "7dd4f2f077e449b47215359e8020c0b6c81e184d2c614486246cb8f70cac7a70", "size": 9}
    requires = {"packs": {"hcpgraph_nodes": ">=99", "elsewhere": ">=1"}, "files": {"data:was_called.txt": record}}
    found = live.post("/api/capabilities", {"graph": graph(nodes, requires=requires)}, "Capabilities")
    assert {item["path"]: item["trusted"] for item in found["objects"]} == {
        "torch.optim:SGD": True,
        "os:system": False,
    }
    assert {item["uri"]: item["exists"] for item in found["reads"]} == {
        "data:there.txt": True,
        "data:nowhere.txt": False,
    }
    assert found["types_missing"] == [{"type": "other.thing", "nodes": ["what"]}]
    packs = {pack["name"]: pack for pack in found["packs"]}
    assert not packs["hcpgraph_nodes"]["ok"] and packs["elsewhere"]["installed"] is None
    assert found["files"][0]["found"] == "data:there.txt" and found["files"][0]["same"] is True


def test_ten_thousand_nodes_are_checked_while_others_are_served(live):
    from concurrent.futures import ThreadPoolExecutor

    number = 10_000
    nodes = {f"n{i}": {"type": "toy.add", "version": 1} for i in range(number)}
    edges = {f"n{i}.a": f"n{i - 1}.out" for i in range(1, number)}
    nodes["n0"] = {"type": "toy.number", "version": 1}
    with ThreadPoolExecutor(1) as pool:
        check = pool.submit(live.post, "/api/check", {"graph": graph(nodes, edges)}, "Check")
        answered = 0
        while not check.done():
            live.get("/api/hello", "Hello")
            answered += 1
        found = check.result()
    assert found["ok"] and len(found["ports"]) == number
    assert answered > 1, "nobody else was served meanwhile"


def test_the_server_has_not_imported_torch(live):
    if not Path("/proc").is_dir():
        pytest.skip("needs /proc")
    live.get("/api/specs")
    live.post("/api/check", {"graph": TOYS})
    live.post("/api/plan", {"graph": TOYS})
    assert "libtorch" not in Path(f"/proc/{live.process.pid}/maps").read_text()
    for child in map(int, Path(f"/proc/{live.process.pid}/task/{live.process.pid}/children").read_text().split()):
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"hcpgraph.server.helpers.pool" in command:
            assert "libtorch" not in Path(f"/proc/{child}/maps").read_text()
    assert os.getpid() != live.process.pid
