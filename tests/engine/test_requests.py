"""Sample now, save now, stop after this step: what a person may ask of a training loop while it runs."""

import json

import pytest

import hcpgraph
from hcpgraph.requests import Requests

from .training_graphs import PACK, preview, training


class AskAt:
    """Asks once the loop has reported a step: a listener runs in the thread of the loop, so the place is exact."""

    def __init__(self, *asked):
        self.requests = Requests()
        self._asked = dict(asked)

    def __call__(self, event):
        if event["kind"] == "progress" and event["value"] in self._asked:
            self.requests.ask(self._asked.pop(event["value"]))


def run(graph, workspace, *asked, **options):
    ask = AskAt(*asked)
    result = hcpgraph.run(graph, packs=[PACK], workspace=workspace, on_event=ask, requests=ask.requests, **options)
    assert result.status == "done", result.failed
    return result


def reported(steps, **options):
    """A training that reports every step and has no progress thinned out between two that matter."""
    return training(steps, log_every=1, **options)


@pytest.fixture(autouse=True)
def every_progress(monkeypatch):
    monkeypatch.setattr("hcpgraph.context.PROGRESS_SECONDS", 0.0)


def test_stop_ends_the_loop_and_goes_on_with_the_weights_of_that_step(workspace, tmp_path):
    stopped = run(reported(40), workspace, (6, "stop"), targets=["w"])
    short = run(reported(7), tmp_path / "short", targets=["w"])
    assert stopped.outputs["w.out"] == short.outputs["w.out"]
    record = json.loads((stopped.folder / "run.json").read_text())
    assert record["status"] == "done" and record["shortened"] == {"train": 7}


def test_what_follows_a_stopped_loop_is_kept_in_no_cache(workspace, tmp_path):
    cache = hcpgraph.Cache()
    stopped = run(reported(20), workspace, (4, "stop"), targets=["w"], cache=cache)
    whole = run(reported(20), workspace, targets=["w"], cache=cache)
    assert "w" in whole.ran and whole.outputs["w.out"] != stopped.outputs["w.out"]
    assert whole.outputs["w.out"] == run(reported(20), tmp_path / "whole", targets=["w"]).outputs["w.out"]


def test_sample_runs_the_regions_of_train_every_after_this_step_and_changes_nothing(workspace, tmp_path):
    graph = preview(reported(9), every=100)
    asked = run(graph, workspace, (3, "sample"), targets=["w", "train"])
    plain = run(graph, tmp_path / "plain", targets=["w", "train"])
    assert asked.outputs["w.out"] == plain.outputs["w.out"]
    lines = (workspace / "out" / "log.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["0", "4"]


def test_save_keeps_a_checkpoint_of_this_step(workspace):
    graph = reported(9, keep=5)
    result = run(graph, workspace, (2, "save"), targets=["w"])
    assert result.status == "done"
    kept = sorted(path.name for path in (workspace / "cache" / "train").glob("*/step-*"))
    assert kept == ["step-00000003", "step-00000009"]


def test_what_was_asked_before_a_loop_began_is_forgotten(workspace):
    requests = Requests()
    requests.ask("stop")
    result = hcpgraph.run(reported(5), packs=[PACK], workspace=workspace, targets=["train"], requests=requests)
    assert len(result.outputs["train.losses"].series["loss"]) == 5


def test_a_picture_after_a_stopped_loop_carries_the_steps_that_were_done(workspace, tmp_path):
    from hcpgraph.api import plan
    from hcpgraph.running.record import embedded

    requests = Requests()
    prepared = plan(reported(40), packs=[PACK], workspace=workspace)
    text = embedded(prepared, requests)
    assert json.loads(text())["nodes"]["train"]["settings"]["steps"] == 40
    requests.shortened["train"] = 7
    assert json.loads(text())["nodes"]["train"]["settings"]["steps"] == 7


def test_an_unknown_request_is_refused():
    with pytest.raises(hcpgraph.GraphErrors, match="did you mean 'sample'"):
        Requests().ask("sampel")
