"""Qwen-Image against its pipeline in diffusers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.denoiser.load import load_denoiser
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.process.kinds.flow import RectifiedFlow
from hcpgraph_nodes.process.kinds.shift import Shift
from hcpgraph_nodes.text_encoder.load import load_text_encoder
from hcpgraph_nodes.vae.load import load_vae
from safetensors.torch import load_file, save_file

from hcpgraph import GraphError
from hcpgraph.testing import context

from . import files, harness
from .harness import (
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

CASE = Case("qwen_image", guidance=4.0, called={"true_cfg_scale": 4.0}, louder=2.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("qwen_image")


def test_prompts_are_those_of_the_pipeline(root: Path) -> None:
    model, pipe = opened(root, CASE), pipeline(root, CASE)
    with torch.no_grad():
        text, mask = pipe.encode_prompt(list(PROMPTS))
        alone, no_mask = pipe.encode_prompt([PROMPTS[0]])
    positive, one = encoded(model, PROMPTS), encoded(model, PROMPTS[:1])
    assert far(positive.data, text) <= 1e-4 and torch.equal(positive.masks["text"], mask.bool())
    assert far(one.data, alone) <= 1e-4 and no_mask is None and not one.masks
    assert encoded(model, ["a " * 400]).data.shape[1] == 512


def test_pictures_are_those_of_the_pipeline(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened(root, CASE)
    positive = encoded(model, PROMPTS)
    reference = theirs(root, CASE)
    assert far(drawn(root, CASE, model, positive), reference) <= TOLERANCE
    plain = model._replace(schedule=replace(model.schedule, shift=Shift()))
    assert isinstance(plain.schedule, RectifiedFlow)
    twins = {
        "prompt": drawn(root, CASE, model, without(positive, "text")),
        "mask": drawn(root, CASE, model, unmasked(positive)),
        "guidance": drawn(root, CASE, model, positive, guidance=3.0),
        "negative": drawn(root, CASE, model, positive, negative=encoded(model, PROMPTS[::-1])),
        "shift": drawn(root, CASE, plain, positive),
    }
    monkeypatch.setattr("hcpgraph_nodes.families.qwen_image.spread", torch.ones_like)
    monkeypatch.setattr("hcpgraph_nodes.families.qwen_image.length", lambda latents: latents[:, :1])
    twins["length of tokens"] = drawn(root, CASE, model, positive)
    assert {name: far(twin, reference) for name, twin in twins.items() if far(twin, reference) < 100 * TOLERANCE} == {}


def test_it_learns(root: Path) -> None:
    harness.learns_by_a_lora(root, CASE)
    harness.learns_whole(root, CASE)
    harness.learns_whole(root, CASE, layout="single_file")


@pytest.mark.parametrize("layout", ["kohya", "peft"])
def test_the_pipeline_reads_its_loras(root: Path, layout: str) -> None:
    harness.the_pipeline_reads_a_lora(root, CASE, layout)


def test_the_files_that_people_have(root: Path) -> None:
    files.denoiser_files_are_read(root, CASE)
    files.parts_are_read(root, CASE)


def test_the_autoencoder_in_either_layout(root: Path) -> None:
    """As diffusers converts the file of Wan's authors, in sizes of the released model too."""
    from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers

    own = load_file(harness.made(root, CASE) / "vae/diffusion_pytorch_model.safetensors")
    written = load_file(files.whole(root, CASE))
    original = {name.removeprefix("vae."): value for name, value in written.items() if name.startswith("vae.")}
    of = family("qwen_image")
    layout = of.vae.layout(of.vae.released)  # type: ignore[attr-defined]
    with torch.device("meta"):
        released = of.vae.make(of.vae.released).state_dict()  # type: ignore[attr-defined]
    converted = convert_wan_vae_to_diffusers(layout.write(dict(released)))
    assert {name: value.shape for name, value in converted.items()} == {n: v.shape for n, v in released.items()}
    for kind, state in {"diffusers": own, "original": original, "whole": written}.items():
        save_file(state, root / "models" / f"vae_{kind}.safetensors")
        found = load_vae(context(root), path=f"models:vae_{kind}.safetensors", family="qwen_image")
        files.equal(found, opened(root, CASE).vae)


def test_older_names_of_the_text_network(root: Path) -> None:
    """Files of Qwen 2.5-VL alone have those before transformers 4.52."""
    state = load_file(harness.made(root, CASE) / "text_encoder/model.safetensors")
    older = {
        name.replace("model.language_model.", "model.").replace("model.visual.", "visual."): v
        for name, v in state.items()
    }
    assert any(name.startswith("visual.") for name in older) and older.keys() != state.keys()
    save_file(older, root / "models/older.safetensors")
    text = load_text_encoder(
        context(root), path="models:older.safetensors", family="qwen_image", config="models:qwen_image"
    )
    files.equal(text, opened(root, CASE).text_encoder)


def test_a_mark_of_comfyui_is_read(root: Path) -> None:
    """It says that reference pictures are modulated as if without noise; it is no weight."""
    state = files.denoisers(root, CASE)["bare"]
    save_file({**state, "__index_timestep_zero__": torch.empty(0)}, root / "models/marked.safetensors")
    found = load_denoiser(context(root), path="models:marked.safetensors").denoiser
    assert found.config["zero_cond_t"] and not opened(root, CASE).denoiser.config.get("zero_cond_t")
    files.equal(found, opened(root, CASE).denoiser)


def test_layered_networks_are_refused(root: Path) -> None:
    case = replace(CASE, config={"transformer": {"use_layer3d_rope": True}})
    with pytest.raises(GraphError, match=r"E_MODEL_CLASS.*use_layer3d_rope"):
        harness.made(root, case, "layered")
