"""FLUX.2 dev against its pipeline in diffusers; what it shares with klein is tested there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.condition.guidance import guidance
from hcpgraph_nodes.families.part_probe import probe_denoiser
from hcpgraph_nodes.families.probe import probe_family
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.process.kinds.shift import Shift

from hcpgraph import GraphError
from hcpgraph.testing import context

from . import files, harness
from .harness import PROMPTS, TOLERANCE, Case, drawn, encoded, far, opened, pipeline, theirs, without
from .test_flux2_klein import CASE as KLEIN
from .test_flux2_klein import WIDE, led, normed, pictures

CASE = Case("flux2", guidance=1.0, negative=None, called={"guidance_scale": 4.0}, louder=2.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("flux2")
    normed(root, CASE)
    return root


def test_prompts_are_those_of_the_pipeline(root: Path) -> None:
    """A mark of a picture in a prompt is left out."""
    model, pipe = opened(root, CASE), pipeline(root, CASE)
    texts = [PROMPTS[0], "two [IMG]dogs " * 60]
    with torch.no_grad():
        told, _ = pipe.encode_prompt(texts)
    found = encoded(model, texts)
    assert far(found.data, told) <= 1e-4 and not found.masks and found.data.shape == (2, 512, 48)


def test_pictures_are_those_of_the_pipeline(root: Path) -> None:
    model = opened(root, CASE)
    positive = encoded(model, PROMPTS)
    reference = theirs(root, CASE)
    assert far(drawn(root, CASE, model, positive), reference) <= TOLERANCE
    assert far(drawn(root, CASE, model, guidance(positive, value=4.0)), reference) <= TOLERANCE
    plain = model._replace(schedule=replace(model.schedule, shift=Shift(patch=1)))
    twins = {
        "prompt": drawn(root, CASE, model, without(positive, "text")),
        "guidance": drawn(root, CASE, model, guidance(positive, value=1.0)),
        "shift": drawn(root, CASE, plain, positive),
    }
    assert {name: far(twin, reference) for name, twin in twins.items() if far(twin, reference) < 100 * TOLERANCE} == {}


def test_a_reference_picture_equals_the_pipeline(root: Path) -> None:
    model = opened(root, CASE)
    given, (first, _) = pictures()
    found = drawn(root, CASE, model, led(model, first))
    assert far(found, theirs(root, CASE, image=given[:1])) <= TOLERANCE


def test_it_learns(root: Path) -> None:
    harness.learns_by_a_lora(root, CASE)
    harness.learns_whole(root, CASE, layout="single_file")


def test_the_files_that_people_have(tmp_path: Path) -> None:
    case = replace(CASE, config={"transformer": WIDE})
    files.denoiser_files_are_read(tmp_path, case)
    files.parts_are_read(tmp_path, case)


def test_it_is_told_from_klein(root: Path) -> None:
    harness.made(root, KLEIN)
    for case in (CASE, KLEIN):
        folder = root / "models" / case.name
        assert probe_family(folder) == probe_denoiser(folder / "transformer") == case.name
        assert probe_family(files.whole(root, case)) == case.name


def test_other_networks_in_a_configuration_are_refused(tmp_path: Path) -> None:
    for changed, told in (
        ({"text_config": {"model_type": "llama"}}, "is of a llama"),
        ({"text_config": {"num_hidden_layers": 9}}, "after layer 30"),
    ):
        with pytest.raises(GraphError, match=told):
            new_model(context(tmp_path), family="flux2", config={"text_encoder": changed})
