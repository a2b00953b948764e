"""Whatever happens to the worker, its job ends with what is known and the queue goes on."""

import os
import signal

import pytest

import hcpgraph.testing
from tests.server.serving import PACK, alive, drawn, graph, until


def metric(server, id, name="pid"):
    return next(e["values"][name] for e in server.events(id) if e["kind"] == "metric")


def test_a_worker_that_is_killed_fails_its_job_and_the_next_one_runs(server):
    before = server.ready()["pid"]
    id = server.run(graph(c=("lively.count", {"steps": 900, "pause": 500, "gate": "never"})))
    after = server.run(graph(p=("lively.pid", {})))
    server.wait_for_event(id, lambda event: event["kind"] == "metric" and event["step"] == 500)
    seen = server.events(id)
    os.kill(before, signal.SIGKILL)
    job = server.wait(id)
    assert (job["status"], job["reason"]["code"]) == ("failed", "E_KILLED")
    assert "signal 9 (SIGKILL)" in job["reason"]["message"]
    assert "while 'c' ran at" in job["reason"]["message"]
    assert job["reason"]["hint"]
    events = server.events(id)
    assert events[: len(seen)] == seen, "nothing that was told is lost"
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [(event["kind"], event.get("status")) for event in events[-2:]] == [
        ("node_failed", None),
        ("run_done", "failed"),
    ]
    snapshot = server.get(f"/api/jobs/{id}", "Snapshot")
    assert snapshot["nodes"]["c"]["state"] == "failed"
    record = server.get(f"/api/jobs/{id}/record")
    assert (record["status"], record["reason"]["code"]) == ("failed", "E_KILLED")
    assert server.wait(after)["status"] == "done"
    assert metric(server, after) == server.ready()["pid"] != before
    assert not alive(before)


def test_a_worker_that_is_asked_to_end_stops_its_job_first(server):
    """As a service manager does, which asks every process of a service."""
    id = server.run(graph(c=("lively.count", {"steps": 900, "pause": 500, "gate": "never"})))
    server.wait_for_event(id, lambda event: event["kind"] == "metric" and event["step"] == 500)
    os.kill(server.worker()["pid"], signal.SIGTERM)
    job = server.wait(id)
    assert (job["status"], job["reason"]["code"]) == ("failed", "E_INTERRUPTED")
    record = until(lambda: server.get(f"/api/jobs/{id}/record"), lambda record: record["status"] == "failed")
    assert record["reason"]["code"] == "E_INTERRUPTED"
    assert server.wait(server.run(graph(p=("lively.pid", {}))))["status"] == "done"


def test_a_worker_that_ends_by_itself_is_told_with_its_exit_code_and_node(server):
    id = server.run(graph(d=("lively.die", {"code": 7})))
    job = server.wait(id)
    assert job["status"] == "failed"
    assert job["reason"]["message"] == "the worker process ended with exit code 7 while 'd' ran at 1 of 5"
    after = server.run(graph(n=("toy.number", {"value": 1})))
    assert server.wait(after)["status"] == "done"


def test_an_idle_worker_that_is_killed_is_replaced(server):
    before = server.ready()["pid"]
    os.kill(before, signal.SIGKILL)
    state = until(server.worker, lambda state: state["state"] == "idle" and state["pid"] != before)
    assert alive(state["pid"])


def test_what_nodes_print_goes_to_the_log_and_disturbs_nobody(server):
    id = server.run(graph(p=("lively.pid", {"salt": 1})))
    assert server.wait(id)["status"] == "done"
    logs = sorted((server.workspace / "cache" / "logs").glob("worker-*.log"), key=lambda path: path.stat().st_mtime)
    assert b"\x00not a message" in logs[-1].read_bytes()


def test_a_worker_is_kept_between_jobs_and_replaced_after_one_that_trained(server):
    plain = [server.run(graph(p=("lively.pid", {"salt": salt}))) for salt in (2, 3)]
    drawing = hcpgraph.Graph()
    drawing.add("toy.number", "n", value=1)
    drawing.add("lively.train", "t")
    drawing.connect("n.out", "t.a", many=False)
    training = server.run(drawn(drawing))
    last = server.run(graph(p=("lively.pid", {"salt": 4})))
    for id in (*plain, training, last):
        assert server.wait(id)["status"] == "done"
    first, second, trained, fresh = (metric(server, id) for id in (*plain, training, last))
    assert first == second == trained != fresh


def test_a_worker_that_ran_out_of_memory_is_replaced(server):
    before = server.ready()["pid"]
    id = server.run(graph(h=("lively.hungry", {})))
    assert server.wait(id)["status"] == "failed"
    assert server.get(f"/api/jobs/{id}", "Snapshot")["nodes"]["h"]["problem"]["code"] == "E_MEMORY"
    after = server.run(graph(p=("lively.pid", {"salt": 5})))
    assert server.wait(after)["status"] == "done"
    assert metric(server, after) != before


def test_a_restart_by_hand_ends_what_runs(server):
    before = server.ready()["pid"]
    id = server.run(graph(w=("lively.wait", {"gate": "never"})))
    server.wait_for_event(id, lambda event: event["kind"] == "node_started")
    after = server.run(graph(n=("toy.number", {"value": 2})))
    server.post("/api/worker/restart", {}, "WorkerState")
    job = server.wait(id)
    assert (job["status"], job["reason"]["code"]) == ("cancelled", "E_RESTARTED")
    assert server.wait(after)["status"] == "done"
    assert server.ready()["pid"] != before


@pytest.mark.slow
def test_a_run_that_does_not_listen_is_ended_after_a_while(start):
    server = start(seconds=3.0)
    id = server.run(graph(w=("lively.wait", {"gate": "never", "deaf": True})))
    server.wait_for_event(id, lambda event: event["kind"] == "node_started")
    assert server.cancel(id)["status"] == "running"
    job = server.wait(id)
    assert (job["status"], job["reason"]["code"]) == ("cancelled", "E_KILLED")
    assert "within 3 seconds" in job["reason"]["message"]
    server.wait_for_event(id, lambda event: event["kind"] == "run_done" and event["status"] == "cancelled")
    after = server.run(graph(n=("toy.number", {"value": 2})))
    assert server.wait(after)["status"] == "done"


@pytest.mark.slow
def test_edited_packs_are_what_the_next_job_runs(start, tmp_path):
    pack = tmp_path / "own"
    pack.mkdir()
    source = (PACK / "lively.py").read_text()
    (pack / "lively.py").write_text(source)
    server = start(packs=[hcpgraph.testing.FOLDER, pack])
    id = server.run(graph(c=("lively.count", {"steps": 2})))
    assert server.wait(id)["status"] == "done"
    (pack / "lively.py").write_text(source.replace("counted to", "edited, counted to"))
    id = server.run(graph(c=("lively.count", {"steps": 3})))
    assert server.wait(id)["status"] == "done", server.job(id)
    assert server.get(f"/api/jobs/{id}", "Snapshot")["log"][-1]["message"] == "edited, counted to 3"
