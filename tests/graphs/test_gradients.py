"""Gradients flow through frozen models to what is trained before them."""

from pathlib import Path

import pytest
import torch

import hcpgraph

from .hand_written import by_hand, drawn, with_pixels

PACK = Path(__file__).resolve().parents[1] / "packs" / "diffusion_pack"
STEPS = 3


def trained(graph, workspace):
    graph.add("flow.after", "after")
    graph.connect("whole.model", "after.value")
    graph.connect("train.trained", "after.trained")
    result = hcpgraph.run(graph, workspace=workspace, packs=[PACK], targets=["train", "after"])
    assert result.status == "done", result.failed
    weights = [parameter.detach().clone() for parameter in result.outputs["after.out"].root.module.parameters()]
    return weights, [value for _, value in result.outputs["train.losses"].series["loss"]]


@pytest.fixture
def parts(tmp_path):
    """The untrained model and the loader, for the loop that is written by hand."""
    return hcpgraph.run(drawn(1), workspace=tmp_path, targets=["new", "loader"], record=False).outputs


def test_a_loss_on_decoded_pictures_trains_as_it_does_by_hand(workspace, parts):
    expected = by_hand(
        parts["new.denoiser"].root.module,
        parts["new.vae"].root.module.requires_grad_(False),
        parts["new.text_encoder"].root.module,
        parts["new.text_encoder"].clips[0].tokens.tokenizer,
        parts["new.schedule"].alphas_cumprod,
        parts["loader.out"],
        STEPS,
        pixels=10.0,
    )
    losses = [loss.item() for loss in expected]
    weights, found = trained(with_pixels(drawn(STEPS), 10.0), workspace)
    by_hand_weights = list(parts["new.denoiser"].root.module.parameters())
    assert found == losses
    assert all(torch.equal(a, b) for a, b in zip(weights, by_hand_weights, strict=True))
    plain, _ = trained(drawn(STEPS), workspace)
    assert not all(torch.equal(a, b) for a, b in zip(weights, plain, strict=True))


def test_a_loss_on_decoded_pictures_trains_alone(workspace):
    graph = with_pixels(drawn(STEPS), 10.0)
    graph.disconnect("train.loss.0")
    _, losses = trained(graph, workspace)
    assert len(set(losses)) == STEPS


def test_a_target_that_is_the_noise_ends_no_gradients_of_the_latents(workspace):
    """The autoencoder is trained along: what the denoiser should predict does not depend on its latents."""
    graph = drawn(STEPS)
    graph.add("model.trainable", "trained_vae")
    graph.connect("new.vae", "trained_vae.model")
    graph.connect("trained_vae.model", "latents.vae")
    graph.connect("trained_vae.params", "adamw.params")
    weights, _ = trained(graph, workspace)
    plain, _ = trained(drawn(STEPS), workspace)
    assert not all(torch.equal(a, b) for a, b in zip(weights, plain, strict=True))


def stopped(graph, source, target):
    """The graph with tensor.stop_gradient on one of its wires."""
    graph.add("tensor.stop_gradient", "stop", inside="train")
    graph.connect(source, "stop.value")
    graph.connect("stop.out", target)
    return graph


def test_gradients_end_where_they_are_stopped(workspace):
    graph = stopped(with_pixels(drawn(STEPS), 10.0), "decoded.out", "l1.reconstruction")
    result = hcpgraph.run(graph, workspace=workspace, packs=[PACK], targets=["train"])
    problem = result.failed["train"].problem
    assert (problem.code, problem.port) == ("E_LOSS_FROZEN", "loss.1"), "a loss that trains nothing is said"
    plain, _ = trained(drawn(STEPS), workspace)
    graph = with_pixels(drawn(STEPS), 10.0)
    graph.disconnect("train.loss.1")
    graph.disconnect("train.loss.0")
    graph.add("loss.weighted_sum", "both", inside="train")
    graph.connect("mean.out", "both.losses", many=True)
    graph.connect("scaled.out", "both.losses", many=True)
    graph.connect("both.out", "train.loss", many=True)
    weights, _ = trained(stopped(graph, "decoded.out", "l1.reconstruction"), workspace)
    assert all(torch.equal(a, b) for a, b in zip(weights, plain, strict=True))
