"""`image.plot`: numbers against references, pixels where they must be."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hcpgraph_nodes.image.pixels import to_pixels
from hcpgraph_nodes.image.plot import COLORS, plot, smoothed
from hcpgraph_nodes.image.ticks import linear_ticks, log_ticks, tick_labels
from hcpgraph_nodes.types import Curve

from hcpgraph.errors import GraphError
from hcpgraph.testing import context

CTX = context(Path("workspace"))


def near(picture: np.ndarray, color: str, tolerance: int = 40) -> np.ndarray:
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return np.abs(picture.astype(int) - wanted).max(axis=-1) <= tolerance


def drawn(*curves: Curve, **settings: object) -> np.ndarray:
    return to_pixels(plot(CTX, curves, **settings))[0]  # type: ignore[arg-type]


def test_smoothing_is_the_average_without_bias() -> None:
    values = np.random.default_rng(0).normal(size=50)
    steps = np.arange(50.0)
    for t, got in enumerate(smoothed(steps, values, 0.9)):
        weights = np.array([0.9 ** (t - i) for i in range(t + 1)])
        assert got == pytest.approx((weights * values[: t + 1]).sum() / weights.sum())
    assert np.array_equal(smoothed(steps, values, 0.0), values)
    broken = smoothed(np.arange(5.0), np.array([1.0, math.nan, 1.0, math.inf, 1.0]), 0.5)
    assert broken[[0, 2, 4]].tolist() == pytest.approx([1.0, 1.0, 1.0]) and np.isnan(broken[[1, 3]]).all()


def test_values_far_apart_are_not_smoothed_away() -> None:
    rare = np.array([1.0, 0.2, 0.1])
    assert smoothed(np.array([0.0, 50.0, 100.0]), rare, 0.9) == pytest.approx(rare, rel=0.03)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 2000, [0, 500, 1000, 1500, 2000]),
        (0.031, 0.047, [0.035, 0.04, 0.045]),
        (-3, 3, [-2, 0, 2]),
    ],
)
def test_linear_ticks_are_nice_numbers(low: float, high: float, ticks: list[float]) -> None:
    assert linear_ticks(low, high, 5) == ticks


def test_log_ticks() -> None:
    assert log_ticks(0.001, 1, 6) == pytest.approx([0.001, 0.01, 0.1, 1])
    assert log_ticks(0.04, 1.2, 6) == pytest.approx([0.05, 0.1, 0.2, 0.5, 1])
    many = log_ticks(1e-12, 1e3, 6)
    assert 4 <= len(many) <= 12
    assert len(log_ticks(0.5, 0.6, 6)) >= 2


def test_labels() -> None:
    assert tick_labels([0.0, 0.025, 0.05]) == ["0", "0.025", "0.05"]
    assert tick_labels([0.0, 2500.0, 10000.0]) == ["0", "2.5k", "10k"]
    assert tick_labels([2e-05, 1e-04]) == ["2e-5", "1e-4"]
    assert tick_labels([0.0, 500000.0, 1e6]) == ["0", "0.5M", "1M"]


def test_a_straight_line_falls_from_left_to_right() -> None:
    picture = drawn(Curve({"loss": [(i, 1 - i / 100) for i in range(101)]}), smoothing=0, width=600, height=300)
    assert picture.shape == (300, 600, 3)
    mask = near(picture, COLORS[0])
    mask[:50] = False
    ys, xs = np.nonzero(mask)
    assert xs.max() - xs.min() > 500
    slope, offset = np.polyfit(xs, ys, 1)
    assert slope > 0 and np.abs(ys - (slope * xs + offset)).max() < 3
    assert (picture[-8:] == 255).all() and (picture[:, :4] == 255).all()


def test_an_exponential_is_straight_on_the_log_scale() -> None:
    curve = Curve({"loss": [(i, 10 ** (-i / 50)) for i in range(101)]})
    for log_scale in (True, False):
        mask = near(drawn(curve, smoothing=0, log_scale=log_scale), COLORS[0])
        mask[:60] = False
        ys, xs = np.nonzero(mask)
        error = np.abs(ys - np.polyval(np.polyfit(xs, ys, 1), xs)).max()
        assert (error < 3) == log_scale


def test_several_series_have_a_legend_and_raw_values_are_faint() -> None:
    rng = np.random.default_rng(0)
    train = Curve({"loss": [(i, float(1 + 0.3 * rng.normal())) for i in range(400)]})
    check = Curve({"loss": [(i * 50, 2.0) for i in range(8)]})
    picture = drawn(train, check, names=["train", "validation"])
    assert near(picture, COLORS[0])[:45].sum() > 20 and near(picture, COLORS[1])[:45].sum() > 20
    assert near(picture[60:], COLORS[1]).sum() > 500
    faint = near(picture[60:], "#bdd2f5", 20).sum()
    assert faint > 2000
    assert near(drawn(train, check, smoothing=0)[60:], "#bdd2f5", 20).sum() < faint / 2


def test_gaps_single_points_constants_and_outliers() -> None:
    assert near(drawn(Curve({"a": [(3, 5.0)]}))[60:], COLORS[0]).sum() > 20
    assert near(drawn(Curve({"a": [(i, 0.25) for i in range(9)]}))[60:], COLORS[0]).sum() > 1000
    values = [(i, 1.0 if i != 500 else 1e12) for i in range(1000)]
    assert near(drawn(Curve({"a": values}), smoothing=0)[60:], COLORS[0]).sum() > 500
    drawn(Curve({"a": [(0, math.nan), (1, 1.0), (2, -1.0), (3, math.inf)]}), log_scale=True)


@pytest.mark.parametrize("series", [{}, {"a": []}, {"a": [(0, math.nan)]}])
def test_nothing_to_draw(series: dict[str, list[tuple[int, float]]]) -> None:
    with pytest.raises(GraphError, match="E_PLOT"):
        drawn(Curve(series))


def test_long_curves_are_thinned_without_losing_extremes() -> None:
    values = np.full(200_000, 0.5)
    values[100_000] = 0.52
    values[::2] = 0.48
    picture = drawn(Curve({"a": list(enumerate(values.tolist()))}), smoothing=0)
    assert near(picture[60:], COLORS[0]).sum() > 10_000
