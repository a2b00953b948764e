"""The compiled step of a real (tiny) diffusion model against the same loop written with diffusers."""

import pytest
import torch

import hcpgraph

from .hand_written import by_hand, drawn, with_offset

STEPS = 50


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "offset"), [(STEPS, 0), (12, 8)])
def test_all_steps_are_equal_bit_for_bit(workspace, steps, offset):
    """With an offset of the noise whose strength follows the steps, too."""
    parts = hcpgraph.run(
        drawn(steps),
        workspace=workspace,
        targets=["new", "loader"],
        record=False,
    ).outputs
    expected = by_hand(
        parts["new.denoiser"].root.module,
        parts["new.vae"].root.module,
        parts["new.text_encoder"].root.module,
        parts["new.text_encoder"].clips[0].tokens.tokenizer,
        parts["new.schedule"].alphas_cumprod,
        parts["loader.out"],
        steps,
        offset=offset,
    )
    losses = torch.stack(list(expected)).tolist()
    weights = [parameter.detach().clone() for parameter in parts["new.denoiser"].root.module.parameters()]

    graph = with_offset(drawn(steps), offset) if offset else drawn(steps)
    graph.add("flow.after", "after")
    graph.connect("whole.model", "after.value")
    graph.connect("train.trained", "after.trained")
    result = hcpgraph.run(graph, workspace=workspace, targets=["train", "after"])
    assert result.status == "done", result.failed
    assert [value for _, value in result.outputs["train.losses"].series["loss"]] == losses
    trained = list(result.outputs["after.out"].root.module.parameters())
    assert all(torch.equal(a, b) for a, b in zip(trained, weights, strict=True))
