"""Adapter files of diffusion transformers: layers that the authors keep as one, and what other programs read and write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.adapter_files.fused import cut, halves_swapped, joined
from hcpgraph_nodes.adapter_files.names import Spelling
from hcpgraph_nodes.adapter_files.parts import of_keys
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.plugins.attach import adapted
from hcpgraph_nodes.plugins.base import Plugin
from hcpgraph_nodes.plugins.blocks.adapter import AdapterBlock
from hcpgraph_nodes.plugins.load import load_plugin
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import Linear

from hcpgraph import GraphError
from hcpgraph.testing import context

from . import harness
from .adapters import attached, comfy_stems, same, saved, taken_apart, transformers

TEXT_LAYERS = ["@attention", "@mlp"]
KOHYA_TEXTS = {
    "sd3": {"clip_l": "lora_te1_", "clip_g": "lora_te2_", "t5xxl": "lora_te3_"},
    "flux": {"clip_l": "lora_te1_", "t5xxl": "lora_te3_"},
}
CASE = harness.Case("sd3", louder=2.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("adapters")


@pytest.fixture(scope="module")
def models(root: Path) -> dict[str, Any]:
    return {}


def model_of(root: Path, models: dict[str, Any], name: str) -> Any:
    if name not in models:
        models[name] = new_model(context(root), family=name, seed=1)
    return models[name]


@pytest.fixture
def sd3(root: Path, models: dict[str, Any]) -> Any:
    return model_of(root, models, "sd3")


def networks(name: str, layout: str) -> list[str]:
    """Selectors of the text networks that a layout has a place for."""
    texts = family(name).texts
    fits = {"kohya": lambda text: text.kohya, "peft": lambda text: text.peft, "comfy": lambda text: text.comfy}
    chosen = [index for index, text in enumerate(texts, 1) if fits[layout](text)]
    return [f"text_encoder_{index}:{group}" if len(texts) > 1 else group for index in chosen for group in TEXT_LAYERS]


def test_every_layout_gives_back_what_was_written(root: Path, models: dict[str, Any]) -> None:
    """Of every family, at every linear layer of the denoiser and its text networks; ranks differ from layer to layer."""
    for name in transformers():
        model = model_of(root, models, name)
        unet = attached(model.denoiser, [""], rank=lambda number: 2 + number % 3)
        for layout in ("kohya", "comfy", "peft"):
            made = [(model.denoiser, unet)]
            if layers := networks(name, layout):
                made.append((model.text_encoder, attached(model.text_encoder, layers)))
            file = saved(root, [each for _, each in made], layout, f"{name}_{layout}")
            for handle, each in made:
                again = load_plugin(context(root), handle, path=file)
                same(again.adapter.plugin.blocks, each.adapter.plugin.blocks)


@pytest.mark.parametrize("variant", ["loha", "lokr", "full", "dora", "bias"])
def test_other_kinds_come_back_or_are_refused(root: Path, models: dict[str, Any], variant: str) -> None:
    """One layer of the original network takes every kind; where it has one of several, kohya's layout has LoRAs alone,
    and ComfyUI's has diffusers' names, which it reads too."""
    for name in transformers():
        model = model_of(root, models, name)
        layers = model.denoiser.root.layers
        spelling = Spelling(name, model.denoiser.config)
        places = {path: spelling.place("denoiser", path) for path, layer in layers.items() if isinstance(layer, Linear)}
        alone = [
            f"re:^{path}$"
            for path, place in places.items()
            if len(place.whole) == 1 and not place.swapped and not any(size % 2 for size in layers[path].weight.shape)
        ]
        shared = [path for path, place in places.items() if len(place.whole) > 1]
        single = attached(model.denoiser, alone, variant)
        for layout in ("kohya", "comfy"):
            again = load_plugin(context(root), model.denoiser, path=saved(root, [single], layout))
            same(again.adapter.plugin.blocks, single.adapter.plugin.blocks)
        if not shared:
            continue
        every = attached(model.denoiser, [f"re:^{path}$" for path in shared], variant)
        blocks = every.adapter.plugin.blocks
        same(
            load_plugin(context(root), model.denoiser, path=saved(root, [every], "comfy")).adapter.plugin.blocks, blocks
        )
        if variant in ("full", "bias"):
            same(
                load_plugin(context(root), model.denoiser, path=saved(root, [every], "kohya")).adapter.plugin.blocks,
                blocks,
            )
            continue
        with pytest.raises(GraphError, match=f"kohya's layout has no (LoHa|LoKr|DoRA) where .*{shared[0]}") as caught:
            saved(root, [every], "kohya")
        assert caught.value.problem.code == "E_ADAPTER" and "comfy" in str(caught.value.problem.hint)


@pytest.mark.parametrize("layout", ["kohya", "comfy"])
def test_full_weights_of_some_layers_are_a_change_of_zero_for_the_others(root: Path, sd3: Any, layout: str) -> None:
    made = attached(sd3.denoiser, ["@text_key_value"], "full")
    again = load_plugin(context(root), sd3.denoiser, path=saved(root, [made], layout))
    same(again.adapter.plugin.blocks, made.adapter.plugin.blocks)


def test_all_reasons_are_said_at_once(root: Path, sd3: Any) -> None:
    parts = [attached(sd3.denoiser, [f"re:.*attn2?.{part}$"], variant) for part, variant in WRONG.items()]
    blocks = {path: block for part in parts for path, block in part.adapter.plugin.blocks.items()}
    made = adapted(sd3.denoiser, "denoiser", Plugin(blocks), "test", None)
    with pytest.raises(GraphError, match=r"no LoHa and LoKr where .*; .*no LoRA and full weights at once") as caught:
        saved(root, [made], "kohya")
    assert caught.value.problem.code == "E_ADAPTER"


WRONG = {"to_q": "loha", "to_k": "lokr", "add_q_proj": "full", "add_k_proj": "lora"}


def changes(blocks: dict[str, AdapterBlock], model: Any) -> dict[str, Tensor]:
    """What each adapter adds to the weight of its layer; zeros where a layer has none."""
    layers = model.denoiser.root.layers
    found = {}
    for path, layer in layers.items():
        if isinstance(layer, Linear):
            delta = blocks[path].delta(layer.weight) if path in blocks else torch.zeros_like(layer.weight)
            found[f"{path}.weight"] = delta.detach()
    return found


def test_one_lora_of_several_layers_is_exact(root: Path, models: dict[str, Any]) -> None:
    """The weight that a program makes of the original network is that of ours, layer by layer, to 1e-6: whatever ranks
    and scales differ, whichever layer has none, and with halves in the other order."""
    for name in transformers():
        model = model_of(root, models, name)
        made = attached(model.denoiser, [""], rank=lambda number: 2 + number % 3)
        blocks = made.adapter.plugin.blocks
        for number, path in enumerate(list(blocks)):
            blocks[path].alpha = 1.0 + number % 4
            if number % 7 == 3:
                del blocks[path]
        transformer = family(name).transformer
        layout = None if transformer.layout is None else transformer.layout(model.denoiser.config)
        own = changes(blocks, model)
        wanted = own if layout is None else layout.write(own)
        for file in ("kohya", "comfy"):
            state = load_file(root / "out" / saved(root, [made], file, f"{name}_exact").removeprefix("out:"))
            down, up = ("lora_down", "lora_up") if file == "kohya" else ("lora_A", "lora_B")
            seen = 0
            for key, value in wanted.items():
                layer = key.removesuffix(".weight")
                stem = "lora_unet_" + layer.replace(".", "_") if file == "kohya" else "diffusion_model." + layer
                if f"{stem}.alpha" not in state:
                    assert not value.any()
                    continue
                inner, outer = state[f"{stem}.{down}.weight"], state[f"{stem}.{up}.weight"]
                assert (state[f"{stem}.alpha"] / len(inner) * outer @ inner - value).abs().max() <= 1e-6, stem
                seen += 3
            assert seen == len(state)


def test_one_inner_matrix_is_kept_where_layers_share_it() -> None:
    down = torch.randn(4, 6)
    parts = {name: {"lora_down.weight": down, "lora_up.weight": torch.randn(5, 4)} for name in "qkv"}
    parts = {name: {**each, "alpha": torch.tensor(2.0)} for name, each in parts.items()}
    whole = joined("qkv", parts, {})
    assert (
        torch.equal(whole["lora_down.weight"], down)
        and whole["alpha"] == 2
        and whole["lora_up.weight"].shape == (15, 4)
    )
    for found, wanted in zip(cut(whole, [5, 5, 5]), parts.values(), strict=True):
        assert all(torch.equal(found[name], value) for name, value in wanted.items())


@pytest.mark.parametrize("ranks", [(3, 3, 3), (2, 3, 4), (0, 2, 2), (2, 0, 2), (4, 0, 0), (0, 0, 5)])
def test_blocks_on_a_diagonal_are_found(ranks: tuple[int, ...]) -> None:
    parts = {
        name: {
            "lora_down.weight": torch.randn(rank, 6),
            "lora_up.weight": torch.randn(5, rank),
            "alpha": torch.tensor(0.1 * rank),
        }
        for name, rank in zip("qkv", ranks, strict=True)
        if rank
    }
    found = dict(zip("qkv", cut(joined("qkv", parts, dict.fromkeys("qkv", 5)), [5, 5, 5]), strict=True))
    assert {name for name, part in found.items() if part} == set(parts)
    for name, wanted in parts.items():
        assert all(torch.equal(found[name][suffix], value) for suffix, value in wanted.items())


def test_blocks_of_zeros_have_equal_ranks() -> None:
    """As a LoRA is at first."""
    whole = {"lora_down.weight": torch.randn(6, 4), "lora_up.weight": torch.zeros(9, 6), "alpha": torch.tensor(6.0)}
    assert [len(part["lora_down.weight"]) for part in cut(whole, [3, 3, 3])] == [2, 2, 2]


@pytest.mark.parametrize("variant", ["lora", "loha", "lokr", "full"])
def test_halves_change_places_in_every_kind(sd3: Any, variant: str) -> None:
    made = attached(sd3.denoiser, ["norm_out.linear"], variant)
    (block,) = made.adapter.plugin.blocks.values()
    layer = sd3.denoiser.root.layers["norm_out.linear"]
    other = type(block).from_tensors(layer, halves_swapped(block.tensors()), strength=1.0, path="norm_out.linear")
    half = len(layer.weight) // 2
    expected = block.delta(layer.weight).roll(half, 0)
    assert torch.allclose(other.delta(layer.weight), expected, atol=1e-6) and expected.any()


def test_a_text_network_without_a_place_is_named(root: Path, sd3: Any) -> None:
    made = attached(sd3.text_encoder, ["text_encoder_3:@attention"])
    with pytest.raises(GraphError, match="PEFT's layout has no place for the text_encoder_3"):
        saved(root, [made], "peft")
    with pytest.raises(GraphError, match="HCP-Diffusion's layout has no place for the text_encoder_3"):
        saved(root, [made], "hcp")
    file = saved(root, [made], "kohya")
    same(load_plugin(context(root), sd3.text_encoder, path=file).adapter.plugin.blocks, made.adapter.plugin.blocks)
    with pytest.raises(GraphError, match=r"nothing for the denoiser; its .* tensors are for another one"):
        load_plugin(context(root), sd3.denoiser, path=file)


def test_comfyui_knows_every_key(root: Path, models: dict[str, Any]) -> None:
    """Of every family: its own names are those of the single file."""
    for name in transformers():
        model = model_of(root, models, name)
        path = root / f"{name}.safetensors"
        family(name).save_file(path, (model.denoiser, model.text_encoder, model.vae, model.schedule), torch.float32, {})
        texts = {text.files[0]: text.kohya for text in family(name).texts}
        known = comfy_stems(list(load_file(path)), texts)
        for layout in ("kohya", "comfy"):
            made = [attached(model.denoiser, [""])]
            if layers := networks(name, layout):
                made.append(attached(model.text_encoder, layers))
            keys = list(load_file(root / "out" / saved(root, made, layout, f"known_{layout}").removeprefix("out:")))
            assert [key for key in keys if taken_apart(key) not in known] == [], name


def test_prefixes_of_text_networks_are_those_of_the_programs() -> None:
    """Kohya's `lora_te1_` is CLIP-L, `lora_te2_` CLIP-G, `lora_te3_` T5 (networks/lora_sd3.py, lora_flux.py)."""
    for name, prefixes in KOHYA_TEXTS.items():
        assert {text.comfy: text.kohya for text in family(name).texts} == prefixes


def test_diffusers_loads_what_it_has_a_place_for(root: Path) -> None:
    """PEFT's layout for transformer and CLIP; of kohya's and ComfyUI's it has none for Stable Diffusion 3."""
    model, pipe = harness.opened(root, CASE), harness.pipeline(root, CASE)
    unet = attached(model.denoiser, [""], rank=lambda number: 2 + number % 3)
    text = attached(model.text_encoder, networks("sd3", "peft"))
    file = saved(root, [unet, text], "peft", "for_diffusers")
    pipe.load_lora_weights(root / "out", weight_name=file.removeprefix("out:"))
    noisy, times, _, _ = harness.example(root, CASE, model)
    with torch.no_grad():
        given = pipe.encode_prompt(list(harness.PROMPTS), None, None, do_classifier_free_guidance=False)
        told = {"encoder_hidden_states": given[0], "pooled_projections": given[2], "return_dict": False}
        theirs = pipe.transformer(noisy.data, timestep=1000 * times.data, **told)[0]
        ours = encode_text(text.model, Captions(harness.PROMPTS))
        plain = encode_text(model.text_encoder, Captions(harness.PROMPTS))
        assert harness.far(ours.data, given[0]) <= 1e-4 and harness.far(plain.data, given[0]) > 1e-2
        assert ours.pooled is not None and harness.far(ours.pooled, given[2]) <= 1e-4
        assert harness.far(predict(unet.model, noisy, times, ours, schedule=model.schedule).data, theirs) <= 1e-4
        assert harness.far(predict(model.denoiser, noisy, times, ours, schedule=model.schedule).data, theirs) > 1e-2


def loads_the_same(root: Path, name: str, layout: str, layers: list[str]) -> str | None:
    """Whether the transformer of diffusers' pipeline has our changes of weights after it loaded our file; says which
    layer differs, and None if none does."""
    from peft.tuners.lora import LoraLayer

    case = harness.Case(name)
    model, pipe = harness.opened(root, case), harness.pipeline(root, case)
    made = attached(model.denoiser, layers, rank=lambda number: 2 + number % 3)
    file = saved(root, [made], layout, f"{name}_{layout}_loaded")
    pipe.load_lora_weights(root / "out", weight_name=file.removeprefix("out:"), adapter_name="ours")
    theirs = {path: module for path, module in pipe.transformer.named_modules() if isinstance(module, LoraLayer)}
    for path, block in made.adapter.plugin.blocks.items():
        wanted = block.delta(model.denoiser.root.layers[path].weight)
        if path not in theirs or (theirs[path].get_delta_weight("ours") - wanted).abs().max() > 1e-6:
            return path
    return None


def test_pipelines_load_pefts_layout(root: Path) -> None:
    """Of every family whose pipeline loads LoRAs, every linear layer, whatever its rank."""
    import diffusers

    able = [name for name in transformers() if hasattr(getattr(diffusers, family(name).pipeline), "load_lora_weights")]
    assert {"sd3", "flux"} <= set(able)
    assert {name: wrong for name in able if (wrong := loads_the_same(root, name, "peft", [""]))} == {}


def test_pipelines_load_kohyas_layout_as_far_as_they_can(root: Path) -> None:
    """FLUX.1: in the blocks, but for the layer of several of single ones, which it takes in the released widths alone."""
    blocks = [r"re:^transformer_blocks\..*(attn|ff|norm)", r"re:^single_transformer_blocks\..*(proj_out|norm\.linear)$"]
    assert loads_the_same(root, "flux", "kohya", blocks) is None
    assert loads_the_same(root, "z_image", "kohya", [r"re:^layers\..*(attention|feed_forward)"]) is None


@pytest.mark.parametrize("variant", ["lora", "loha", "lokr", "dora"])
def test_auto_has_a_place_for_everything(root: Path, models: dict[str, Any], variant: str) -> None:
    for name in transformers():
        model = model_of(root, models, name)
        made = attached(model.denoiser, ["@attention"], variant)
        file = saved(root, [made], "auto", f"{name}_auto")
        again = load_plugin(context(root), model.denoiser, path=file)
        same(again.adapter.plugin.blocks, made.adapter.plugin.blocks)
        kohya = any(key.startswith("lora_unet_") for key in load_file(root / "out" / file.removeprefix("out:")))
        assert kohya or variant != "lora", f"a LoRA of {name} has a place in kohya's"


def test_what_is_written_says_which_parts_it_is_about(root: Path, models: dict[str, Any]) -> None:
    for name in transformers():
        model = model_of(root, models, name)
        for layout in ("auto", "comfy", "peft"):
            keys = load_file(root / "out" / saved(root, [attached(model.denoiser, ["@attention"])], layout)[4:])
            assert of_keys(keys) == ("denoiser",), (name, layout)
