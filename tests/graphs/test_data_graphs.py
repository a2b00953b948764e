"""The graphs below graphs/data, on small pictures and the model that ships; several data sets against their formula."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import hcpgraph

GRAPHS = Path(__file__).resolve().parents[2] / "graphs/data"
SMALL = {"model": "builtin:emoji", "steps": 2}


def folder(workspace: Path, name: str, count: int = 5) -> None:
    """Plain squares of several shapes with captions."""
    pictures = workspace / "data" / name
    pictures.mkdir(parents=True)
    for index in range(count):
        Image.new("RGB", (40 + 8 * (index % 2), 40), (40 * index, 90, 200)).save(pictures / f"{index}.png")
        (pictures / f"{index}.txt").write_text(f"{name}, square, number {index}")


def sizes(*buckets: str, area: int = 1024) -> dict[str, int]:
    return {f"{name}.{key}": value for name in buckets for key, value in (("target_area", area), ("step_size", 8))}


def two_sets(workspace: Path, weights: dict[str, float], batch: dict[str, int]) -> dict[str, torch.Tensor]:
    """One step of plain SGD on the graph, with the losses that `weights` names; gives the gradients of the LoRA."""
    graph = hcpgraph.load(GRAPHS / "two_data_sets.json")
    for name in {"subject", "style"} - weights.keys():
        for id in (f"step_{name}", f"weight_{name}", f"{name}_loader", f"{name}_buckets", name):
            graph.remove(id)
    for name in ("adamw", "schedule"):
        graph.remove(name)
    graph.add("python.object", "sgd", settings={"path": "torch.optim:SGD"})
    graph.add("optim.custom", "optimizer", settings={"lr": 1.0, "max_grad_norm": 0})
    graph.connect("lora.params", "optimizer.params")
    graph.connect("sgd.out", "optimizer.kind")
    graph.connect("optimizer.out", "train.optimizer")
    graph.interface.inputs = {}
    settings = {"model.path": "builtin:emoji", "train.steps": 1, "save.dtype": "fp32", "save.overwrite": True}
    for name, weight in weights.items():
        area = {"subject": 1024, "style": 2304}[name]
        settings |= {f"weight_{name}.weights": [weight], f"{name}_loader.batch_size": batch[name]}
        settings |= sizes(f"{name}_buckets", area=area)
    result = hcpgraph.run(graph, settings=settings, workspace=workspace)
    assert result.status == "done", result.failed
    # up starts at zero: after one step of learning rate 1 it is the negative gradient
    weights_file = load_file(workspace / "out/two_sets/lora.safetensors")
    return {key: value for key, value in weights_file.items() if "lora_up" in key}


@pytest.mark.slow
def test_the_gradient_is_the_weighted_sum_over_the_data_sets(tmp_path: Path) -> None:
    folder(tmp_path, "subject")
    folder(tmp_path, "style", 7)
    batch = {"subject": 3, "style": 2}
    one = two_sets(tmp_path, {"subject": 1.0}, batch)
    other = two_sets(tmp_path, {"style": 1.0}, batch)
    both = two_sets(tmp_path, {"subject": 1.0, "style": 0.25}, batch)
    assert one.keys() == both.keys() and any(value.abs().max() > 1e-5 for value in other.values())
    for key in both:
        wanted = one[key] + 0.25 * other[key]
        scale = wanted.abs().max().clamp(min=1e-8)
        assert (both[key] - wanted).abs().max() <= 1e-4 * scale, key


@pytest.mark.slow
def test_a_regularisation_set(tmp_path: Path) -> None:
    folder(tmp_path, "subject")
    folder(tmp_path, "class")
    small = SMALL | sizes("subject_buckets", "prior_buckets")
    result = hcpgraph.run(GRAPHS / "regularisation.json", settings=small, workspace=tmp_path)
    assert result.status == "done", result.failed
    assert (tmp_path / "out/regularised/lora.safetensors").exists()


@pytest.mark.slow
def test_masked_training(tmp_path: Path) -> None:
    folder(tmp_path, "pictures")
    (tmp_path / "data/masks").mkdir()
    for file in (tmp_path / "data/pictures").glob("*.png"):
        with Image.open(file) as picture:
            mask = Image.new("L", picture.size, 0)
        mask.paste(255, (0, 0, 20, 40))
        mask.save(tmp_path / "data/masks" / file.name)
    small = SMALL | sizes("buckets")
    result = hcpgraph.run(GRAPHS / "masked.json", settings=small, workspace=tmp_path)
    assert result.status == "done", result.failed
    assert (tmp_path / "out/masked/lora.safetensors").exists()


@pytest.mark.slow
def test_captions_are_shown_with_their_pictures(tmp_path: Path) -> None:
    folder(tmp_path, "pictures")
    result = hcpgraph.run(GRAPHS / "caption_preview.json", settings={"count": 4}, workspace=tmp_path)
    assert result.status == "done", result.failed
    with Image.open(tmp_path / "out/captions.png") as picture:
        assert picture.size[0] >= 4 * 256


@pytest.mark.slow
def test_the_cache_is_built_once(tmp_path: Path) -> None:
    folder(tmp_path, "pictures")
    small = {"model": "builtin:emoji", **sizes("buckets")}
    heard: list[dict] = []
    for _ in range(2):
        result = hcpgraph.run(
            GRAPHS / "cache_build.json", settings=small, workspace=tmp_path, disk_cache=False, on_event=heard.append
        )
        assert result.status == "done", result.failed
    said = [e["message"] for e in heard if e["kind"] == "log" and e["node"] == "latents"]
    assert ["5 of 5" in text for text in said][:1] == [True] and "0 of 5" in said[-1], said
