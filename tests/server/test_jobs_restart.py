"""Queue and history outlive the server, however it ends; so does what is known of the job that ran."""

import os
import signal

import pytest

from tests.server.serving import alive, graph, until


def waiting(gate="gate"):
    return graph(c=("lively.count", {"steps": 400, "pause": 200, "gate": gate}))


def begin(server):
    """A job that has ended, one that runs, and two that wait; the last in front."""
    ended = server.run(graph(n=("toy.number", {"value": 1})), title="ended")
    server.wait(ended)
    running = server.run(waiting(), title="running")
    server.wait_for_event(running, lambda event: event["kind"] == "metric" and event["step"] == 200)
    later = server.run(graph(n=("toy.number", {"value": 2})), title="later")
    first = server.run(graph(w=("lively.wait", {"gate": "second"})), title="first", front=True)
    return ended, running, first, later


def check(server, ended, running, first, later, seen, worker):
    """After the server has come again."""
    job = server.job(running)
    assert (job["status"], job["reason"]["code"]) == ("failed", "E_INTERRUPTED")
    assert "run it again" in job["reason"]["hint"]
    assert server.job(ended)["status"] == "done"
    assert server.wait(first, "running")["title"] == "first"
    assert not alive(worker), "the worker of the old server does not live on beside the new one"
    assert server.queue() == [later]
    events = server.events(running)
    assert events[: len(seen)] == seen
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["kind"] for event in events].count("run_done") == 1
    assert events[-1]["kind"] == "run_done"
    server.open("second")
    assert [server.wait(id)["status"] for id in (first, later)] == ["done", "done"]
    assert server.queue("done") == [first, later, ended]


@pytest.mark.slow
def test_a_server_that_is_stopped_keeps_queue_and_history(start):
    server = start()
    jobs = begin(server)
    seen, worker = server.events(jobs[1]), server.worker()["pid"]
    assert server.close(signal.SIGTERM) == 0
    assert not alive(worker)
    again = start()
    check(again, *jobs, seen, worker)
    record = until(lambda: again.get(f"/api/jobs/{jobs[1]}/record"), lambda record: record["status"] != "cancelled")
    assert (record["status"], record["reason"]["code"]) == ("failed", "E_INTERRUPTED"), "as the job says"


@pytest.mark.slow
def test_a_server_that_is_killed_keeps_queue_and_history(start):
    server = start()
    jobs = begin(server)
    seen, worker = server.events(jobs[1]), server.worker()["pid"]
    server.process.kill()
    server.process.wait()
    check(start(), *jobs, seen, worker)


@pytest.mark.slow
def test_a_run_that_came_to_its_end_without_the_server_is_done(start):
    """Its worker did not listen and finished; the next server takes the run for what it is."""
    server = start()
    id = server.run(graph(w=("lively.wait", {"gate": "late", "deaf": True})))
    server.wait_for_event(id, lambda event: event["kind"] == "node_started")
    server.process.kill()
    server.process.wait()
    server.open("late")
    again = start()
    assert until(lambda: again.job(id), lambda job: job["status"] == "done")["reason"] is None
    assert again.get(f"/api/jobs/{id}/record")["status"] == "done"


def test_a_server_and_its_worker_that_are_killed_together_leave_a_whole_record(start):
    """What a loss of power does, as far as it can be done here."""
    server = start()
    jobs = begin(server)
    seen, worker = server.events(jobs[1]), server.worker()["pid"]
    os.kill(server.process.pid, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    server.process.kill()
    server.process.wait()
    until(lambda: alive(worker), lambda lives: not lives)
    disk = [event for event in seen if event["kind"] == "run_started"]
    again = start()
    events = again.wait_for_event(jobs[1], lambda event: event["kind"] == "run_done")
    assert events[:1] == disk
    assert events[-1]["kind"] == "run_done" and events[-1]["status"] == "failed"
    # The record is made whole after its events.
    record = until(lambda: again.get(f"/api/jobs/{jobs[1]}/record"), lambda record: record["status"] != "running")
    assert (record["status"], record["reason"]["code"]) == ("failed", "E_INTERRUPTED")
    again.open("second")
    assert again.wait(jobs[2])["status"] == "done"
