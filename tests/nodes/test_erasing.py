"""Concepts erased at latents that the model itself samples (ESD), drawn: checked, trained, resumed exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

import hcpgraph

NEW = {"channels": [8, 16], "resolution": 16, "text_width": 16, "text_layers": 1, "vocab_size": 600}


def graph(steps: int, *, guidance: float = 3.0, negative: bool = True) -> hcpgraph.Graph:
    """A LoRA learns ε(empty) − η (ε(concept) − ε(empty)) of the frozen model, at what it samples itself."""
    g = hcpgraph.Graph()
    g.add("model.new", "new", **NEW)
    g.add("text.prompt", "concept", texts=["a cat"])
    g.add("text.prompt", "empty", texts=[""])
    g.add("sample.empty_latents", "size", width=16, height=16, count=2)
    g.add("plugin.lora", "lora", rank=2)
    g.add("optim.adamw", "adamw", lr=0.01)
    g.add("train.loop", "train", steps=steps, seed=5)
    g.add("flow.after", "after")
    g.add("text.encode", "cat")
    g.add("text.encode", "nothing")
    inside = {
        "times": ("timesteps.grid", {"steps": 5, "same": True}),
        "until": ("sample.until", {"steps": 5, "guidance": guidance}),
        "student": ("diffusion.predict", {}),
        "of_cat": ("diffusion.predict", {}),
        "of_nothing": ("diffusion.predict", {}),
        "away": ("diffusion.guide", {"scale": -1.0}),
        "target": ("diffusion.as_target", {}),
        "mse": ("loss.mse", {}),
        "mean": ("loss.mean", {}),
    }
    for name, (kind, settings) in inside.items():
        g.add(kind, name, inside="train", **settings)
    wires = """concept.out cat.captions|empty.out nothing.captions|new.denoiser lora.model|new.vae size.vae
        new.text_encoder cat.text_encoder|new.text_encoder nothing.text_encoder|lora.params adamw.params
        adamw.out train.optimizer|lora.model after.value|train.trained after.trained|size.out times.latents
        new.schedule times.schedule|lora.model until.denoiser|new.schedule until.schedule|cat.out until.positive
        size.out until.latents|times.out until.to|lora.model student.denoiser|new.denoiser of_cat.denoiser
        new.denoiser of_nothing.denoiser|cat.out student.conditioning|cat.out of_cat.conditioning
        nothing.out of_nothing.conditioning|of_cat.out away.positive|of_nothing.out away.negative
        away.out target.prediction|student.out mse.prediction|target.out mse.target|mse.out mean.loss
        mean.out train.loss"""
    pairs = [wire.split() for line in wires.splitlines() for wire in line.strip().split("|")]
    for name in ("student", "of_cat", "of_nothing"):
        pairs += [["until.noisy", f"{name}.noisy"], ["until.timesteps", f"{name}.timesteps"]]
        pairs += [["new.schedule", f"{name}.schedule"]]
    pairs += [["nothing.out", "until.negative"]] if negative else []
    for source, target in pairs:
        g.connect(source, target)
    return g


def problems(g: hcpgraph.Graph, folder: Path) -> set[tuple[str, str | None]]:
    return {(p.code, p.node) for p in hcpgraph.validate(g, workspace=folder)}


def test_guidance_is_checked_as_in_sample_denoise(tmp_path: Path) -> None:
    assert not problems(graph(1), tmp_path)
    assert problems(graph(1, negative=False), tmp_path) == {("E_NO_NEGATIVE", "until")}
    assert problems(graph(1, guidance=1.0), tmp_path) == {("W_NEGATIVE_UNUSED", "until")}
    two = graph(1)
    two.set("concept.texts", ["a cat", "a dog", "a hen"])
    assert ("E_BATCH", "until") in problems(two, tmp_path)


@pytest.mark.slow
def test_a_drawn_erasing_trains_and_resumes(tmp_path: Path) -> None:
    def losses(steps: int, folder: Path) -> list[float]:
        result = hcpgraph.run(graph(steps), targets=["after", "train"], workspace=folder)
        assert result.status == "done", result.failed
        return [value for _, value in result.outputs["train.losses"].series["loss"]]

    whole = losses(4, tmp_path / "whole")
    assert losses(2, tmp_path / "parts") == whole[:2] and losses(4, tmp_path / "parts") == whole
    assert len(set(whole)) == 4, "every step samples anew"
