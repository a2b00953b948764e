"""Files as other programs write them, made by hand from their rules, load with the right tensors and strength."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.families.ldm_names import UNetNames
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.load import load_plugin
from hcpgraph_nodes.plugins.merge import merge
from hcpgraph_nodes.plugins.save import save_plugin
from safetensors.torch import load_file, save_file
from torch import nn

from hcpgraph import GraphError
from hcpgraph.testing import context

from .adapter_models import NOISY, TEXT, TEXT_LAYERS, TIME, UNET_LAYERS, attached, random, weights_of

pytestmark = pytest.mark.slow

Q = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
CONV = "down_blocks.0.resnets.0.conv1"
WORD = "text_model.encoder.layers.1.self_attn.q_proj"


@pytest.fixture
def model(workspace: Path):
    (workspace / "data").mkdir()
    return load_model(context(workspace), path="models:tiny")


def loaded(workspace: Path, handle, state, **settings):
    save_file(
        {key: value.detach().clone().contiguous() for key, value in state.items()}, workspace / "data/x.safetensors"
    )
    return load_plugin(context(workspace), handle, path="data:x.safetensors", **settings)


def lora_at(handle, *paths: str, variant: str = "lora"):
    return {path: weights_of(variant, handle.root.layers[path], seed) for seed, path in enumerate(paths)}


def same(block, weights) -> None:
    found = block.tensors()
    assert found.keys() == weights.keys()
    for suffix, value in weights.items():
        assert torch.equal(found[suffix], value), suffix


def ldm(model, path: str) -> str:
    return UNetNames(model.denoiser.config).to_ldm(path)


STEMS = {
    "kohya": lambda m, path: "lora_unet_" + path.replace(".", "_"),
    "kohya, original names": lambda m, path: "lora_unet_" + ldm(m, path).replace(".", "_"),
    "LyCORIS' own": lambda m, path: "lycoris_" + path.replace(".", "_"),
    "ComfyUI": lambda m, path: "diffusion_model." + ldm(m, path),
    "OneTrainer, internal": lambda m, path: "unet." + path,
    "PEFT": lambda m, path: "base_model.model." + path,
    "bare": lambda m, path: path,
}
TEXT_STEMS = {
    "kohya": "lora_te_text_model_encoder_layers_1_self_attn_q_proj",
    "OneTrainer, mixed": "lora_te1_text_model_encoder_layers_1_self_attn_q_proj",
    "names of transformers ≥ 5.6": "lora_te_encoder_layers_1_self_attn_q_proj",
    "LyCORIS' own": "lycoris_text_model_encoder_layers_1_self_attn_q_proj",
    "ComfyUI": "text_encoders.clip_l.transformer.text_model.encoder.layers.1.self_attn.q_proj",
    "diffusers": "text_encoder.text_model.encoder.layers.1.self_attn.q_proj",
    "diffusers, names of transformers ≥ 5.6": "text_encoder.encoder.layers.1.self_attn.q_proj",
}
SUFFIXES = {
    "kohya": ("lora_down.weight", "lora_up.weight"),
    "PEFT": ("lora_A.weight", "lora_B.weight"),
    "PEFT, adapter's name": ("lora_A.default.weight", "lora_B.default.weight"),
    "diffusers, first": ("lora.down.weight", "lora.up.weight"),
    "diffusers, text": ("lora_linear_layer.down.weight", "lora_linear_layer.up.weight"),
}


@pytest.mark.parametrize("stems", STEMS)
def test_every_spelling_of_a_unet_layer(workspace: Path, model, stems: str) -> None:
    wanted = lora_at(model.denoiser, Q, CONV)
    for down, up in SUFFIXES.values():
        state = {}
        for path, weights in wanted.items():
            stem = STEMS[stems](model, path)
            state |= {f"{stem}.{down}": weights["lora_down.weight"], f"{stem}.{up}": weights["lora_up.weight"]}
            state[f"{stem}.alpha"] = weights["alpha"]
        blocks = loaded(workspace, model.denoiser, state).adapter.plugin.blocks
        assert list(blocks) == [path for path in model.denoiser.root.layers if path in wanted]
        for path, weights in wanted.items():
            same(blocks[path], weights)


@pytest.mark.parametrize("stem", TEXT_STEMS.values(), ids=TEXT_STEMS)
def test_every_spelling_of_a_text_layer(workspace: Path, model, stem: str) -> None:
    (weights,) = lora_at(model.text_encoder, WORD).values()
    state = {f"{stem}.{suffix}": value for suffix, value in weights.items()}
    same(loaded(workspace, model.text_encoder, state).adapter.plugin.blocks[WORD], weights)
    with pytest.raises(GraphError, match="its 3 tensors are for another") as caught:
        loaded(workspace, model.denoiser, state)
    assert caught.value.problem.code == "E_LORA_KEYS"


@pytest.mark.parametrize("variant", ["lora", "tucker", "bias", "dora", "loha", "lokr", "full"])
@pytest.mark.parametrize("stems", ["kohya", "LyCORIS' own", "ComfyUI"])
def test_lycoris_suffixes(workspace: Path, model, variant: str, stems: str) -> None:
    wanted = lora_at(model.denoiser, Q, CONV, variant=variant)
    state = {
        f"{STEMS[stems](model, path)}.{suffix}": value
        for path, weights in wanted.items()
        for suffix, value in weights.items()
    }
    blocks = loaded(workspace, model.denoiser, state).adapter.plugin.blocks
    for path, weights in wanted.items():
        same(blocks[path], weights)


@pytest.mark.parametrize("name", ["layer.W_down", "W_down"])
@pytest.mark.parametrize(
    ("prefix", "text_prefix"), [("lora:", "lora:"), ("denoiser.", "TE."), ("", ""), ("base:denoiser.", "base:TE.")]
)
def test_hcp_diffusion(workspace: Path, model, prefix: str, text_prefix: str, name: str) -> None:
    """0.9 writes sections, 2.x a flat file; `alpha` is alpha / rank in both (hcp-diffusion's lora_base_patch.py)."""
    down, up = random(3, 16, seed=1), random(16, 3, seed=2)
    word_down, word_up = random(2, 32, seed=3), random(32, 2, seed=4)
    other = name.replace("down", "up")
    state = {
        f"{prefix}{Q}.___.alpha": torch.tensor(1 / 3),
        f"{prefix}{Q}.___.{name}": down,
        f"{prefix}{Q}.___.{other}": up,
    }
    words = {
        f"{text_prefix}{WORD}.___.alpha": torch.tensor(0.35 / 2),
        f"{text_prefix}{WORD}.___.{name}": word_down,
        f"{text_prefix}{WORD}.___.{other}": word_up,
    }
    found = loaded(workspace, model.denoiser, state | words)
    (block,) = found.adapter.plugin.blocks.values()
    assert block.tensors()["alpha"] == 1.0
    weight = merge(found.model).root.module.get_submodule(Q).weight
    expected = model.denoiser.root.module.get_submodule(Q).weight + (1 / 3) * up @ down
    assert torch.allclose(weight, expected, atol=1e-6)
    (text,) = loaded(workspace, model.text_encoder, state | words).adapter.plugin.blocks.values()
    assert text.tensors()["alpha"] == torch.tensor(0.35) and text.scale == pytest.approx(0.175)


def test_hcp_averages_and_pickles(workspace: Path, model) -> None:
    def section(seed: int):
        return {
            f"{Q}.___.alpha": torch.tensor(0.5),
            f"{Q}.___.layer.W_down": random(2, 16, seed=seed),
            f"{Q}.___.layer.W_up": random(16, 2, seed=seed + 1),
        }

    torch.save({"base": {}, "lora": section(1), "lora_ema": section(5)}, workspace / "data" / "unet-100.ckpt")
    for averages, seed in ((False, 1), (True, 5)):
        found = load_plugin(context(workspace), model.denoiser, path="data:unet-100.ckpt", averages=averages)
        assert torch.equal(found.adapter.plugin.blocks[Q].down.weight, random(2, 16, seed=seed))
    with pytest.raises(GraphError, match="no moving averages"):
        loaded(workspace, model.denoiser, section(1), averages=True)


def test_pickles_give_tensors_alone(workspace: Path, model) -> None:
    class Evil:
        def __reduce__(self):
            return (Path.touch, (workspace / "pwned",))

    torch.save({"lora": Evil()}, workspace / "data" / "bad.pt")
    (workspace / "data" / "broken.safetensors").write_bytes(b"\x10" * 40)
    (workspace / "data" / "empty.pt").touch()
    endless: dict = {}
    endless["lora"] = endless
    torch.save(endless, workspace / "data" / "endless.pt")
    for name in ("bad.pt", "broken.safetensors", "empty.pt", "endless.pt"):
        with pytest.raises(GraphError) as caught:
            load_plugin(context(workspace), model.denoiser, path=f"data:{name}")
        assert caught.value.problem.code == "E_FILE"
    assert not (workspace / "pwned").exists()


def test_hcp_before_0_7_and_its_bias(workspace: Path, model) -> None:
    down, up, bias = random(2, 16), random(16, 2, seed=1), random(16, seed=2)
    state = {
        f"lora:{Q}.___.alpha": torch.tensor(0.25),
        f"lora:{Q}.___.layer.lora_down.weight": down,
        f"lora:{Q}.___.layer.lora_up.weight": up,
        f"lora:{Q}.___.layer.lora_up.bias": bias,
    }
    same(
        loaded(workspace, model.denoiser, state).adapter.plugin.blocks[Q],
        {"lora_down.weight": down, "lora_up.weight": up, "alpha": torch.tensor(0.5), "diff_b": bias * 0.25},
    )


def test_onetrainer_dora_on_the_input_axis(workspace: Path, model) -> None:
    """OneTrainer's default: the norm over everything that starts at one input (LoRAModule.py, DoRAModule)."""
    state, expected = {}, {}
    for path in (Q, CONV):
        layer = model.denoiser.root.layers[path]
        weights = weights_of("lora", layer, 3)
        scale = random(1, layer.weight.shape[1], *[1] * (layer.weight.dim() - 2), seed=9).abs() + 0.5
        state |= {f"lora_unet_{path.replace('.', '_')}.{suffix}": value for suffix, value in weights.items()}
        state[f"lora_unet_{path.replace('.', '_')}.dora_scale"] = scale
        change = (weights["lora_up.weight"].flatten(1) @ weights["lora_down.weight"].flatten(1)).reshape(
            layer.weight.shape
        )
        whole = layer.weight + change * float(weights["alpha"]) / len(weights["lora_down.weight"])
        norm = whole.transpose(0, 1).flatten(1).norm(dim=1).reshape(1, -1, *[1] * (whole.dim() - 2))
        expected[path] = scale * whole / norm
    found = loaded(workspace, model.denoiser, state)
    merged = merge(found.model).root.module
    for path, weight in expected.items():
        assert torch.allclose(merged.get_submodule(path).weight, weight, atol=1e-6)
    save_plugin(context(workspace), (found.adapter,), path="out:again.safetensors", dtype="fp32")
    assert all(torch.equal(load_file(workspace / "out/again.safetensors")[key], value) for key, value in state.items())
    with pytest.raises(GraphError, match="output axis"):
        save_plugin(context(workspace), (found.adapter,), layout="peft")


def test_comfyui_trainer(workspace: Path, model) -> None:
    """It writes flat matrices for convolutions, a bias for every layer that has one, and differences for norms."""
    root = model.denoiser.root
    state, weights = {}, {}
    for seed, (path, layer) in enumerate(root.layers.items()):
        if not isinstance(layer, nn.Linear | nn.Conv2d | nn.GroupNorm | nn.LayerNorm):
            continue
        stem = "diffusion_model." + ldm(model, path)
        size = layer.weight.shape
        if len(size) > 1:
            down, up = random(2, size[1:].numel(), seed=seed), random(size[0], 2, seed=seed + 1)
            state |= {
                f"{stem}.lora_up.weight": up,
                f"{stem}.lora_down.weight": down,
                f"{stem}.alpha": torch.tensor(0.1),
            }
            weights[f"{path}.weight"] = layer.weight + 0.05 * (up @ down).reshape(size)
        else:
            state[f"{stem}.diff"] = 0.2 * random(*size, seed=seed)
            weights[f"{path}.weight"] = layer.weight + state[f"{stem}.diff"]
        if layer.bias is not None:
            state[f"{stem}.diff_b"] = 0.2 * random(*layer.bias.shape, seed=seed + 2)
            weights[f"{path}.bias"] = layer.bias + state[f"{stem}.diff_b"]
    assert len(weights) == len(dict(root.module.named_parameters()))
    found = loaded(workspace, model.denoiser, state)
    given = predict(found.model, NOISY, TIME, TEXT).data
    with torch.no_grad():
        reference = torch.func.functional_call(root.module, weights, (NOISY.data, TIME.data, TEXT.data)).sample
    assert (reference - predict(model.denoiser, NOISY, TIME, TEXT).data).abs().max() > 1e-2
    assert (given - reference).abs().max() <= 1e-4 * reference.abs().max()
    for name, value in merge(found.model).root.module.named_parameters():
        assert torch.allclose(value, weights[name], atol=1e-5), name


CLIP = ("mlp.fc1", "mlp.fc2", "self_attn.k_proj", "self_attn.q_proj", "self_attn.v_proj", "self_attn.out_proj")


def test_comfyui_knows_every_key_that_is_written(workspace: Path, model) -> None:
    """Its rules, typed: `model_lora_keys_unet` and `model_lora_keys_clip` of comfy/lora.py, and the adapters' names."""
    known = {"lora_unet_" + path.replace(".", "_") for path, _ in model.denoiser.root.module.named_modules()}
    known |= {f"lora_te_text_model_encoder_layers_{b}_{c.replace('.', '_')}" for b in range(32) for c in CLIP}
    lora = {"lora_up.weight", "lora_down.weight", "lora_mid.weight", "alpha", "dora_scale", "diff", "diff_b"}
    loha = {f"hada_{name}" for name in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")}
    lokr = {f"lokr_{name}" for name in ("w1", "w2", "w1_a", "w1_b", "w2_a", "w2_b", "t2")}
    for variant in ("lora", "tucker", "bias", "dora", "loha", "lokr", "full"):
        adapters = (
            attached(model.denoiser, UNET_LAYERS, variant).adapter,
            attached(model.text_encoder, TEXT_LAYERS, variant).adapter,
        )
        save_plugin(context(workspace), adapters, path="out:comfy.safetensors", overwrite=True)
        for key in load_file(workspace / "out/comfy.safetensors"):
            stem, _, suffix = key.partition(".")
            assert stem in known and suffix in lora | loha | lokr, key


def test_unknown_keys_are_an_error_or_are_told(workspace: Path, model) -> None:
    (weights,) = lora_at(model.denoiser, Q).values()
    good = {f"unet.{Q}.{suffix}": value for suffix, value in weights.items()}
    bad = {f"unet.nowhere.{index}.lora_A.weight": torch.zeros(1) for index in range(30)}
    half = {f"unet.{CONV}.lora_A.weight": torch.zeros(2, 16, 3, 3)}
    with pytest.raises(GraphError) as caught:
        loaded(workspace, model.denoiser, good | bad | half)
    assert caught.value.problem.code == "E_LORA_KEYS"
    assert f"no whole adapter: {CONV} (without lora_up.weight)" in caught.value.problem.message
    assert caught.value.problem.message.count("nowhere") == 20 and "and 10 more" in caught.value.problem.message
    ctx, events = context(workspace), []
    ctx.run.events.listener = events.append
    found = load_plugin(ctx, model.denoiser, path="data:x.safetensors", unknown="ignore")
    assert list(found.adapter.plugin.blocks) == [Q]
    (told,) = [event for event in events if event["kind"] == "log"]
    assert "30 keys that fit no layer were left out" in told["message"] and told["level"] == "warning"
    assert f"1 layers that are no whole adapter were left out: {CONV}" in told["message"]


def test_words_in_the_file_are_named(workspace: Path, model) -> None:
    (weights,) = lora_at(model.denoiser, Q).values()
    state = {f"unet.{Q}.{suffix}": value for suffix, value in weights.items()}
    state["bundle_emb.cat.string_to_param.*"] = torch.zeros(2, 32)
    ctx, events = context(workspace), []
    ctx.run.events.listener = events.append
    save_file(state, workspace / "data" / "x.safetensors")
    load_plugin(ctx, model.denoiser, path="data:x.safetensors")
    (told,) = [event for event in events if event["kind"] == "log"]
    assert "the words cat" in told["message"] and "word.load" in told["message"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"alpha": torch.zeros(3)}, "alpha of the shape"),
        ({"lora_down.weight": torch.tensor(1.0)}, "lora_down.weight of the shape"),
        ({"lora_up.weight": torch.zeros(16)}, "lora_up.weight of the shape"),
        ({"lora_down.weight": torch.zeros(0, 16)}, "lora_down.weight of the shape"),
        ({"dora_scale": torch.tensor(1.0)}, "dora_scale"),
        ({"lora_mid.weight": torch.zeros(2, 2, 3, 3)}, Q),
        ({"hada_w1_a": torch.zeros(2, 2)}, "LoRA and LoHa at once"),
        ({"diff_b": torch.zeros(3)}, "diff_b"),
        ({"lora_up.weight": torch.ones(16, 2, dtype=torch.int32)}, "lora_up.weight of whole numbers"),
    ],
)
def test_malformed_tensors_are_an_error(workspace: Path, model, change: dict, text: str) -> None:
    (weights,) = lora_at(model.denoiser, Q).values()
    state = {f"unet.{Q}.{suffix}": value for suffix, value in (weights | change).items()}
    with pytest.raises(GraphError, match=text) as caught:
        loaded(workspace, model.denoiser, state)
    assert caught.value.problem.code == "E_LORA_SHAPE" and "fit no layer" not in caught.value.problem.message


@pytest.mark.parametrize(
    "metadata",
    [
        "no json",
        "[]",
        '{"unet.lora_alpha": "big"}',
        '{"unet.alpha_pattern": ["x"]}',
        '{"unet.lora_alpha": NaN}',
        pytest.param('{"unet.lora_alpha": 1' + 400 * "0" + "}", id="too large for a float"),
        pytest.param(100_000 * "[", id="nested"),
    ],
)
def test_malformed_headers_are_an_error(workspace: Path, model, metadata: str) -> None:
    state = {f"unet.{Q}.lora_A.weight": torch.zeros(2, 16), f"unet.{Q}.lora_B.weight": torch.zeros(16, 2)}
    save_file(state, workspace / "data/x.safetensors", {"lora_adapter_metadata": metadata})
    with pytest.raises(GraphError) as caught:
        load_plugin(context(workspace), model.denoiser, path="data:x.safetensors")
    assert caught.value.problem.code == "E_FILE"


def test_a_configuration_that_is_no_text(workspace: Path, model) -> None:
    folder = workspace / "data/peft"
    folder.mkdir()
    save_file({f"{Q}.lora_A.weight": torch.zeros(2, 16)}, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(GraphError, match=r"adapter_config\.json is not JSON"):
        load_plugin(context(workspace), model.denoiser, path="data:peft")


def test_a_vae_has_no_place_in_adapter_files(workspace: Path, model) -> None:
    (weights,) = lora_at(model.denoiser, Q).values()
    state = {f"unet.{Q}.{suffix}": value for suffix, value in weights.items()}
    with pytest.raises(GraphError, match="nothing for the vae; its 3 tensors are for another one"):
        loaded(workspace, model.vae, state)
