"""What the cache serves: which run made it, its picture after a reload, and files that were written anew."""

import json
import os

import hcpgraph
import hcpgraph.testing
from tests.server.serving import PACK, graph


def test_a_served_result_names_the_run_that_made_it(server):
    drawing = graph(n=("toy.number", {"value": 5}), w=("toy.write", {"path": "out:served.txt"}))
    drawing["edges"] = {"w.value": "n.out"}
    first = server.run(drawing)
    server.wait(first)
    made_by = {"run": first, "node": "w"}
    plan = server.post("/api/plan", {"graph": drawing}, "PlanReply")
    (row,) = plan["nodes"]
    assert (row["node"], row["state"], row["made_by"]) == ("w", "cached", made_by)
    assert plan["keys"].keys() == {"n", "w"} and plan["keys"]["w"] == row["key"]
    second = server.run(drawing)
    server.wait(second)
    snapshot = server.get(f"/api/jobs/{second}", "Snapshot")
    assert snapshot["nodes"] == {"w": {"state": "cached", "key": row["key"], "made_by": made_by}}
    made = server.get(f"/api/jobs/{first}", "Snapshot")["nodes"]
    assert {id: node["key"] for id, node in made.items()} == plan["keys"]


def test_a_run_of_the_command_line_has_the_hash_that_the_page_has(server):
    drawing = graph(n=("toy.number", {"value": 6}), w=("toy.write", {"path": "out:cli.txt"}))
    drawing["edges"] = {"w.value": "n.out"}
    done = hcpgraph.run(
        hcpgraph.loads(json.dumps(drawing)), packs=[hcpgraph.testing.FOLDER, PACK], workspace=server.workspace
    )
    job = server.get(f"/api/jobs/{done.id}", "Snapshot")["job"]
    assert job["graph_hash"] == server.post("/api/check", {"graph": drawing}, "Check")["hash"]
    plan = server.post("/api/plan", {"graph": drawing}, "PlanReply")
    assert plan["nodes"][0]["made_by"] == {"run": done.id, "node": "w"}


def test_the_picture_of_a_value_is_there_after_the_run(server):
    id = server.run(graph(p=("lively.paint", {"seed": 11}), q=("lively.paint", {"seed": 12, "path": "out:q.png"})))
    server.wait(id)
    stamps = server.get(f"/api/jobs/{id}", "Snapshot")["pictures"]
    assert stamps.keys() == {"p", "q"}
    reply = server.request("GET", f"/api/jobs/{id}/picture?node=p&v={stamps['p']}")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "image/webp") and reply.body[:4] == b"RIFF"
    for node in ("r", "", "../p", "p/../q", "p~"):
        reply = server.request("GET", f"/api/jobs/{id}/picture?node={node}")
        assert (reply.status, reply.codes()) == (404, ["E_NOT_FOUND"])


def test_a_stamp_changes_with_the_file(server):
    path = server.workspace / "data" / "stamped.png"
    path.write_bytes(b"one")

    def stamps(*uris):
        return server.post("/api/stamps", {"uris": uris}, "Stamps")["stamps"]

    uris = ("data:stamped.png", "data:gone.png", "data:../x", "cache:queue.sqlite", "nonsense")
    before = stamps(*uris)
    assert before.pop("data:stamped.png") and set(before.values()) == {None} and len(before) == 4
    first = stamps(uris[0])[uris[0]]
    assert stamps(uris[0])[uris[0]] == first
    time = path.stat().st_mtime_ns
    path.write_bytes(b"two")
    os.utime(path, ns=(time, time))  # of equal size, with the time of the file before, as copying programs leave it
    assert stamps(uris[0])[uris[0]] != first
    reply = server.request("POST", "/api/stamps", json_body={"uris": ["data:x"] * 1_001})
    assert (reply.status, reply.codes()) == (422, ["E_FIELD"])
