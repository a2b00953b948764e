"""Sampling that stops on the way: against sample.denoise and loops written by hand, with their gradients."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.process.edm import edm
from hcpgraph_nodes.process.flow import flow
from hcpgraph_nodes.process.kinds.predictions import converted
from hcpgraph_nodes.process.predict import predict as process_predict
from hcpgraph_nodes.sample.denoise import denoise
from hcpgraph_nodes.sample.empty_latents import empty_latents
from hcpgraph_nodes.sample.grid import grid
from hcpgraph_nodes.sample.until import Gradient, until
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions, Conditioning, Latents, NoisyLatents, Process, Timesteps
from torch import Tensor

from hcpgraph import Context, GraphError
from hcpgraph.testing import context

CPU = torch.device("cpu")
STEPS = 5


class Setup:
    """A tiny model with a LoRA that does something, and what it is told."""

    def __init__(self, workspace: Path, process: Callable[[Process], Process] = lambda process: process) -> None:
        self.ctx: Context = context(workspace, node="until", seed=4, path=(3,))
        model = load_model(self.ctx, path="models:tiny")
        made = lora(self.ctx, model.denoiser, rank=2)
        self.plugin = made.adapter.plugin
        with torch.no_grad():
            for number, weight in enumerate(self.plugin.parameters()):
                weight.copy_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(number)))
        self.weights = [weight.requires_grad_() for weight in self.plugin.parameters()]
        self.denoiser, self.process = made.model, process(model.schedule)
        self.text, self.bare = (encode_text(model.text_encoder, Captions((text,))) for text in ("a red cat", ""))
        self.latents = empty_latents(model.vae, width=16, height=16, count=3)
        self.points = grid(self.process, STEPS, "auto", (8, 8), CPU).times

    def until(self, to: Tensor | None, **settings: Any) -> tuple[Tensor, Tensor]:
        ends = None if to is None else Timesteps(to)
        args = (self.ctx, self.denoiser, self.process, self.text, self.latents, ends)
        negative = self.bare if settings.get("guidance", 1.0) > 1 else None
        noisy, times = until(*args, negative, **{"steps": STEPS, "seed": 7, **settings})
        return noisy.data, times.data

    def by_hand(self, to: float, row: int, gradient: Gradient = "all", scale: float = 1.0) -> Tensor:
        """One sample alone, x_t = α x_0 + σ ε step by step."""
        (seed,) = self.ctx.row_seeds(7, 3)[row : row + 1]
        x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(seed))
        x = x * grid(self.process, STEPS, "auto", (8, 8), CPU).start
        points = [*self.points.tolist(), 0]
        for here, there in pairwise(points):
            if here <= to:
                break
            aim, final = max(there, to), max(there, to) == to
            x = x.detach() if gradient == "last" else x
            with torch.set_grad_enabled(gradient == "all" or (gradient == "last" and final)):
                t, s = (torch.tensor([each], dtype=self.points.dtype) for each in (here, aim))

                def said(text: Conditioning, x: Tensor = x, t: Tensor = t) -> tuple[Tensor, Tensor]:
                    output = predict(self.denoiser, NoisyLatents(x), Timesteps(t), text, None, self.process)
                    parts = (
                        converted(self.process, output.kind, output.data, x, t, kind) for kind in ("sample", "epsilon")
                    )
                    picture, noise = parts
                    return picture, noise

                picture, noise = said(self.text)
                if scale != 1:
                    other = said(self.bare)
                    picture, noise = (b + scale * (a - b) for a, b in zip((picture, noise), other, strict=True))
                alpha, sigma = (each.view(-1, 1, 1, 1) for each in self.process.coefficients(s))
                x = alpha * picture + sigma * noise
        return x


def close(one: Tensor, other: Tensor, tolerance: float = 1e-4) -> bool:
    one, other = one.detach(), other.detach()
    return bool((one - other).abs().max() <= tolerance * max(1.0, float(other.abs().max())))


PROCESSES: dict[str, Callable[[Process], Process]] = {
    "epsilon": lambda process: process,
    "v_prediction": lambda process: process_predict(process, prediction_type="v_prediction"),
    "flow": lambda process: flow(shift=2.0),
    "edm": lambda process: edm(),
}
SAMPLER = {"epsilon": "ddim", "v_prediction": "ddim", "flow": "euler", "edm": "euler"}


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_until_the_end_is_what_sample_denoise_does(workspace: Path, name: str, scale: float) -> None:
    it = Setup(workspace, PROCESSES[name])
    negative = it.bare if scale > 1 else None
    args = (it.ctx, it.denoiser, it.process, it.text, it.latents, negative)
    reference = denoise(*args, sampler=SAMPLER[name], steps=STEPS, guidance=scale, seed=7).data  # type: ignore[arg-type]
    found, times = it.until(None, guidance=scale)
    assert close(found, reference, 1e-5) and not times.any()
    other, _ = it.until(None, guidance=scale, seed=8)
    assert not close(other, reference, 1e-2)


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("gradient", ["none", "last", "all"])
def test_samples_end_where_they_should_with_the_gradients_asked_for(
    workspace: Path, name: str, gradient: Gradient
) -> None:
    it = Setup(workspace, PROCESSES[name])
    between = (it.points[1:3].sum() / 2).to(it.points.dtype)
    ends = torch.stack([it.points[3], between, it.points[0]])
    found, times = it.until(ends, gradient=gradient)
    assert torch.equal(times, ends)
    expected = torch.cat([it.by_hand(float(end), row, gradient) for row, end in enumerate(ends)])
    assert close(found, expected)
    assert found.requires_grad == (gradient != "none")
    if gradient == "none":
        return
    weight = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
    ours = torch.autograd.grad((found * weight).sum(), it.weights)
    theirs = torch.autograd.grad((expected * weight).sum(), it.weights)
    biggest = max(float(one.abs().max()) for one in theirs)
    assert biggest > 0
    assert all((one - other).abs().max() <= 1e-3 * biggest for one, other in zip(ours, theirs, strict=True))
    twin: Gradient = "all" if gradient == "last" else "last"
    others = torch.cat([it.by_hand(float(end), row, twin) for row, end in enumerate(ends)])
    wrong = torch.autograd.grad((others * weight).sum(), it.weights)
    assert any((one - other).abs().max() > 1e-2 * biggest for one, other in zip(ours, wrong, strict=True))


def test_guided_samples_and_gradients(workspace: Path) -> None:
    it = Setup(workspace)
    found, _ = it.until(it.points[2].expand(3), gradient="all", guidance=3.0)
    expected = torch.cat([it.by_hand(float(it.points[2]), row, "all", 3.0) for row in range(3)])
    assert close(found, expected)
    ours, theirs = (torch.autograd.grad(one.square().sum(), it.weights) for one in (found, expected))
    biggest = max(float(one.abs().max()) for one in theirs)
    assert all((one - other).abs().max() <= 1e-3 * biggest for one, other in zip(ours, theirs, strict=True))


def test_it_stops_as_soon_as_all_have_arrived(workspace: Path) -> None:
    it = Setup(workspace)
    reads = []
    module = it.denoiser.root.module
    handle = module.register_forward_pre_hook(lambda *_: reads.append(1))
    it.until(it.points[2].expand(3))
    handle.remove()
    assert len(reads) == 2
    start, times = it.until(torch.full((3,), 999))
    assert times.tolist() == [int(it.points[0])] * 3, "there is nothing above the first point"
    assert torch.equal(start, torch.cat([it.by_hand(999, row) for row in range(3)]))


def test_rows_do_not_depend_on_their_neighbours_but_on_their_keys(workspace: Path) -> None:
    it = Setup(workspace)
    keys = tuple(("d", 0, index) for index in range(3))
    it.latents = Latents(it.latents.data, keys)
    ends = torch.stack([it.points[3], it.points[1], it.points[2]])
    whole, _ = it.until(ends)
    it.latents = Latents(it.latents.data[1:], keys[1:])
    assert close(it.until(ends[1:])[0], whole[1:], 1e-5)
    noisy, times = until(it.ctx, it.denoiser, it.process, it.text, it.latents, Timesteps(ends[1:]), steps=STEPS)
    assert noisy.keys == times.keys == keys[1:]


def test_bad_input_is_told(workspace: Path) -> None:
    it = Setup(workspace)
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("E_BATCH", "to", {"to": torch.tensor([5])}),
        ("E_TIMESTEPS", "timesteps", {"to": torch.tensor([0.1, 0.2, 0.3])}),
    ]
    for code, port, settings in cases:
        with pytest.raises(GraphError) as caught:
            it.until(**settings)
        assert (caught.value.problem.code, caught.value.problem.port) == (code, port)
    it.process = flow()
    with pytest.raises(GraphError) as caught:
        it.until(None, spacing="trailing")
    assert caught.value.problem.code == "E_SETTING"
    with pytest.raises(GraphError) as caught:
        it.until(torch.tensor([1, 2, 3]))
    assert caught.value.problem.code == "E_TIMESTEPS"
    with pytest.raises(GraphError) as caught:
        until(it.ctx, it.denoiser, it.process, it.text, it.latents, guidance=2.0)
    assert caught.value.problem.code == "E_NO_NEGATIVE"
    rows = Conditioning({name: part.repeat(2, 1, 1) for name, part in it.text.parts.items()})
    with pytest.raises(GraphError) as caught:
        until(it.ctx, it.denoiser, flow(), rows, it.latents)
    assert caught.value.problem.code == "E_BATCH"
