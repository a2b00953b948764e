"""Groups of layers and components in selectors, on models of every family."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.controlnet.new import new_controlnet
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.families.table import groups
from hcpgraph_nodes.model.handles import Handle, component
from hcpgraph_nodes.model.load import LoadedModel, load_model
from hcpgraph_nodes.model.root import Placement
from hcpgraph_nodes.model.save_part import chosen_weights
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.plugins.blocks.selector import Asked, grouped, select, weighted, within
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.selectors import GROUPS
from torch import nn

from hcpgraph import GraphError, GraphErrors
from hcpgraph.testing import context

OLD = re.compile(r".*(attn[12]\.to_(q|k|v|out\.0)|self_attn\.(q|k|v|out)_proj)$")
"""What the default of `plugin.lora` was before there were groups."""


@pytest.fixture(scope="module", params=["sd15", "sd2", "sdxl"])
def released(request: pytest.FixtureRequest) -> dict[str, Handle]:
    """The parts of a released model as they are on paper."""
    of = family(request.param)
    made = of.new(of.sizes, {}, Placement(torch.device("meta")), "epsilon", lambda _: 0)
    parts = {component(part): part for part in made if isinstance(part, Handle)}
    with torch.device("meta"):
        for part in parts.values():
            _ = part.root.layers
    return parts


@pytest.fixture
def model(workspace: Path) -> LoadedModel:
    return load_model(context(workspace), path="models:tiny")


@pytest.fixture
def two(workspace: Path, tiny_sdxl_folder: Path) -> LoadedModel:
    shutil.copytree(tiny_sdxl_folder, workspace / "models/two")
    return load_model(context(workspace), path="models:two")


def layers_of(handle: Handle, *selectors: str) -> list[str]:
    return select(handle.root.layers, selectors, Asked.of(handle))


def test_attention_is_what_the_default_has_always_meant(released: dict[str, Handle]) -> None:
    for name in ("denoiser", "text_encoder"):
        layers = released[name].root.layers
        assert layers_of(released[name], "@attention") == [path for path in layers if OLD.match(path)]


def test_groups_of_a_denoiser(released: dict[str, Handle]) -> None:
    denoiser = released["denoiser"]
    layers, found = denoiser.root.layers, grouped(denoiser.root.layers, Asked.of(denoiser))
    assert list(found) == list(GROUPS)
    assert set(found["attention"]) == {*found["self_attention"], *found["cross_attention"]}
    assert len(found["self_attention"]) == len(found["cross_attention"]) == len(found["attention"]) // 2
    assert all(".attn2." in path for path in found["cross_attention"])
    assert {type(layers[path]) for path in found["conv"]} == {nn.Conv2d}
    assert {type(layers[path]) for path in found["norm"]} == {nn.GroupNorm, nn.LayerNorm}
    assert len(found["mlp"]) == 2 * (len(found["attention"]) // 8)
    assert found["embedding"][:2] == ["time_embedding.linear_1", "time_embedding.linear_2"]
    assert found["all"] == weighted(layers)
    rest = set(found["all"]).difference(*(found[name] for name in GROUPS[:-1]))
    assert all(re.search(r"\.proj_(in|out)$", path) for path in rest), "only the ends of a transformer are in none"


def test_groups_of_a_text_encoder_and_a_vae(released: dict[str, Handle]) -> None:
    text = grouped(released["text_encoder"].root.layers, Asked.of(released["text_encoder"]))
    assert list(text) == ["attention", "self_attention", "mlp", "norm", "embedding", "all"]
    assert len(text["attention"]) == 2 * len(text["mlp"])
    assert all(path.endswith(("token_embedding", "position_embedding")) for path in text["embedding"])
    rest = set(text["all"]).difference(*(text[name] for name in text if name != "all"))
    assert rest <= {"text_encoder_2.text_projection"}
    vae = grouped(released["vae"].root.layers, Asked.of(released["vae"]))
    assert list(vae) == ["attention", "self_attention", "conv", "norm", "all"]
    assert len(vae["attention"]) == 2 * 4
    assert set(vae["all"]) == {*vae["attention"], *vae["conv"], *vae["norm"]}


def test_a_group_is_a_selector_like_others(workspace: Path, model: LoadedModel) -> None:
    denoiser = model.denoiser
    mlp, norms = layers_of(denoiser, "@mlp"), layers_of(denoiser, "@norm")
    assert layers_of(denoiser, "@mlp", "@norm", "@mlp") == [*mlp, *norms]
    assert layers_of(denoiser, "cls:LayerNorm:@norm") == [path for path in norms if "transformer_blocks" in path]
    adapted = lora(context(workspace), denoiser, layers=["@all"]).adapter.plugin.blocks
    assert list(adapted) == within(denoiser.root.layers, [""], (nn.Linear, nn.Conv2d))
    assert list(chosen_weights(model.vae, ["@norm"])) == [
        f"{path}.{name}" for path in layers_of(model.vae, "@norm") for name in ("weight", "bias")
    ]
    params = trainable(context(workspace), model.text_encoder, layers=["@embedding"]).params.groups[0]["params"]
    assert len(params) == 2 and all("embedding" in name for name in params)


def test_a_controlnet_has_the_groups_of_its_denoiser(workspace: Path, model: LoadedModel) -> None:
    control = new_controlnet(context(workspace), model.denoiser)
    found = grouped(control.root.layers, Asked.of(control))
    assert list(found) == list(GROUPS)
    assert layers_of(control, "controlnet:@attention") == [path for path in control.root.layers if OLD.match(path)]


@pytest.mark.parametrize(
    ("part", "selector", "code", "hint"),
    [
        ("denoiser", "@atention", "E_SELECTOR", "@attention"),
        ("denoiser", "@", "E_SELECTOR", "@attention"),
        ("text_encoder", "@conv", "E_NO_LAYER", "@attention, @self_attention, @mlp, @norm, @embedding, @all"),
        ("vae", "denoiser:@conv", "E_SELECTOR", "denoiser"),
        ("denoiser", "text_encoder_2:@mlp", "E_SELECTOR", "text_encoder"),
        ("text_encoder", "text_encoder_2:@mlp", "E_NO_LAYER", "text_encoder_1:"),
        ("denoiser", "vae:re:(", "E_SELECTOR", "vae"),
    ],
)
def test_what_is_not_there_is_refused(model: LoadedModel, part: str, selector: str, code: str, hint: str) -> None:
    with pytest.raises(GraphError) as caught:
        layers_of(getattr(model, part), selector)
    assert caught.value.problem.code == code and hint in (caught.value.problem.hint or "")
    assert f"'{selector}'" in caught.value.problem.message


def test_a_prefix_of_the_part_that_is_wired_changes_nothing(model: LoadedModel) -> None:
    for part in ("denoiser", "text_encoder", "vae"):
        handle = getattr(model, part)
        for selector in ("", "@attention", "re:.*norm", "cls:Linear"):
            assert layers_of(handle, f"{part}:{selector}") == layers_of(handle, selector)
    assert layers_of(model.text_encoder, "text_encoder_1:@mlp") == layers_of(model.text_encoder, "@mlp")
    points = layers_of(model.denoiser, "denoiser:conv_in")
    assert points == ["conv_in"]


def test_one_of_two_text_networks(two: LoadedModel) -> None:
    text = two.text_encoder
    both = layers_of(text, "@attention")
    assert layers_of(text, "text_encoder:@attention") == both
    first, second = (layers_of(text, f"text_encoder_{number}:@attention") for number in (1, 2))
    assert [*first, *second] == both and first and second
    assert all(path.startswith("text_encoder.") for path in first)
    assert all(path.startswith("text_encoder_2.") for path in second)
    assert layers_of(text, "text_encoder_2:") == layers_of(text, "text_encoder_2")
    fc1 = layers_of(text, "re:.*fc1$")
    assert layers_of(text, "text_encoder_1:re:.*fc1$") == [path for path in fc1 if path.startswith("text_encoder.")]
    with pytest.raises(GraphError, match="matches no layer"):
        layers_of(text, "text_encoder_1:text_encoder_2.text_projection")
    with pytest.raises(GraphError) as caught:
        layers_of(text, "text_encoder_3:@mlp")
    assert caught.value.problem.hint == "it has text_encoder_1:, text_encoder_2:"


def test_the_entry_with_the_fewest_layers_counts(workspace: Path, model: LoadedModel) -> None:
    first = layers_of(model.denoiser, "@cross_attention")[0]
    middle = "mid_block.attentions.0.transformer_blocks.0.attn2"
    ranks = {"denoiser:@attention": 2.0, first: 5.0, "@all": 1.0, "@cross_attention": 3.0, middle: 4.0}
    blocks = lora(context(workspace), model.denoiser, layers=["@attention"], ranks=ranks).adapter.plugin.blocks
    for path, block in blocks.items():
        wanted = 5 if path == first else 4 if path.startswith(middle) else 3 if "attn2" in path else 2
        assert block.rank == wanted, path
    same = dict(reversed(ranks.items()))
    again = lora(context(workspace), model.denoiser, layers=["@attention"], ranks=same).adapter.plugin.blocks
    assert {path: block.rank for path, block in again.items()} == {path: block.rank for path, block in blocks.items()}


def test_a_tie_is_refused_unless_a_smaller_entry_settles_it(workspace: Path, model: LoadedModel) -> None:
    keys, values = r"re:.*attn2\.to_[kv]$", r"re:.*attn2\.to_[vq]$"
    with pytest.raises(GraphErrors) as caught:
        lora(context(workspace), model.denoiser, lrs={keys: 1.0, values: 2.0})
    (problem,) = caught.value.problems
    assert problem.code == "E_LAYERS" and problem.port == "lrs" and "to_v" in problem.message
    settled = lora(context(workspace), model.denoiser, lrs={keys: 1.0, values: 2.0, r"re:.*attn2\.to_v$": 3.0}).params
    rates = {name: group.get("lr") for group in settled.groups for name in group["params"] if "attn2.to" in name}
    for name, rate in rates.items():
        assert rate == {"q": 2.0, "k": 1.0, "v": 3.0, "o": None}[name.partition("attn2.to_")[2][0]]


def test_an_unknown_family_has_all_layers_alone() -> None:
    layers = dict(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.LayerNorm(2, elementwise_affine=False)).named_modules())
    assert grouped(layers, Asked("nobody's", "denoiser")) == {"all": ["0"]}
    with pytest.raises(GraphError) as caught:
        select(layers, ["@mlp"], Asked("nobody's", "denoiser"))
    assert (caught.value.problem.code, caught.value.problem.hint) == ("E_NO_LAYER", "its groups: @all")


def test_every_family_says_its_groups() -> None:
    for name in ("sd15", "sd2", "sdxl"):
        for part in ("denoiser", "text_encoder", "vae", "controlnet"):
            assert set(groups(name, part)) <= set(GROUPS) - {"all"} and groups(name, part)
