"""Plugins of a stranger's pack are saved and loaded: all four kinds, and files that must not be followed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.condition.part import part
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.attach import adapted
from hcpgraph_nodes.plugins.decoupled_attention import decoupled_attention
from hcpgraph_nodes.plugins.load import load_plugin
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.plugins.save import save_plugin
from hcpgraph_nodes.types import Conditioning, Features, NoisyLatents, Timesteps
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import hcpgraph
from hcpgraph import GraphError
from hcpgraph.declaring import tables
from hcpgraph.importing import folder_module
from hcpgraph.testing import context

from ..graphs.hand_written import drawn

PACK = '''
"""A stranger's plugins."""

from typing import Annotated

import torch
from hcpgraph import Context, node
from hcpgraph.widgets import LayerPicker
from hcpgraph_nodes.model.handles import component
from hcpgraph_nodes.plugins.attach import Adapted, M, adapted
from hcpgraph_nodes.plugins.kinds import MultiPluginBlock, PluginBlock, SinglePluginBlock, WrapPluginBlock
from torch import nn

TABLE = {"table": "plugins", "name": "theirs.all", "classes": ["Rescale", "Shift", "Shortcut", "Mixed", "Evil"]}


class Rescale(WrapPluginBlock):
    """One factor an output channel of a linear layer, some power of it."""

    hyper_params = ("strength",)

    def __init__(self, layer, power=1):
        super().__init__()
        self.power = power
        self.strength = 1.0
        self.factors = nn.Parameter(torch.ones(layer.out_features))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def options(self):
        return {"power": self.power}

    def forward(self, host, x, *args, **kwargs):
        return host(x, *args, **kwargs) * (1 + self.strength * (self.factors**self.power - 1))


class Shift(SinglePluginBlock):
    """Adds a number."""

    def __init__(self, layer):
        super().__init__()
        self.by = nn.Parameter(torch.zeros(()))

    def forward(self, value, *args, **kwargs):
        return value + self.by


class Shortcut(PluginBlock):
    """Leads what went into one linear layer to the output of another."""

    def __init__(self, source, target):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(target.out_features, source.in_features))

    def forward(self, feature, value, *args, **kwargs):
        return value + feature @ self.weight.T


class Mixed(MultiPluginBlock):
    """Adds to linear layers a map of the mean of others' outputs."""

    def __init__(self, sources, targets):
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(sources[0].out_features, t.out_features) for t in targets)

    def forward(self, features):
        return [each(sum(features) / len(features)) for each in self.maps]


class Hidden(Shift):
    """Not declared."""


Evil = print


@node("theirs.power", effects="resource")
def rescale(
    ctx: Context, model: M, *, layers: Annotated[list[str], LayerPicker()], power: int = 1, lr: float = 0.1
) -> Adapted[M]:
    """Scale what layers give by learnt vectors.

    Args:
        model: Any model.
        layers: Selectors.
        power: Power of the factors.
        lr: Learning rate.
    """
    plugin = Rescale.on(model, layers, lambda at: Rescale(at.layer, power))
    return adapted(model, component(model), plugin, ctx.node, lr)
'''
VALUES = r"re:.*attn1\.to_v$"
NOISY, TIMES = NoisyLatents(torch.ones(1, 4, 8, 8).cumsum(-1) / 9), Timesteps(torch.tensor([300]))
TEXT = Conditioning.of(torch.randn(1, 7, 32, generator=torch.Generator().manual_seed(0)))
MAKERS: dict[str, Any] = {
    "Rescale": lambda theirs, model: theirs.Rescale.on(model, [VALUES], lambda at: theirs.Rescale(at.layer, 2)),
    "Shift": lambda theirs, model: theirs.Shift.on(model, ["conv_in", "pre_hook:mid_block"]),
    "Shortcut": lambda theirs, model: theirs.Shortcut.on(
        model, [r"pre_hook:re:.*attn1\.to_q$"], [r"re:.*attn1\.to_out\.0$"]
    ),
    "Mixed": lambda theirs, model: theirs.Mixed.on(
        model, [r"re:mid_block.*attn1\.to_(q|k)$"], [r"re:mid_block.*attn1\.to_out\.0$"]
    ),
}


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packs") / "theirs"
    folder.mkdir()
    (folder / "kinds.py").write_text(PACK, encoding="utf-8")
    return folder


@pytest.fixture
def theirs(pack: Path) -> Any:
    """Their module, of a pack that this process has opened."""
    assert "theirs.all" not in hcpgraph.table("plugins")
    before = dict(tables._known)
    file = pack / "kinds.py"
    row = tables.read_row(folder_module(file), file)
    assert row is not None
    tables.know(str(pack), [row])
    yield row.load()
    tables._known.clear()
    tables._known.update(before)


@pytest.fixture
def root(tiny_folder: Path, tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/tiny").symlink_to(tiny_folder)
    return tmp_path


def denoiser(root: Path) -> Any:
    return load_model(context(root), path="models:tiny").denoiser


def output(model: Any, given: Conditioning = TEXT) -> torch.Tensor:
    with torch.no_grad():
        return predict(model, NOISY, TIMES, given).data


def saved(root: Path, kind: str, theirs: Any, **settings: Any) -> tuple[Any, Any]:
    """A model with a trained plugin of a kind, and the model without it; the file is out:p.safetensors."""
    base = denoiser(root)
    made = adapted(base, "denoiser", MAKERS[kind](theirs, base), "node", None)
    with torch.no_grad():
        for place, value in enumerate(made.model.stack[0].parameters()):
            value.add_(0.2 * torch.randn(value.shape, generator=torch.Generator().manual_seed(place)))
    save_plugin(context(root), [made.adapter], path="out:p.safetensors", **{"dtype": "fp32", **settings})
    return made.model, base


@pytest.mark.parametrize("kind", MAKERS)
def test_all_kinds_are_saved_and_loaded(kind: str, theirs: Any, root: Path) -> None:
    model, base = saved(root, kind, theirs)
    state = torch.random.get_rng_state()
    again = load_plugin(context(root), denoiser(root), path="out:p.safetensors")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(output(again.model), output(model))
    assert (output(model) - output(base)).abs().max() > 1e-4
    assert again.params.groups == () and not again.model.trainable
    own, other = again.model.stack[0], model.stack[0]
    assert type(own.blocks[next(iter(own.blocks))]) is getattr(theirs, kind)
    assert own.hooks.keys() == other.hooks.keys() and own.state().keys() == other.state().keys()
    trained = load_plugin(context(root), denoiser(root), path="out:p.safetensors", trainable=True, lr=0.5)
    assert trained.params.groups[0]["lr"] == 0.5 and trained.params.groups[0]["params"]
    save_plugin(context(root), [again.adapter], path="out:q.safetensors", dtype="fp32")
    first, second = (load_file(root / f"out/{name}.safetensors") for name in "pq")
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_strength_precision_and_buffers(theirs: Any, root: Path) -> None:
    model, base = saved(root, "Rescale", theirs, dtype="bf16")
    file = load_file(root / "out/p.safetensors")
    assert {value.dtype for value in file.values()} == {torch.bfloat16, torch.int64}
    off = load_plugin(context(root), denoiser(root), path="out:p.safetensors", strength=0.0)
    assert torch.equal(output(off.model), output(base))
    on = load_plugin(context(root), denoiser(root), path="out:p.safetensors")
    torch.testing.assert_close(output(on.model), output(model), rtol=0.05, atol=0.05)
    assert all(block.power == 2 for block in on.model.stack[0].blocks.values())


def code(call: Any) -> tuple[str, str]:
    with pytest.raises(GraphError) as caught:
        call()
    return str(caught.value.problem.code), str(caught.value)


def test_a_missing_pack_is_named_and_nothing_imported(theirs: Any, root: Path) -> None:
    saved(root, "Rescale", theirs)
    tables._known.pop(
        next(folder for folder, rows in tables._known.items() if any(r.name == "theirs.all" for r in rows))
    )
    found, message = code(lambda: load_plugin(context(root), denoiser(root), path="out:p.safetensors"))
    assert found == "E_PLUGIN_KIND" and "'theirs.all:Rescale' of the pack 'theirs'" in message


@pytest.mark.parametrize(
    "kind", ["os:system", "theirs.all:Hidden", "theirs.all:nn", "adapters:LoraBlock", "antigravity:x", ""]
)
def test_only_declared_classes_are_followed(kind: str, theirs: Any, root: Path) -> None:
    saved(root, "Shift", theirs)
    rewritten(root, lambda blocks: [{**block, "kind": kind} for block in blocks])
    found, _ = code(lambda: load_plugin(context(root), denoiser(root), path="out:q.safetensors"))
    assert found == "E_PLUGIN_KIND" and "antigravity" not in sys.modules


def test_what_is_declared_and_no_plugin_is_refused(theirs: Any, root: Path, capsys: Any) -> None:
    saved(root, "Shift", theirs)
    rewritten(root, lambda blocks: [{**block, "kind": "theirs.all:Evil"} for block in blocks])
    assert code(lambda: load_plugin(context(root), denoiser(root), path="out:q.safetensors"))[0] == "E_PLUGIN_KIND"
    assert capsys.readouterr().out == ""


def rewritten(root: Path, change: Any) -> None:
    """out:q is out:p with another header."""
    file = root / "out/p.safetensors"
    with safe_open(file, "pt") as opened:
        metadata = dict(opened.metadata())
    said = change(json.loads(metadata["hcpgraph.plugins"])["denoiser"])
    metadata["hcpgraph.plugins"] = said if isinstance(said, str) else json.dumps({"denoiser": said})
    save_file(load_file(file), root / "out/q.safetensors", metadata)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"at": ["nowhere"]}, "E_NO_LAYER"),
        ({"options": {"power": 2, "more": 1}}, "E_STATE"),
        ({"at": ["conv_in"]}, "E_STATE"),
        ({"at": []}, "E_FILE"),
        ({"surprise": 1}, "E_FILE"),
        ({"name": "other"}, "E_STATE"),
    ],
)
def test_damaged_files_are_refused(change: dict[str, Any], expected: str, theirs: Any, root: Path) -> None:
    saved(root, "Rescale", theirs)
    rewritten(root, lambda blocks: [{**block, **change} for block in blocks])
    assert code(lambda: load_plugin(context(root), denoiser(root), path="out:q.safetensors"))[0] == expected
    rewritten(root, lambda blocks: "[" * 5000)
    assert code(lambda: load_plugin(context(root), denoiser(root), path="out:q.safetensors"))[0] == "E_FILE"


def test_sizes_that_lie_take_no_memory(root: Path) -> None:
    made = decoupled_attention(context(root), denoiser(root))
    save_plugin(context(root), [made.adapter], path="out:p.safetensors")
    rewritten(root, lambda blocks: [{**b, "options": {**b["options"], "width": 10**11}} for b in blocks])
    assert code(lambda: load_plugin(context(root), denoiser(root), path="out:q.safetensors"))[0] == "E_STATE"


def test_what_cannot_be_written_is_refused(theirs: Any, root: Path) -> None:
    base = denoiser(root)
    hidden = adapted(base, "denoiser", theirs.Hidden.on(base, ["conv_in"]), "node", None)
    found, message = code(lambda: save_plugin(context(root), [hidden.adapter], path="out:h.safetensors"))
    assert found == "E_ADAPTER" and '"plugins"' in message
    shift = adapted(base, "denoiser", theirs.Shift.on(base, ["conv_in"]), "node", None)
    text = load_model(context(root), path="models:tiny").text_encoder
    both = [shift.adapter, lora(context(root), text, rank=2).adapter]
    assert code(lambda: save_plugin(context(root), both, path="out:h.safetensors"))[0] == "E_ADAPTER"
    kohya = code(lambda: save_plugin(context(root), [shift.adapter], path="out:h.safetensors", layout="kohya"))
    assert kohya[0] == "E_ADAPTER" and not list(root.glob("out/h*"))
    rescaled = adapted(
        base, "denoiser", theirs.Rescale.on(base, [VALUES], lambda at: theirs.Rescale(at.layer, {1})), "n", None
    )
    assert code(lambda: save_plugin(context(root), [rescaled.adapter], path="out:h.safetensors"))[0] == "E_ADAPTER"


def test_a_strength_for_a_kind_without_one_is_refused(theirs: Any, root: Path) -> None:
    saved(root, "Shift", theirs)
    given = {"path": "out:p.safetensors", "strength": 0.5}
    assert code(lambda: load_plugin(context(root), denoiser(root), **given))[0] == "E_HYPER_PARAM"
    averages = {"path": "out:p.safetensors", "averages": True}
    assert code(lambda: load_plugin(context(root), denoiser(root), **averages))[0] == "E_LORA_KEYS"
    text = load_model(context(root), path="models:tiny").text_encoder
    assert code(lambda: load_plugin(context(root), text, path="out:p.safetensors"))[0] == "E_LORA_KEYS"


def test_decoupled_attention_has_a_file(root: Path) -> None:
    """Our own kind goes the same way; strength is that of the load."""
    base = denoiser(root)
    made = decoupled_attention(context(root), base, init="random", strength=0.5)
    save_plugin(context(root), [made.adapter], path="out:ip.safetensors", dtype="fp32")
    given = part(TEXT, Features(torch.randn(1, 3, 32, generator=torch.Generator().manual_seed(4))))
    again = load_plugin(context(root), denoiser(root), path="out:ip.safetensors", strength=0.5)
    assert torch.equal(output(again.model, given), output(made.model, given))
    assert not torch.equal(
        output(load_plugin(context(root), denoiser(root), path="out:ip.safetensors").model, given),
        output(made.model, given),
    )


@pytest.mark.slow
def test_a_graph_trains_saves_and_loads_it_on_one_wire(pack: Path, tmp_path: Path) -> None:
    """The parts of the file are known before the run; a class that is edited is another key."""
    g = drawn(2)
    g.remove("whole")
    g.add("theirs.power", "rescale", layers=[VALUES], power=2)
    g.add("flow.after", "last")
    g.add("plugin.save", "save", path="out:own.safetensors", dtype="fp32")
    for wire in [
        "new.denoiser rescale.model",
        "rescale.model predict.denoiser",
        "rescale.params adamw.params",
        "rescale.adapter last.value",
        "train.trained last.trained",
        "last.out save.adapter",
    ]:
        g.connect(*wire.split())
    result = hcpgraph.run(g, targets=["save", "last.out"], workspace=tmp_path, packs=[pack])
    assert result.status == "done", result.failed
    h = hcpgraph.Graph()
    settings = {"resolution": 16, "channels": [8, 16], "text_width": 16, "text_layers": 1, "vocab_size": 600}
    h.add("model.new", "new", settings=settings)
    h.add("plugin.load", "load", path="out:own.safetensors")
    h.connect("new.model", "load.model")
    loaded = hcpgraph.run(h, targets=["load.adapter"], workspace=tmp_path, packs=[pack])
    assert loaded.status == "done", loaded.failed
    own, trained = (r.outputs[name].plugin.state() for r, name in ((loaded, "load.adapter"), (result, "last.out")))
    assert own.keys() == trained.keys() and all(torch.equal(own[name], trained[name]) for name in own)
