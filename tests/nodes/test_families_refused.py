"""What a model file says of itself, and files and parts that are refused in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.families.file_marks import CONFIGS
from hcpgraph_nodes.families.probe import probe_family
from hcpgraph_nodes.families.safetensors_file import safetensors_header
from hcpgraph_nodes.model.load import LoadedModel, load_model
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.model.save import save_model
from hcpgraph_nodes.types import Conditioning, NoisyLatents, Timesteps
from hcpgraph_nodes.vae.load import load_vae
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import hcpgraph
from hcpgraph import GraphError
from hcpgraph.events import Event, EventLog
from hcpgraph.testing import context

from .test_families_files import FAMILIES, SMALL, assert_equal


def rewritten(
    source: Path, target: Path, *, add: Mapping[str, torch.Tensor] = {}, header: Mapping[str, str] = {}
) -> Path:
    """A copy of a single file with another header and more tensors."""
    save_file(load_file(source) | dict(add), target, {"format": "pt", **header})
    return target


def prediction(tmp_path: Path, source: Path, **settings: Any) -> LoadedModel:
    (tmp_path / "models").mkdir(exist_ok=True)
    rewritten(source, tmp_path / "models/x.safetensors", add=settings.pop("add", {}), header=settings.pop("header", {}))
    return load_model(context(tmp_path), path="models:x.safetensors", **settings)


def test_prediction_type_of_a_single_file(family_files: Path, tmp_path: Path) -> None:
    """By the setting, the header or the mark of SDXL files; of SD 2.x never by a guess."""
    files = {name: family_files / "models" / f"{name}.safetensors" for name in FAMILIES}
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


def test_what_is_assumed_is_told(family_files: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    rewritten(family_files / "models/sdxl.safetensors", tmp_path / "models/x.safetensors")
    told: list[Event] = []
    ctx = context(tmp_path)
    ctx.run.events = EventLog("test", listener=told.append)
    load_model(ctx, path="models:x.safetensors")
    assert any("set prediction_type" in str(event) for event in told)
    told.clear()
    load_model(ctx, path="models:x.safetensors", prediction_type="epsilon")
    assert not told


def test_a_file_of_others_with_the_folder_as_config(family_files: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    for name in FAMILIES:
        file = rewritten(family_files / "models" / f"{name}.safetensors", tmp_path / "models" / f"{name}.safetensors")
        shutil.copytree(family_files / "models" / name, tmp_path / "models" / name)
        assert probe_family(file) == name
        ctx = context(tmp_path)
        copy = load_model(ctx, path=f"models:{file.name}", config=f"models:{name}")
        assert_equal(copy, load_model(ctx, path=f"models:{name}"))
        assert copy.denoiser.prediction_type == ("v_prediction" if name == "sd2" else "epsilon")


def test_velocity_and_zero_snr_of_sdxl_are_marked(family_files: Path, tmp_path: Path) -> None:
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


def test_probe_of_folders(family_files: Path, tmp_path: Path) -> None:
    assert [probe_family(family_files / "models" / name) for name in FAMILIES] == list(FAMILIES)
    refiner = shutil.copytree(family_files / "models/sdxl", tmp_path / "refiner")
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


def test_foreign_code_in_a_header_is_refused(family_files: Path, tmp_path: Path) -> None:
    with safe_open(family_files / "models/sd15.safetensors", "pt") as file:
        configs = json.loads(file.metadata()[CONFIGS])
    (tmp_path / "models").mkdir()
    for change, code in [
        ({"unet": configs["unet"] | {"_class_name": "Evil"}}, "E_MODEL_CLASS"),
        ({"text_encoder": configs["text_encoder"] | {"auto_map": {"AutoModel": "evil.Model"}}}, "E_MODEL_CLASS"),
        ({"scheduler": {"_class_name": "os.system"}}, "E_SCHEDULE"),
    ]:
        header = {CONFIGS: json.dumps(configs | change)}
        rewritten(family_files / "models/sd15.safetensors", tmp_path / "models/x.safetensors", header=header)
        with pytest.raises(GraphError) as caught:
            load_model(context(tmp_path), path="models:x.safetensors")
        assert caught.value.problem.code == code
    missing = {CONFIGS: json.dumps({key: value for key, value in configs.items() if key != "vae"})}
    rewritten(family_files / "models/sd15.safetensors", tmp_path / "models/x.safetensors", header=missing)
    with pytest.raises(GraphError, match="describes no vae"):
        load_model(context(tmp_path), path="models:x.safetensors")


WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


def changed(file: str, **entries: Any) -> Callable[[Path], None]:
    """Changes entries of a JSON file in a folder; those that are None go."""

    def change(folder: Path) -> None:
        found = json.loads((folder / file).read_text()) | entries
        (folder / file).write_text(json.dumps({key: value for key, value in found.items() if value is not None}))

    return change


def replaced(file: str, content: bytes, *, gone: str = WEIGHTS) -> Callable[[Path], None]:
    """Takes one file away and writes another."""

    def change(folder: Path) -> None:
        (folder / gone).unlink()
        (folder / file).write_bytes(content)

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda folder: shutil.rmtree(folder / "scheduler"), "E_MODEL_FOLDER"),
        (lambda folder: (folder / "unet/config.json").unlink(), "E_MODEL_FOLDER"),
        (lambda folder: (shutil.rmtree(folder / "unet"), (folder / "unet").touch()), "E_MODEL_FOLDER"),
        (changed("vae/config.json", block_out_channels=None), "E_MODEL_FOLDER"),
        (changed("text_encoder/config.json", num_hidden_layers=None), "E_MODEL_FOLDER"),
        (changed("scheduler/scheduler_config.json", num_train_timesteps="many"), "E_SCHEDULE"),
        (changed("scheduler/scheduler_config.json", num_train_timesteps=-3), "E_SCHEDULE"),
        (changed("scheduler/scheduler_config.json", beta_schedule="magic"), "E_SCHEDULE"),
        (changed("scheduler/scheduler_config.json", _class_name=["DDIMScheduler"]), "E_SCHEDULE"),
        (changed("unet/config.json", down_block_types=["Evil", "DownBlock2D"]), "E_MODEL_CLASS"),
        (changed("text_encoder/config.json", num_hidden_layers="two"), "E_MODEL_CLASS"),
        (replaced(WEIGHTS, b"\xff" * 50), "E_NO_SAFETENSORS"),
        (replaced(f"{WEIGHTS}.index.json", b"{"), "E_MODEL_FOLDER"),
        (replaced(f"{WEIGHTS}.index.json", b'{"weight_map": [1]}'), "E_MODEL_FOLDER"),
        (replaced(f"{WEIGHTS}.index.json", b'{"weight_map": {"a": "../x"}}'), "E_MODEL_FOLDER"),
        (replaced(f"{WEIGHTS}.index.json", b'{"weight_map": {"a": "gone.safetensors"}}'), "E_NO_SAFETENSORS"),
        (replaced("tokenizer/tokenizer.json", b"{", gone="tokenizer/tokenizer.json"), "E_MODEL_FOLDER"),
        (lambda folder: (folder / "tokenizer/tokenizer.json").unlink(), "E_MODEL_FOLDER"),
    ],
)
def test_a_broken_folder_is_told_in_words(
    family_files: Path, tmp_path: Path, change: Callable[[Path], None], code: str
) -> None:
    change(shutil.copytree(family_files / "models/sd15", tmp_path / "models/x"))
    with pytest.raises(GraphError) as caught:
        model = load_model(context(tmp_path), path="models:x", family="sd15")
        _ = model.denoiser.root.module, model.text_encoder.root.module, model.text_encoder.clips[0].tokens.tokenizer
    assert caught.value.problem.code == code


def test_a_unet_for_inpainting_reads_more_than_latents(family_files: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(family_files / "models/sd15", tmp_path / "models/x")
    changed("unet/config.json", in_channels=9)(folder)
    state = load_file(folder / WEIGHTS)
    first = state["conv_in.weight"]
    save_file(state | {"conv_in.weight": torch.cat([first, first, first[:, :1]], dim=1)}, folder / WEIGHTS)
    denoiser = load_model(context(tmp_path), path="models:x").denoiser
    inputs = (
        NoisyLatents(torch.zeros(1, 4, 8, 8)),
        Timesteps(torch.tensor([3])),
        Conditioning.of(torch.zeros(1, 77, 32)),
    )
    with pytest.raises(GraphError, match="reads 9 channels; the latents have 4") as caught:
        predict(denoiser, *inputs)
    assert caught.value.problem.code == "E_CHANNELS"


def test_a_broken_file_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/x.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(GraphError) as caught:
        load_model(context(tmp_path), path="models:x.safetensors", family="sdxl")
    assert caught.value.problem.code == "E_NO_SAFETENSORS"


def test_a_file_that_is_no_vae(family_files: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    save_file({"lora_unet_x.alpha": torch.zeros(1)}, tmp_path / "models/x.safetensors")
    (tmp_path / "models/x.ckpt").write_bytes(b"x")
    for path, code in (("models:x.safetensors", "E_WEIGHTS"), ("models:x.ckpt", "E_NO_SAFETENSORS")):
        with pytest.raises(GraphError) as caught:
            _ = load_vae(context(tmp_path), path=path).root.module
        assert caught.value.problem.code == code


@pytest.mark.parametrize(("path", "layout"), [("out:x", "single_file"), ("out:x.safetensors", "diffusers")])
def test_path_and_layout_fit(family_files: Path, path: str, layout: Any) -> None:
    ctx = context(family_files)
    with pytest.raises(GraphError) as caught:
        save_model(ctx, *load_model(ctx, path="models:sd15"), path=path, layout=layout)
    assert caught.value.problem.code == "E_SETTING"
    assert not (family_files / "out/x").exists() and not (family_files / "out/x.safetensors").exists()


def test_parts_of_two_families_are_no_model(family_files: Path) -> None:
    ctx = context(family_files)
    first, second = (load_model(ctx, path=f"models:{name}") for name in ("sd15", "sdxl"))
    for encoder, vae, port in ((first, second, "vae"), (second, first, "text_encoder")):
        with pytest.raises(GraphError, match=r"of 'sd.*', and this part of sdxl with 'sdxl'") as caught:
            save_model(ctx, first.denoiser, encoder.text_encoder, vae.vae, first.schedule)
        assert (caught.value.problem.code, caught.value.problem.port) == ("E_FAMILY", port)


def test_a_tokenizer_of_its_own_needs_a_folder(family_files: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(family_files / "models/sdxl", tmp_path / "models/sdxl")
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


@pytest.mark.parametrize("single", ["", ".safetensors"])
@pytest.mark.parametrize("named", FAMILIES)
@pytest.mark.parametrize("held", FAMILIES)
def test_a_family_that_contradicts_the_files_is_refused(family_files: Path, held: str, named: str, single: str) -> None:
    """In validation, and in the run where the path comes over a wire; a VAE may be of a family with the same one."""
    path = f"models:{held}{single}"
    for node, load, agrees in (
        ("model.load", load_model, held == named),
        ("vae.load", load_vae, (held == "sdxl") == (named == "sdxl")),
    ):
        kind = {"prediction_type": "v_prediction"} if node == "model.load" else {}
        g = hcpgraph.Graph()
        g.add(node, "loaded", path=path, family=named, **kind)
        problems = [problem for problem in hcpgraph.validate(g, workspace=family_files) if problem.code == "E_FAMILY"]
        assert [problem.port for problem in problems] == ([] if agrees else ["family"])
        if agrees:
            assert load(context(family_files), path=path, family=named, **kind)
            continue
        with pytest.raises(GraphError, match=f"is of the family {held}, and family says {named}") as caught:
            load(context(family_files), path=path, family=named, **kind)
        assert caught.value.problem.code == "E_FAMILY" and caught.value.problem.hint == f"set family to {held}"
