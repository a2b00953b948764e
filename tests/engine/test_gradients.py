"""The first pass of a training step names the op in which gradients end."""

import pytest

import hcpgraph
from hcpgraph.running import gradients

from .training_graphs import PACK, training


def cut_graph(how, steps=2, *, second=None):
    """A second way to the loss, through `net.cut`."""
    g = training(steps, second=second)
    g.add("net.cut", "cut", inside="train", how=how)
    g.connect("pred.out", "cut.rows")
    g.add("net.mse", "other", inside="train")
    g.connect("cut.out", "other.a")
    g.connect("target.out", "other.b")
    g.connect("other.out", "train.loss", many=True)
    return g


@pytest.mark.parametrize("how", ["detach", "numpy", "round"])
def test_the_op_in_which_gradients_end_is_named(workspace, how):
    result = hcpgraph.run(cut_graph(how), packs=[PACK], workspace=workspace)
    problem = result.failed["train"].problem
    assert (problem.code, problem.node, problem.port) == ("E_NO_GRADIENT", "cut", "rows")
    assert "rows asks for them, and out does not" in problem.message and "tensor.stop_gradient" in problem.hint


def test_it_is_named_inside_of_a_region_of_the_step_too(workspace):
    g = training(2)
    g.add("flow.repeat", "again", inside="train", times=2)
    g.connect("pred.out", "again.state")
    g.add("net.cut", "cut", inside="again", how="detach")
    g.connect("again.state", "cut.rows")
    g.connect("cut.out", "again.next")
    g.connect("again.out", "mse.a")
    problem = hcpgraph.run(g, packs=[PACK], workspace=workspace).failed["train"].problem
    assert (problem.code, problem.node) == ("E_NO_GRADIENT", "cut")
    g.set("cut.how", "not")
    assert hcpgraph.run(g, packs=[PACK], workspace=workspace).status == "done"


def test_a_loss_without_gradients_is_named_by_its_port(workspace):
    """The net is there, and its weights are trained, but its output is cut within the node that runs it."""
    g = cut_graph("detach")
    g.add("net.lost", "lost", inside="train")
    g.connect("made.net", "lost.net")
    g.connect("batch.out", "lost.rows")
    g.connect("lost.out", "other.a")
    problem = hcpgraph.run(g, packs=[PACK], workspace=workspace).failed["train"].problem
    assert (problem.code, problem.node, problem.port) == ("E_LOSS_FROZEN", "train", "loss.1")


def test_only_what_is_on_the_way_to_a_loss_and_only_the_first_pass_is_looked_at(workspace, monkeypatch):
    g = training(3, accumulate=2)
    g.add("net.cut", "cut", inside="train", how="detach")
    g.connect("pred.out", "cut.rows")
    g.add("net.log", "log", inside="train")
    g.connect("cut.out", "log.rows")
    seen = []
    real = gradients.watch

    def counted(body, slots, ops):
        seen.append(body.scope.step)
        return real(body, slots, ops)

    monkeypatch.setattr(gradients, "watch", counted)
    assert hcpgraph.run(g, packs=[PACK], workspace=workspace).status == "done"
    assert set(seen) == {0}
