"""Seed and precision of a run: where they are set, and that a file which carries its graph gives the same again."""

from dataclasses import fields

import pytest

import hcpgraph
from hcpgraph import GraphErrors, Options
from hcpgraph.running.options import Given
from hcpgraph.testing import FOLDER

from .support import graph, run
from .training_graphs import PACK, training


def seeded():
    """A seed at the top, one promoted by a subgraph and set on its instance, one in a body that is not promoted."""
    g = graph({"top": "toy.seeded", "sub": ("graph:inner", {"start": 3})}, {})
    body = graph({"one": "toy.seeded", "two": "toy.seeded"}, {})
    body.interface.inputs = {"start": ["one.seed"]}
    body.interface.outputs = {"a": "one.out", "b": "two.out"}
    g.graphs["inner"] = body
    return g


def test_seed_reaches_every_seed_of_the_graph(workspace):
    assert set(run(seeded(), workspace).outputs.values()) == {0, 3}
    assert set(run(seeded(), workspace, seed=9).outputs.values()) == {9}


def test_a_graph_that_says_its_seed_draws_as_with_the_option(workspace):
    g = graph({"draw": "toy.draw"}, {})
    drawn = run(g, workspace, seed=5).outputs["draw.out"]
    assert drawn != run(g, workspace).outputs["draw.out"]
    g.run.seed = 5
    assert run(hcpgraph.loads(g.dump()), workspace).outputs["draw.out"] == drawn


def test_the_usual_options_are_not_written_and_others_are_part_of_the_hash():
    g = graph({"draw": "toy.draw"}, {})
    usual = g.content_hash()
    assert '"run"' not in g.dump()
    g.run.precision = "bf16"
    assert '"run": {"precision": "bf16"}' in g.dump() and g.content_hash() != usual


def test_what_a_run_embeds_names_its_seed_and_precision(workspace):
    from hcpgraph.api import plan
    from hcpgraph.requests import Requests
    from hcpgraph.running.record import embedded

    prepared = plan(graph({"draw": "toy.draw"}, {}), packs=[FOLDER], workspace=workspace, seed=7, precision="bf16")
    carried = hcpgraph.loads(embedded(prepared, Requests())())
    assert (carried.run.seed, carried.run.precision) == (7, "bf16")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"seed": -1}, "E_SEED"),
        ({"seed": "3"}, "E_SEED"),
        ({"precision": "fp8"}, "E_CALL"),
        ({"on_error": "ignore"}, "E_CALL"),
        ({"sed": 3}, "E_CALL"),
        ({"force": "drow"}, "E_FORCE"),
        ({"force": ["drow"]}, "E_FORCE"),
        ({"targets": "drow"}, "E_TARGET"),
    ],
)
def test_a_wrong_call_is_told_before_anything_runs(workspace, options, code):
    with pytest.raises(GraphErrors) as caught:
        run(graph({"draw": "toy.draw"}, {}), workspace, **options)
    assert [problem.code for problem in caught.value.problems] == [code]
    assert not workspace.exists() or not list(workspace.glob("runs/*"))


def test_force_suggests_the_loop(workspace):
    with pytest.raises(GraphErrors, match="did you mean 'train'"):
        hcpgraph.run(training(2), packs=PACK, workspace=workspace, force=["trian"])


def test_the_record_of_options_and_the_keywords_are_the_same():
    assert list(Given.__annotations__) == [field.name for field in fields(Options)]


def test_options_are_a_record_that_keywords_change(workspace):
    g = graph({"draw": "toy.draw"}, {})
    options = Options(workspace=workspace, packs=iter([FOLDER]), seed=5, record=False)
    drawn = [hcpgraph.run(g, options).outputs["draw.out"] for _ in range(2)]
    assert drawn[0] == drawn[1] == hcpgraph.run(g, options, seed=5).outputs["draw.out"]
    assert hcpgraph.run(g, options, seed=6).outputs["draw.out"] != drawn[0]
    with pytest.raises(GraphErrors, match="did you mean 'seed'"):
        hcpgraph.run(g, options, sed=6)
