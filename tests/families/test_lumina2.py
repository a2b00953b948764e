"""Lumina-Image 2.0 against its pipeline in diffusers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.families.dit.gemma2 import instructed
from hcpgraph_nodes.families.guiding import PlainGuidance
from hcpgraph_nodes.families.lumina2 import Lumina2
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.process.kinds.flow import RectifiedFlow
from hcpgraph_nodes.process.kinds.shift import Shift
from hcpgraph_nodes.text_encoder.load import load_text_encoder
from safetensors.torch import load_file, save_file

from hcpgraph.testing import context

from . import files, harness
from .harness import PROMPTS, TOLERANCE, Case, drawn, encoded, far, opened, pipeline, theirs, unmasked, without

BARE = ("blurry", "a bad picture")
CASE = Case(
    "lumina2",
    width=64,
    height=128,
    negative=[f"<Prompt Start> {text}" for text in BARE],
    called={"guidance_scale": 4.0, "negative_prompt": list(BARE)},
    louder=1.5,
)
"""A negative prompt without a system prompt, as the pipeline has it."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lumina2")


def test_prompts_are_those_of_the_pipeline(root: Path) -> None:
    """The pipeline fills up to 256 tokens; what is masked there is not here."""
    model, pipe = opened(root, CASE), pipeline(root, CASE)
    for texts, negative in ((["<Prompt Start> blurry", ""], ["blurry", ""]), (list(CASE.negative or ()), list(BARE))):
        with torch.no_grad():
            told = pipe.encode_prompt(list(PROMPTS), negative_prompt=negative)
        for ours, rows, masks in ((encoded(model, PROMPTS), *told[:2]), (encoded(model, texts), *told[2:])):
            length = ours.data.shape[1]
            assert torch.equal(ours.masks["text"].long(), masks[:, :length]) and not masks[:, length:].any()
            kept = ours.masks["text"][..., None]
            assert far(ours.data * kept, rows[:, :length] * kept) <= 1e-4
    own = encoded(model, ["Draw. <Prompt Start> a cat"])
    with torch.no_grad():
        told = pipe.encode_prompt(["a cat"], system_prompt="Draw.", do_classifier_free_guidance=False)
    assert far(own.data, told[0][:, : own.data.shape[1]]) <= 1e-4


def test_a_text_says_its_instruction() -> None:
    assert instructed("a cat", "Draw.", "<Go>") == ("Draw.", "a cat")
    assert instructed("", "Draw.", "<Go>") == ("", "")
    assert instructed("Paint <Go> a <Go> cat", "Draw.", "<Go>") == ("Paint <Go> a", "cat")
    assert instructed(" <Go>a cat ", "Draw.", "<Go>") == ("", "a cat ")


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
        "guidance": drawn(root, CASE, model, positive, guidance=2.0),
        "negative": drawn(root, CASE, model, positive, negative=encoded(model, BARE)),
        "shift": drawn(root, CASE, plain, positive),
    }
    inputs = Lumina2.inputs
    with monkeypatch.context() as patch:
        patch.setattr(Lumina2, "inputs", lambda *given: {**(made := inputs(*given)), "timestep": 1 - made["timestep"]})
        twins["time"] = drawn(root, CASE, model, positive)
    with monkeypatch.context() as patch:
        patch.setattr(Lumina2, "output", lambda self, denoiser, raw, noisy: raw)
        twins["sign"] = drawn(root, CASE, model, positive)
    with monkeypatch.context() as patch:
        patch.setattr(Lumina2, "guided", PlainGuidance.guided)
        twins["length"] = drawn(root, CASE, model, positive)
    assert {name: far(twin, reference) for name, twin in twins.items() if far(twin, reference) < 100 * TOLERANCE} == {}


def test_the_empty_negative_is_that_of_the_pipeline(root: Path) -> None:
    model = opened(root, CASE)
    case = replace(CASE, negative=("", ""), called={"guidance_scale": 4.0})
    assert far(drawn(root, case, model, encoded(model, PROMPTS)), theirs(root, case)) <= TOLERANCE


def test_it_learns(root: Path) -> None:
    harness.learns_by_a_lora(root, CASE)
    harness.learns_whole(root, CASE)
    harness.learns_whole(root, CASE, layout="single_file")


def test_the_files_that_people_have(root: Path) -> None:
    files.denoiser_files_are_read(root, CASE, told=False)
    files.parts_are_read(root, CASE)


def test_the_text_network_is_read_out_of_a_whole_one(root: Path) -> None:
    """Files of ComfyUI have a level of names more, and the tokenizer as a tensor; folders may be of a whole model."""
    model, folder = opened(root, CASE), harness.made(root, CASE) / "text_encoder"
    state = load_file(folder / "model.safetensors")
    whole = {f"model.{name}": value for name, value in state.items()}
    save_file({**whole, "spiece_model": torch.zeros(9, dtype=torch.uint8)}, root / "models/gemma_2.safetensors")
    given = {"family": "lumina2", "config": "models:lumina2"}
    files.equal(load_text_encoder(context(root), path="models:gemma_2.safetensors", **given), model.text_encoder)
    other = harness.made(root, CASE, "causal")
    config = other / "text_encoder/config.json"
    config.write_text(config.read_text("utf-8").replace('"Gemma2Model"', '"Gemma2ForCausalLM"'), "utf-8")
    save_file(whole, other / "text_encoder/model.safetensors")
    files.equal(load_model(context(root), path="models:causal").text_encoder, model.text_encoder)


def test_the_layout_is_that_of_diffusers() -> None:
    """Its converter knows the released widths alone, and gives the weights of the transformer there."""
    from diffusers.loaders.single_file_utils import convert_lumina2_to_diffusers

    of = Lumina2.transformer
    config = {**of.released, "num_layers": 1}
    with torch.device("meta"):
        state = dict(of.make(config).state_dict())
    assert of.layout is not None
    original = of.layout(config).write(state)
    assert "layers.0.attention.qkv.weight" in original and of.layout(config).is_original(original)
    shapes = {name: tuple(value.shape) for name, value in original.items()}
    assert {**of.released, **of.sized(shapes)} == config
    assert {**of.released, **of.sized({name: tuple(value.shape) for name, value in state.items()})} == config
    converted = convert_lumina2_to_diffusers({**original, "norm_final.weight": original["x_embedder.bias"]})
    assert converted.keys() == state.keys()
    assert all(converted[name].shape == value.shape for name, value in state.items())
