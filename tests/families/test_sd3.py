"""Stable Diffusion 3 against its pipeline in diffusers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.process.kinds.flow import RectifiedFlow
from hcpgraph_nodes.process.kinds.shift import Shift

from . import harness
from .harness import NEGATIVE, PROMPTS, TOLERANCE, Case, drawn, encoded, far, opened, pipeline, theirs, without

CASE = Case("sd3", guidance=7.0, called={"guidance_scale": 7.0}, louder=2.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sd3")


def test_prompts_are_those_of_the_pipeline(root: Path) -> None:
    model, pipe = opened(root, CASE), pipeline(root, CASE)
    with torch.no_grad():
        told = pipe.encode_prompt(list(PROMPTS), None, None, negative_prompt=list(NEGATIVE))
    positive, negative = encoded(model, PROMPTS), encoded(model, NEGATIVE)
    assert far(positive.data, told[0]) <= 1e-4 and far(negative.data, told[1]) <= 1e-4
    assert positive.pooled is not None and torch.equal(positive.pooled, told[2])
    assert positive.data.shape == (2, 77 + 256, 32) and not positive.masks


def test_pictures_are_those_of_the_pipeline(root: Path) -> None:
    model = opened(root, CASE)
    positive = encoded(model, PROMPTS)
    reference = theirs(root, CASE)
    assert far(drawn(root, CASE, model, positive), reference) <= TOLERANCE
    plain = model._replace(schedule=replace(model.schedule, shift=Shift(grid="table")))
    assert isinstance(plain.schedule, RectifiedFlow)
    twins = {
        "prompt": drawn(root, CASE, model, without(positive, "text")),
        "pooled": drawn(root, CASE, model, without(positive, "pooled")),
        "guidance": drawn(root, CASE, model, positive, guidance=3.0),
        "shift": drawn(root, CASE, plain, positive),
    }
    assert {name: far(twin, reference) for name, twin in twins.items() if far(twin, reference) < 100 * TOLERANCE} == {}


def test_it_draws_without_t5(root: Path) -> None:
    """A pipeline without its third encoder takes zeros for it; so does a folder that has none."""
    harness.made(root, CASE)
    pipe = pipeline(root, CASE)
    pipe.text_encoder_3 = pipe.tokenizer_3 = None
    folder = root / "models/small"
    if not folder.exists():
        pipe.save_pretrained(folder)
    small = harness.load_model(harness.context(root), path="models:small")
    assert [clip.name for clip in small.text_encoder.clips] == ["text_encoder", "text_encoder_2"]
    case = replace(CASE, name="small")
    found = drawn(root, case, small, encoded(small, PROMPTS))
    assert far(found, theirs(root, CASE, pipe)) <= TOLERANCE


def test_it_learns(root: Path) -> None:
    harness.learns_by_a_lora(root, CASE)
    harness.learns_whole(root, CASE)
    harness.learns_whole(root, CASE, layout="single_file")
