"""Atoms on tensors in a drawn training step: a loss made of them trains as the node of that loss does."""

import torch

from .hand_written import drawn
from .test_gradients import STEPS, trained


def formula(graph, *rows):
    """The graph whose loss is a formula of prediction and target."""
    graph.add("tensor.formula", "formula", inside="train", rows=[{"op": op, "of": of} for op, *of in rows])
    graph.connect("predict.out", "formula.value")
    graph.connect("target.out", "formula.others.0")
    graph.add("loss.elements", "elements", inside="train")
    graph.connect("formula.out", "elements.value")
    graph.connect("elements.out", "mean.loss")
    return graph


def test_a_formula_trains_as_the_loss_it_writes(workspace):
    plain, losses = trained(drawn(STEPS), workspace)
    weights, found = trained(formula(drawn(STEPS), ("sub", "in0", "in1"), ("square", "row0")), workspace)
    assert found == losses
    assert all(torch.equal(a, b) for a, b in zip(weights, plain, strict=True))
    other, others = trained(formula(drawn(STEPS), ("sub", "in0", "in1"), ("abs", "row0")), workspace)
    assert others != losses and not all(torch.equal(a, b) for a, b in zip(other, plain, strict=True))


def test_what_is_taken_apart_and_put_together_trains_as_before(workspace):
    plain, losses = trained(drawn(STEPS), workspace)
    graph = drawn(STEPS)
    graph.add("tensor.split", "split", inside="train", along="channels", size=1)
    graph.connect("mse.out", "split.value")
    graph.add("tensor.concat", "concat", inside="train", along="channels")
    graph.connect("split.first", "concat.values.0")
    graph.connect("split.rest", "concat.values.1")
    graph.add("tensor.mix", "mix", inside="train", weights=[0.5, 0.5])
    graph.connect("concat.out", "mix.values.0")
    graph.connect("mse.out", "mix.values.1")
    graph.connect("mix.out", "mean.loss")
    weights, found = trained(graph, workspace)
    assert found == losses
    assert all(torch.equal(a, b) for a, b in zip(weights, plain, strict=True))
