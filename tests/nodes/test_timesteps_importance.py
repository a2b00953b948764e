"""Timesteps by importance: against improved DDPM's resampler, unbiased, kept from step to step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hcpgraph_nodes.families.schedule import read
from hcpgraph_nodes.loss.mask import mask
from hcpgraph_nodes.process.edm import edm
from hcpgraph_nodes.process.flow import flow
from hcpgraph_nodes.timesteps.importance import importance_timesteps
from hcpgraph_nodes.timesteps.losses import LossHistory, losses, shares_of, times_at
from hcpgraph_nodes.timesteps.record import record
from hcpgraph_nodes.types import Latents, Process, SampleLoss, Timesteps
from torch import Tensor

import hcpgraph
from hcpgraph import GraphError
from hcpgraph.testing import context

from ..graphs.hand_written import drawn
from .conftest import SCHEDULE

TABLE = read(SCHEDULE, torch.device("cpu"))
PROCESSES: dict[str, Process] = {"vp": TABLE, "flow": flow(), "edm": edm()}


class Resampler:
    """Improved DDPM's LossSecondMomentResampler, as its authors' resample.py says, over bands."""

    def __init__(self, bands: int, length: int, uniform: float) -> None:
        self.history, self.counts = np.zeros((bands, length)), np.zeros(bands, int)
        self.uniform = uniform

    def probabilities(self) -> np.ndarray:
        if not (self.counts == self.history.shape[1]).all():
            return np.ones(len(self.counts)) / len(self.counts)
        weights = np.sqrt(np.mean(self.history**2, axis=-1))
        weights /= np.sum(weights)
        return weights * (1 - self.uniform) + self.uniform / len(weights)

    def update(self, bands: list[int], found: list[float]) -> None:
        for band, loss in zip(bands, found, strict=True):
            if self.counts[band] == self.history.shape[1]:
                self.history[band, :-1] = self.history[band, 1:]
                self.history[band, -1] = loss
            else:
                self.history[band, self.counts[band]] = loss
                self.counts[band] += 1


def many(count: int) -> Latents:
    return Latents(torch.zeros(count, 1, 1, 1), tuple(("d", 0, index) for index in range(count)))


def test_histories_are_those_of_the_authors(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs = losses(bands=5, length=3), Resampler(5, 3, 0.1)
    warm = 0
    for number in range(40):
        t = torch.randint(0, 1000, (8,), generator=generator)
        t = t if number % 4 else t.clamp(max=150)  # more of one band at once than it keeps
        values = torch.rand(8, 2, 3, 3, generator=generator)
        ours = record(ours, Timesteps(t), SampleLoss(values.requires_grad_()), TABLE)
        theirs.update([int(each) // 200 for each in t], values.mean((1, 2, 3)).tolist())
        assert torch.allclose(ours.data.sort(1).values, torch.tensor(theirs.history).float().sort(1).values)
        drawn_now = importance_timesteps(context(tmp_path, path=(number,)), many(50), TABLE, ours, uniform=0.1)
        expected = 1 / (5 * torch.tensor(theirs.probabilities()).float()[drawn_now.timesteps.data // 200])
        assert torch.allclose(drawn_now.weights.data.flatten(), expected, rtol=1e-4)
        warm += bool((expected != 1).any())
    assert 10 < warm < 40 and not ours.data.requires_grad


@pytest.mark.parametrize("name", PROCESSES)
def test_draws_follow_the_weights_and_weighted_losses_the_even_mean(tmp_path: Path, name: str) -> None:
    process, weights = PROCESSES[name], [1.0, 0.5, 4.0, 2.5]
    ctx = context(tmp_path, node="t", path=(1,))
    found = importance_timesteps(ctx, many(20_000), process, bands=weights)
    shares = shares_of(process, found.timesteps.data)
    counts = torch.bincount((shares * 4).long().clamp(max=3), minlength=4) / 20_000
    assert torch.allclose(counts, torch.tensor(weights) / 8, atol=0.01)
    for band in range(4):
        inside = shares[(shares * 4).long().clamp(max=3) == band] * 4 - band
        assert abs(inside.mean() - 0.5) < 0.02 and abs(inside.std() - 12**-0.5) < 0.02
    loss = SampleLoss((3 * shares.square() + 1).view(-1, 1, 1, 1).expand(-1, 2, 4, 4))
    assert abs(mask(loss, found.weights).data.mean() - 2.0) < 0.03, "the integral of 3 s² + 1"
    assert abs(loss.data.mean() - 2.0) > 0.2, "the twin without weights"
    alone = importance_timesteps(ctx, Latents(torch.zeros(1, 1, 1, 1), (("d", 0, 11),)), process, bands=weights)
    assert torch.equal(alone.timesteps.data, found.timesteps.data[11:12])
    assert found.timesteps.data.dtype is (torch.int64 if name == "vp" else torch.float32)


def test_losses_of_a_history_have_the_even_mean_and_less_variance(tmp_path: Path) -> None:
    def loss(shares: Tensor) -> Tensor:
        return 0.1 + 5 * (shares < 0.2).float()

    history = losses(bands=10, length=4)
    for _ in range(4):
        t = torch.arange(50, 1000, 100)
        history = record(history, Timesteps(t), SampleLoss(loss(shares_of(TABLE, t))), TABLE)
    spread = {}
    for name, known in (("importance", history), ("even", None)):
        found = importance_timesteps(context(tmp_path, path=(1,)), many(20_000), TABLE, known)
        values = loss(shares_of(TABLE, found.timesteps.data)) * found.weights.data.flatten()
        assert abs(values.mean() - 1.1) < 0.05
        spread[name] = float(values.std())
    assert spread["importance"] < 0.1 * spread["even"]


def test_even_draws_in_strata_cover_every_stratum(tmp_path: Path) -> None:
    found = importance_timesteps(context(tmp_path, path=(4,)), many(16), TABLE, strata=16)
    assert sorted((found.timesteps.data // 63).tolist())[0] == 0
    gaps = found.timesteps.data.sort().values.diff()
    assert gaps.min() >= 62 and gaps.max() <= 63, "u_0 + i / 16 mod 1, as in VDM"
    assert torch.equal(found.weights.data, torch.ones(16, 1, 1, 1))
    everywhere = importance_timesteps(context(tmp_path, path=(4,)), many(4), TABLE, same=True).timesteps.data
    assert len(set(everywhere.tolist())) == 1


@pytest.mark.parametrize("name", PROCESSES)
def test_times_and_shares_are_inverse(name: str) -> None:
    process, shares = PROCESSES[name], torch.linspace(0, 0.999, 50)
    again = shares_of(process, times_at(process, shares))
    assert (again - shares).abs().max() < 1e-3


def test_what_is_not_finite_is_left_out() -> None:
    t = Timesteps(torch.tensor([10, 20, 30]))
    history = record(losses(bands=2, length=4), t, SampleLoss(torch.tensor([1.0, float("inf"), float("nan")])), TABLE)
    assert history.data.tolist() == [[1.0, 0, 0, 0], [0] * 4] and history.count.tolist() == [1, 0]
    more = record(history, t, SampleLoss(torch.tensor([float("nan"), 2.0, 3.0])), TABLE)
    assert more.data[0].tolist() == [1.0, 2.0, 3.0, 0] and more.count.tolist() == [3, 0]


def test_bad_input_is_told(tmp_path: Path) -> None:
    cases: list[tuple[Any, dict[str, Any]]] = [(None, {"bands": [0.0, 0.0]}), (losses(), {"bands": [1.0]})]
    for history, settings in cases:
        with pytest.raises(GraphError) as caught:
            importance_timesteps(context(tmp_path), many(2), TABLE, history, **settings)
        assert caught.value.problem.code == "E_SETTING"
    with pytest.raises(GraphError) as caught:
        record(losses(), Timesteps(torch.tensor([1])), SampleLoss(torch.zeros(2)), TABLE)
    assert caught.value.problem.code == "E_BATCH"


def graph(steps: int) -> hcpgraph.Graph:
    """The training of `drawn` with a history of losses that decides the next timesteps."""
    g = drawn(steps)
    readers = [target for target, source in dict(g.edges).items() if source == "t.out"]
    g.remove("t")
    g.add("timesteps.losses", "empty", bands=2, length=1)
    for kind, name in (
        ("train.state", "kept"),
        ("timesteps.importance", "t"),
        ("timesteps.record", "record"),
        ("loss.mask", "weighted"),
    ):
        g.add(kind, name, inside="train")
    wires = [("empty.out", "kept.initial"), ("kept.out", "t.history"), ("kept.out", "record.history")]
    wires += [("record.out", "kept.next"), ("latents.out", "t.latents"), ("t.timesteps", "record.timesteps")]
    wires += [("new.schedule", "t.schedule"), ("new.schedule", "record.schedule"), ("mse.out", "record.loss")]
    wires += [("mse.out", "weighted.loss"), ("t.weights", "weighted.masks"), ("weighted.out", "mean.loss")]
    g.disconnect("mean.loss")
    for source, target in [*wires, *(("t.timesteps", reader) for reader in readers)]:
        g.connect(source, target)
    return g


@pytest.mark.slow
def test_a_history_in_training_survives_a_checkpoint(tmp_path: Path) -> None:
    def run(steps: int, folder: Path) -> list[float]:
        g = graph(steps)
        assert [p for p in hcpgraph.validate(g, workspace=folder) if p.severity == "error"] == []
        result = hcpgraph.run(g, targets=["train"], workspace=folder)
        assert result.status == "done", result.failed
        return [value for _, value in result.outputs["train.losses"].series["loss"]]

    whole = run(8, tmp_path / "whole")
    assert run(5, tmp_path / "parts") == whole[:5]
    assert run(8, tmp_path / "parts") == whole
    assert len(set(whole)) == 8
    assert isinstance(losses(), LossHistory)
