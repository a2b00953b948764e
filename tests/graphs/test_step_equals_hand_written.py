"""The compiled step of a real (tiny) diffusion model against the same loop written with diffusers."""

import pytest
import torch

import hcpgraph

from .hand_written import by_hand, drawn, with_offset, with_teacher

STEPS = 50


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "offset", "teacher"), [(STEPS, 0, 0), (12, 8, 0), (8, 0, 0.7)])
def test_all_steps_are_equal_bit_for_bit(workspace, steps, offset, teacher):
    """With an offset of the noise whose strength follows the steps, and with the average of the model as a teacher."""
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
        teacher=teacher,
    )
    losses = torch.stack(list(expected)).tolist()
    weights = [parameter.detach().clone() for parameter in parts["new.denoiser"].root.module.parameters()]

    graph = with_offset(drawn(steps), offset) if offset else drawn(steps)
    graph = with_teacher(graph, teacher) if teacher else graph
    graph.add("flow.after", "after")
    graph.connect("whole.model", "after.value")
    graph.connect("train.trained", "after.trained")
    result = hcpgraph.run(graph, workspace=workspace, targets=["train", "after"])
    assert result.status == "done", result.failed
    told = [value for _, value in result.outputs["train.losses"].series["loss"]]
    trained = list(result.outputs["after.out"].root.module.parameters())
    if teacher:  # autograd adds up the gradients of two losses in another order, and Adam makes steps of noise
        assert told == pytest.approx(losses, rel=1e-5)
        assert told != pytest.approx([loss * (1 + 1e-4) for loss in losses], rel=1e-5)
        same = sum(int(torch.isclose(a, b, atol=1e-6).sum()) for a, b in zip(trained, weights, strict=True))
        assert same > 0.98 * sum(weight.numel() for weight in weights)
    else:
        assert told == losses
        assert all(torch.equal(a, b) for a, b in zip(trained, weights, strict=True))
