"""A training without pictures: captions by step, latents of their keys, a distillation whose steps are drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.sample.caption_latents import caption_latents
from hcpgraph_nodes.types import Captions

import hcpgraph
from hcpgraph.testing import context

NEW = {"channels": [8, 16], "resolution": 16, "text_width": 16, "text_layers": 1, "vocab_size": 600}
PROMPTS = [f"a {name}" for name in ("cat", "dog", "cow", "hen", "fox")]


def graph(steps: int, *, pictures: int = 16) -> hcpgraph.Graph:
    """Consistency distillation: what the student says at t follows what it says one step of the teacher below."""
    g = hcpgraph.Graph()
    g.add("model.new", "new", **NEW)
    g.add("data.texts", "texts", texts=PROMPTS)
    g.add("data.fixed_bucket", "bucket")
    g.add("data.loader", "loader", batch_size=2)
    g.add("plugin.lora", "lora", rank=2, layers=["@attention"])
    g.add("optim.adamw", "adamw", lr=0.01)
    g.add("train.loop", "train", steps=steps, seed=5)
    g.add("flow.after", "after")
    inside = {
        "captions": ("data.caption_batch", {}),
        "latents": ("sample.caption_latents", {"width": pictures, "height": pictures}),
        "text": ("text.encode", {}),
        "noise": ("noise.gaussian", {}),
        "times": ("timesteps.grid", {"steps": 10, "spacing": "trailing"}),
        "below": ("timesteps.next", {"steps": 10, "spacing": "trailing"}),
        "noisy": ("diffusion.add_noise", {}),
        "teacher": ("diffusion.predict", {}),
        "step": ("sample.step", {}),
        "student": ("diffusion.predict", {}),
        "lower": ("diffusion.predict", {}),
        "said": ("diffusion.boundary", {}),
        "aim": ("diffusion.boundary", {}),
        "target": ("diffusion.as_target", {}),
        "mse": ("loss.mse", {}),
        "mean": ("loss.mean", {}),
    }
    for name, (kind, settings) in inside.items():
        g.add(kind, name, inside="train", **settings)
    wires = """texts.out bucket.dataset|bucket.out loader.data|loader.out captions.loader|new.denoiser lora.model
        lora.params adamw.params|adamw.out train.optimizer|lora.model after.value|train.trained after.trained
        new.vae latents.vae|captions.out latents.captions|captions.out text.captions|new.text_encoder text.text_encoder
        latents.out noise.latents|latents.out times.latents|times.out below.timesteps|latents.out noisy.latents
        noise.out noisy.noise|times.out noisy.timesteps|mean.out train.loss|mse.out mean.loss
        step.out lower.noisy|below.out lower.timesteps|lora.model lower.denoiser
        said.out mse.prediction|aim.out target.prediction|target.out mse.target
        teacher.out step.prediction|noisy.out step.noisy|times.out step.timesteps|below.out step.to
        new.denoiser teacher.denoiser|lora.model student.denoiser
        student.out said.prediction|noisy.out said.noisy|times.out said.timesteps
        lower.out aim.prediction|step.out aim.noisy|below.out aim.timesteps"""
    pairs = [wire.split() for line in wires.splitlines() for wire in line.strip().split("|")]
    pairs += [
        ["new.schedule", f"{name}.schedule"] for name in ("times", "below", "noisy", "teacher", "student", "lower")
    ]
    pairs += [["new.schedule", f"{name}.process"] for name in ("step", "said", "aim")]
    pairs += [["text.out", f"{name}.conditioning"] for name in ("teacher", "student", "lower")]
    pairs += [["noisy.out", f"{name}.noisy"] for name in ("teacher", "student")]
    pairs += [["times.out", f"{name}.timesteps"] for name in ("teacher", "student")]
    for source, target in pairs:
        g.connect(source, target)
    return g


def trained(g: hcpgraph.Graph, folder: Path) -> tuple[dict[str, torch.Tensor], list[float]]:
    assert [p for p in hcpgraph.validate(g, workspace=folder) if p.severity == "error"] == []
    result = hcpgraph.run(g, targets=["after", "train"], workspace=folder)
    assert result.status == "done", result.failed
    (plugin,) = result.outputs["after.out"].stack
    losses = result.outputs["train.losses"].series["loss"]
    return {name: value.detach().clone() for name, value in plugin.state().items()}, [value for _, value in losses]


@pytest.mark.slow
def test_a_drawn_distillation_resumes_exactly(tmp_path: Path) -> None:
    whole, losses = trained(graph(6), tmp_path / "whole")
    first, begun = trained(graph(4), tmp_path / "parts")
    after, ended = trained(graph(6), tmp_path / "parts")
    assert ended == losses and begun == losses[:4], "the second epoch begins within the part that is resumed"
    assert all(torch.equal(value, after[name]) for name, value in whole.items())
    assert any(not torch.equal(value, after[name]) for name, value in first.items())
    assert all(loss > 0 for loss in losses) and len(set(losses)) == 6


def test_latents_have_the_keys_of_the_captions(workspace: Path) -> None:
    vae = load_model(context(workspace), path="models:tiny").vae
    keys = (("texts", 1, 3), ("texts", 1, 4))
    made = caption_latents(vae, Captions(("a cat", "a dog"), keys), width=16, height=24)
    assert made.data.shape == (2, 4, 12, 8) and made.keys == keys and not made.data.any()
    assert caption_latents(vae, Captions(("a cat",)), width=16, height=16).keys is None
    with pytest.raises(hcpgraph.GraphError, match="E_SIZE"):
        caption_latents(vae, Captions(("a cat",)), width=17, height=16)
    with pytest.raises(hcpgraph.GraphError, match="E_AUTO"):
        caption_latents(vae, Captions(("a cat",)), width="auto", height=16)
