"""Models of every family as diffusers folders and as single files: there and back, read by diffusers, refused in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.families.ldm_file import CONFIGS
from hcpgraph_nodes.families.probe import probe_family, safetensors_header
from hcpgraph_nodes.model.load import LoadedModel, load_model
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.model.save import save_model
from hcpgraph_nodes.vae.load import load_vae
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hcpgraph import GraphError
from hcpgraph.events import Event, EventLog
from hcpgraph.testing import context

FAMILIES = ("sd15", "sd2", "sdxl")
SMALL: dict[str, Any] = {
    "channels": [8, 16],
    "heads": 4,
    "text_width": 32,
    "vocab_size": 600,
    "resolution": 16,
    "text_length": 16,
}


@pytest.fixture(scope="module")
def root(tiny_folder: Path, tiny_sd2_folder: Path, tiny_sdxl_folder: Path, tmp_path_factory: Any) -> Path:
    """A workspace with a folder and a single file of every family."""
    root = tmp_path_factory.mktemp("files")
    ctx = context(root, graph_text=lambda: '{"format":"hcpgraph/1"}')
    for name, folder in zip(FAMILIES, (tiny_folder, tiny_sd2_folder, tiny_sdxl_folder), strict=True):
        shutil.copytree(folder, root / "models" / name)
        model = load_model(ctx, path=f"models:{name}")
        save_model(ctx, *model, path=f"models:{name}.safetensors", layout="single_file")
    return root


def states(model: Any) -> list[dict[str, torch.Tensor]]:
    return [handle.root.module.state_dict() for handle in model[:3]]


def assert_equal(first: Any, second: Any) -> None:
    for one, other in zip(states(first), states(second), strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


def rewritten(
    source: Path, target: Path, *, add: Mapping[str, torch.Tensor] = {}, header: Mapping[str, str] = {}
) -> Path:
    """A copy of a single file with another header and more tensors."""
    save_file(load_file(source) | dict(add), target, {"format": "pt", **header})
    return target


@pytest.mark.parametrize("name", FAMILIES)
def test_folder_there_and_back(root: Path, name: str) -> None:
    ctx = context(root)
    model = load_model(ctx, path=f"models:{name}")
    assert model.denoiser.family == name
    save_model(ctx, *model, path=f"out:{name}")
    copy = load_model(ctx, path=f"out:{name}")
    assert_equal(model, copy)
    assert copy.schedule.config == model.schedule.config
    first, second = (json.loads((root / at / name / "model_index.json").read_text()) for at in ("models", "out"))
    assert {key: value for key, value in first.items() if key in second} == second
    for one, two in zip(model.text_encoder.clips, copy.text_encoder.clips, strict=True):
        assert one.name == two.name
        ids = [clip.tokens.tokenizer("a dog", padding="max_length").input_ids for clip in (one, two)]
        assert ids[0] == ids[1]


@pytest.mark.parametrize("name", FAMILIES)
def test_single_file_there_and_back(root: Path, name: str) -> None:
    ctx = context(root)
    path = root / "models" / f"{name}.safetensors"
    assert probe_family(path) == name
    model, copy = (load_model(ctx, path=f"models:{each}") for each in (name, path.name))
    assert_equal(model, copy)
    assert copy.schedule.config == model.schedule.config
    assert copy.denoiser.prediction_type == model.denoiser.prediction_type
    with safe_open(path, "pt") as file:
        assert file.metadata()["hcpgraph"] == '{"format":"hcpgraph/1"}'
        assert file.metadata()["modelspec.prediction_type"] == ("v" if name == "sd2" else "epsilon")
    save_model(ctx, *copy, path=f"out:{name}.safetensors", layout="single_file")
    first, second = (load_file(root / at / f"{name}.safetensors") for at in ("models", "out"))
    assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", FAMILIES)
def test_diffusers_reads_the_single_file(root: Path, name: str) -> None:
    """The same weights and pictures as the folder's."""
    import diffusers

    cls = diffusers.StableDiffusionXLPipeline if name == "sdxl" else diffusers.StableDiffusionPipeline
    extra = {} if name == "sdxl" else {"safety_checker": None}
    folder = root / "models" / name
    single = cls.from_single_file(
        str(folder.with_suffix(".safetensors")),
        config=str(folder),
        local_files_only=True,
        torch_dtype=torch.float32,
        **extra,
    )
    whole = cls.from_pretrained(folder, local_files_only=True, torch_dtype=torch.float32, **extra)
    for part in ("unet", "vae", "text_encoder", *(["text_encoder_2"] if name == "sdxl" else [])):
        one, other = getattr(single, part).state_dict(), getattr(whole, part).state_dict()
        assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one), part


@pytest.mark.parametrize("name", FAMILIES)
def test_the_keys_are_those_of_the_released_files(root: Path, name: str) -> None:
    keys = safetensors_header(root / "models" / f"{name}.safetensors").keys()
    known = {
        "model.diffusion_model.time_embed.0.weight",
        "model.diffusion_model.input_blocks.0.0.weight",
        "model.diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_q.weight",
        "first_stage_model.encoder.down.0.block.0.norm1.weight",
        "first_stage_model.decoder.up.1.upsample.conv.weight",
        "first_stage_model.decoder.mid.attn_1.q.weight",
        "first_stage_model.quant_conv.weight",
    }
    texts = {
        "sd15": ["cond_stage_model.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight"],
        "sd2": [
            "cond_stage_model.model.transformer.resblocks.0.attn.in_proj_weight",
            "cond_stage_model.model.ln_final.bias",
        ],
        "sdxl": [
            "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight",
            "conditioner.embedders.1.model.text_projection",
            "conditioner.embedders.1.model.transformer.resblocks.2.mlp.c_fc.weight",
            "model.diffusion_model.label_emb.0.0.weight",
        ],
    }
    assert known | set(texts[name]) <= keys
    header = safetensors_header(root / "models" / f"{name}.safetensors")
    assert len(header["first_stage_model.decoder.mid.attn_1.q.weight"]["shape"]) == 4


def test_a_file_of_others_with_the_folder_as_config(root: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    for name in FAMILIES:
        file = rewritten(root / "models" / f"{name}.safetensors", tmp_path / "models" / f"{name}.safetensors")
        shutil.copytree(root / "models" / name, tmp_path / "models" / name)
        assert probe_family(file) == name
        ctx = context(tmp_path)
        copy = load_model(ctx, path=f"models:{file.name}", config=f"models:{name}")
        assert_equal(copy, load_model(ctx, path=f"models:{name}"))
        assert copy.denoiser.prediction_type == ("v_prediction" if name == "sd2" else "epsilon")


def prediction(tmp_path: Path, source: Path, **settings: Any) -> LoadedModel:
    (tmp_path / "models").mkdir(exist_ok=True)
    rewritten(source, tmp_path / "models/x.safetensors", add=settings.pop("add", {}), header=settings.pop("header", {}))
    return load_model(context(tmp_path), path="models:x.safetensors", **settings)


def test_prediction_type_of_a_single_file(root: Path, tmp_path: Path) -> None:
    """By the setting, the header or the mark of SDXL files; of SD 2.x never by a guess."""
    files = {name: root / "models" / f"{name}.safetensors" for name in FAMILIES}
    with pytest.raises(GraphError) as caught:
        prediction(tmp_path, files["sd2"])
    assert caught.value.problem.code == "E_PREDICTION" and caught.value.problem.port == "prediction_type"
    for name, settings, kind in [
        ("sd2", {"prediction_type": "v_prediction"}, "v_prediction"),
        ("sd2", {"prediction_type": "epsilon"}, "epsilon"),
        ("sd2", {"header": {"modelspec.prediction_type": "v"}}, "v_prediction"),
        ("sd2", {"header": {"modelspec.prediction_type": "epsilon"}}, "epsilon"),
        ("sdxl", {}, "epsilon"),
        ("sdxl", {"add": {"v_pred": torch.zeros(0)}}, "v_prediction"),
        ("sd15", {}, "epsilon"),
    ]:
        model = prediction(tmp_path, files[name], **settings)
        assert model.denoiser.prediction_type == model.schedule.prediction_type == kind, (name, settings)


def test_what_is_assumed_is_told(root: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    rewritten(root / "models/sdxl.safetensors", tmp_path / "models/x.safetensors")
    told: list[Event] = []
    ctx = context(tmp_path)
    ctx.run.events = EventLog("test", listener=told.append)
    load_model(ctx, path="models:x.safetensors")
    assert any("set prediction_type" in str(event) for event in told)
    told.clear()
    load_model(ctx, path="models:x.safetensors", prediction_type="epsilon")
    assert not told


def test_velocity_and_zero_snr_of_sdxl_are_marked(root: Path, tmp_path: Path) -> None:
    ctx = context(tmp_path)
    model = new_model(ctx, **SMALL, family="sdxl", prediction_type="v_prediction")
    save_model(ctx, *model, path="models:v.safetensors", layout="single_file")
    keys = safetensors_header(tmp_path / "models/v.safetensors").keys()
    assert "v_pred" in keys and "ztsnr" not in keys
    marked = prediction(tmp_path, tmp_path / "models/v.safetensors", add={"ztsnr": torch.zeros(0)})
    assert marked.schedule.config["rescale_betas_zero_snr"] is True
    assert (
        marked.schedule.alphas_cumprod[-1]
        < 1e-6
        < load_model(ctx, path="models:v.safetensors").schedule.alphas_cumprod[-1]
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_new_models_of_every_family(tmp_path: Path, name: str) -> None:
    """Saved as folder and file, they are the same model, and diffusers makes a picture."""
    import diffusers

    ctx = context(tmp_path)
    model = new_model(ctx, **SMALL, family=name)  # type: ignore[arg-type]
    assert model.denoiser.family == model.vae.family == name
    save_model(ctx, *model, path="out:folder")
    save_model(ctx, *model, path="out:one.safetensors", layout="single_file")
    for saved in ("out:folder", "out:one.safetensors"):
        copy = load_model(ctx, path=saved)
        assert copy.denoiser.family == name
        assert_equal(copy, model)
    cls = diffusers.StableDiffusionXLPipeline if name == "sdxl" else diffusers.StableDiffusionPipeline
    pipe = cls.from_pretrained(tmp_path / "out/folder", local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    picture = pipe("a cat", num_inference_steps=2, output_type="pt", height=16, width=16).images
    assert picture.shape == (1, 3, 16, 16) and picture.isfinite().all()


def test_one_text_layer_is_too_few_for_sdxl(tmp_path: Path) -> None:
    with pytest.raises(GraphError) as caught:
        new_model(context(tmp_path), **SMALL, family="sdxl", text_layers=1)
    assert caught.value.problem.code == "E_SIZE"


@pytest.mark.parametrize("name", FAMILIES)
def test_default_sizes_are_those_of_the_released_models(name: str) -> None:
    """Parameters of the released UNets, text networks and VAE."""
    from accelerate import init_empty_weights
    from hcpgraph_nodes.families import networks
    from hcpgraph_nodes.families.registry import family
    from hcpgraph_nodes.families.sizes import text_configs, unet_config, vae_config

    implementation = family(name)
    sizes = implementation.sizes
    with init_empty_weights():
        texts = [
            networks.text_model(part, config)
            for part, config in zip(implementation.texts, text_configs(sizes), strict=True)
        ]
        modules = [networks.unet(unet_config(sizes)), *texts, networks.vae(vae_config(sizes))]
    assert [sum(p.numel() for p in module.parameters()) for module in modules] == {
        "sd15": [859_520_964, 123_060_480, 83_653_863],
        "sd2": [865_910_724, 340_387_840, 83_653_863],
        "sdxl": [2_567_463_684, 123_060_480, 694_659_840, 83_653_863],
    }[name]


def test_openclip_last_layer_of_a_released_sd2_file_is_left_out(root: Path) -> None:
    """The file has 24 layers and a projection, the model 23 and none."""
    from hcpgraph_nodes.families.open_clip import from_open_clip, to_open_clip

    layers = {"width": 8, "prefix": "cond_stage_model.model."}
    state = {}
    for number in range(24):
        for part in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"):
            state[f"text_model.encoder.layers.{number}.{part}.weight"] = torch.randn(8, 8)
            state[f"text_model.encoder.layers.{number}.{part}.bias"] = torch.randn(8)
    state["text_projection.weight"] = torch.randn(8, 8)
    file = {f"{layers['prefix']}{key}": value for key, value in to_open_clip(state).items()}
    found = from_open_clip(file, str(layers["prefix"]), {"hidden_size": 8})
    kept = {key: value for key, value in state.items() if ".23." not in key and "projection" not in key}
    assert found.keys() == kept.keys() and all(torch.equal(found[key], kept[key]) for key in kept)


def test_precision_of_a_single_file(root: Path, tmp_path: Path) -> None:
    ctx = context(root)
    model = load_model(ctx, path="models:sdxl")
    save_model(ctx, *model, path="out:half.safetensors", layout="single_file", dtype="fp16")
    assert {value.dtype for value in load_file(root / "out/half.safetensors").values()} == {torch.float16}


@pytest.mark.parametrize(("path", "layout"), [("out:x", "single_file"), ("out:x.safetensors", "diffusers")])
def test_path_and_layout_fit(root: Path, path: str, layout: Any) -> None:
    ctx = context(root)
    with pytest.raises(GraphError) as caught:
        save_model(ctx, *load_model(ctx, path="models:sd15"), path=path, layout=layout)
    assert caught.value.problem.code == "E_SETTING"
    assert not (root / "out/x").exists() and not (root / "out/x.safetensors").exists()


def test_parts_of_two_families_are_no_model(root: Path) -> None:
    ctx = context(root)
    first, second = (load_model(ctx, path=f"models:{name}") for name in ("sd15", "sdxl"))
    with pytest.raises(GraphError, match="sd15, sdxl") as caught:
        save_model(ctx, first.denoiser, first.text_encoder, second.vae, first.schedule)
    assert caught.value.problem.code == "E_FAMILY"


def test_a_tokenizer_of_its_own_needs_a_folder(root: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(root / "models/sdxl", tmp_path / "models/sdxl")
    ctx = context(tmp_path)
    tokenizer = load_model(ctx, path="models:sdxl").text_encoder.clips[1].tokens.tokenizer
    tokenizer.add_tokens(["<cat-toy>"])
    tokenizer.save_pretrained(folder / "tokenizer_2")
    model = load_model(ctx, path="models:sdxl")
    with pytest.raises(GraphError, match="tokenizer_2") as caught:
        save_model(ctx, *model, path="out:one.safetensors", layout="single_file")
    assert caught.value.problem.code == "E_TOKENIZER" and not list((tmp_path / "out").glob("*"))


def test_an_unknown_text_weight_has_no_place() -> None:
    from hcpgraph_nodes.families.ldm_file import unet_keys, vae_keys

    config = {"down_block_types": ["DownBlock2D"], "block_out_channels": [8], "layers_per_block": 1}
    for write, name in ((unet_keys, "ip_adapter.to_k.weight"), (vae_keys, "encoder.extra.weight")):
        with pytest.raises(GraphError, match=name) as caught:
            write({name: torch.zeros(1)}, config)
        assert caught.value.problem.code == "E_LAYOUT"


def test_foreign_code_in_a_header_is_refused(root: Path, tmp_path: Path) -> None:
    with safe_open(root / "models/sd15.safetensors", "pt") as file:
        configs = json.loads(file.metadata()[CONFIGS])
    (tmp_path / "models").mkdir()
    for change, code in [
        ({"unet": configs["unet"] | {"_class_name": "Evil"}}, "E_MODEL_CLASS"),
        ({"text_encoder": configs["text_encoder"] | {"auto_map": {"AutoModel": "evil.Model"}}}, "E_MODEL_CLASS"),
        ({"scheduler": {"_class_name": "os.system"}}, "E_SCHEDULE"),
    ]:
        header = {CONFIGS: json.dumps(configs | change)}
        rewritten(root / "models/sd15.safetensors", tmp_path / "models/x.safetensors", header=header)
        with pytest.raises(GraphError) as caught:
            load_model(context(tmp_path), path="models:x.safetensors")
        assert caught.value.problem.code == code
    missing = {CONFIGS: json.dumps({key: value for key, value in configs.items() if key != "vae"})}
    rewritten(root / "models/sd15.safetensors", tmp_path / "models/x.safetensors", header=missing)
    with pytest.raises(GraphError, match="describes no vae"):
        load_model(context(tmp_path), path="models:x.safetensors")


def test_a_broken_file_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/x.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(GraphError) as caught:
        load_model(context(tmp_path), path="models:x.safetensors", family="sdxl")
    assert caught.value.problem.code == "E_NO_SAFETENSORS"


def test_weights_of_another_family_are_told_in_words(root: Path) -> None:
    for name, family in (("sd15", "sdxl"), ("sdxl", "sd2"), ("sd2", "sd15")):
        with pytest.raises(GraphError) as caught:
            model = load_model(
                context(root), path=f"models:{name}.safetensors", family=family, prediction_type="epsilon"
            )
            _ = model.denoiser.root.module, model.text_encoder.root.module
        assert caught.value.problem.code in ("E_WEIGHTS", "E_MODEL_FOLDER", "E_MODEL_CLASS")


def test_probe_of_folders(root: Path, tmp_path: Path) -> None:
    assert [probe_family(root / "models" / name) for name in FAMILIES] == list(FAMILIES)
    refiner = shutil.copytree(root / "models/sdxl", tmp_path / "refiner")
    index = json.loads((refiner / "model_index.json").read_text()) | {"text_encoder": [None, None]}
    (refiner / "model_index.json").write_text(json.dumps(index))
    assert probe_family(refiner) is None


@pytest.mark.parametrize(
    ("keys", "family"),
    [
        ({"input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (8, 768)}, "sd15"),
        ({"input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (8, 1024)}, "sd2"),
        ({"input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (8, 4096)}, None),
        ({"label_emb.0.0.weight": (8, 8)}, None),
        ({"double_blocks.0.img_attn.norm.key_norm.scale": (8,)}, None),
    ],
)
def test_probe_of_files_without_text(tmp_path: Path, keys: Mapping[str, tuple[int, ...]], family: str | None) -> None:
    path = tmp_path / "x.safetensors"
    save_file({f"model.diffusion_model.{key}": torch.zeros(shape) for key, shape in keys.items()}, path)
    assert probe_family(path) == family


def test_vae_of_a_family(root: Path) -> None:
    vae = load_vae(context(root, precision="fp16"), path="models:sdxl", family="sdxl")
    assert vae.family == "sdxl" and vae.config["scaling_factor"] == 0.13025
    assert {p.dtype for p in vae.root.module.parameters()} == {torch.float32}


@pytest.mark.parametrize("kind", ["checkpoint", "original", "diffusers"])
def test_vae_of_a_file(root: Path, tmp_path: Path, kind: str) -> None:
    ctx = context(tmp_path)
    (tmp_path / "models").mkdir()
    with safe_open(root / "models/sdxl.safetensors", "pt") as file:
        header = {CONFIGS: file.metadata()[CONFIGS]}
    state = load_file(root / "models/sdxl.safetensors")
    if kind == "original":  # as sdxl_vae.safetensors; some carry weights of the loss that trained them
        state = {
            key.removeprefix("first_stage_model."): v
            for key, v in state.items()
            if key.startswith("first_stage_model.")
        }
        state["loss.logvar"] = torch.zeros(1)
    if kind == "diffusers":
        state = load_file(root / "models/sdxl/vae/diffusion_pytorch_model.safetensors")
    save_file(state, tmp_path / "models/vae.safetensors", header)
    own = load_model(context(root), path="models:sdxl").vae.root.module.state_dict()
    vae = load_vae(ctx, path="models:vae.safetensors", family="sdxl")
    found = vae.root.module.state_dict()
    assert vae.config["scaling_factor"] == 0.13025
    assert own.keys() == found.keys() and all(torch.equal(own[key], found[key]) for key in own)


def test_a_file_that_is_no_vae(root: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    save_file({"lora_unet_x.alpha": torch.zeros(1)}, tmp_path / "models/x.safetensors")
    (tmp_path / "models/x.ckpt").write_bytes(b"x")
    for path, code in (("models:x.safetensors", "E_WEIGHTS"), ("models:x.ckpt", "E_NO_SAFETENSORS")):
        with pytest.raises(GraphError) as caught:
            _ = load_vae(context(tmp_path), path=path).root.module
        assert caught.value.problem.code == code
