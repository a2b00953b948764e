"""A training that was begun before an upgrade: the server asks, and goes on or begins anew as it is told."""

import json

import pytest

from hcpgraph.planning.records import RECORD
from tests.engine.training_graphs import PACK, training

from .live import Live
from .serving import until


@pytest.fixture
def live(tmp_path):
    server = Live(tmp_path / "workspace", packs=[PACK])
    yield server
    server.close()


def made_before_an_upgrade(workspace):
    """What is kept of the trainings so far, as another torch would have left it: under another key."""
    for place in list((workspace / "cache" / "train").iterdir()):
        record = place / RECORD
        told = json.loads(record.read_text())
        told["environment"]["torch"] = "1.0"
        told |= {name: f"{told[name][:-4]}0000" for name in ("loop", "instead")}
        record.write_text(json.dumps(told))
        place.rename(place.with_name(f"{place.name[:-4]}0000"))


@pytest.mark.slow
def test_it_asks_before_it_queues_what_was_begun(live):
    def sent(steps, **more):
        return live.request("POST", "/api/jobs", json_body={"graph": json.loads(training(steps).dump()), **more})

    def ran(reply):
        assert reply.status == 201, reply.body
        id = reply.json()["id"]
        snapshot = until(
            lambda: live.get(f"/api/jobs/{id}"), lambda it: it["job"]["status"] not in ("queued", "running")
        )
        assert snapshot["job"]["status"] == "done", snapshot["job"]
        return "\n".join(line["message"] for line in snapshot["log"])

    until(lambda: live.get("/api/hello"), lambda hello: hello["worker"]["device"] is not None)
    assert "checkpoint" not in ran(sent(3))
    made_before_an_upgrade(live.workspace)
    refused = sent(5)
    assert refused.status == 422 and refused.codes() == ["E_BEGUN"]
    problem = refused.json()["problems"][0]
    assert (
        problem["node"] == "train" and "3 of 5 steps" in problem["message"] and "torch 1.0 (now" in problem["message"]
    )
    assert sent(5, resume="yes").codes() == ["E_FIELD"]
    assert "checkpoint of step 3 of 5" in ran(sent(5, resume=True))
    assert "checkpoint of step 5 of 6" in ran(sent(6))
    made_before_an_upgrade(live.workspace)
    assert sent(7).codes() == ["E_BEGUN"]
    assert "checkpoint" not in ran(sent(7, force=["train"]))
