"""Chroma against its pipeline in diffusers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.families.chroma import LAYOUT, sized
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.process.kinds.shift import Shift
from hcpgraph_nodes.types import Conditioning

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

WIDE = {"attention_head_dim": 128, "num_attention_heads": 1, "axes_dims_rope": [16, 56, 56]}
"""Heads whose axes are known, so that tensors tell every size."""
CASE = Case("chroma", guidance=5.0, called={"guidance_scale": 5.0}, louder=2.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chroma")


def test_prompts_are_those_of_the_pipeline(root: Path) -> None:
    model, pipe = opened(root, CASE), pipeline(root, CASE)
    with torch.no_grad():
        told = pipe.encode_prompt(list(PROMPTS), list(NEGATIVE))
    positive, negative = encoded(model, PROMPTS), encoded(model, NEGATIVE)
    for found, data, mask in ((positive, *told[:1], told[2]), (negative, told[3], told[5])):
        assert far(found.data, data) <= 1e-4
        assert torch.equal(found.masks["text"].float(), mask) and not mask.all()
    assert positive.data.shape == (2, 512, 32)


def test_pictures_are_those_of_the_pipeline(root: Path) -> None:
    model = opened(root, CASE)
    positive = encoded(model, PROMPTS)
    reference = theirs(root, CASE)
    found = drawn(root, CASE, model, positive)
    assert far(found, reference) <= TOLERANCE
    plain = model._replace(schedule=replace(model.schedule, shift=Shift()))
    bare = unmasked(positive)
    twins = {
        "prompt": drawn(root, CASE, model, without(positive, "text")),
        "mask": drawn(root, CASE, model, bare, negative=unmasked(encoded(model, NEGATIVE))),
        "guidance": drawn(root, CASE, model, positive, guidance=2.0),
        "shift": drawn(root, CASE, plain, positive),
    }
    assert {name: far(twin, reference) for name, twin in twins.items() if far(twin, reference) < 100 * TOLERANCE} == {}
    assert far(drawn(root, CASE, model, positive, guidance=1.0), theirs(root, CASE, guidance_scale=1.0)) <= TOLERANCE


def test_the_mask_is_kept_where_activations_are_recomputed(root: Path) -> None:
    """Outputs and gradients are those without recomputation; the class of diffusers leaves the mask out."""
    from diffusers import ChromaTransformer2DModel

    plain, again = opened(root, CASE), load_model(context(root), path="models:chroma", checkpointing=True)
    data = harness.example(root, CASE, plain)
    grads, outputs = [], []
    for model in (plain, again):
        weights = model.denoiser.root.module.requires_grad_(True)
        made = predict(model.denoiser, *data[:3], schedule=model.schedule).data
        # a second call, with another mask, before the gradients of the first are taken
        predict(model.denoiser, *data[:2], encoded(model, NEGATIVE), schedule=model.schedule)
        made.square().mean().backward()
        grads.append({name: value.grad.clone() for name, value in weights.named_parameters()})
        outputs.append(made.detach())
    assert again.denoiser.root.module.is_gradient_checkpointing and far(*outputs) <= 1e-6
    assert all(torch.allclose(grads[1][name], value, atol=1e-6) for name, value in grads[0].items())

    theirs = pipeline(root, CASE).transformer
    assert type(theirs) is ChromaTransformer2DModel
    noisy = data[0].data
    given = family("chroma").inputs(plain.denoiser, noisy, torch.tensor([300.0, 800.0]), data[2], None)  # type: ignore[attr-defined]
    with_mask = theirs(**given, return_dict=False)[0].detach()
    theirs.enable_gradient_checkpointing()
    assert far(theirs(**given, return_dict=False)[0].detach(), with_mask) > 1e-3


def test_a_conditioning_of_flux_is_refused(root: Path) -> None:
    model = opened(root, CASE)
    data = harness.example(root, CASE, model)
    foreign = Conditioning.of(data[2].data, torch.zeros(2, 16))
    with pytest.raises(GraphError) as caught:
        predict(model.denoiser, *data[:2], foreign, schedule=model.schedule)
    assert caught.value.problem.code == "E_PARTS"


def test_it_learns(root: Path) -> None:
    harness.learns_by_a_lora(root, CASE)
    harness.learns_whole(root, CASE)
    harness.learns_whole(root, CASE, layout="single_file")


def test_the_files_that_people_have(tmp_path: Path) -> None:
    case = replace(CASE, config={"transformer": WIDE})
    files.denoiser_files_are_read(tmp_path, case)
    files.parts_are_read(tmp_path, case)


def test_released_sizes_are_told_by_tensors() -> None:
    from accelerate import init_empty_weights
    from diffusers import ChromaTransformer2DModel

    config = dict(family("chroma").transformer.released)  # type: ignore[attr-defined]
    with init_empty_weights():
        state = ChromaTransformer2DModel.from_config(config).state_dict()
    for known in (state, LAYOUT.write(state)):
        found = sized({name: tuple(value.shape) for name, value in known.items()})
        assert {**config, **found} == config and found["approximator_layers"] == 5 and found["num_single_layers"] == 38


def test_the_layout_is_that_of_diffusers() -> None:
    """One block of each kind in the released width, a number a matrix: its converter finds every one in its place."""
    from accelerate import init_empty_weights
    from diffusers import ChromaTransformer2DModel
    from diffusers.loaders.single_file_utils import convert_chroma_transformer_checkpoint_to_diffusers

    few: dict[str, Any] = {"num_layers": 1, "num_single_layers": 1, "approximator_layers": 2}
    config = {**family("chroma").transformer.released, **few}  # type: ignore[attr-defined]
    with init_empty_weights():
        shapes = {
            name: value.shape for name, value in ChromaTransformer2DModel.from_config(config).state_dict().items()
        }
    state = {name: torch.full(shape[:1], float(index)) for index, (name, shape) in enumerate(shapes.items())}
    converted = convert_chroma_transformer_checkpoint_to_diffusers(LAYOUT.write(state))
    assert converted.keys() == state.keys()
    assert all(torch.equal(converted[name], value) for name, value in state.items())
