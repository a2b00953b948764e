"""A UNet is trained as a flow, as EDM and with zero terminal SNR: the same graph with another process wired in."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hcpgraph_nodes.diffusion.add_noise import add_noise
from hcpgraph_nodes.diffusion.convert import convert
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.diffusion.target import target
from hcpgraph_nodes.loss.mse import mse
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.process.edm import edm
from hcpgraph_nodes.process.flow import flow
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions, Latents, Noise, Process, Timesteps

import hcpgraph
from hcpgraph import Graph
from hcpgraph.testing import context

from .hand_written import drawn

STEPS = 6
PROCESSES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "flow": ("process.flow", {"shift": 2.0}, {"distribution": "logit_normal"}),
    "edm": ("process.edm", {"sigma_data": 0.9, "sigma_max": 20.0}, {"distribution": "edm"}),
    "edm, −F": ("process.edm", {"prediction_type": "v_prediction"}, {}),
}
TIMES = {"flow": [0.2, 0.5, 0.8, 0.95], "edm": [0.1, 0.5, 1.5, 6.0]}


def graph(name: str, steps: int = STEPS) -> Graph:
    type_id, settings, times = PROCESSES[name]
    g = drawn(steps)
    g.add(type_id, "process", **settings)
    for node in ("t", "noisy", "predict", "target"):
        g.connect("process.out", f"{node}.schedule")
    for setting, value in times.items():
        g.set(f"t.{setting}", value)
    g.add("flow.after", "after")
    g.connect("whole.model", "after.value")
    g.connect("train.trained", "after.trained")
    g.add("sample.empty_latents", "canvas", width=16, height=16)
    g.add("text.prompt", "words", texts=["panda"])
    g.add("text.encode", "said")
    g.add("sample.denoise", "draw", sampler="euler", guidance=1.0, steps=8)
    for source, end in (
        ("new.vae", "canvas.vae"),
        ("new.text_encoder", "said.text_encoder"),
        ("words.out", "said.captions"),
        ("after.out", "draw.denoiser"),
        ("process.out", "draw.schedule"),
        ("said.out", "draw.positive"),
        ("canvas.out", "draw.latents"),
    ):
        g.connect(source, end)
    return g


@pytest.mark.parametrize("name", PROCESSES)
def test_the_graph_of_a_training_trains_and_draws_with_another_process(name: str, workspace: Any) -> None:
    result = hcpgraph.run(graph(name), workspace=workspace, targets=["train", "draw"], record=False)
    assert result.status == "done", result.failed
    losses = [value for _, value in result.outputs["train.losses"].series["loss"]]
    assert len(losses) == STEPS and all(0 < value < 10 for value in losses)
    assert result.outputs["draw.out"].data.isfinite().all()
    mixed = graph(name)
    mixed.connect("new.schedule", "target.schedule")
    assert "E_FACT" in [each.code for each in hcpgraph.validate(mixed)]


@pytest.mark.parametrize("name", PROCESSES)
def test_a_training_brings_the_loss_of_its_process_down(name: str, workspace: Any) -> None:
    """On pinned latents, noise and times; the network that a training ends with then predicts what it should."""
    ctx = context(workspace)
    type_id, settings, _ = PROCESSES[name]
    process: Process = {"process.flow": flow, "process.edm": edm}[type_id](**settings)  # type: ignore[operator]
    model = new_model(ctx, resolution=16, channels=[8, 16], text_width=16, text_layers=1, vocab_size=600)
    tuned = trainable(ctx, model.denoiser)
    text = encode_text(model.text_encoder, Captions(("panda",)))
    generator = torch.Generator().manual_seed(5)
    latents = Latents(torch.randn(4, 3, 1, 1, generator=generator) * 0.9 + torch.zeros(4, 3, 16, 16))
    noise = Noise(torch.randn(4, 3, 16, 16, generator=generator))
    times = Timesteps(torch.tensor(TIMES[process.kind]))
    noisy, wanted = add_noise(latents, noise, times, process), target(latents, noise, times, process)
    optimizer = torch.optim.Adam(tuned.params.groups[0]["params"].values(), lr=1e-2)
    losses = []
    for _ in range(30):
        loss = mse(predict(tuned.model, noisy, times, text, None, process), wanted).data.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] <= 0.7 * losses[0]
    made = predict(tuned.model, noisy, times, text, None, process)
    picture = convert(made, noisy, times, process, to="sample").data
    assert (picture - latents.data)[0].square().mean() < 0.2, "the picture with the least noise is seen through it"
