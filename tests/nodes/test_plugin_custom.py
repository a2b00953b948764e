"""`plugin.custom`, `plugin.input` and a node of a pack, with the classes of docs/plugins.md."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.custom import custom_plugin
from hcpgraph_nodes.plugins.input import side_input
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.python.object import python_object
from hcpgraph_nodes.text.encode import encode
from hcpgraph_nodes.types import Captions, Conditioning, NoisyLatents, Timesteps

import hcpgraph
from hcpgraph import GraphError, trust
from hcpgraph.testing import context

from ..graphs.hand_written import drawn
from ..test_docs import blocks

QUERY = r"re:.*attn1\.to_q$"
KINDS = {
    "Scale": {"layers": [QUERY, "pre_hook:conv_out"]},
    "Shortcut": {"layers": [f"pre_hook:{QUERY}"], "to_layers": [r"re:.*attn1\.to_out\.0$"]},
    "Mixed": {"layers": [r"re:down.*attn1\.to_q$"], "to_layers": [r"re:up.*attn1\.to_q$"]},
    "Gate": {"layers": [r"re:.*ff$"]},
    "Noise": {"layers": [QUERY]},
}
NOISE = """
class Noise(SinglePluginBlock):
    def __init__(self, layer):
        super().__init__()
        self.shift = nn.Parameter(torch.randn(layer.out_features))
    def forward(self, value, *args, **kwargs):
        return value + self.shift
"""


@pytest.fixture
def mine(tmp_path_factory, monkeypatch):
    """The classes of the page as an installed module that the user trusts."""
    folder = tmp_path_factory.mktemp("mine")
    monkeypatch.setenv("HCPGRAPH_CONFIG", str(folder / "config"))
    monkeypatch.syspath_prepend(str(folder))
    parts = blocks("docs/plugins.md", "python")
    name = f"mine_{folder.name}"
    (folder / f"{name}.py").write_text("\n\n".join([*parts[:4], NOISE]), encoding="utf-8")
    for kind in KINDS:
        trust.add(f"{name}:{kind}")
    return name


@pytest.fixture
def denoiser(workspace: Path):
    return load_model(context(workspace), path="models:tiny").denoiser


def run(handle) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    noisy = NoisyLatents(torch.randn(2, 4, 8, 8, generator=generator))
    text = Conditioning.of(torch.randn(2, 77, 32, generator=generator))
    return predict(handle, noisy, Timesteps(torch.tensor([10, 700])), text).data


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_named_in_a_graph(kind: str, mine: str, workspace: Path, denoiser) -> None:
    ctx = context(workspace, node="own")
    made = custom_plugin(ctx, denoiser, python_object(path=f"{mine}:{kind}"), lr=0.1, weight_decay=0.2, **KINDS[kind])
    run(made.model).square().mean().backward()
    (group,) = made.params.groups
    assert (group["name"], group["lr"], group["weight_decay"]) == ("own", 0.1, 0.2)
    assert group["params"] and all(p.grad is not None for p in group["params"].values())
    frozen = custom_plugin(ctx, denoiser, python_object(path=f"{mine}:{kind}"), trainable=False, **KINDS[kind])
    assert frozen.params.groups == () and torch.equal(run(frozen.model), run(made.model))


def test_random_starts_depend_on_seed_and_layer_alone(mine: str, workspace: Path, denoiser) -> None:
    def made(seed: int, layers: list[str]):
        kind = python_object(path=f"{mine}:Noise")
        return custom_plugin(context(workspace, node="n", seed=seed), denoiser, kind, layers=layers).adapter.plugin

    torch.manual_seed(1)
    state = torch.get_rng_state()
    first, other = made(1, [QUERY]), made(2, [QUERY])
    assert torch.equal(torch.get_rng_state(), state)
    path = list(first.blocks)[-1]
    assert torch.equal(made(1, [path]).blocks[path].shift, first.blocks[path].shift)
    assert not torch.equal(other.blocks[path].shift, first.blocks[path].shift)
    firsts = [block.shift[0].item() for block in first.blocks.values()]
    assert len(firsts) > 1 and len(set(firsts)) == len(firsts)


@pytest.mark.parametrize(
    ("path", "to_layers", "code"),
    [("torch.nn:SmoothL1Loss", [], "E_OBJECT"), ("Shortcut", [], "E_LAYERS"), ("Scale", ["conv_in"], "E_LAYERS")],
)
def test_mistakes(path: str, to_layers: list[str], code: str, mine: str, workspace: Path, denoiser) -> None:
    kind = python_object(path=path if ":" in path else f"{mine}:{path}")
    with pytest.raises(GraphError) as caught:
        custom_plugin(context(workspace), denoiser, kind, layers=[QUERY], to_layers=to_layers)
    assert caught.value.problem.code == code and caught.value.problem.hint


def test_the_input_of_a_wire_reaches_the_plugins_of_that_wire(mine: str, workspace: Path, denoiser) -> None:
    ctx = context(workspace, node="own")
    gated = custom_plugin(ctx, denoiser, python_object(path=f"{mine}:Gate"), layers=[r"re:.*ff$"]).model
    with torch.no_grad():
        for parameter in gated.stack[0].parameters():
            parameter.fill_(0.01)
        before = run(gated)
        other = side_input(gated, torch.tensor([700, 10]), name="timesteps")
        assert not torch.equal(run(other), before) and torch.equal(run(gated), before)
        assert torch.equal(run(side_input(gated, torch.tensor([10, 700]), name="timesteps")), before)


def test_an_encoder_with_side_inputs_is_not_cached(workspace: Path) -> None:
    text = load_model(context(workspace), path="models:tiny").text_encoder
    plugged = lora(context(workspace), text, rank=1).model
    for plugin in plugged.stack:
        plugin.trainable = False
    words = Captions(("a cat",))
    with pytest.raises(GraphError) as caught:
        encode(context(workspace), side_input(plugged, 1.0, name="mood"), words, cache="disk")
    assert caught.value.problem.code == "E_CACHE"
    off = encode(context(workspace), side_input(plugged, 1.0, name="mood"), words, cache="off")
    assert torch.equal(off.data, encode(context(workspace), text, words, cache="off").data)


def test_numbers_that_are_set_reach_the_text_cache(workspace: Path) -> None:
    text = load_model(context(workspace), path="models:tiny").text_encoder
    plugged = lora(context(workspace), text, rank=1).model
    (plugin,) = plugged.stack
    plugin.trainable = False
    with torch.no_grad():
        for parameter in plugin.parameters():
            parameter.fill_(0.3)
    words = Captions(("a cat",))
    first = encode(context(workspace), plugged, words, cache="ram").data
    plugin.set_hyper_params(strength=0.0)
    second = encode(context(workspace), plugged, words, cache="ram").data
    assert not torch.equal(first, second)
    assert torch.allclose(second, encode(context(workspace), text, words, cache="off").data, atol=1e-6)


TINT = '''
class Tint(SinglePluginBlock):
    """Shifts a layer by the mean of the clean latents, which come from a wire."""

    wants = ("clean",)

    def __init__(self, layer):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, value, *args, clean, **kwargs):
        return value + self.weight * clean.data.mean((1, 2, 3)).view(-1, 1, 1, 1)


@node("my.tint", effects="resource")
def tint(ctx: Context, model: M) -> Adapted[M]:
    """Tint.

    Args:
        model: Any model.
    """
    return adapted(model, component(model), Tint.on(model, ["pre_hook:mid_block"]), ctx.node, None, 0.0)
'''


@pytest.mark.slow
def test_nodes_of_a_pack_are_trained_with_a_side_input_of_every_step(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "mine.py").write_text("\n\n".join([*blocks("docs/plugins.md", "python"), TINT]), encoding="utf-8")
    found = []
    for checkpointing in (False, True):
        g = drawn(3)
        g.remove("whole")
        g.set("new.checkpointing", checkpointing)
        g.add("my.scale", "scaled", layers=[r"re:.*attn1\.to_q$"], lr=0.1)
        g.add("my.tint", "tinted")
        g.add("plugin.input", "clean", inside="train", settings={"name": "clean"})
        for source, target in [
            ("new.denoiser", "scaled.model"),
            ("scaled.model", "tinted.model"),
            ("tinted.model", "clean.model"),
            ("latents.out", "clean.value"),
            ("clean.out", "predict.denoiser"),
            ("scaled.params", "adamw.params"),
            ("tinted.params", "adamw.params"),
        ]:
            g.connect(source, target)
        g.add("flow.after", "last")
        g.connect("tinted.model", "last.value")
        g.connect("train.trained", "last.trained")
        options = {"workspace": tmp_path / f"{checkpointing}", "packs": [pack]}
        assert [problem for problem in hcpgraph.validate(g, **options) if problem.severity == "error"] == []
        result = hcpgraph.run(g, targets=["last"], **options)
        assert result.status == "done", result.failed
        scaled, tinted = result.outputs["last.out"].stack
        found.append([*scaled.parameters(), *tinted.parameters()])
    assert len(found[0]) > 2
    assert all(p.item() not in (0.0, 1.0) for p in found[0]), "all are trained"
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
