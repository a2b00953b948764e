"""HunyuanDiT against its pipeline in diffusers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.denoiser.load import load_denoiser
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.families.part_probe import probe_denoiser
from hcpgraph_nodes.families.probe import probe_family
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.families.text_probe import probe_text_encoder
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.text_encoder.load import load_text_encoder
from hcpgraph_nodes.types import Conditioning, CropInfo
from safetensors.torch import load_file, save_file

from hcpgraph import GraphError
from hcpgraph.testing import context

from . import files, harness
from .harness import (
    NEGATIVE,
    PROMPTS,
    TOLERANCE,
    Case,
    drawn,
    encoded,
    far,
    opened,
    pipeline,
    theirs,
    unmasked,
    without,
)

CASE = Case(
    "hunyuan_dit",
    width=32,
    height=64,
    guidance=5.0,
    sampler="ddpm",
    called={"guidance_scale": 5.0, "use_resolution_binning": False},
    louder=1.5,
)
SIZES = {"transformer": {"use_style_cond_and_image_meta_size": True}}
OLD = replace(CASE, name="hunyuan_dit_old")
RULES = (
    ("q_norm", "norm_q"),
    ("k_norm", "norm_k"),
    ("out_proj", "to_out.0"),
    ("attn2.q_proj", "attn2.to_q"),
    (".norm1.", ".norm1.norm."),
    (".norm2.", ".norm3."),
    (".norm3.", ".norm2."),
    ("default_modulation.1", "norm1.linear"),
    ("mlp.fc1", "ff.net.0.proj"),
    ("mlp.fc2", "ff.net.2"),
    ("pooler.", "time_extra_emb.pooler."),
    ("t_embedder.mlp.0", "time_extra_emb.timestep_embedder.linear_1"),
    ("t_embedder.mlp.2", "time_extra_emb.timestep_embedder.linear_2"),
    ("x_embedder.", "pos_embed."),
    ("mlp_t5.0", "text_embedder.linear_1"),
    ("mlp_t5.2", "text_embedder.linear_2"),
    ("extra_embedder.0", "time_extra_emb.extra_embedder.linear_1"),
    ("extra_embedder.2", "time_extra_emb.extra_embedder.linear_2"),
    ("final_layer.adaLN_modulation.1", "norm_out.linear"),
    ("final_layer.linear", "proj_out"),
    ("style_embedder", "time_extra_emb.style_embedder"),
)
"""What names have in them in the authors' files -> in diffusers."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hunyuan_dit")
    harness.made(root, replace(CASE, config=SIZES), OLD.name)
    return root


def test_prompts_are_those_of_the_pipeline(root: Path) -> None:
    model, pipe = opened(root, CASE), pipeline(root, CASE)
    for part, index in (("text", 0), ("text_2", 1)):
        told = pipe.encode_prompt(list(PROMPTS), negative_prompt=list(NEGATIVE), text_encoder_index=index)
        for found, text, mask in ((encoded(model, PROMPTS), *told[::2]), (encoded(model, NEGATIVE), *told[1::2])):
            assert far(found.parts[part], text) <= 1e-4 and torch.equal(found.masks[part], mask.bool())


def test_pictures_are_those_of_the_pipeline(root: Path) -> None:
    model = opened(root, CASE)
    positive = encoded(model, PROMPTS)
    reference = theirs(root, CASE)
    assert far(drawn(root, CASE, model, positive), reference) <= TOLERANCE
    other = load_model(context(root), path=f"models:{CASE.name}", prediction_type="epsilon")
    twins = {
        "text": drawn(root, CASE, model, without(positive, "text")),
        "text_2": drawn(root, CASE, model, without(positive, "text_2")),
        "masks": drawn(root, CASE, model, unmasked(positive)),
        "guidance": drawn(root, CASE, model, positive, guidance=2.0),
        "prediction": drawn(root, CASE, other, positive),
    }
    assert {name: far(twin, reference) for name, twin in twins.items() if far(twin, reference) < 100 * TOLERANCE} == {}


def test_versions_up_to_1_1_read_the_sizes_of_pictures(root: Path) -> None:
    """The pipeline orders them otherwise than SDXL's; the older process ends in more noise."""
    from diffusers import HunyuanDiTPipeline

    model = opened(root, OLD)
    pipe = HunyuanDiTPipeline.from_pretrained(root / "models" / OLD.name, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    assert far(drawn(root, CASE, model, encoded(model, PROMPTS)), theirs(root, CASE, pipe)) <= TOLERANCE
    assert model.schedule.config["beta_end"] == 0.03 and opened(root, CASE).schedule.config["beta_end"] == 0.018
    noisy, times, text, _ = harness.example(root, CASE, model)
    seen: list[torch.Tensor] = []
    hook = model.denoiser.root.module.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["image_meta_size"]), with_kwargs=True
    )
    with torch.no_grad():
        told = predict(model.denoiser, noisy, times, text, CropInfo(torch.tensor([[700, 900, 1, 2, 64, 32]]))).data
        plain = predict(model.denoiser, noisy, times, text).data
    hook.remove()
    assert seen[0].tolist() == [[700, 900, 64, 32, 1, 2]] * 2 and seen[1].tolist() == [[1024, 1024, 64, 32, 0, 0]] * 2
    assert far(told, plain) > 1e-3


def test_text_without_masks_is_read_whole(root: Path) -> None:
    """A conditioning that has no masks is one whose tokens all count."""
    model = opened(root, CASE)
    noisy, times, text, _ = harness.example(root, CASE, model)
    with torch.no_grad():
        bare = predict(model.denoiser, noisy, times, Conditioning(dict(text.parts))).data
        full = predict(model.denoiser, noisy, times, unmasked(text)).data
    assert torch.equal(bare, full)
    one = Conditioning({part: value[:1] for part, value in text.parts.items()})
    rows = Conditioning({part: value.expand(2, -1, -1) for part, value in one.parts.items()})
    with torch.no_grad():
        spread = predict(model.denoiser, noisy, times, rows).data
        again = predict(model.denoiser, noisy, times, Conditioning({k: v.clone() for k, v in rows.parts.items()})).data
    assert torch.equal(spread, again)
    with pytest.raises(GraphError, match="E_PARTS"):
        predict(model.denoiser, noisy, times, Conditioning.of(text.data))


def test_it_learns(root: Path) -> None:
    harness.learns_by_a_lora(root, CASE)
    harness.learns_whole(root, CASE)
    harness.learns_whole(root, CASE, layout="single_file")


def test_the_files_that_people_have(root: Path) -> None:
    files.denoiser_files_are_read(root, CASE)
    files.parts_are_read(root, CASE)
    sizes = opened(root, OLD).denoiser
    save_file(
        files.load_file(root / "models" / OLD.name / "transformer" / "diffusion_pytorch_model.safetensors"),
        root / "models" / "old.safetensors",
    )
    files.equal(load_denoiser(context(root), path="models:old.safetensors").denoiser, sizes)


def test_the_merged_file_of_the_authors_is_read(root: Path) -> None:
    """As it was made for ComfyUI: other prefixes, BERT with its pooler and positions, mT5's tokenizer as bytes, the VAE
    in the layout of diffusers."""
    model, folder = opened(root, CASE), harness.made(root, CASE)
    state = load_file(files.whole(root, CASE))
    merged = {key.replace("model.diffusion_model.", "model."): value for key, value in state.items()}
    merged = {key: value for key, value in merged.items() if not key.startswith("vae.")}
    vae = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
    merged |= {f"vae.{key}": value for key, value in vae.items()}
    bert = "text_encoders.hydit_clip.transformer.bert."
    merged |= {
        f"{bert}pooler.dense.weight": torch.zeros(16, 16),
        f"{bert}pooler.dense.bias": torch.zeros(16),
        f"{bert}embeddings.position_ids": torch.arange(128)[None],
        "text_encoders.mt5xl.spiece_model": torch.zeros(8, dtype=torch.uint8),
    }
    path = root / "models" / "merged.safetensors"
    save_file(merged, path)
    assert probe_family(path) == probe_denoiser(path) == probe_text_encoder([path]) == "hunyuan_dit"
    found = load_model(context(root), path="models:merged.safetensors", config="models:hunyuan_dit")
    for one, expected in zip(found[:3], model[:3], strict=True):
        files.equal(one, expected)  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="E_TOKENIZER"):
        load_text_encoder(context(root), path="models:merged.safetensors")
    both = [folder / "text_encoder", folder / "text_encoder_2"]
    assert probe_text_encoder(both) == "hunyuan_dit"


def test_the_layout_is_that_of_the_authors(root: Path) -> None:
    """The rules of diffusers' `convert_hunyuandit_to_diffusers.py`, retyped."""
    state = files.denoisers(root, CASE)
    expected = {}
    for name, value in state["bare"].items():
        layer, _, parameter = name.rpartition(".")
        if layer.endswith(("Wqkv", "kv_proj")):
            parts = "qkv" if layer.endswith("Wqkv") else "kv"
            stem = layer.rsplit(".", 1)[0]
            cut = zip(parts, value.chunk(len(parts)), strict=True)
            expected |= {f"{stem}.to_{part}.{parameter}": piece for part, piece in cut}
            continue
        if name.startswith("final_layer.adaLN_modulation.1."):
            shift, scale = value.chunk(2)
            value = torch.cat([scale, shift])
        for old, new in RULES:
            if old in name:
                name = name.replace(old, new)
                break
        expected[name] = value
    assert expected.keys() == state["diffusers"].keys()
    assert all(torch.equal(expected[name], value) for name, value in state["diffusers"].items())
    old = opened(root, OLD).denoiser.root.module.state_dict()
    written = family("hunyuan_dit").transformer.layout({}).write(old)  # type: ignore[attr-defined]
    assert torch.equal(written["style_embedder.weight"], old["time_extra_emb.style_embedder.weight"])


def test_blocks_recompute_their_activations(root: Path) -> None:
    """Gradients are those without; the network, its layers and what is saved are called as before, and the class of
    diffusers cannot do it."""
    import diffusers

    plain, again = opened(root, CASE), load_model(context(root), path="models:hunyuan_dit", checkpointing=True)
    data, found = harness.example(root, CASE, plain), []
    for model in (plain, again):
        weights = model.denoiser.root.module.requires_grad_(True)
        made = predict(model.denoiser, *data[:3], schedule=model.schedule).data
        # a second call before the gradients of the first are taken
        predict(model.denoiser, *data[:2], encoded(model, NEGATIVE), schedule=model.schedule)
        (made - data[3]).square().mean().backward()
        found.append({name: value.grad.clone() for name, value in weights.named_parameters() if value.grad is not None})
    assert found[0].keys() == found[1].keys() and len(found[0]) > 100
    assert all(torch.equal(found[1][name], value) for name, value in found[0].items())

    theirs = pipeline(root, CASE).transformer
    assert type(theirs) is diffusers.HunyuanDiT2DModel
    with pytest.raises(ValueError, match="does not support gradient checkpointing"):
        theirs.enable_gradient_checkpointing()
    ours = again.denoiser.root.module
    assert [(name, type(layer).__name__) for name, layer in ours.named_modules()] == [
        (name, type(layer).__name__) for name, layer in theirs.named_modules()
    ]
    assert dict(ours.config) == {name: value for name, value in theirs.config.items() if name != "_name_or_path"}
    ours.disable_gradient_checkpointing()
    assert not ours.is_gradient_checkpointing


def test_an_odd_number_of_blocks_is_refused(root: Path) -> None:
    """It does not run."""
    with pytest.raises(GraphError, match="E_MODEL_CLASS"):
        new_model(context(root), family="hunyuan_dit", config={"transformer": {"num_layers": 3}})


def test_a_file_is_taken_to_be_of_the_released_sizes() -> None:
    """Each version by its tensors alone."""
    from accelerate import init_empty_weights

    network = family("hunyuan_dit").transformer  # type: ignore[attr-defined]
    for old in (False, True):
        config = {**network.released, "use_style_cond_and_image_meta_size": old}
        with init_empty_weights():
            module = network.make(config)
        shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
        assert {**network.released, **network.sized(shapes)} == config
    assert shapes["time_extra_emb.extra_embedder.linear_1.weight"][1] == 3968
