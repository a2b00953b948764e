"""The global random generators: who moves them without a word fails in tests, and moves no draw of a training."""

import random

import numpy as np
import pytest
import torch

import hcpgraph
from hcpgraph.generators import VARIABLE, watching

from .training_graphs import PACK, preview, training


def stirred(library="torch", type_id="net.stir", *, inside="train", accumulate=1):
    """`training` with a node that moves a generator, in the step or before it."""
    g = training(3, accumulate=accumulate)
    g.add(type_id, "stir", inside=inside, settings={"library": library} if type_id == "net.stir" else {})
    g.connect("batch.out", "stir.rows")
    g.connect("stir.out", "noise0.rows")
    return g


def run(g, workspace, **options):
    return hcpgraph.run(g, packs=[PACK], workspace=workspace, **options)


def test_the_suite_watches():
    assert watching()


@pytest.mark.parametrize("library", ["torch", "numpy", "random"])
def test_a_node_of_the_step_that_moves_a_generator_is_named(workspace, library):
    problem = run(stirred(library), workspace).failed["train"].problem
    name = {"torch": "torch", "numpy": "NumPy", "random": "Python"}[library]
    assert (problem.code, problem.node) == ("E_GLOBAL_DRAW", "stir")
    assert f"of {name} was moved" in problem.message and "ctx.generator" in problem.hint


def test_so_is_one_in_a_preview_and_one_at_the_top(workspace, tmp_path):
    g = preview(training(2))
    g.add("net.stir", "stir", inside="every")
    g.connect("look.out", "stir.rows")
    g.connect("stir.out", "log.rows")
    assert run(g, workspace).failed["train"].problem.node == "stir"
    g = hcpgraph.Graph()
    g.add("net.rows", "rows")
    g.add("net.stir", "stir")
    g.connect("rows.out", "stir.rows")
    problem = run(g, tmp_path / "top", targets=["stir"]).failed["stir"].problem
    assert (problem.code, problem.node) == ("E_GLOBAL_DRAW", "stir")


def test_what_is_declared_random_and_dropout_of_what_is_trained_may_draw(workspace):
    assert run(stirred(type_id="net.stir_declared"), workspace).status == "done"
    assert run(training(2, dropout=0.5), workspace / "dropout").status == "done"


def test_what_is_trained_may_draw_from_every_library(workspace, tmp_path):
    g = training(3)
    g.add("net.jolt", "jolt", inside="train")
    g.connect("pred.out", "jolt.rows")
    g.connect("jolt.out", "mse.a")
    found = []
    for folder in (workspace, tmp_path / "again"):
        result = run(g, folder, targets=["w"])
        assert result.status == "done", result.failed
        found.append(result.outputs["w.out"])
        torch.rand(7), np.random.random(7), random.random()
    assert found[0] == found[1] != run(training(3), tmp_path / "plain", targets=["w"]).outputs["w.out"]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_dropout_does_not_depend_on_what_moved_the_generators_before(workspace, tmp_path, monkeypatch, accumulate):
    monkeypatch.delenv(VARIABLE)
    plain = run(training(3, accumulate=accumulate), tmp_path / "plain", targets=["w"]).outputs["w.out"]
    torch.rand(7), np.random.random(7), random.random()
    stir = run(stirred(accumulate=accumulate), workspace, targets=["w"])
    assert stir.status == "done" and stir.outputs["w.out"] == plain
