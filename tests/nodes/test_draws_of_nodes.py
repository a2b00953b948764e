"""Every node that draws: new numbers in every pass of a region that draws anew, the same ones in equal places."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hcpgraph_nodes.data.batches.items import Items, layout, packed
from hcpgraph_nodes.data.bucketing.bucketed import Bucket, Bucketed
from hcpgraph_nodes.data.latent_loader import LatentLoader
from hcpgraph_nodes.data.latents import LatentSet
from hcpgraph_nodes.data.sources.dataset import Dataset, PictureFile, Sample
from hcpgraph_nodes.model.handles import Weights
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.statistics import Statistics
from hcpgraph_nodes.plugins.kinds import SinglePluginBlock
from hcpgraph_nodes.python.object import PythonObject
from hcpgraph_nodes.types import Captions, Conditioning, Images, Latents, LossMask, Noise, Posterior
from torch import Tensor, nn

from hcpgraph.context import Context, Scope
from hcpgraph.declaring.registry import default_registry
from hcpgraph.running.gradients import parts
from hcpgraph.testing import context

SENTENCES = [f"{place} {{caption}}" for place in "abcdefgh"]
LAYERS = {"layers": [r"re:.*attn1\.to_q$"]}
SETTINGS: dict[str, dict[str, Any]] = {
    "condition.drop": {"probabilities": {"text": 0.5}},
    "condition.image": {"dropout": 0.5},
    "condition.inpaint": {},
    "condition.mask": {"probability": 0.5},
    "controlnet.new": {"channels": [4, 8]},
    "data.caption_dropout": {"probability": 0.5},
    "data.latent_batch": {},
    "diffusion.encode_image": {},
    "diffusion.timesteps": {},
    "image_encoder.new": {
        "config": {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28}
    },
    "model.new": {"resolution": 16, "channels": [8, 16], "text_width": 16, "text_layers": 1, "vocab_size": 600},
    "noise.channel_offset": {},
    "noise.coarse": {},
    "noise.gaussian": {},
    "noise.offset": {},
    "noise.perturb": {},
    "noise.pyramid": {},
    "plugin.custom": LAYERS,
    "plugin.decoupled_attention": LAYERS | {"init": "random"},
    "plugin.loha": LAYERS,
    "plugin.lokr": LAYERS,
    "plugin.lora": LAYERS,
    "projection.new": {"width": 8, "out_width": 4},
    "projection.resampler": {"width": 8, "out_width": 4, "hidden": 8, "depth": 1, "heads": 1, "head_width": 8},
    "sample.denoise": {"steps": 2, "guidance": 1.0, "sampler": "euler_a"},
    "sample.until": {"steps": 2},
    "text.drop_tags": {"rate": 0.5},
    "text.pick_line": {"separator": " "},
    "text.shuffle_tags": {"separator": " "},
    "text.template": {"templates": SENTENCES},
    "text.template_pair": {"templates": SENTENCES},
    "text.wildcards": {},
    "timesteps.grid": {},
    "timesteps.importance": {},
    "vae.new": {"channels": [8, 16]},
    "vae.sample": {},
    "word.new": {"name": "zzz", "noise": 1.0},
}
"""Settings with which each of the nodes draws; a new node that draws belongs here."""
ORDERS = {"data.latent_loader", "data.latents", "data.loader", "data.split"}
"""Their seed names the order of a data set, of which the position is a step of the loop, or a choice that stays."""
GIVEN = {"value.seed", "train.loop"}
"""A seed for others to read, and the seed of a region."""


class Shift(SinglePluginBlock):
    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.randn(layer.out_features))

    def forward(self, value: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return value + self.shift


def values(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def latent_loader() -> LatentLoader:
    """One encoded picture, a whole epoch."""
    kind, content = packed({"mean": values(4, 8, 8).numpy(), "deviation": values(4, 8, 8).numpy(), "sizes": np.ones(6)})
    items = Items([np.frombuffer(content, np.uint8)], [layout(kind)], np.zeros((1, 3), np.int64))
    data = Dataset("one", (Sample(PictureFile("/one.png", (16, 16)), "", "one"),))
    bucketed = Bucketed(data, (Bucket(16, 16, (0,)),), "center", "pad_repeat")
    return LatentLoader(LatentSet(bucketed, items, ({0: (0,)},), Statistics(1.0)), 1)


OWN: dict[str, dict[str, Any]] = {"condition.drop": {"Conditioning": Conditioning.of(values(64, 7, 4))}}
"""Inputs of a node that needs many rows to draw anything else."""


@pytest.fixture(scope="module")
def inputs(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A value of every type that such a node takes, all without sample keys."""
    workspace = tmp_path_factory.mktemp("draws")
    shutil.copytree(tiny_folder, workspace / "models/tiny")
    model = load_model(context(workspace), path="models:tiny")
    texts = tuple("{1|2|3|4|5|6|7|8} b c d e f" for _ in range(64))
    return {
        "$M:Handle": model.denoiser,
        "$T:TextEncoder": model.text_encoder,
        "Denoiser": model.denoiser,
        "TextEncoder": model.text_encoder,
        "Vae": model.vae,
        "Process": model.schedule,
        "Captions": Captions(texts),
        "Conditioning": Conditioning.of(values(1, 77, 32)),
        "Images": Images(values(64, 3, 16, 16)),
        "LatentLoader": latent_loader(),
        "LossMask": LossMask(values(64, 1, 16, 16)),
        "Latents": Latents(values(2, 4, 8, 8)),
        "Noise": Noise(values(2, 4, 8, 8)),
        "Posterior": Posterior(values(2, 4, 8, 8), values(2, 4, 8, 8)),
        "PythonObject": PythonObject(Shift, {}),
    }


def drawing() -> list[str]:
    return sorted(id for id, spec in default_registry().specs.items() if spec.has("random") and not spec.body)


def at(workspace: Path, id: str, scope: Scope) -> Context:
    ctx = context(workspace, node=id)
    return Context(id, ctx.run, scope)


def drawn(id: str, ctx: Context, inputs: dict[str, Any]) -> list[str | bytes]:
    """Everything that a node gave: texts, and the bytes of tensors and weights."""
    impl = default_registry().impl(id)
    known = {**inputs, **OWN.get(id, {})}
    ports = [None if port.optional else known[port.ref.name] for port in impl.spec.inputs]
    result = impl.target(ctx, *ports, **SETTINGS[id])
    return list(told(result))


def told(value: Any) -> Iterator[str | bytes]:
    if isinstance(value, Captions):
        yield from value.texts
    elif isinstance(value, Weights):
        for module in value.modules() or (value.root.module,):  # type: ignore[attr-defined]
            yield from (parameter.detach().numpy().tobytes() for parameter in module.parameters())
    elif isinstance(value, tuple) and not isinstance(value, str):
        for item in value:
            yield from told(item)
    else:
        yield from (part.detach().numpy().tobytes() for part in parts(value) if isinstance(part, Tensor))


def test_every_node_that_draws_is_looked_at_here() -> None:
    assert drawing() == sorted(SETTINGS)


def test_every_seed_is_drawn_from_by_a_node_that_says_so() -> None:
    specs = default_registry().specs.values()
    silent = {spec.id for spec in specs if spec.seeds and not spec.has("random")}
    assert silent == (ORDERS | GIVEN) - {"train.loop"}, "declare effects='random' and draw with ctx.row_seeds"


@pytest.mark.parametrize("id", drawing())
def test_two_passes_differ_and_equal_places_are_equal(id: str, tmp_path: Path, inputs: dict[str, Any]) -> None:
    def of(*path: int, exact: bool = False) -> list[str | bytes]:
        return drawn(id, at(tmp_path, id, Scope(7, path, exact)), inputs)

    top = of(exact=True)
    assert top and top == of(exact=True)
    passes = [of(0), of(1), of(0, 1), of(1, 1)]
    assert passes[0] == of(0)
    assert all(one != other for number, one in enumerate(passes) for other in (*passes[number + 1 :], top))
    seeds = default_registry().specs[id].seeds
    other = drawn(id, at(tmp_path, id, Scope(8, (), True)), inputs)
    assert (other == top) == bool(seeds), "at the top a seed setting is the seed, whatever the run's is"
