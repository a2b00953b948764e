"""tensor.formula against the formulas of papers in plain torch, with gradients; what it refuses, before the run too."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, get_args

import pytest
import torch
from hcpgraph_nodes.tensor.compiled import BINARY, UNARY
from hcpgraph_nodes.tensor.formula import SHAPES, Operation, TensorFormula
from hcpgraph_nodes.tensor.formula_rule import OPERATIONS, row_problems
from hcpgraph_nodes.tensor.functions import FUNCTIONS
from hcpgraph_nodes.types import Latents, Loss, LossMask, Prediction, SampleLoss, Target, Timesteps
from torch import Tensor
from torch.nn import functional as F

from hcpgraph import GraphError
from hcpgraph.checking import settings as setting_rules
from hcpgraph.declaring.registry import default_registry

from .test_tensor_nodes import KEYS, leaf, same, told

Rows = list[dict[str, Any]]


def rows(*texts: str) -> Rows:
    """Rows written as `op argument argument`."""
    found = []
    for text in texts:
        op, *of = text.split()
        found.append({"op": op, "of": [each if each[:1] in "ir" else json.loads(each) for each in of]})
    return found


def run(formula: Rows, *records: Any) -> Any:
    return TensorFormula(rows=formula)(records[0], records[1:])  # type: ignore[arg-type]


DPO = rows("mean_per_sample in0", "mean_per_sample in1", "mean_per_sample in2", "mean_per_sample in3",
           "sub row0 row1", "sub row2 row3", "sub row4 row5", "mul row6 -2500", "log_sigmoid row7", "neg row8")  # fmt: skip


def test_diffusion_dpo_is_its_equation() -> None:
    """Wallace et al. 2023, equation 14: −log σ(−β ((m_w − r_w) − (m_l − r_l))) with β T = 5000, halved for the mean."""
    leaves = [leaf(3, 4, 2, 2, seed=seed) for seed in range(4)]
    winner, winner_before, loser, loser_before = (each.square().mean((1, 2, 3)) * 1e-3 for each in leaves)
    expected = -F.logsigmoid(-2500 * ((winner - winner_before) - (loser - loser_before)))
    loss = run(DPO, *(SampleLoss(each.square() * 1e-3) for each in leaves))
    assert type(loss) is SampleLoss and same(loss.data, expected, *leaves)
    wrong = [row if row["op"] != "mul" else row | {"of": ["row6", 2500]} for row in DPO]
    assert not torch.allclose(run(wrong, *(SampleLoss(each.square() * 1e-3) for each in leaves)).data, expected)


def test_pseudo_huber_of_prediction_and_target() -> None:
    """Song & Dhariwal 2023: √(x² + c²) − c."""
    a, b, c = leaf(2, 4, 3, 3), leaf(2, 4, 3, 3, seed=1), 0.03
    formula = rows("sub in0 in1", "square row0", f"add row1 {c * c}", "sqrt row2", f"sub row3 {c}")
    result = run(formula, Prediction(a, "sample"), Target(b, "sample"))
    assert (type(result), result.kind) == (Prediction, "sample")
    assert same(result.data, ((a - b) ** 2 + c * c) ** 0.5 - c, a, b)


def test_boundary_of_a_consistency_model_is_a_formula_of_timesteps() -> None:
    """Luo et al. 2023: c_skip = σ² / (τ² + σ²), c_out = τ / √(τ² + σ²), τ = 10 t, σ = 0.5."""
    x, f, t = leaf(2, 4, 3, 3), leaf(2, 4, 3, 3, seed=1), torch.tensor([0, 19])
    formula = rows("mul in2 10", "square row0", "add row1 0.25", "div 0.25 row2", "sqrt row2", "div row0 row4",
                   "mul in0 row3", "mul in1 row5", "add row6 row7")  # fmt: skip
    tau = 10 * t.view(2, 1, 1, 1)
    expected = x * 0.25 / (tau**2 + 0.25) + f * tau / (tau**2 + 0.25).sqrt()
    result = run(formula, Latents(x, KEYS), Prediction(f, "sample"), Timesteps(t)).data
    assert torch.allclose(result, expected, rtol=1e-6) and torch.equal(result[0], x[0]), "at t = 0 it is what came in"


def test_timesteps_stay_whole_numbers_and_get_their_keys() -> None:
    earlier = run(rows("sub in0 20", "max row0 0"), Timesteps(torch.tensor([5, 500]), KEYS))
    assert earlier.data.tolist() == [0, 480] and earlier.data.dtype == torch.int64 and earlier.keys == KEYS
    halved = run(rows("mul in0 0.3"), Timesteps(torch.tensor([5, 9])))
    assert halved.data.tolist() == [2, 3] and halved.data.dtype == torch.int64
    assert run(rows("mul in0 0.3"), Timesteps(torch.tensor([0.5]))).data.item() == pytest.approx(0.15)


REFERENCES = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: torch.exp(b * torch.log(a)) if isinstance(a, Tensor) else torch.exp(b * math.log(a)),
    "min": lambda a, b: torch.where(torch.as_tensor(a < b), a, b),
    "max": lambda a, b: torch.where(torch.as_tensor(a < b), b, a),
}


@pytest.mark.parametrize("op", REFERENCES)
@pytest.mark.parametrize("of", [("in0", "in1"), ("in0", 0.7), (0.7, "in0"), ("in0", "in0")])
def test_operations_on_two(op: str, of: tuple[Any, Any]) -> None:
    a, b = leaf(2, 4, 3, 3).detach().abs().add(0.1), leaf(2, 4, 3, 3, seed=1).detach().abs().add(0.1)
    a, b = a.requires_grad_(), b.requires_grad_()
    names = {"in0": a, "in1": b}
    wires = [a, b] if "in1" in of else [a]
    result = run([{"op": op, "of": list(of)}], *map(Latents, wires)).data
    assert same(result, REFERENCES[op](*(names.get(each, each) for each in of)), *wires)


def test_operations_on_one_and_per_sample() -> None:
    x = leaf(2, 4, 3, 3)
    positive = x.abs() + 0.1
    for op, call in FUNCTIONS.items():
        assert same(run(rows(f"{op} in0"), Latents(positive)).data, call(positive), x), op
    assert same(run(rows("clamp in0 -0.5 0.5"), Latents(x)).data, F.hardtanh(x, -0.5, 0.5), x)
    flat = x.flatten(1)
    expected = {"mean": flat.mean(1), "sum": flat.sum(1), "norm": flat.square().sum(1).sqrt()}
    for name, value in expected.items():
        assert same(run(rows(f"{name}_per_sample in0"), SampleLoss(x)).data, value, x), name
        one = leaf(3)
        assert same(
            run(rows(f"{name}_per_sample in0"), SampleLoss(one)).data, one.abs() if name == "norm" else one, one
        )


def test_detach_ends_gradients_in_one_row_alone() -> None:
    x = leaf(2, 4, 3, 3)
    (gradient,) = torch.autograd.grad(run(rows("detach in0", "mul row0 in0"), Latents(x)).data.sum(), x)
    assert torch.equal(gradient, x.detach()), "not 2 x"


def test_one_number_a_sample_is_for_its_row_whatever_the_width() -> None:
    """Torch would lay (B,) along the last dimension, and with B = w nobody would notice."""
    x, weights, mask = leaf(3, 4, 3, 3), leaf(3, seed=1), leaf(3, 1, 3, 3, seed=2)
    result = run(rows("mul in0 in1", "mul in2 row0"), SampleLoss(x), SampleLoss(weights), LossMask(mask)).data
    assert same(result, x * weights.view(3, 1, 1, 1) * mask, x, weights, mask)
    assert not torch.allclose(result, x * weights * mask)
    flipped = run(rows("sub in1 in0"), SampleLoss(weights), SampleLoss(x))
    assert same(flipped.data, x - weights.view(3, 1, 1, 1), x, weights)
    assert same(run(rows("add in0 in1"), Latents(x), Loss(weights.mean(), 3)).data, x + weights.mean(), x, weights)


def test_losses_count_as_the_largest() -> None:
    a, b = leaf(4), leaf(8, seed=1)
    loss = run(rows("div in0 in1", "neg row0"), Loss(a.mean(), 4), Loss(b.mean(), 8))
    assert loss.count == 8 and same(loss.data, -a.mean() / b.mean(), a, b)


def test_a_program_is_made_once_for_a_combination_of_shapes() -> None:
    formula = TensorFormula(rows=rows("sub in0 in1"))
    for width in (2, 3, 2, 3):
        x = leaf(2, 4, width, 2)
        assert torch.equal(formula(Latents(x), (Latents(x),)).data, torch.zeros_like(x))
    assert len(formula.programs) == 2
    for width in range(SHAPES + 5):
        formula(Latents(leaf(1, 1, 1, width + 1)), (Latents(leaf(1)),))
    assert len(formula.programs) <= SHAPES


def refused(formula: Rows, *records: Any) -> tuple[str, str | None]:
    with pytest.raises(GraphError) as caught:
        run(formula, *records)
    return caught.value.problem.code, caught.value.problem.port


def test_shapes_that_do_not_fit_are_named_by_their_port() -> None:
    x = Latents(leaf(2, 4, 3, 3))
    assert refused(rows("sub in0 in1"), x, Latents(leaf(3, 4, 3, 3))) == ("E_BATCH", "others.0")
    assert refused(rows("sub in1 in0"), x, Latents(leaf(2, 4, 2, 3))) == ("E_SHAPE", "value")
    assert refused(rows("square in0", "add in1 in2", "sub row0 row1"), x, *[Latents(leaf(2, 4, 2, 3))] * 2) == (
        "E_SHAPE",
        "rows",
    )
    assert refused(rows("mean_per_sample in0"), Loss(leaf(1).sum())) == ("E_SHAPE", "value")
    assert refused(rows("mean_per_sample in0"), x) == ("E_SHAPE", "rows"), "latents of one number a sample are none"
    assert refused(rows("mul in0 in1"), Timesteps(leaf(2)), x) == ("E_SHAPE", "rows")
    assert refused(rows("mul in0 in1"), Loss(leaf(1).sum()), SampleLoss(leaf(2))) == ("E_SHAPE", "rows")
    assert refused(rows("mul in0 in1"), LossMask(leaf(2, 1, 3, 3)), x) == ("E_SHAPE", "rows")


WRONG: list[tuple[Rows, int, Sequence[str]]] = [
    (rows("sub in0"), 1, ["row0 = sub(in0): sub is of 2 values, not of 1"]),
    (rows("square in0 in0"), 1, ["row0 = square(in0, in0): square is of 1 values, not of 2"]),
    (rows("square row0"), 1, ["row0 = square(row0): row0 does not stand before it", "in0 is not read"]),
    (rows("add in0 row1", "square row0"), 1, ["row0 = add(in0, row1): row1 does not stand before it"]),
    (rows("square in0", "square in0"), 1, ["row0 is not read"]),
    (rows("square in0"), 2, ["in1 is not read"]),
    (rows("sub in0 in1"), 1, ["row0 = sub(in0, in1): there is no in1, only 1 wire, counted from in0"]),
    (rows("add 1 2", "mul in0 row0"), 1, ["row0 = add(1, 2) reads no wire and no row"]),
    (rows("clamp in0 1 0"), 1, ["row0 = clamp(in0, 1, 0): the lower bound is above the upper one"]),
    (
        rows("clamp in0 in0 1"),
        1,
        ["row0 = clamp(in0, in0, 1): the bounds of clamp are numbers; take min and max for others"],
    ),
]


@pytest.mark.parametrize(("formula", "wires", "messages"), WRONG)
def test_rows_that_make_no_sense_are_known_before_the_run(formula: Rows, wires: int, messages: Sequence[str]) -> None:
    assert [one.message for one in row_problems(formula, wires)] == messages
    inputs = {"value": "latents.out", **{f"others.{index}": "latents.out" for index in range(wires - 1)}}
    assert told("tensor.formula", {"rows": formula}, inputs) == [("E_FORMULA", "rows")] * len(messages)
    assert refused(formula, *[Latents(leaf(1, 1, 1, 1))] * wires) == ("E_FORMULA", "rows")


@pytest.mark.parametrize(
    "formula",
    [
        [],
        [{"op": "cosine", "of": ["in0"]}],
        [{"op": "neg"}],
        [{"op": "neg", "of": "in0"}],
        [{"op": "neg", "of": ["in0"], "value": 1}],
        [{"op": "neg", "of": ["in00"]}],
        [{"op": "neg", "of": ["x"]}],
        [{"op": "add", "of": ["in0", True]}],
        [{"op": "add", "of": ["in0", None]}],
        [{"op": "neg", "of": ["in0"]}] * 65,
    ],
)
def test_what_is_no_row_is_refused_by_pydantic_and_by_the_schema(formula: Any) -> None:
    impl = default_registry().impl("tensor.formula")
    assert list(setting_rules.check(impl.spec, "n", {"rows": formula}, ()))
    with pytest.raises(ValueError, match="validation error"):
        impl.settings({"rows": formula})


def test_what_is_a_row_is_one_to_both() -> None:
    impl = default_registry().impl("tensor.formula")
    for formula in (DPO, rows("mul in0 2"), rows("mul in0 2.5"), rows("clamp in0 0 1")):
        assert not list(setting_rules.check(impl.spec, "n", {"rows": formula}, ()))
        assert impl.settings({"rows": formula}) == {"rows": formula}


def test_all_tables_of_operations_agree() -> None:
    assert set(get_args(Operation)) == set(OPERATIONS)
    assert set(BINARY) == {op for op, count in OPERATIONS.items() if count == 2}
    assert set(UNARY) == {op for op, count in OPERATIONS.items() if count == 1 and not op.endswith("_per_sample")}
    widget = default_registry().specs["tensor.formula"].settings["rows"]["x-widget"]
    assert widget == {"kind": "formula", "primary": True, "operations": OPERATIONS}
