"""Where draws repeat and where they do not, in whole graphs: steps, previews, repeats and sweeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hcpgraph
from hcpgraph.rng import stream_seed

from .hand_written import SEED, drawn

PACK = Path(__file__).resolve().parents[1] / "packs" / "diffusion_pack"
SIDE = 16


def sampled(g: hcpgraph.Graph, inside: str | None = None) -> hcpgraph.Graph:
    """The graph with two pictures that are sampled in a region, and noise alone; neither has sample keys."""
    for type_id, id, given in [
        ("sample.empty_latents", "empty", {"width": SIDE, "height": SIDE, "count": 2}),
        ("text.prompt", "words", {"texts": ["a cat"]}),
        ("text.encode", "cond", {}),
        ("sample.denoise", "draw", {"steps": 2, "guidance": 1.0, "sampler": "euler_a", "seed": 3}),
        ("noise.gaussian", "rain", {"seed": 5}),
        ("keep.latents", "keep", {}),
    ]:
        g.add(type_id, id, inside=inside, settings=given)
    for source, target in [
        ("new.vae", "empty.vae"),
        ("new.text_encoder", "cond.text_encoder"),
        ("words.out", "cond.captions"),
        ("new.denoiser", "draw.denoiser"),
        ("new.schedule", "draw.schedule"),
        ("cond.out", "draw.positive"),
        ("empty.out", "draw.latents"),
        ("empty.out", "rain.latents"),
        ("draw.out", "keep.latents"),
        ("rain.out", "keep.noise"),
    ]:
        g.connect(source, target)
    return g


def model() -> hcpgraph.Graph:
    g = hcpgraph.Graph()
    g.add("model.new", "new", settings=drawn(1).nodes["new"].settings)
    return g


def training(steps: int) -> hcpgraph.Graph:
    """A training that changes no weights, so that what is sampled differs by its draws alone."""
    g = drawn(steps)
    g.set("adamw.lr", 0)
    return g


def kept(g: hcpgraph.Graph, workspace: Path, **options: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The latents and the noise that were written, in order."""
    result = hcpgraph.run(g, workspace=workspace, packs=[PACK], **options)
    assert result.status == "done", result.failed
    found = [workspace / "out" / f"{name}-{number}.npy" for name in ("latents", "noise") for number in range(20)]
    values = [np.load(path) if path.exists() else None for path in found]
    return tuple([value for value in part if value is not None] for part in (values[:20], values[20:]))  # type: ignore[return-value]


def same(*values: np.ndarray) -> bool:
    return all(np.array_equal(values[0], other) for other in values[1:])


def different(*values: np.ndarray) -> bool:
    return len({value.tobytes() for value in values}) == len(values)


@pytest.fixture
def alone(tmp_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """What the nodes draw outside of all regions."""
    (latents,), (noise,) = kept(sampled(model()), tmp_path / "alone")
    return latents, noise


@pytest.mark.slow
def test_outside_row_i_is_drawn_with_the_very_seed_plus_i(alone: tuple[np.ndarray, np.ndarray]) -> None:
    rows = [torch.randn((1, *alone[1].shape[1:]), generator=torch.Generator().manual_seed(5 + i)) for i in range(2)]
    assert np.array_equal(alone[1], torch.cat(rows).numpy())


def test_every_step_draws_anew_also_without_sample_keys(workspace: Path, alone: tuple[np.ndarray, np.ndarray]) -> None:
    latents, noise = kept(sampled(training(3), "train"), workspace)
    assert len(latents) == 4, "once before the first step, and after each of three"
    assert different(*latents, alone[0]) and different(*noise, alone[1])
    for step, found in enumerate(noise[1:]):
        seeds = [stream_seed(SEED, "rain", (step,), (5, row)) for row in range(2)]
        rows = [torch.randn((1, *found.shape[1:]), generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        assert np.array_equal(found, torch.cat(rows).numpy())


def test_a_preview_is_what_the_nodes_draw_alone(workspace: Path, alone: tuple[np.ndarray, np.ndarray]) -> None:
    g = training(2)
    g.add("train.every", "every", inside="train", settings={"steps": 1})
    latents, noise = kept(sampled(g, "every"), workspace)
    assert len(latents) == 3 and same(*latents, alone[0]) and same(*noise, alone[1])


def test_validation_draws_the_same_every_time(workspace: Path, alone: tuple[np.ndarray, np.ndarray]) -> None:
    g = training(2)
    g.add("train.validate", "check", inside="train", settings={"steps": 1, "batches": 2})
    g.connect("mean.out", "check.loss", many=True)
    for id in ("mean", "mse"):
        g.add(f"loss.{id}", f"{id}2", inside="check")
    g.connect("predict.out", "mse2.prediction")
    g.connect("target.out", "mse2.target")
    g.connect("mse2.out", "mean2.loss")
    g.connect("mean2.out", "check.loss.0")
    latents, noise = kept(sampled(g, "check"), workspace)
    assert len(latents) == 4 and same(*latents, alone[0]) and same(*noise, alone[1])


def looped(owner: str, **settings: Any) -> hcpgraph.Graph:
    """The nodes in a region that runs three times."""
    g = model()
    g.add("value.list", "list", settings={"value": [1, 1, 1]})
    g.add(owner, "loop", settings=settings)
    g.connect("list.out", "loop.state" if owner == "flow.repeat" else "loop.items")
    sampled(g, "loop")
    if owner == "flow.repeat":
        g.connect("loop.state", "loop.next")
    else:
        g.connect("keep.out", "loop.result")
    return g


def test_every_pass_of_a_repeat_draws_anew(workspace: Path, alone: tuple[np.ndarray, np.ndarray]) -> None:
    latents, noise = kept(looped("flow.repeat", times=3), workspace)
    assert len(latents) == 3 and different(*latents, alone[0]) and different(*noise, alone[1])


def test_a_sweep_repeats_its_draws_unless_it_has_its_own(
    workspace: Path, tmp_path: Path, alone: tuple[np.ndarray, np.ndarray]
) -> None:
    latents, noise = kept(looped("flow.for_each"), workspace)
    assert len(latents) == 3 and same(*latents, alone[0]) and same(*noise, alone[1])
    latents, noise = kept(looped("flow.for_each", draws="own"), tmp_path / "own")
    assert len(latents) == 3 and different(*latents, alone[0]) and different(*noise, alone[1])


def test_a_sweep_in_a_repeat_repeats_the_draws_of_its_pass(workspace: Path) -> None:
    g = looped("flow.for_each")
    g.add("flow.repeat", "around", settings={"times": 2})
    g.connect("list.out", "around.state")
    for id in ("loop", "words", "cond", "empty", "draw", "rain", "keep"):
        if g.nodes[id].inside is None:
            g.move_into(id, "around")
    g.connect("loop.out", "around.next")
    latents, _ = kept(g, workspace)
    assert len(latents) == 6
    assert same(*latents[:3]) and same(*latents[3:]) and different(latents[0], latents[3])
