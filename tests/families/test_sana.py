"""Sana against its pipeline in diffusers."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.diffusion.encode_image import encode_image
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.families.sana import Sana
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.process.kinds.flow import RectifiedFlow
from hcpgraph_nodes.process.kinds.shift import Shift
from hcpgraph_nodes.types import Images
from hcpgraph_nodes.vae.load import load_vae
from safetensors.torch import load_file, save_file

from hcpgraph import GraphError
from hcpgraph.testing import context

from . import files, harness
from .harness import PROMPTS, TOLERANCE, Case, drawn, encoded, far, opened, pipeline, theirs, unmasked, without

BARE = ("Blurry", "a bad picture")
CASE = Case(
    "sana",
    width=32,
    height=64,
    negative=[f"User Prompt: {text}" for text in BARE],
    called={"guidance_scale": 4.5, "negative_prompt": list(BARE), "use_resolution_binning": False},
    guidance=4.5,
    sampler="dpmpp_2m",
)
"""A negative prompt without an instruction, as the pipeline has it."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sana")


def euler(pipe: Any) -> Any:
    """The pipeline with the scheduler of its other releases."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    pipe.scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    return pipe


def test_prompts_are_those_of_the_pipeline(root: Path) -> None:
    """The pipeline fills up to 300 tokens; what is masked there is not here."""
    model, pipe = opened(root, CASE), pipeline(root, CASE)
    instruction = inspect.signature(type(pipe).__call__).parameters["complex_human_instruction"].default
    with torch.no_grad():
        told = pipe.encode_prompt(list(PROMPTS), negative_prompt=list(BARE), complex_human_instruction=instruction)
        own = pipe.encode_prompt(
            ["Cat", "Dogs"], negative_prompt=["", "X"], complex_human_instruction=["Do.", "User Prompt: "]
        )
    for texts, rows, masks in (
        (PROMPTS, *told[:2]),
        (CASE.negative or (), *told[2:]),
        (("Do.\nUser Prompt: Cat", "Do.\nUser Prompt: Dogs"), *own[:2]),
        (("", "User Prompt:X"), *own[2:]),
    ):
        ours = encoded(model, texts)
        length = ours.data.shape[1]
        assert torch.equal(ours.masks["text"].long(), masks[:, :length]) and not masks[:, length:].any()
        kept = ours.masks["text"][..., None]
        assert far(ours.data * kept, rows[:, :length] * kept) <= 1e-4
    mixed = encoded(model, ("a red cat", ""))
    assert far(mixed.data[:1], encoded(model, PROMPTS[:1]).data) <= 1e-5 and int(mixed.masks["text"][1].sum()) == 1


def test_pictures_are_those_of_the_pipeline(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened(root, CASE)
    positive = encoded(model, PROMPTS)
    reference = theirs(root, CASE)
    assert far(drawn(root, CASE, model, positive), reference) <= TOLERANCE
    plain = model._replace(schedule=replace(model.schedule, shift=Shift(patch=1, grid="table")))
    assert isinstance(plain.schedule, RectifiedFlow)
    twins = {
        "prompt": drawn(root, CASE, model, without(positive, "text")),
        "mask": drawn(root, CASE, model, unmasked(positive)),
        "guidance": drawn(root, CASE, model, positive, guidance=2.0),
        "negative": drawn(root, CASE, model, positive, negative=encoded(model, BARE)),
        "shift": drawn(root, CASE, plain, positive),
        "sampler": drawn(root, CASE, model, positive, sampler="euler"),
    }
    inputs = Sana.inputs
    with monkeypatch.context() as patch:
        patch.setattr(Sana, "inputs", lambda *given: {**(made := inputs(*given)), "timestep": made["timestep"] / 1000})
        twins["time"] = drawn(root, CASE, model, positive)
    assert {name: far(twin, reference) for name, twin in twins.items() if far(twin, reference) < 100 * TOLERANCE} == {}


def test_euler_draws_as_the_pipeline_with_its_scheduler(root: Path) -> None:
    """Its steps are between the ends of a table that is shifted already."""
    model, case = opened(root, CASE), replace(CASE, sampler="euler")
    reference = theirs(root, case, euler(pipeline(root, case)))
    assert far(drawn(root, case, model, encoded(model, PROMPTS)), reference) <= TOLERANCE
    assert isinstance(model.schedule, RectifiedFlow)
    once = model._replace(schedule=replace(model.schedule, shift=replace(model.schedule.shift, grid="once")))
    assert far(drawn(root, case, once, encoded(model, PROMPTS)), reference) >= 100 * TOLERANCE


def test_its_autoencoder_has_no_distribution(root: Path) -> None:
    model, pipe = opened(root, CASE), pipeline(root, CASE)
    images = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = pipe.vae.encode(images * 2 - 1).latent * pipe.vae.config.scaling_factor
        mean, deviation = family("sana").encode_image(model.vae, images)
        for mode in ("sample", "mean"):
            found = encode_image(context(root), model.vae, Images(images), mode=mode).data
            assert far(found, expected) <= 1e-5
    assert not deviation.any() and mean.shape == (2, 4, 8, 12)


def test_it_learns(root: Path) -> None:
    """Of smaller pictures than the pipeline takes: noise can be learned by heart."""
    case = replace(CASE, width=16, height=32)
    harness.learns_by_a_lora(root, case)
    harness.learns_whole(root, case)
    harness.learns_whole(root, case, layout="single_file")


def test_the_files_that_people_have(root: Path) -> None:
    files.denoiser_files_are_read(root, CASE, told=False)
    files.parts_are_read(root, CASE)


def test_the_layout_is_that_of_diffusers() -> None:
    """Its converter, which needs what diffusers computes itself to be there."""
    from diffusers.loaders.single_file_utils import convert_sana_transformer_to_diffusers

    of = Sana.transformer
    assert of.layout is not None
    for changed in ({"num_layers": 2}, {"num_layers": 2, "qk_norm": "rms_norm_across_heads"}):
        config = {**of.released, **changed}
        with torch.device("meta"):
            state = dict(of.make(config).state_dict())
        original = of.layout(config).write(state)
        assert of.layout(config).is_original(original)
        for names in (original, state):
            assert {**of.released, **of.sized({name: tuple(value.shape) for name, value in names.items()})} == config
        files_have = original | {"pos_embed": state["proj_out.bias"], "y_embedder.y_embedding": state["proj_out.bias"]}
        shapes = {name: tuple(value.shape) for name, value in state.items()}
        assert of.layout(config).read(files_have, shapes).keys() == state.keys()
        if "qk_norm" not in changed:
            converted = convert_sana_transformer_to_diffusers(files_have)
            assert converted.keys() == state.keys()
            assert all(converted[name].shape == value.shape for name, value in state.items())


def test_the_autoencoder_is_read_in_the_layout_of_its_authors(root: Path) -> None:
    """Names and shapes as the converter of diffusers takes them: 1×1 convolutions where it has linear layers."""
    model, state = opened(root, CASE), load_file(harness.made(root, CASE) / "vae/diffusion_pytorch_model.safetensors")
    path = root / "models/dc_ae.safetensors"
    save_file(by_the_authors(state), path)
    files.equal(load_vae(context(root), path="models:dc_ae.safetensors", family="sana"), model.vae)


def by_the_authors(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights of an AutoencoderDC by their authors' names."""
    found: dict[str, torch.Tensor] = {}
    ends = {
        "encoder.conv_in.": "encoder.project_in.conv.",
        "encoder.conv_out.": "encoder.project_out.0.conv.",
        "decoder.conv_in.": "decoder.project_in.conv.",
        "decoder.norm_out.": "decoder.project_out.0.",
        "decoder.conv_out.": "decoder.project_out.2.conv.",
    }
    inner = {
        "attn.to_qkv_multiscale.0.proj_in.": "context_module.main.aggreg.0.0.",
        "attn.to_qkv_multiscale.0.proj_out.": "context_module.main.aggreg.0.1.",
        "attn.to_out.": "context_module.main.proj.conv.",
        "attn.norm_out.": "context_module.main.proj.norm.",
        "conv_out.conv_inverted.": "local_module.main.inverted_conv.conv.",
        "conv_out.conv_depth.": "local_module.main.depth_conv.conv.",
        "conv_out.conv_point.": "local_module.main.point_conv.conv.",
        "conv_out.norm.": "local_module.main.point_conv.norm.",
        "conv1.": "main.conv1.conv.",
        "conv2.": "main.conv2.conv.",
        "norm.": "main.conv2.norm.",
        "conv.": "main.conv.conv.",
    }
    for name, value in state.items():
        if (end := next((old for old in ends if name.startswith(old)), None)) is not None:
            found[ends[end] + name.removeprefix(end)] = value
            continue
        part, _, level, block, rest = name.split(".", 4)
        start = f"{part}.stages.{level}.op_list.{block}."
        if rest.startswith("attn.to_q."):
            own = [state[name.replace("to_q.", f"to_{each}.")] for each in "qkv"]
            found[f"{start}context_module.main.qkv.conv.weight"] = torch.cat(own)[..., None, None]
        elif not rest.startswith(("attn.to_k.", "attn.to_v.")):
            old = next(each for each in inner if rest.startswith(each))
            found[start + inner[old] + rest.removeprefix(old)] = value[..., None, None] if "to_out" in rest else value
    return found


def test_sprint_is_another_model(root: Path) -> None:
    with pytest.raises(GraphError, match="Sprint") as refused:
        new_model(context(root), family="sana", config={"transformer": {"guidance_embeds": True}})
    assert refused.value.problem.code == "E_MODEL_CLASS"
