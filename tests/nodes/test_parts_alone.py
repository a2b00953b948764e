"""`denoiser.load` and `text_encoder.load`: the parts of a model from what people have, equal bit for bit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.denoiser.load import load_denoiser
from hcpgraph_nodes.families import ldm_file
from hcpgraph_nodes.families.part_probe import probe_denoiser
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.families.table import families
from hcpgraph_nodes.families.text_probe import probe_text_encoder
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.text_encoder.load import load_text_encoder
from hcpgraph_nodes.types import Captions
from safetensors.torch import load_file, save_file

import hcpgraph
from hcpgraph import Graph, GraphError
from hcpgraph.testing import context

FAMILIES = sorted(name for name in families() if family(name).sizes)
UNET = "model.diffusion_model."
COMFY = {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}


@pytest.fixture(scope="module")
def root(family_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parts of every family, alone: folders, and files in the layouts of ComfyUI and of diffusers."""
    root = tmp_path_factory.mktemp("parts")
    models = root / "models"
    shutil.copytree(family_files / "models", models)
    for name in FAMILIES:
        whole = models / name
        shutil.copytree(whole / "unet", models / f"{name}_unet")
        state = load_file(models / f"{name}.safetensors")
        own = {key: value for key, value in state.items() if key.startswith(UNET)}
        save_file(own, models / f"{name}_prefixed.safetensors")
        save_file({key.removeprefix(UNET): value for key, value in own.items()}, models / f"{name}_bare.safetensors")
        texts = [part for part in ("text_encoder", "text_encoder_2") if (whole / part).is_dir()]
        comfy = {}
        for part in texts:
            shutil.copytree(whole / part, models / f"{name}_{part}")
            found = load_file(whole / part / "model.safetensors")
            save_file(found, models / f"{name}_{part}.safetensors")
            network = "clip_h" if name == "sd2" else COMFY[part]
            comfy |= {f"text_encoders.{network}.transformer.{_long(key)}": value for key, value in found.items()}
        save_file(comfy, models / f"{name}_comfy.safetensors")
    return root


def _long(key: str) -> str:
    return key if key.startswith(("text_model.", "text_projection")) else f"text_model.{key}"


def equal(one: Any, other: Any) -> None:
    own, theirs = one.root.module.state_dict(), other.root.module.state_dict()
    assert own.keys() == theirs.keys()
    assert all(torch.equal(own[name], value) for name, value in theirs.items())


@pytest.mark.parametrize("form", ["{}", "{}/unet", "{}_unet", "{}.safetensors", "{}_prefixed", "{}_bare", "{}/weights"])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_denoiser_alone_is_that_of_the_model(root: Path, name: str, form: str):
    ctx = context(root)
    model = load_model(ctx, path=f"models:{name}")
    path = "models:" + form.format(name)
    settings: dict[str, Any] = {"prediction_type": model.denoiser.prediction_type}
    if form == "{}/weights":
        path = f"models:{name}/unet/diffusion_pytorch_model.safetensors"
    elif form in ("{}_prefixed", "{}_bare"):
        path += ".safetensors"
        settings |= {"family": name, "config": f"models:{name}"}
    elif form != "{}_unet":
        settings = {}
    if form == "{}/weights":
        settings["family"] = name
    found = load_denoiser(ctx, path=path, **settings)
    assert found.denoiser.family == name and found.denoiser.config["cross_attention_dim"]
    equal(found.denoiser, model.denoiser)
    assert found.schedule.prediction_type == model.schedule.prediction_type
    assert torch.equal(found.schedule.alphas_cumprod, model.schedule.alphas_cumprod)
    whole = form in ("{}", "{}/unet", "{}.safetensors")
    if whole:
        assert found.denoiser.config == model.denoiser.config or form == "{}.safetensors"


def places(root: Path, name: str, form: str) -> dict[str, str]:
    """Settings for the text networks of a family in a form."""
    texts = ["text_encoder", "text_encoder_2"] if name == "sdxl" else ["text_encoder"]
    if "{part}" not in form:
        return {"path": "models:" + form.format(name=name)}
    return {
        setting: "models:" + form.format(name=name, part=part)
        for setting, part in zip(("path", "path_2"), texts, strict=False)
    }


@pytest.mark.parametrize("form", ["{name}", "{name}.safetensors", "{name}/{part}", "{name}_{part}"])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_text_encoder_alone_is_that_of_the_model(root: Path, name: str, form: str):
    ctx = context(root)
    model, texts = load_model(ctx, path=f"models:{name}"), Captions(("a red cat", "two dogs"))
    found = load_text_encoder(ctx, **places(root, name, form))
    assert found.family == name
    equal(found, model.text_encoder)
    wanted, own = encode_text(model.text_encoder, texts), encode_text(found, texts)
    assert all(torch.equal(own.parts[part], value) for part, value in wanted.parts.items())


def test_released_sizes_are_read_of_files_of_comfyui(root: Path, monkeypatch: pytest.MonkeyPatch):
    """Files without a configuration have the sizes of the released model: here those of the small ones."""
    from hcpgraph_nodes.families import unet_parts

    for name in FAMILIES:
        texts = ["text_encoder", "text_encoder_2"] if name == "sdxl" else ["text_encoder"]
        small = tuple(json.loads((root / f"models/{name}/{part}/config.json").read_text()) for part in texts)
        monkeypatch.setattr(unet_parts, "text_configs", lambda sizes, small=small: small)
        ctx = context(root)
        model = load_model(ctx, path=f"models:{name}")
        for form in ("{name}_comfy.safetensors", "{name}_{part}.safetensors"):
            found = load_text_encoder(ctx, family=name, **places(root, name, form))
            equal(found, model.text_encoder)


def test_only_the_part_is_read(root: Path, monkeypatch: pytest.MonkeyPatch):
    """Of a whole checkpoint no tensor of another part is touched."""
    read: list[str] = []
    original = ldm_file._read

    def spying(path: Path, prefix: str) -> Any:
        found = original(path, prefix)
        read.extend(found)
        return found

    monkeypatch.setattr(ldm_file, "_read", spying)
    ctx = context(root)
    _ = load_denoiser(ctx, path="models:sdxl.safetensors").denoiser.root.module
    assert read and all(key.startswith(UNET) for key in read)
    read.clear()
    _ = load_text_encoder(ctx, path="models:sdxl.safetensors").root.module
    assert read and all(key.startswith("conditioner.embedders.") for key in read)


@pytest.mark.parametrize(
    ("shapes", "family"),
    [
        ({"input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": 768}, "sd15"),
        ({"input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": 1024}, "sd2"),
        ({"input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": 2048, "label_emb.0.0.weight": 4}, "sdxl"),
        ({"down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": 768}, "sd15"),
        ({"down_blocks.1.x.weight": 2, "add_embedding.linear_1.weight": 2816}, "sdxl"),
        ({"double_blocks.0.img_attn.qkv.weight": 3072}, None),
    ],
)
@pytest.mark.parametrize("prefix", ["", UNET])
def test_files_of_denoisers_are_told_apart(tmp_path: Path, shapes: dict[str, int], family: str | None, prefix: str):
    save_file({prefix + name: torch.zeros(2, size) for name, size in shapes.items()}, tmp_path / "x.safetensors")
    assert probe_denoiser(tmp_path / "x.safetensors") == family


@pytest.mark.parametrize(
    ("widths", "family"), [((768,), "sd15"), ((1024,), "sd2"), ((768, 1280), "sdxl"), ((4096,), None)]
)
def test_files_of_text_encoders_are_told_apart(tmp_path: Path, widths: tuple[int, ...], family: str | None):
    name = "text_model.embeddings.token_embedding.weight"
    paths = [tmp_path / f"{width}.safetensors" for width in widths]
    for path, width in zip(paths, widths, strict=True):
        save_file({name: torch.zeros(2, width)}, path)
    assert probe_text_encoder(paths) == family
    both = {f"text_encoders.{index}.transformer.{name}": torch.zeros(2, width) for index, width in enumerate(widths)}
    save_file(both, tmp_path / "both.safetensors")
    assert probe_text_encoder([tmp_path / "both.safetensors"]) == family


def graph(**nodes: tuple[str, dict[str, Any]]) -> Graph:
    g = Graph()
    for id, (kind, settings) in nodes.items():
        g.add(kind, id, **settings)
    return g


def test_facts_are_known_before_anything_is_loaded(root: Path):
    def codes(g: Graph) -> list[tuple[str, str | None]]:
        return [(each.code, each.port) for each in hcpgraph.validate(g, workspace=root) if each.severity == "error"]

    g = graph(
        unet=("denoiser.load", {"path": "models:sd2/unet"}),
        text=("text_encoder.load", {"path": "models:sd2_text_encoder"}),
        vae=("vae.load", {"path": "models:sd15", "family": "sd15"}),
        prompt=("text.prompt", {"texts": ["x"]}),
        encode=("text.encode", {}),
        empty=("sample.empty_latents", {"width": 16, "height": 16}),
        draw=("sample.denoise", {"guidance": 1.0, "sampler": "ddim", "steps": 2}),
        decode=("image.decode", {}),
        save=("image.save", {}),
    )
    g.edges |= {
        "encode.text_encoder": "text.out",
        "encode.captions": "prompt.out",
        "empty.vae": "vae.out",
        "draw.denoiser": "unet.denoiser",
        "draw.schedule": "unet.schedule",
        "draw.positive": "encode.out",
        "draw.latents": "empty.out",
        "decode.vae": "vae.out",
        "decode.latents": "draw.out",
        "save.images": "decode.out",
    }
    assert codes(g) == []
    assert hcpgraph.run(g, workspace=root, targets=["decode"]).status == "done"
    g.nodes["text"].settings["path"] = "models:sd15_text_encoder"
    assert codes(g) == [("E_FACT", "positive")]
    g.nodes["text"].settings |= {"path": "models:sdxl_text_encoder", "path_2": "models:sdxl_text_encoder_2"}
    assert codes(g) == [("E_FACT", "positive")]
    g.nodes["unet"].settings |= {"path": "models:sd2/unet", "family": "sdxl"}
    assert ("E_FAMILY", "family") in codes(g)


@pytest.mark.parametrize(
    ("load", "settings", "code"),
    [
        (load_text_encoder, {"path": "models:sdxl_text_encoder_2", "family": "sdxl"}, "E_SETTING"),
        (load_text_encoder, {"path": "models:sdxl_text_encoder", "family": "sdxl"}, "E_FAMILY"),
        (load_text_encoder, {"path": "models:sdxl_text_encoder_2.safetensors", "family": "sdxl"}, "E_WEIGHTS"),
        (load_text_encoder, {"path": "models:sd15_bare.safetensors", "family": "sd15"}, "E_WEIGHTS"),
        (load_text_encoder, {"path": "models:sd15/vae"}, "E_FAMILY"),
        (load_denoiser, {"path": "models:sd15/vae"}, "E_FAMILY"),
        (load_denoiser, {"path": "models:sd15_text_encoder.safetensors"}, "E_FAMILY"),
        (load_denoiser, {"path": "models:sd2_bare.safetensors", "family": "sd2"}, "E_PREDICTION"),
        (load_denoiser, {"path": "models:sdxl_unet", "family": "sd15"}, "E_FAMILY"),
    ],
)
def test_what_is_no_such_part(root: Path, load: Any, settings: dict[str, str], code: str):
    with pytest.raises(GraphError) as caught:
        load(context(root), **settings)
    assert caught.value.problem.code == code


def test_a_text_encoder_is_no_denoiser(root: Path):
    handle = load_denoiser(context(root), path="models:sd15_text_encoder.safetensors", family="sd15").denoiser
    with pytest.raises(GraphError) as caught:
        _ = handle.root.module
    assert caught.value.problem.code == "E_WEIGHTS"
