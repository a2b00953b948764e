"""Z-Image against its pipeline in diffusers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.families.z_image import ZImage
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.process.kinds.flow import RectifiedFlow
from hcpgraph_nodes.process.kinds.shift import Shift
from hcpgraph_nodes.text_encoder.load import load_text_encoder
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

CASE = Case("z_image", guidance=5.0, called={"guidance_scale": 5.0})


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("z_image")


def test_prompts_are_those_of_the_pipeline(root: Path) -> None:
    """A list of texts of their own lengths there, a mask here; the pipeline writes over the list that it is given."""
    model, pipe = opened(root, CASE), pipeline(root, CASE)
    with torch.no_grad():
        told = pipe.encode_prompt(list(PROMPTS), negative_prompt=list(NEGATIVE))
    for texts, rows in zip((PROMPTS, NEGATIVE), told, strict=True):
        ours = encoded(model, texts)
        assert ours.masks["text"].sum(1).tolist() == [len(row) for row in rows]
        for own, mask, row in zip(ours.data, ours.masks["text"], rows, strict=True):
            assert far(own[mask], row) <= 1e-4
    assert len(told[0][0]) != len(told[0][1])


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
        "guidance": drawn(root, CASE, model, positive, guidance=4.0),
        "shift": drawn(root, CASE, plain, positive),
    }
    inputs = ZImage.inputs
    with monkeypatch.context() as patch:
        patch.setattr(ZImage, "inputs", lambda *given: {**(made := inputs(*given)), "t": 1 - made["t"]})
        twins["time"] = drawn(root, CASE, model, positive)
    with monkeypatch.context() as patch:
        patch.setattr(ZImage, "output", lambda self, denoiser, raw, noisy: torch.stack(raw).squeeze(2))
        twins["sign"] = drawn(root, CASE, model, positive)
    assert {name: far(twin, reference) for name, twin in twins.items() if far(twin, reference) < 100 * TOLERANCE} == {}


def test_guidance_counts_from_0(root: Path) -> None:
    """Turbo draws at 0, without a negative prompt; every scale above it needs one, also those below 1."""
    model, turbo = opened(root, CASE), replace(CASE, negative=None, called={"guidance_scale": 0.0}, guidance=0.0)
    assert far(drawn(root, turbo, model, encoded(model, PROMPTS)), theirs(root, turbo)) <= TOLERANCE
    half = replace(CASE, guidance=0.5, called={"guidance_scale": 0.5})
    assert far(drawn(root, half, model, encoded(model, PROMPTS)), theirs(root, half)) <= TOLERANCE
    with pytest.raises(GraphError) as refused:
        drawn(root, replace(half, negative=None), model, encoded(model, PROMPTS))
    assert refused.value.problem.code == "E_NO_NEGATIVE"


def test_a_text_is_the_same_beside_a_longer_one(root: Path) -> None:
    model = opened(root, CASE)
    noisy, times = torch.randn(1, 4, 8, 16, generator=torch.Generator().manual_seed(5)), torch.tensor([400.0])
    with torch.no_grad():
        alone, both = encoded(model, PROMPTS[:1]), encoded(model, PROMPTS)
        single = family("z_image").predict(model.denoiser, noisy, times, alone)
        pair = family("z_image").predict(model.denoiser, noisy.repeat(2, 1, 1, 1), times, both)
    assert both.data.shape[1] > alone.data.shape[1] and far(pair[:1], single) <= 1e-4


def test_it_learns(root: Path) -> None:
    harness.learns_by_a_lora(root, CASE)
    harness.learns_whole(root, CASE)
    harness.learns_whole(root, CASE, layout="single_file")


def test_the_files_that_people_have(root: Path) -> None:
    files.denoiser_files_are_read(root, CASE, told=False)
    files.parts_are_read(root, CASE)


def test_the_text_network_is_read_out_of_a_whole_one(root: Path) -> None:
    """Folders and files of a Qwen3ForCausalLM have a level of names more, and a head that nothing reads."""
    model, folder = opened(root, CASE), harness.made(root, CASE) / "text_encoder"
    state = load_file(folder / "model.safetensors")
    whole = {f"model.{name}": value for name, value in state.items()} | {"lm_head.weight": torch.zeros(264, 16)}
    save_file(whole, root / "models/qwen_3.safetensors")
    given = {"family": "z_image", "config": "models:z_image"}
    files.equal(load_text_encoder(context(root), path="models:qwen_3.safetensors", **given), model.text_encoder)
    other = harness.made(root, CASE, "causal")
    config = other / "text_encoder/config.json"
    config.write_text(config.read_text("utf-8").replace('"Qwen3Model"', '"Qwen3ForCausalLM"'), "utf-8")
    (root / "models/qwen_3.safetensors").rename(other / "text_encoder/model.safetensors")
    files.equal(load_model(context(root), path="models:causal").text_encoder, model.text_encoder)


def test_the_layout_is_that_of_diffusers(root: Path) -> None:
    """Its converter, the other way: from the authors' file to the weights of the transformer."""
    from diffusers.loaders.single_file_utils import convert_z_image_transformer_checkpoint_to_diffusers

    state = files.denoisers(root, CASE)
    assert "layers.0.attention.qkv.weight" in state["bare"]
    converted = convert_z_image_transformer_checkpoint_to_diffusers(dict(state["bare"]))
    assert converted.keys() == state["diffusers"].keys()
    assert all(torch.equal(converted[name], value) for name, value in state["diffusers"].items())


def test_sizes_are_those_of_the_tensors() -> None:
    of = ZImage.transformer
    small = {**of.released, "dim": 256, "n_heads": 2, "n_kv_heads": 2, "n_layers": 3, "n_refiner_layers": 1}
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in of.make(small).state_dict().items()}
    assert {**of.released, **of.sized(shapes)} == small


def test_omni_is_another_model(root: Path) -> None:
    with pytest.raises(GraphError, match="Omni") as refused:
        new_model(context(root), family="z_image", config={"transformer": {"siglip_feat_dim": 8}})
    assert refused.value.problem.code == "E_MODEL_CLASS"
