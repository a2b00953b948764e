"""A training that was begun with other code or versions: it is told, and goes on or begins anew as the user says."""

import json

import pytest

import hcpgraph
from hcpgraph.planning.records import RECORD
from hcpgraph.version import package_version

from .training_graphs import PACK, training

TORCH = package_version("torch")


def train(workspace, steps=6, graph=None, **options):
    result = hcpgraph.run(
        graph or training(steps), packs=[PACK], workspace=workspace, targets=["w", "train"], **options
    )
    assert result.status == "done", result.failed
    return result


def folders(workspace):
    return {
        path.name: sorted(step.name for step in path.glob("step-*")) for path in (workspace / "cache/train").iterdir()
    }


def loss(result):
    return [value for _, value in result.outputs["train.losses"].series["loss"]]


@pytest.fixture
def upgrade(monkeypatch):
    """Another torch from here on, as far as keys are told."""

    def to(version="99.0"):
        monkeypatch.setattr(
            "hcpgraph.planning.cache_keys.package_version", lambda name: version if name == "torch" else "1.0"
        )

    return to


def test_an_upgrade_stops_the_run_before_it_starts_and_says_what_differs(workspace, upgrade):
    train(workspace, 4)
    upgrade()
    events = []
    with pytest.raises(hcpgraph.GraphErrors) as error:
        train(workspace, 6, on_event=events.append)
    (problem,) = error.value.problems
    assert (problem.code, problem.node, events) == ("E_BEGUN", "train", [])
    assert "4 of 6 steps" in problem.message and f"torch {TORCH} (now 99.0)" in problem.message
    assert "--resume" in problem.hint and "--force train" in problem.hint
    assert len(folders(workspace)) == 1


def test_going_on_equals_a_run_that_was_never_upgraded(workspace, tmp_path, upgrade):
    whole = train(tmp_path / "whole", 6)
    train(workspace, 4)
    first = folders(workspace)
    upgrade()
    resumed = train(workspace, 6, resume=True)
    assert resumed.outputs["w.out"] == whole.outputs["w.out"] and loss(resumed) == loss(whole)
    assert first.items() < folders(workspace).items()
    assert "nothing to train" in said(workspace, 6) and "checkpoint of step 6" in said(workspace, 7)
    upgrade("100.0")
    with pytest.raises(hcpgraph.GraphErrors, match="E_BEGUN"):
        train(workspace, 7)
    assert "checkpoint of step 7" in said(workspace, 8, resume=True)


def said(workspace, steps, **options):
    logs: list[str] = []
    train(workspace, steps, on_event=lambda event: logs.append(event.get("message", "")), **options)
    return "\n".join(logs)


def test_beginning_anew_is_remembered_too(workspace, upgrade):
    train(workspace, 4)
    old = folders(workspace)
    upgrade()
    assert "checkpoint" not in said(workspace, 3, force=["train"])
    assert "checkpoint of step 3" in said(workspace, 4)
    assert old.items() < folders(workspace).items()


def test_beginning_anew_after_having_gone_on_is_the_clean_training(workspace, tmp_path, upgrade):
    """What was kept of the weights that went on must not be served for those that began anew."""
    train(workspace, 4)
    upgrade()
    train(workspace, 6, resume=True)
    gone_on = hcpgraph.plan(training(6), packs=[PACK], workspace=workspace).keys
    assert "checkpoint" not in said(workspace, 6, force=["train"])
    anew = hcpgraph.plan(training(6), packs=[PACK], workspace=workspace).keys
    assert anew.of["train"] != gone_on.of["train"]
    assert "nothing to train" in said(workspace, 6)
    assert train(workspace, 6).outputs["w.out"] == train(tmp_path / "clean", 6).outputs["w.out"]


def test_a_copy_that_was_cut_off_is_made_again(workspace, upgrade, monkeypatch):
    train(workspace, 4)
    upgrade()

    def cut_off(one, at_most, place):
        (place / ".step-00000004.1").mkdir(parents=True)
        raise OSError("killed while it copied")

    with monkeypatch.context() as patch:
        patch.setattr("hcpgraph.planning.begun._copy", cut_off)
        assert hcpgraph.run(training(6), packs=[PACK], workspace=workspace, resume=True).status == "failed"
    assert "checkpoint of step 4 of 6" in said(workspace, 6, resume=True)


@pytest.mark.parametrize("change", [{"lr": 0.02}, {"dropout": 0.3}, {"noises": 2}])
def test_another_training_is_no_kin(workspace, upgrade, change):
    train(workspace, 4)
    upgrade()
    assert len(loss(train(workspace, graph=training(4, **change)))) == 4
    assert len(folders(workspace)) == 2


def test_checkpoints_beyond_the_wanted_steps_are_not_gone_on_from(workspace, upgrade):
    train(workspace, 4)
    upgrade()
    assert len(loss(train(workspace, 3))) == 3


def test_a_plan_knows_what_was_decided(workspace, upgrade):
    from hcpgraph.running.forecast import plan_rows

    def steps():
        plan = hcpgraph.plan(training(8), packs=[PACK], workspace=workspace)
        roots = hcpgraph.checking.analyse.default_roots(workspace)
        return {row.node: row.checkpoint for row in plan_rows(plan, roots, disk=True, force=frozenset())}["train"]

    train(workspace, 4)
    assert steps() == 4
    upgrade()
    assert steps() is None
    train(workspace, 5, resume=True)
    assert steps() == 5


def test_what_a_record_says_and_one_that_is_damaged(workspace, upgrade):
    train(workspace, 4)
    (record,) = (workspace / "cache" / "train").glob(f"*/{RECORD}")
    told = json.loads(record.read_text())
    assert told["environment"]["torch"] == TORCH and told["environment"]["device"] == "cpu"
    assert {"hcpgraph_nodes.train.loop", "hcpgraph.rng", "hcpgraph.running.step", "nets.py"} <= told["code"].keys()
    assert "hcpgraph_nodes" in told["packs"]
    upgrade()
    for damaged in ("{", "[]", '{"kin": 3}', ""):
        record.write_text(damaged)
        assert hcpgraph.plan(training(4), packs=[PACK], workspace=workspace).continued == {}
    assert len(loss(train(workspace, 4))) == 4


def test_the_command_line_stops_with_2_and_goes_on_when_told(workspace, tmp_path, upgrade):
    from click.testing import CliRunner

    from hcpgraph.cli import main

    training(4).save(tmp_path / "g.json")

    def call(*more):
        found = ["run", tmp_path / "g.json", "--pack", PACK, "--workspace", workspace, *more]
        return CliRunner().invoke(main, [str(argument) for argument in found])

    assert call().exit_code == 0
    upgrade()
    stopped = call()
    assert stopped.exit_code == 2 and "E_BEGUN train" in stopped.stderr and "Traceback" not in stopped.output
    assert "E_BEGUN train" in call("--dry-run").stderr and "E_BEGUN" not in call("--dry-run", "--resume").stderr
    assert call("--resume").exit_code == 0
    assert call().exit_code == 0
    upgrade("98.0")
    assert call("--force", "train").exit_code == 0
    upgrade("97.0")
    last = ["run", "--resume", "last", "--workspace", str(workspace)]
    assert CliRunner().invoke(main, last).exit_code == 0
    wrong = CliRunner().invoke(main, ["run", "--resume", str(tmp_path / "g.json"), "--workspace", str(workspace)])
    assert wrong.exit_code == 2 and "a graph comes first" in wrong.stderr


def sweep(steps, draws):
    """The training, once for each item of a list."""
    g = training(steps)
    g.add("value.list", "items", value=[1, 2])
    g.add("flow.for_each", "each", draws=draws)
    g.connect("items.out", "each.items")
    for id in ("made", "adamw", "train", "after", "w"):
        g.nodes[id].inside = "each"
    g.connect("w.out", "each.result")
    return g


@pytest.mark.parametrize("draws", ["equal", "own"])
def test_trainings_inside_of_a_sweep_are_asked_for_before_the_run_too(workspace, tmp_path, upgrade, draws):
    def go(steps, place=workspace, **options):
        events = []
        result = hcpgraph.run(sweep(steps, draws), packs=[PACK], workspace=place, on_event=events.append, **options)
        assert result.status == "done", result.failed
        return result.outputs["each.out"], "\n".join(event.get("message", "") for event in events)

    whole, _ = go(6, tmp_path / "whole")
    go(4)
    first = folders(workspace)
    assert len(first) == (1 if draws == "equal" else 2)
    upgrade()
    with pytest.raises(hcpgraph.GraphErrors, match="4 steps of this training"):
        go(6)
    assert folders(workspace) == first
    resumed, told = go(6, resume=True)
    assert resumed == whole and told.count("going on: checkpoint of step 4 of 6") == len(first)
    _, told = go(7)
    assert told.count("going on: checkpoint of step 6 of 7") == len(first)
    upgrade("98.0")
    assert "checkpoint of step" not in go(3, force=["train"])[1].replace("nothing to train: checkpoint of step 3", "")
    assert "checkpoint of step 3 of 4" in go(4)[1]


def titled(steps=4, **change):
    g = training(steps, **change)
    g.meta.title = "Mine"
    return g


def test_a_finished_training_that_cannot_go_on_says_what_prevents_it(workspace, capsys):
    train(workspace, graph=titled())
    assert "begins anew" not in said(workspace, 6, graph=titled(6))
    told = said(workspace, 4, graph=titled(lr=0.02, dropout=0.3))
    assert "what was trained last, 6 steps, differs in adamw.lr 0.01 (now 0.02), made.dropout 0.2 (now 0.3)" in told
    with pytest.raises(hcpgraph.GraphErrors) as error:
        train(workspace, graph=titled(8, lr=0.05), resume=True)
    (problem,) = error.value.problems
    assert (problem.code, problem.node) == ("E_ANEW", "train") and "adamw.lr 0.02 (now 0.05)" in problem.message
    assert len(loss(train(workspace, graph=titled(4, lr=0.05), resume=True, force=["train"]))) == 4
    from hcpgraph.cli.dry_run import show_plan
    from hcpgraph.running.options import Options

    options = Options(packs=[PACK], workspace=workspace, resume=True)
    show_plan(titled(4, lr=0.06), options, as_json=False)
    assert "E_ANEW train" in capsys.readouterr().err
    other = training(4, lr=0.07)
    assert "begins anew" not in said(workspace, 4, graph=other)


def test_nodes_and_wires_that_differ_are_named_too(workspace):
    train(workspace, graph=titled(noises=1))
    assert "node noise1 (new)" in said(workspace, 4, graph=titled(noises=2))


def test_fewer_steps_than_any_checkpoint_has_begin_anew_and_leave_the_later_ones(workspace):
    train(workspace, graph=titled(6, keep=1))
    told = said(workspace, 4, graph=titled(4, keep=1))
    assert "6 steps of this training are done, and none of its checkpoints has 4 or less" in told
    assert list(folders(workspace).values()) == [["step-00000004", "step-00000006"]]
    assert "nothing to train" in said(workspace, 6, graph=titled(6))
