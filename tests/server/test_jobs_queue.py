"""The queue of a real server: order, cancels at any time, history."""

import json
import threading

import pytest

import hcpgraph
import hcpgraph.testing
from tests.server.serving import ENDED, PACK, drawn, graph, until


@pytest.fixture
def blocked(server, request):
    """The queue with a job in front that runs until its gate opens."""
    gate = f"gate-{request.node.name}"
    id = server.run(graph(w=("lively.wait", {"gate": gate})), title="front")
    server.wait_for_event(id, lambda event: event["kind"] == "node_started")
    yield id
    server.open(gate)
    server.wait(id)


def quick(value=0.0):
    return graph(n=("toy.number", {"value": value}))


def test_jobs_run_in_the_order_of_the_queue(server, blocked):
    a, b, c = (server.run(quick(value)) for value in (1.0, 2.0, 3.0))
    first = server.run(quick(4.0), front=True)
    assert server.queue() == [first, a, b, c]
    moved = server.post(f"/api/jobs/{c}/move", {"before": a}, "Job[]")
    assert [(job["id"], job["position"]) for job in moved] == [(first, 1), (c, 2), (a, 3), (b, 4)]
    server.post(f"/api/jobs/{first}/move", {"before": None}, "Job[]")
    assert server.queue() == [c, a, b, first]
    assert server.queue("running") == [blocked]
    reply = server.request("POST", f"/api/jobs/{blocked}/move", json_body={"before": None})
    assert (reply.status, reply.codes()) == (409, ["E_CONFLICT"])
    server.open(f"gate-{test_jobs_run_in_the_order_of_the_queue.__name__}")
    jobs = [server.wait(id) for id in (c, a, b, first)]
    assert [job["status"] for job in jobs] == ["done"] * 4
    assert [job["started"] for job in jobs] == sorted(job["started"] for job in jobs)
    assert server.queue("done")[:5] == [first, c, b, a, blocked], "newest first: by the time they were sent"


def test_a_queued_job_is_201_as_the_api_says(server):
    reply = server.request("POST", "/api/jobs", json_body={"graph": quick()})
    assert reply.status == 201 and server.wait(reply.json()["id"])["status"] == "done"


def test_cancel_says_the_same_in_every_state_and_any_number_of_times(server, blocked):
    queued = server.run(quick())
    assert [server.cancel(queued)["status"] for _ in range(3)] == ["cancelled"] * 3
    for _ in range(3):
        assert server.cancel(blocked)["status"] in ("running", "cancelled")
    assert server.wait(blocked)["status"] == "cancelled"
    assert server.cancel(blocked)["status"] == "cancelled"
    done = server.run(quick())
    assert server.wait(done)["status"] == "done"
    ended = server.job(done)
    assert server.cancel(done) == ended == server.job(done)
    assert server.events(queued) == []
    assert server.request("POST", "/api/jobs/nobody/cancel", json_body={}).codes() == ["E_NOT_FOUND"]


def test_a_cancelled_run_says_so_in_its_events_and_record(server, blocked):
    server.cancel(blocked)
    server.wait(blocked)
    assert server.events(blocked)[-1]["status"] == "cancelled"
    assert server.get(f"/api/jobs/{blocked}/record")["status"] == "cancelled"
    assert server.get(f"/api/jobs/{blocked}", "Snapshot")["nodes"]["w"]["state"] == "waiting"


def test_cancels_that_race_with_start_and_end_leave_one_clear_end(server):
    """Short jobs, each cancelled by two threads at another moment of its life."""
    jobs = [server.run(graph(c=("lively.count", {"steps": 20 * (number % 5) + number}))) for number in range(12)]

    def cancel(id, when):
        if when:
            server.wait(id, *when)
        server.cancel(id)

    moments = [(), ("running", *ENDED), ENDED, ("running", *ENDED)]
    threads = [
        threading.Thread(target=cancel, args=(id, moments[(number + twice) % 4]))
        for number, id in enumerate(jobs)
        for twice in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for id in jobs:
        job = server.wait(id)
        assert job["status"] in ("done", "cancelled") and job["reason"] is None
        assert job["ended"] is not None
        ends = [event["status"] for event in server.events(id) if event["kind"] == "run_done"]
        assert ends == ([job["status"]] if job["started"] else [])
    after = server.run(quick())
    assert server.wait(after)["status"] == "done", "the queue goes on"


def test_the_problem_of_a_failed_node_is_reported(server):
    drawing = hcpgraph.Graph()
    drawing.add("toy.fail", "bad", code="E_OWN")
    drawing.add("toy.add", "sum")
    drawing.connect("bad.out", "sum.a", many=False)
    id = server.run(drawn(drawing))
    job = server.wait(id)
    assert (job["status"], job["reason"]) == ("failed", None), "the run itself says why"
    nodes = server.get(f"/api/jobs/{id}", "Snapshot")["nodes"]
    assert nodes["bad"]["state"] == "failed"
    assert nodes["bad"]["problem"]["code"] == "E_OWN"
    assert nodes["bad"]["problem"]["node"] == "bad"
    assert nodes["bad"]["problem"]["hint"] == "do not use this node"


def test_a_graph_that_cannot_run_is_refused_before_it_is_queued(server):
    until(lambda: server.queue("queued", "running"), lambda left: left == [])  # else one of them may write the file
    before = server.queue(*ENDED, "queued", "running")
    for bad, code in (
        (graph(x=("no.such", {})), "E_TYPE_UNKNOWN"),
        (graph(x=("toy.add", {})), "E_PORT_MISSING"),
        (graph(x=("toy.read", {"path": "data:missing.txt"})), "E_NOT_FOUND"),
    ):
        reply = server.request("POST", "/api/jobs", json_body={"graph": bad})
        assert (reply.status, code in reply.codes()) == (422, True), reply.body
    for more in ({"targets": "x"}, {"title": 1}, {"front": "yes"}, {"force": [1]}):
        reply = server.request("POST", "/api/jobs", json_body={"graph": quick(), **more})
        assert (reply.status, reply.codes()) == (422, ["E_FIELD"])
    assert server.queue(*ENDED, "queued", "running") == before


def test_a_target_that_is_not_there_is_not_queued(server):
    reply = server.request("POST", "/api/jobs", json_body={"graph": quick(), "targets": ["nobody"]})
    assert reply.status == 422 and reply.codes() == ["E_TARGET"]


def test_a_job_may_read_what_one_before_it_writes(server, blocked):
    drawing = hcpgraph.Graph()
    drawing.add("toy.word", "word", text="hello")
    drawing.add("toy.write", "write", path="out:chain.txt")
    drawing.connect("word.out", "write.value", many=False)
    first = server.run(drawn(drawing))
    second = server.run(graph(r=("toy.read", {"path": "out:chain.txt"})))
    third = server.run(graph(r=("toy.read", {"path": "out:nothing.txt"})))
    server.cancel(blocked)
    assert [server.wait(id)["status"] for id in (first, second)] == ["done", "done"]
    job = server.wait(third)
    assert (job["status"], job["reason"]["code"], job["reason"]["node"]) == ("failed", "E_NOT_FOUND", "r")


def test_targets_and_title_are_kept_and_only_targets_run(server):
    sent = graph(a=("toy.number", {"value": 1}), b=("lively.paint", {"path": "out:untouched.png"}))
    sent["meta"] = {"title": "of the graph"}
    id = server.run(sent, targets=["a"])
    job = server.wait(id)
    assert (job["title"], job["targets"]) == ("of the graph", ["a"])
    assert list(server.get(f"/api/jobs/{id}", "Snapshot")["nodes"]) == ["a"]
    assert server.job(server.run(sent, targets=["a"], title="mine"))["title"] == "mine"


def test_the_graph_of_a_job_can_be_opened_again(server):
    sent = graph(a=("toy.number", {"value": 1.5}))
    sent["view"] = {"nodes": {"a": [10, 20]}}
    id = server.run(sent)
    opened = server.get(f"/api/jobs/{id}/graph", "Opened")
    assert opened["graph"]["nodes"]["a"]["settings"] == {"value": 1.5}
    assert opened["graph"]["view"]["nodes"] == {"a": [10, 20]}
    assert opened["hash"] == server.job(id)["graph_hash"]


def test_a_job_is_deleted_only_when_it_has_ended(server, blocked):
    ended, queued = server.run(quick(), front=True), server.run(quick(1.0))
    for id in (blocked, ended, queued):
        reply = server.request("DELETE", f"/api/jobs/{id}")
        assert (reply.status, reply.codes()) == (409, ["E_CONFLICT"])
    server.cancel(queued)
    server.open(f"gate-{test_a_job_is_deleted_only_when_it_has_ended.__name__}")
    server.wait(ended)
    for id in (ended, queued):
        assert server.request("DELETE", f"/api/jobs/{id}").status == 200
        for path in ("", "/graph", "/events", "/series", "/series.csv", "/record"):
            assert server.request("GET", f"/api/jobs/{id}{path}").codes() == ["E_NOT_FOUND"]
        assert id not in server.queue(*ENDED)


def test_requests_reach_only_what_runs(server, blocked):
    assert server.post(f"/api/jobs/{blocked}/request", {"do": "save"}) == {}
    reply = server.request("POST", f"/api/jobs/{blocked}/request", json_body={"do": "explode"})
    assert (reply.status, reply.codes()) == (422, ["E_CALL"])
    queued = server.run(quick())
    reply = server.request("POST", f"/api/jobs/{queued}/request", json_body={"do": "stop"})
    assert (reply.status, reply.codes()) == (409, ["E_CONFLICT"])
    server.cancel(queued)


def test_runs_of_the_command_line_join_the_history_once(server):
    sent = graph(p=("lively.paint", {"seed": 3, "path": "out:from-cli.png"}))
    done = hcpgraph.run(_load(sent), workspace=server.workspace, packs=[hcpgraph.testing.FOLDER, PACK])
    bad = hcpgraph.run(_load(graph(f=("toy.fail", {}))), workspace=server.workspace, packs=[hcpgraph.testing.FOLDER])
    going = server.workspace / "runs" / "20260101-000000-abcd"
    going.mkdir()
    (going / "events.jsonl").touch()
    (going / "run.json").write_text('{"status": "running", "started": "2026-01-01T00:00:00+0000"}')
    _until_listed(server, done.id)
    job = server.job(done.id)
    assert (job["status"], job["artifacts"], job["picture"]) == ("done", 1, "out:from-cli.png")
    assert server.job(bad.id)["status"] == "failed"
    assert server.get(f"/api/jobs/{bad.id}", "Snapshot")["nodes"]["f"]["state"] == "failed"
    assert server.get(f"/api/jobs/{done.id}/graph", "Opened")["graph"]["nodes"].keys() == {"p"}
    assert going.name not in server.queue(*ENDED, "running"), "it goes on elsewhere, for all that is known"
    assert server.queue(*ENDED).count(done.id) == 1


def _load(data):
    return hcpgraph.loads(json.dumps(data))


def _until_listed(server, id):
    until(lambda: server.queue(*ENDED), lambda ids: id in ids)
