"""Losses against torch and diffusers."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr
from hcpgraph_nodes.loss.mean import mean
from hcpgraph_nodes.loss.min_snr import min_snr
from hcpgraph_nodes.loss.mse import mse
from hcpgraph_nodes.loss.weighted_sum import weighted_sum
from hcpgraph_nodes.process.kinds.vp import VariancePreserving
from hcpgraph_nodes.types import Loss, Prediction, SampleLoss, Target, Timesteps

from hcpgraph import GraphError


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_mse_and_mean_equal_torch() -> None:
    a, b = random(3, 4, 8, 8), random(3, 4, 8, 8, seed=1)
    each = mse(Prediction(a), Target(b))
    assert torch.equal(each.data, torch.nn.functional.mse_loss(a, b, reduction="none"))
    loss = mean(each)
    assert loss.count == 3
    assert torch.allclose(loss.data, torch.nn.functional.mse_loss(a, b))


def test_mse_refuses_unlike_kinds() -> None:
    with pytest.raises(GraphError) as caught:
        mse(Prediction(random(1, 4, 8, 8)), Target(random(1, 4, 8, 8), "v_prediction"))
    assert caught.value.problem.code == "E_PREDICTION"


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_min_snr_equals_the_formula_of_the_diffusers_examples(kind: str) -> None:
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    timesteps = torch.tensor([0, 100, 500, 999])
    snr = compute_snr(scheduler, timesteps)
    capped = torch.stack([snr, 5.0 * torch.ones_like(snr)], dim=1).min(dim=1)[0]
    weights = {"epsilon": capped / snr, "v_prediction": capped / (snr + 1), "sample": capped}[kind]
    loss = random(4, 4, 8, 8).square()
    schedule = VariancePreserving(scheduler.alphas_cumprod, kind)
    weighted = min_snr(SampleLoss(loss), Timesteps(timesteps), schedule, gamma=5.0).data
    assert torch.allclose(weighted, loss * weights.view(-1, 1, 1, 1), rtol=1e-5)


def test_min_snr_is_finite_without_signal() -> None:
    schedule = VariancePreserving(torch.tensor([0.9, 0.0]))
    weighted = min_snr(SampleLoss(torch.ones(1, 1, 1, 1)), Timesteps(torch.tensor([1])), schedule).data
    assert weighted.item() == 1.0


def test_weighted_sum() -> None:
    losses = (Loss(torch.tensor(2.0), 4), Loss(torch.tensor(3.0), 4))
    assert weighted_sum(losses).data == 5.0
    total = weighted_sum(losses, weights=[1.0, 0.5])
    assert total.data == 3.5 and total.count == 4
    with pytest.raises(GraphError) as caught:
        weighted_sum(losses, weights=[1.0])
    assert caught.value.problem.code == "E_WEIGHTS_COUNT"
