"""model.load, model.new, model.save against diffusers itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.families.clip_bpe import clip_tokenizer
from hcpgraph_nodes.families.probe import probe_family
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.model.save import save_model
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.rules import PROBERS
from safetensors import safe_open
from safetensors.torch import load_file

from hcpgraph import GraphError
from hcpgraph.testing import context

SMALL = {"channels": [8, 16], "heads": 4, "text_width": 32, "vocab_size": 600, "resolution": 16}


def pipeline(folder: Path):
    from diffusers import StableDiffusionPipeline

    return StableDiffusionPipeline.from_pretrained(folder, local_files_only=True, torch_dtype=torch.float32)


def test_weights_are_read_at_first_use(workspace: Path) -> None:
    model = load_model(context(workspace), path="models:tiny")
    assert not any(handle.root.loaded for handle in model[:3])
    assert model.denoiser.config["cross_attention_dim"] == 32
    _ = model.denoiser.root.module
    assert model.denoiser.root.loaded and not model.vae.root.loaded


def test_loaded_weights_equal_diffusers(workspace: Path) -> None:
    model = load_model(context(workspace), path="models:tiny")
    reference = pipeline(workspace / "models" / "tiny")
    pairs = [(model.denoiser, reference.unet), (model.text_encoder, reference.text_encoder), (model.vae, reference.vae)]
    for handle, module in pairs:
        own, theirs = handle.root.module.state_dict(), module.state_dict()
        assert own.keys() == theirs.keys()
        assert all(torch.equal(own[key], theirs[key]) for key in own)
        assert not any(parameter.requires_grad for parameter in handle.root.module.parameters())
        assert not handle.root.module.training


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_precision_of_the_run(workspace: Path, precision: str) -> None:
    ctx = context(workspace, precision=precision)
    model = load_model(ctx, path="models:tiny")
    assert {p.dtype for p in model.denoiser.root.module.parameters()} == {ctx.dtype}


def test_schedule_comes_from_the_folder(workspace: Path) -> None:
    schedule = load_model(context(workspace), path="models:tiny").schedule
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float32) ** 2
    assert torch.allclose(schedule.alphas_cumprod, torch.cumprod(1 - betas, 0), atol=1e-7)
    assert schedule.prediction_type == "epsilon"


def test_prediction_type_can_be_overridden(workspace: Path) -> None:
    model = load_model(context(workspace), path="models:tiny", prediction_type="v_prediction")
    assert model.schedule.prediction_type == model.denoiser.prediction_type == "v_prediction"
    assert model.schedule.config["prediction_type"] == "v_prediction"


@pytest.mark.parametrize(
    ("file", "change", "code"),
    [
        ("unet/config.json", {"_class_name": "UNetEvil"}, "E_MODEL_CLASS"),
        ("text_encoder/config.json", {"auto_map": {"AutoModel": "evil.Model"}}, "E_MODEL_CLASS"),
        ("scheduler/scheduler_config.json", {"_class_name": "os.system"}, "E_SCHEDULE"),
    ],
)
def test_classes_are_never_taken_from_the_folder(workspace: Path, file: str, change: dict, code: str) -> None:
    path = workspace / "models" / "tiny" / file
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(GraphError) as caught:
        load_model(context(workspace), path="models:tiny")
    assert caught.value.problem.code == code


def test_only_safetensors(workspace: Path) -> None:
    weights = workspace / "models" / "tiny" / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    model = load_model(context(workspace), path="models:tiny")
    with pytest.raises(GraphError, match=r"diffusion_pytorch_model\.bin") as caught:
        _ = model.denoiser.root.module
    assert caught.value.problem.code == "E_NO_SAFETENSORS"


def test_missing_weights_are_an_error(workspace: Path) -> None:
    from safetensors.torch import save_file

    weights = workspace / "models" / "tiny" / "unet" / "diffusion_pytorch_model.safetensors"
    state = load_file(weights)
    state["conv_inn.weight"] = state.pop("conv_in.weight").clone()
    save_file(state, weights)
    with pytest.raises(GraphError, match=r"missing conv_in\.weight; unknown conv_inn\.weight"):
        _ = load_model(context(workspace), path="models:tiny").denoiser.root.module


def test_unknown_folder(workspace: Path) -> None:
    (workspace / "models" / "tiny" / "model_index.json").unlink()
    with pytest.raises(GraphError) as caught:
        load_model(context(workspace), path="models:tiny")
    assert caught.value.problem.code == "E_FAMILY"
    assert load_model(context(workspace), path="models:tiny", family="sd15").denoiser.family == "sd15"


def test_probe(tiny_folder: Path, tmp_path: Path) -> None:
    assert probe_family(tiny_folder) == "sd15"
    assert probe_family(tmp_path) is None
    (tmp_path / "x.safetensors").write_bytes(b"\x00" * 4)
    assert probe_family(tmp_path / "x.safetensors") is None


def test_prober(tiny_folder: Path) -> None:
    def resolve(uri: str) -> Path:
        assert uri == "models:tiny"
        return tiny_folder

    assert PROBERS["family"]({"path": "models:tiny", "family": "auto"}, resolve) == "sd15"
    assert PROBERS["family"]({"path": "models:tiny", "family": "other"}, resolve) == "other"
    assert PROBERS["family"]({"family": "auto"}, resolve) is None


def test_new_is_deterministic_and_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    before = torch.random.get_rng_state()
    first, again, other = (new_model(ctx, **SMALL, seed=seed) for seed in (1, 1, 2))
    _ = first.vae.root.module
    states = [model.denoiser.root.module.state_dict() for model in (first, again, other)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not torch.equal(states[0]["conv_in.weight"], states[2]["conv_in.weight"])
    assert torch.equal(before, torch.random.get_rng_state())


def test_new_uses_the_real_clip_tokens() -> None:
    ids = clip_tokenizer()("a photo of a cat!").input_ids
    assert ids == [49406, 320, 1125, 539, 320, 2368, 256, 49407]
    small = clip_tokenizer(600)
    assert len(small) == 600
    assert small.decode(small("a photo of a cat!").input_ids, skip_special_tokens=True) == "a photo of a cat !"


def test_sizes_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(GraphError) as caught:
        new_model(context(tmp_path), **SMALL, attention=[5])
    assert caught.value.problem.code == "E_SIZE"


@pytest.mark.parametrize("vae_channels", [[], [8, 16]])
@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_saved_model_loads_in_diffusers(tmp_path: Path, dtype: str, vae_channels: list[int]) -> None:
    ctx = context(tmp_path, graph_text=lambda: '{"format":"hcpgraph/1"}')
    model = new_model(ctx, **SMALL, vae_channels=vae_channels, prediction_type="v_prediction")
    saved = save_model(ctx, *model, path="out:tiny", dtype=dtype)
    assert saved.uri == "out:tiny" and len(saved.sha256) == 64
    pipe = pipeline(tmp_path / "out" / "tiny")
    state = model.denoiser.root.module.state_dict()
    kind = {"fp32": torch.float32, "fp16": torch.float16}[dtype]
    loaded = load_file(tmp_path / "out/tiny/unet/diffusion_pytorch_model.safetensors")
    assert all(torch.equal(loaded[key], state[key].to(kind)) for key in state)
    assert pipe.scheduler.config.prediction_type == "v_prediction"
    images = pipe("a cat", num_inference_steps=2, output_type="pt", height=16, width=16).images
    assert images.shape == (1, 3, 16, 16)
    for name in ("unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"):
        with safe_open(tmp_path / "out/tiny" / f"{name}.safetensors", "pt") as file:
            assert file.metadata()["hcpgraph"] == '{"format":"hcpgraph/1"}'
    with safe_open(tmp_path / "out/tiny/text_encoder/model.safetensors", "pt") as file:
        assert all(key.startswith("text_model.") for key in file.keys())  # noqa: SIM118


def test_save_and_load_again_is_exact(workspace: Path) -> None:
    ctx = context(workspace)
    model = load_model(ctx, path="models:tiny")
    save_model(ctx, *model, path="out:copy")
    copy = load_model(ctx, path="out:copy")
    for one, two in zip(model[:3], copy[:3], strict=True):
        a, b = one.root.module.state_dict(), two.root.module.state_dict()
        assert all(torch.equal(a[key], b[key]) for key in a)
    assert copy.schedule.config == model.schedule.config
    assert (
        copy.text_encoder.clips[0].tokens.tokenizer("a dog").input_ids
        == model.text_encoder.clips[0].tokens.tokenizer("a dog").input_ids
    )


def test_save_never_replaces_what_is_no_model(workspace: Path) -> None:
    ctx = context(workspace)
    model = load_model(ctx, path="models:tiny")
    (workspace / "out" / "notes").mkdir(parents=True)
    (workspace / "out" / "notes" / "a.txt").write_text("x")
    with pytest.raises(GraphError) as caught:
        save_model(ctx, *model, path="out:notes", overwrite=True)
    assert caught.value.problem.code == "E_NOT_A_MODEL"
    assert save_model(ctx, *model, path="out:notes").uri == "out:notes-2"
    assert save_model(ctx, *model, path="out:notes-2", overwrite=True).uri == "out:notes-2"


def test_trainable_layers_and_near_misses(workspace: Path) -> None:
    ctx = context(workspace, node="tune", precision="bf16")
    model = load_model(ctx, path="models:tiny")
    result = trainable(ctx, model.denoiser, layers=["re:.*attn2", "conv_in"], lr=1e-4)
    (group,) = result.params.groups
    assert group["name"] == "tune" and group["lr"] == 1e-4 and "weight_decay" not in group
    assert all(".attn2" in name or name.startswith("conv_in.") for name in group["params"])
    assert all(p.requires_grad and p.dtype is torch.float32 for p in group["params"].values())
    chosen = {id(p) for p in group["params"].values()}
    assert all(p.requires_grad == (id(p) in chosen) for p in model.denoiser.root.module.parameters())
    assert result.model.trainable and not model.vae.trainable
    text = trainable(ctx, model.text_encoder, layers=["text_model.encoder.layers.0"])
    assert "text_model.encoder.layers.0.mlp.fc1.weight" in text.params.groups[0]["params"]
    with pytest.raises(GraphError) as caught:
        trainable(ctx, model.denoiser, layers=["down_blocks.0.attentions.0.transformer_blocks.0.atn1"])
    assert caught.value.problem.code == "E_NO_LAYER"
    assert "down_blocks.0.attentions.0.transformer_blocks.0.attn1" in (caught.value.problem.hint or "")
    with pytest.raises(GraphError) as caught:
        trainable(ctx, 3)
    assert caught.value.problem.code == "E_NO_MODEL"


def test_fp16_variant_and_shards(workspace: Path) -> None:
    from safetensors.torch import save_file

    folder = workspace / "models" / "tiny" / "unet"
    whole = folder / "diffusion_pytorch_model.safetensors"
    state = load_file(whole)
    names = sorted(state)
    halves = {"a.safetensors": names[:20], "b.safetensors": names[20:]}
    for file, keys in halves.items():
        save_file({key: state[key] for key in keys}, folder / file)
    index = {"weight_map": {key: file for file, keys in halves.items() for key in keys}}
    (folder / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    variant = folder / "diffusion_pytorch_model.fp16.safetensors"
    shutil.move(whole, variant)
    loaded = load_model(context(workspace), path="models:tiny").denoiser.root.module.state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)
    variant.unlink()
    loaded = load_model(context(workspace), path="models:tiny").denoiser.root.module.state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)
