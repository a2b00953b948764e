"""Graphs of the workspace: saved whole or not at all, and never over somebody else's change."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

import hcpgraph

from .live import shared

GRAPH = {"format": "hcpgraph/1", "nodes": {"n": {"type": "toy.number", "version": 1}}, "edges": {}}


def with_value(value, title=None):
    nodes = {"n": {"type": "toy.number", "version": 1, "settings": {"value": value}}}
    return {**GRAPH, "nodes": nodes, **({"meta": {"title": title}} if title else {})}


@pytest.fixture(scope="module")
def live():
    return shared()


def save(live, name, graph=GRAPH, etag=None):
    return live.request("PUT", f"/api/graphs/{name}", json_body={"graph": graph, "etag": etag})


def test_a_saved_graph_is_the_file_that_the_command_line_runs(live):
    saved = live.shaped(save(live, "first", with_value(4, "My first")), "Opened")
    file = live.workspace / "graphs" / "first.json"
    assert file.read_text() == saved["text"]
    assert hcpgraph.load(file).content_hash() == saved["hash"]
    assert live.get("/api/graphs/first", "Opened") == saved
    entry = next(entry for entry in live.get("/api/graphs", "GraphEntry[]") if entry["name"] == "first")
    assert entry["title"] == "My first" and entry["size"] == len(saved["text"])


def test_names_may_have_folders_and_any_letters(live):
    name = "猫/My LoRA, 2nd try"
    from urllib.parse import quote

    saved = live.shaped(save(live, quote(name)), "Opened")
    assert saved["name"] == name and (live.workspace / "graphs" / f"{name}.json").is_file()
    encoded = live.get(f"/api/graphs/{quote(name, safe='')}", "Opened")
    assert encoded["etag"] == saved["etag"]
    assert live.request("DELETE", f"/api/graphs/{quote(name)}?etag={saved['etag']}").status == 200
    assert not (live.workspace / "graphs" / "猫").exists(), "an empty folder is of no use"


def test_what_somebody_else_saved_is_not_overwritten(live):
    first = live.shaped(save(live, "shared"))
    assert save(live, "shared").codes() == ["E_CONFLICT"], "new, but there is one"
    second = live.shaped(save(live, "shared", with_value(2), first["etag"]))
    late = save(live, "shared", with_value(3), first["etag"])
    assert late.status == 409 and late.codes() == ["E_CONFLICT"]
    (live.workspace / "graphs" / "shared.json").write_text(json.dumps(with_value(9)))
    assert save(live, "shared", with_value(3), second["etag"]).status == 409, "changed on the disk"
    assert live.request("DELETE", f"/api/graphs/shared?etag={second['etag']}").status == 409
    third = live.get("/api/graphs/shared")
    assert third["graph"]["nodes"]["n"]["settings"]["value"] == 9
    assert live.request("DELETE", f"/api/graphs/shared?etag={third['etag']}").status == 200
    assert live.request("DELETE", f"/api/graphs/shared?etag={third['etag']}").status == 404
    assert save(live, "shared", etag=third["etag"]).status == 409, "deleted meanwhile"


def test_of_many_writers_exactly_one_wins(live):
    first = live.shaped(save(live, "race"))
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda i: save(live, "race", with_value(i), first["etag"]), range(1, 9)))
    assert sorted(reply.status for reply in replies) == [200] + [409] * 7
    winner = next(reply.json() for reply in replies if reply.status == 200)
    assert (live.workspace / "graphs" / "race.json").read_text() == winner["text"]
    assert not list((live.workspace / "graphs").glob(".*")), "no half-written file is left"


def test_a_graph_that_does_not_parse_leaves_the_file_alone(live):
    first = live.shaped(save(live, "kept"))
    bad = save(live, "kept", {**GRAPH, "nodes": {"n": {"type": "toy.number"}, "a b": {}}}, first["etag"])
    assert bad.status == 422
    assert (live.workspace / "graphs" / "kept.json").read_text() == first["text"]


def test_move(live):
    first = live.shaped(save(live, "old"))
    live.shaped(save(live, "taken", with_value(5)))

    def move(source, target, etag):
        return live.request("POST", "/api/graph-move", json_body={"from": source, "to": target, "etag": etag})

    assert move("old", "taken", first["etag"]).status == 409
    assert move("old", "new", "0" * 32).status == 409
    assert move("nowhere", "new", None).status == 404
    moved = live.shaped(move("old", "sub/new", first["etag"]), "Opened")
    assert moved["name"] == "sub/new" and moved["etag"] == first["etag"]
    assert not (live.workspace / "graphs" / "old.json").exists()


def test_an_unreadable_graph_is_listed_and_told(live):
    (live.workspace / "graphs").mkdir(parents=True, exist_ok=True)
    (live.workspace / "graphs" / "broken.json").write_text("{")
    entry = next(entry for entry in live.get("/api/graphs", "GraphEntry[]") if entry["name"] == "broken")
    assert entry["title"] == "broken"
    assert live.request("GET", "/api/graphs/broken").codes() == ["E_JSON"]


def test_an_old_file_is_brought_up_to_date_when_it_is_opened(live):
    (live.workspace / "graphs").mkdir(parents=True, exist_ok=True)
    old = {**GRAPH, "nodes": {"n": {"type": "toy.number", "version": 99}}}
    (live.workspace / "graphs" / "newer.json").write_text(json.dumps(old))
    opened = live.get("/api/graphs/newer", "Opened")
    assert [problem["code"] for problem in opened["problems"]] == ["E_VERSION"]
    assert (live.workspace / "graphs" / "newer.json").read_text() == json.dumps(old), "opening changes no file"


def test_templates_are_the_shipped_graphs(live):
    from hcpgraph.document.shipped import names

    listed = live.get("/api/templates", "TemplateEntry[]")
    assert [entry["name"] for entry in listed] == list(names())
    quickstart = next(entry for entry in listed if entry["name"] == "quickstart/train_lora")
    assert quickstart["title"] and quickstart["description"] and quickstart["groups"] == "quickstart"
    assert "plugin.lora" in quickstart["uses"] and quickstart["needs"] == []
    assert {"data.batch", "loss.mse"} <= set(quickstart["uses"]), "also what stands in subgraphs"
    assert next(entry for entry in listed if entry["name"] == "train/lora")["needs"] == ["models", "data"]
    opened = live.get("/api/templates/quickstart/train_lora", "Opened")
    assert opened["name"] is None and opened["etag"] is None and opened["problems"] == []
    for entry in listed:
        if entry["picture"]:
            for theme in ("", "?theme=dark", "?theme=light"):
                reply = live.request("GET", entry["picture"] + theme)
                assert reply.headers["Content-Type"].startswith("image/")
    for path in ("/api/templates/nowhere", "/api/template-picture/nowhere"):
        assert live.request("GET", path).status == 404
