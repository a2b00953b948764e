"""plugin.save and plugin.load in kohya's layout, against diffusers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.adapter_files import header
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.families.identity import FACTOR
from hcpgraph_nodes.families.registry import family as implementation
from hcpgraph_nodes.families.sizes import text_configs, unet_config
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.load import load_plugin
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.plugins.save import save_plugin
from hcpgraph_nodes.text.encode import encode_text
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hcpgraph import GraphError
from hcpgraph.testing import context

from .adapter_models import NOISY, PROMPT, TEXT, TEXT_LAYERS, TIME, UNET_LAYERS, attached, fill

pytestmark = pytest.mark.slow


@pytest.fixture
def model(workspace: Path):
    return load_model(context(workspace), path="models:tiny")


@pytest.fixture
def pipe(workspace: Path):
    from diffusers import StableDiffusionPipeline

    return StableDiffusionPipeline.from_pretrained(workspace / "models/tiny", local_files_only=True)


def both(workspace: Path, model):
    unet = fill(lora(context(workspace, node="u"), model.denoiser, layers=UNET_LAYERS, rank=4, alpha=1.5), 1)
    text = fill(lora(context(workspace, node="t"), model.text_encoder, layers=TEXT_LAYERS, rank=3, alpha=6), 2)
    return unet, text


def test_file_loads_in_diffusers_exactly(workspace: Path, model, pipe) -> None:
    ctx = context(workspace, graph_text=lambda: '{"format":"hcpgraph/1"}')
    unet, text = both(workspace, model)
    saved = save_plugin(ctx, (unet.adapter, text.adapter), path="out:style.safetensors", dtype="fp32")
    pipe.load_lora_weights(workspace / "out", weight_name="style.safetensors", adapter_name="x")
    for adapted, module in ((unet, pipe.unet), (text, pipe.text_encoder)):
        loaded = {name: p for name, p in module.named_parameters() if ".lora_" in name}
        assert len(loaded) == 2 * len(adapted.adapter.plugin.blocks)
        for path, block in adapted.adapter.plugin.blocks.items():
            name = path if path in dict(pipe.unet.named_modules()) else path.removeprefix("text_model.")
            assert torch.equal(loaded[f"{name}.lora_A.x.weight"], block.down.weight)
            assert torch.equal(loaded[f"{name}.lora_B.x.weight"], block.up.weight)
            assert module.get_submodule(name).scaling["x"] == pytest.approx(block.alpha / block.rank)
    with torch.no_grad():
        embedding = pipe.encode_prompt(list(PROMPT.texts), "cpu", 1, False)[0]
        prediction = pipe.unet(NOISY.data, TIME.data, embedding).sample
    ours = encode_text(text.model, PROMPT)
    assert (ours.data - embedding).abs().max() <= 1e-5
    assert (predict(unet.model, NOISY, TIME, ours).data - prediction).abs().max() <= 1e-5
    plain = encode_text(model.text_encoder, PROMPT)
    assert (plain.data - embedding).abs().max() > 1e-2
    assert (predict(model.denoiser, NOISY, TIME, ours).data - prediction).abs().max() > 1e-2
    assert saved.uri == "out:style.safetensors" and len(saved.sha256) == 64


def test_keys_are_those_that_other_programs_look_up(workspace: Path, model) -> None:
    unet, text = both(workspace, model)
    save_plugin(context(workspace), (unet.adapter, text.adapter), dtype="fp16")
    state = load_file(workspace / "out" / "lora.safetensors")
    stems = {key.partition(".")[0] for key in state}
    assert "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q" in stems
    assert "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0" in stems
    assert "lora_te_text_model_encoder_layers_0_self_attn_q_proj" in stems
    assert {key.partition(".")[2] for key in state} == {"lora_down.weight", "lora_up.weight", "alpha"}
    assert state["lora_unet_conv_in.alpha"] == 1.5 and state["lora_unet_conv_in.lora_down.weight"].shape == (4, 4, 3, 3)
    assert state["lora_unet_conv_in.lora_up.weight"].shape == (16, 4, 1, 1)
    assert state["lora_unet_conv_in.lora_up.weight"].dtype is torch.float16


def test_header(workspace: Path, model) -> None:
    ctx = context(workspace, graph_text=lambda: '{"format":"hcpgraph/1"}')
    unet, text = both(workspace, model)
    save_plugin(ctx, (unet.adapter, text.adapter), path="out:style.safetensors")
    with safe_open(workspace / "out" / "style.safetensors", "pt") as file:
        header = file.metadata()
    assert header["hcpgraph"] == '{"format":"hcpgraph/1"}'
    assert header["ss_network_module"] == "networks.lora" and header["ss_network_dim"] == "Dynamic"
    save_plugin(ctx, (unet.adapter,), path="out:one.safetensors")
    with safe_open(workspace / "out" / "one.safetensors", "pt") as file:
        assert (file.metadata()["ss_network_dim"], file.metadata()["ss_network_alpha"]) == ("4", "1.5")


def test_two_adapters_of_one_component_do_not_fit_one_file(workspace: Path, model) -> None:
    unet, _ = both(workspace, model)
    for adapters in ((unet.adapter, unet.adapter), ()):
        with pytest.raises(GraphError) as caught:
            save_plugin(context(workspace), adapters)
        assert caught.value.problem.code == "E_ADAPTER"
    vae = lora(context(workspace), model.vae, layers=["cls:Linear"])
    with pytest.raises(GraphError) as caught:
        save_plugin(context(workspace), (vae.adapter,))
    assert caught.value.problem.code == "E_ADAPTER"


def test_round_trip_strength_and_trainable(workspace: Path, model) -> None:
    ctx = context(workspace)
    unet, text = both(workspace, model)
    save_plugin(ctx, (unet.adapter, text.adapter), dtype="fp32")
    loaded = load_plugin(ctx, model.denoiser, path="out:lora.safetensors")
    words = load_plugin(ctx, model.text_encoder, path="out:lora.safetensors")
    wanted = predict(unet.model, NOISY, TIME, TEXT).data
    assert torch.equal(predict(loaded.model, NOISY, TIME, TEXT).data, wanted)
    assert torch.equal(encode_text(words.model, PROMPT).data, encode_text(text.model, PROMPT).data)
    assert loaded.params.groups == () and not loaded.model.trainable
    assert not any(p.requires_grad for p in loaded.adapter.plugin.parameters())
    off = load_plugin(ctx, model.denoiser, path="out:lora.safetensors", strength=0.0)
    base = predict(model.denoiser, NOISY, TIME, TEXT).data
    assert torch.allclose(predict(off.model, NOISY, TIME, TEXT).data, base)
    rates = {"lr": 3e-4, "weight_decay": 0.1}
    more = load_plugin(ctx, model.denoiser, path="out:lora.safetensors", strength=0.5, trainable=True, **rates)
    (group,) = more.params.groups
    assert more.model.trainable and len(group["params"]) == 2 * len(unet.adapter.plugin.blocks)
    assert rates.items() <= group.items()
    save_plugin(ctx, (more.adapter,), path="out:again.safetensors", dtype="fp32")
    first, second = (load_file(workspace / "out" / name) for name in ("lora.safetensors", "again.safetensors"))
    assert all(torch.equal(first[key], value) for key, value in second.items())


def saved_state(workspace: Path, model) -> dict[str, torch.Tensor]:
    unet, _ = both(workspace, model)
    save_plugin(context(workspace), (unet.adapter,), dtype="fp32")
    return load_file(workspace / "out" / "lora.safetensors")


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        (lambda s: s | {"lora_unet_nowhere.lora_down.weight": torch.zeros(2, 2)}, "E_LORA_KEYS", "lora_unet_nowhere"),
        (
            lambda s: s | {"lora_unet_conv_in.hada_w1_a": torch.zeros(2, 2)},
            "E_LORA_SHAPE",
            "no whole adapter: conv_in .LoRA and LoHa at once",
        ),
        (lambda s: s | {"lora_unet_conv_in.oft_blocks": torch.zeros(2)}, "E_LORA_KEYS", "OFT"),
        (
            lambda s: {k: v for k, v in s.items() if k != "lora_unet_conv_in.lora_up.weight"},
            "E_LORA_SHAPE",
            "no whole adapter: conv_in .without lora_up",
        ),
        (lambda s: s | {"lora_unet_conv_in.lora_up.weight": torch.zeros(9, 4, 1, 1)}, "E_LORA_SHAPE", "conv_in"),
        (lambda s: {"lora_te_text_model_x.lora_up.weight": torch.zeros(1)}, "E_LORA_KEYS", "nothing for the denoiser"),
        (lambda s: {"bundle_emb.x": torch.zeros(1)}, "E_LORA_KEYS", "word.load"),
    ],
)
def test_files_that_do_not_fit(workspace: Path, model, change, code: str, text: str) -> None:
    state = change(saved_state(workspace, model))
    save_file({key: value.clone() for key, value in state.items()}, workspace / "out" / "bad.safetensors")
    with pytest.raises(GraphError, match=text) as caught:
        load_plugin(context(workspace), model.denoiser, path="out:bad.safetensors")
    assert caught.value.problem.code == code


def test_kohya_linear_weights_on_a_1x1_convolution(workspace: Path, model) -> None:
    state = saved_state(workspace, model)
    stem = "lora_unet_down_blocks_0_attentions_0_proj_in"
    for part in ("lora_down", "lora_up"):
        state[f"{stem}.{part}.weight"] = state[f"{stem}.{part}.weight"].flatten(1)[..., None, None].clone()
    save_file(state, workspace / "out" / "conv.safetensors")
    one, two = (
        load_plugin(context(workspace), model.denoiser, path=f"out:{name}.safetensors").model
        for name in ("lora", "conv")
    )
    assert torch.equal(predict(one, NOISY, TIME, TEXT).data, predict(two, NOISY, TIME, TEXT).data)


def entries(workspace: Path, *adapters, layout: str = "kohya") -> dict[str, str]:
    saved = save_plugin(
        context(workspace), adapters, path="out:h.safetensors", layout=layout, dtype="fp32", overwrite=True
    )
    with safe_open(workspace / "out" / saved.uri.removeprefix("out:"), "pt") as file:
        return file.metadata()


@pytest.mark.parametrize(
    ("variant", "arguments"),
    [
        ("tucker", {"algo": "locon", "use_tucker": "True"}),
        ("dora", {"algo": "locon", "dora_wd": "True", "wd_on_output": "True"}),
        ("loha", {"algo": "loha"}),
        ("lokr", {"algo": "lokr"}),
        ("full", {"algo": "full"}),
    ],
)
def test_header_names_the_network_that_reads_it(workspace: Path, model, variant: str, arguments: dict) -> None:
    header = entries(workspace, attached(model.denoiser, UNET_LAYERS, variant).adapter)
    assert header["ss_network_module"] == "lycoris.kohya" and json.loads(header["ss_network_args"]) == arguments


def test_header_of_kohyas_own_network(workspace: Path, model) -> None:
    linear = lora(context(workspace), model.denoiser, layers=["re:.*attn2"], rank=4, alpha=2)
    header = entries(workspace, linear.adapter)
    assert header["ss_network_module"] == "networks.lora" and "ss_network_args" not in header
    assert (header["ss_network_dim"], header["ss_network_alpha"]) == ("4", "2.0")
    ranks = {r"re:.*resnets\.\d+\.conv\d": 8.0}
    both = lora(context(workspace), model.denoiser, layers=["re:.*attn2", *ranks], rank=4, alpha=2, ranks=ranks)
    header = entries(workspace, both.adapter)
    assert (header["ss_network_dim"], header["ss_network_module"]) == ("4", "networks.lora")
    assert json.loads(header["ss_network_args"]) == {"conv_dim": "8", "conv_alpha": "2.0"}
    assert header["modelspec.sai_model_spec"] == "1.0.1" and header["modelspec.prediction_type"] == "epsilon"
    assert not {"ss_learning_rate", "ss_steps", "ss_sd_model_name"} & header.keys()
    peft = entries(workspace, both.adapter, layout="peft")
    assert "lora_adapter_metadata" in peft and not any(key.startswith("ss_") for key in peft)


def test_header_of_a_text_encoder_alone_says_nothing_of_the_prediction(workspace: Path, model) -> None:
    _, text = both(workspace, model)
    header = entries(workspace, text.adapter)
    assert "modelspec.prediction_type" not in header


NAMES = ("modelspec.architecture", "modelspec.resolution", "ss_base_model_version", "ss_v2")


def test_only_an_adapter_of_the_released_sizes_says_that_it_is_for_the_released_model(workspace: Path, model) -> None:
    """The tiny model is none, and makes pictures of 16 by 16."""
    for adapter, resolution in ((model.denoiser, "16x16"), (model.text_encoder, None)):
        told = entries(workspace, attached(adapter, [r"re:.*(attn2|self_attn)"]).adapter)
        assert [told.get(name) for name in NAMES] == [None, resolution, None, None]


@pytest.mark.parametrize(
    ("family", "kind", "wanted"),
    [
        ("sd15", "epsilon", ("stable-diffusion-v1/lora", "512x512", "sd_v1", "False")),
        ("sd2", "v_prediction", ("stable-diffusion-v2-768-v/lora", "768x768", "sd_v2_v", "True")),
        ("sdxl", "epsilon", ("stable-diffusion-xl-v1-base/lora", "1024x1024", "sdxl_base_v1-0", "False")),
    ],
)
def test_the_released_models_have_their_names(family: str, kind: str, wanted: tuple[str, ...]) -> None:
    made = implementation(family)
    unet = unet_config(made.sizes) | {FACTOR: made.sizes.factor}
    texts = {str(number): each for number, each in enumerate(text_configs(made.sizes))}
    for config in ({}, unet, texts):
        told = header.modelspec(made, config, "x", kind) | header.kohya({}, made, config, "x", kind)
        assert tuple(told[name] for name in NAMES) == wanted
    wider = unet | {"cross_attention_dim": 128}
    assert header.kohya({}, made, wider, "x", kind).keys().isdisjoint(NAMES)


def test_hash_is_kohyas(workspace: Path, model) -> None:
    """`addnet_hash_safetensors` of sd-scripts: everything behind the header."""
    header = entries(workspace, attached(model.denoiser, ["re:.*attn2"]).adapter)
    content = (workspace / "out/h.safetensors").read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    assert header["sshs_model_hash"] == hashlib.sha256(content[start:]).hexdigest()
    assert [path.name for path in (workspace / "out").iterdir()] == ["h.safetensors"]


def test_what_is_not_finite_is_not_written(workspace: Path, model) -> None:
    made = attached(model.denoiser, ["re:.*attn2"])
    with torch.no_grad():
        next(made.adapter.plugin.parameters()).fill_(1e6)
    with pytest.raises(GraphError, match=r"lora\.safetensors") as caught:
        save_plugin(context(workspace), (made.adapter,), dtype="fp16")
    assert caught.value.problem.code == "E_NOT_FINITE" and not list(workspace.glob("out/*"))
    save_plugin(context(workspace), (made.adapter,), dtype="bf16")
