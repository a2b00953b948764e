"""The graphs of docs/words.md are valid and run, and what they train is what they save."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

import hcpgraph

from ..test_docs import ROOT, blocks

SMALL = {
    "buckets.target_area": 256,
    "buckets.step_size": 8,
    "watch.width": 16,
    "watch.height": 16,
    "watch.steps": 1,
    "preview.steps": 2,
    "schedule.warmup_steps": 0,
    "loader.workers": 0,
    "model": "models:tiny",
    "steps": 2,
    "batch_size": 1,
}


@pytest.fixture
def page(monkeypatch) -> dict:
    monkeypatch.chdir(ROOT)
    names: dict = {}
    for text in blocks("docs/words.md", "python"):
        exec(text, names)  # noqa: S102 - our own page
    return names


def test_the_graphs_of_the_page_run(page: dict, workspace: Path) -> None:
    pictures = workspace / "data/pictures"
    pictures.mkdir(parents=True)
    for color in ("red", "green"):
        Image.new("RGB", (24, 20), color).save(pictures / f"{color}.png")
    for graph in (page["inversion"], page["pivotal"]):
        assert [p for p in hcpgraph.validate(graph, workspace=workspace) if p.severity == "error"] == []
        result = hcpgraph.run(graph, settings=SMALL, workspace=workspace)
        assert result.status == "done", result.failed
    written = {path.name for path in (workspace / "out").rglob("*.safetensors")}
    assert written == {"cat.safetensors", "cat-2.safetensors", "lora.safetensors"}
    encoded = []
    for word in ("out:cat.safetensors", "out:cat-2.safetensors"):
        settings = {"model.path": "models:tiny", "word.path": word}
        result = hcpgraph.run(page["use"], targets=["text.out"], settings=settings, workspace=workspace)
        assert result.status == "done", result.failed
        encoded.append(result.outputs["text.out"].data)
    assert not torch.equal(*encoded)
