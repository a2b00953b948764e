"""The four kinds of plugins on a UNet."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.guide import guide
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.loss.mse import mse
from hcpgraph_nodes.model.handles import Handle
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.types import Conditioning, NoisyLatents, Target, Timesteps

from hcpgraph.testing import context

from .plugin_page import Gate, Mixed, Scale, Shortcut, fill, random

NOISY = NoisyLatents(random(2, 4, 8, 8))
TIME = Timesteps(torch.tensor([10, 700]))
TEXT = Conditioning.of(random(2, 77, 32, seed=1))
SELF = r"re:(down|up)_blocks\.\d\.attentions\.0\.transformer_blocks\.0\.attn1\."


def on_unet(base: Handle, workspace: Path, seed: int) -> Handle:
    """All kinds and a LoRA on a UNet, across layers of different blocks."""
    model = lora(context(workspace, node="l"), base, rank=2, alpha=1).model
    fill(model.stack[0], seed)
    plugins = (
        Scale.on(base, [r"re:.*attentions\.0$", "pre_hook:mid_block"]),
        Shortcut.on(base, [f"pre_hook:{SELF}to_q$"], [f"{SELF}to_out\\.0$"]),
        Mixed.on(base, [r"re:down_blocks\.0.*attn1\.to_q$"], [r"re:up_blocks\.1.*attn1\.to_q$"]),
        Gate.on(base, [r"re:.*ff$"]),
    )
    for number, plugin in enumerate(plugins):
        model = model.attach(fill(plugin, seed + number))
    return model


def test_two_branches_of_a_step_on_a_unet_with_and_without_checkpointing(workspace: Path) -> None:
    found = []
    for checkpointing in (False, True):
        base = load_model(context(workspace), path="models:tiny", checkpointing=checkpointing).denoiser
        before = predict(base, NOISY, TIME, TEXT).data
        one, two = on_unet(base, workspace, 1), on_unet(base, workspace, 40)
        two = two.with_inputs(timesteps=TIME.data.flip(0))
        guided = guide(predict(one, NOISY, TIME, TEXT), predict(two, NOISY, TIME, TEXT), scale=3.0)
        mse(guided, Target(random(2, 4, 8, 8, seed=2))).data.mean().backward()
        trained = [p for handle in (one, two) for plugin in handle.stack for p in plugin.parameters()]
        found.append([guided.data, *(p.grad for p in trained)])
        assert torch.equal(predict(base, NOISY, TIME, TEXT).data, before)
    assert all(value is not None and value.abs().max() > 0 for value in found[0])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.slow
def test_every_kind_compiles_into_one_graph(workspace: Path) -> None:
    base = load_model(context(workspace), path="models:tiny").denoiser
    handle = on_unet(base, workspace, 1)
    torch.compiler.reset()
    step = torch.compile(lambda h: predict(h, NOISY, TIME, TEXT).data, backend="eager", fullgraph=True)
    for each in (handle, base, handle):
        assert torch.equal(step(each), predict(each, NOISY, TIME, TEXT).data)


def test_frozen_weights_in_half_precision_run_with_plugins_in_full(workspace: Path) -> None:
    base = load_model(context(workspace, precision="bf16"), path="models:tiny").denoiser
    handle = on_unet(base, workspace, 1)
    output = predict(handle, NOISY, TIME, TEXT).data
    output.square().mean().backward()
    exact = predict(
        on_unet(load_model(context(workspace), path="models:tiny").denoiser, workspace, 1), NOISY, TIME, TEXT
    )
    assert (output - exact.data).abs().max() < 0.1 * exact.data.abs().max()
    trained = [parameter for plugin in handle.stack for parameter in plugin.parameters()]
    assert all(p.dtype is torch.float32 and p.grad is not None and p.grad.isfinite().all() for p in trained)
