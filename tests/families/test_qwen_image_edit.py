"""Qwen-Image-Edit and Edit Plus against their pipelines in diffusers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hcpgraph_nodes.condition.image import image
from hcpgraph_nodes.denoiser.load import load_denoiser
from hcpgraph_nodes.families.part_probe import probe_denoiser
from hcpgraph_nodes.families.probe import probe_family
from hcpgraph_nodes.families.text_probe import probe_text_encoder
from hcpgraph_nodes.model.load import LoadedModel, load_model
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.text_encoder.load import load_text_encoder
from hcpgraph_nodes.types import Captions, Conditioning, Images
from PIL import Image
from safetensors.torch import load_file, save_file

import hcpgraph
from hcpgraph import Graph, GraphError
from hcpgraph.testing import context

from . import files, harness
from .harness import NEGATIVE, PROMPTS, TOLERANCE, Case, drawn, far, opened, pipeline, theirs, unmasked, without

CASE = Case("qwen_image_edit", guidance=4.0, called={"true_cfg_scale": 4.0}, louder=2.0)
PLUS = replace(CASE, name="qwen_image_edit_plus")
PLAIN = replace(CASE, name="qwen_image")
AREA = 64 * 96
"""Of the pictures, so that no pipeline changes them where it is told that this is what it wants."""
MODULE = "diffusers.pipelines.qwenimage.pipeline_{}"


def drawn_picture(width: int, height: int, seed: int, darkest: int = 0, brightest: int = 255) -> Image.Image:
    levels = np.random.default_rng(seed).integers(darkest, brightest, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels)


PICTURES = [drawn_picture(96, 64, 1, brightest=80), drawn_picture(96, 64, 2, darkest=170)]
OTHER = drawn_picture(64, 96, 3)


def ours(*pictures: Image.Image) -> Images:
    """The same as a batch."""
    return Images(torch.stack([torch.from_numpy(np.array(each)).permute(2, 0, 1).float() / 255 for each in pictures]))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("qwen_image_edit")


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipelines want pictures of the size that ours have, instead of a million pixels."""
    import importlib

    edit, plus = (importlib.import_module(MODULE.format(name)) for name in ("qwenimage_edit", "qwenimage_edit_plus"))
    sized: Callable[[int, float], Any] = edit.calculate_dimensions
    monkeypatch.setattr(edit, "calculate_dimensions", lambda area, ratio: sized(AREA, ratio))
    monkeypatch.setattr(plus, "CONDITION_IMAGE_SIZE", AREA)
    monkeypatch.setattr(plus, "VAE_IMAGE_SIZE", AREA)


def told(model: LoadedModel, texts: tuple[str, ...], *pictures: Images) -> Conditioning:
    with torch.no_grad():
        return encode_text(model.text_encoder, Captions(texts), *pictures)


def led(model: LoadedModel, text: Conditioning, *pictures: Images) -> Conditioning:
    """With reference pictures for the denoiser."""
    with torch.no_grad():
        for each in pictures:
            text = image(context(Path()), text, model.vae, each, by="tokens")
    return text


def test_prompts_are_those_of_the_pipelines(root: Path) -> None:
    model, pipe = opened(root, CASE), pipeline(root, CASE)
    with torch.no_grad():
        text, mask = pipe.encode_prompt(list(PROMPTS), image=PICTURES)
    found = told(model, PROMPTS, ours(*PICTURES))
    assert far(found.data, text) <= 1e-4 and torch.equal(found.masks["text"], mask.bool())
    assert far(told(model, PROMPTS, ours(*PICTURES[::-1])).data, text) >= 1e-2
    odd = drawn_picture(75, 50, 4)  # which the processor brings to multiples of 28
    plus, other = opened(root, PLUS), pipeline(root, PLUS)
    with torch.no_grad():
        text, no_mask = other.encode_prompt([PROMPTS[0]], image=[odd, OTHER])
    found = told(plus, PROMPTS[:1], ours(odd), ours(OTHER))
    assert far(found.data, text) <= 1e-4 and no_mask is None and not found.masks
    assert far(told(plus, PROMPTS[:1], ours(OTHER), ours(odd)).data, text) >= 1e-2
    alone, without = told(plus, PROMPTS[:1], ours(odd)), told(plus, PROMPTS[:1])
    assert alone.data.shape[1] - told(model, PROMPTS[:1], ours(odd)).data.shape[1] == len("Picture 1: ")
    assert without.data.shape[1] < alone.data.shape[1]


def test_pictures_are_those_of_the_pipeline(root: Path) -> None:
    model, batch, swapped = opened(root, CASE), ours(*PICTURES), ours(*PICTURES[::-1])
    text, against = told(model, PROMPTS, batch), told(model, tuple(NEGATIVE), batch)
    reference = theirs(root, CASE, image=PICTURES)
    positive = led(model, text, batch)
    assert far(drawn(root, CASE, model, positive, negative=against), reference) <= TOLERANCE
    seen = told(model, PROMPTS)
    twins = {
        "prompt": (without(positive, "text"), against),
        "mask": (unmasked(positive), against),
        "picture in the text": (led(model, seen, batch), against),
        "other picture in the text": (led(model, told(model, PROMPTS, swapped), batch), against),
        "no reference": (text, against),
        "other reference": (led(model, text, swapped), against),
        "negative": (positive, told(model, PROMPTS[::-1], batch)),
    }
    found = {name: far(drawn(root, CASE, model, one, negative=two), reference) for name, (one, two) in twins.items()}
    assert {name: value for name, value in found.items() if value < 100 * TOLERANCE} == {}


def test_several_pictures_are_those_of_the_pipeline(root: Path) -> None:
    """Of two sizes; the network modulates references as if they were without noise, as the one of 2511 does."""
    case = replace(PLUS, config={"transformer": {"zero_cond_t": True}})
    harness.made(root, case, "zero")
    model = load_model(context(root), path="models:zero")
    both = [ours(PICTURES[0]), ours(OTHER)]
    text, against = told(model, PROMPTS, *both), told(model, tuple(NEGATIVE), *both)
    import diffusers

    pipe = diffusers.QwenImageEditPlusPipeline.from_pretrained(root / "models/zero", local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    one = {"prompt": PROMPTS[0], "negative_prompt": NEGATIVE[0], "image": [PICTURES[0], OTHER]}
    reference = theirs(root, case, pipe, generator=torch.Generator().manual_seed(harness.SEED), **one)

    def first(positive: Conditioning) -> torch.Tensor:
        return drawn(root, case, model, positive, negative=against)[:1]

    assert far(first(led(model, text, *both)), reference) <= TOLERANCE
    assert far(first(led(model, text, both[0])), reference) >= 100 * TOLERANCE
    assert far(first(led(model, text, *both[::-1])), reference) >= 100 * TOLERANCE
    plain = model._replace(denoiser=opened(root, PLUS).denoiser)
    found = drawn(root, case, plain, led(model, text, *both), negative=against)[:1]
    assert far(found, reference) >= 100 * TOLERANCE


def test_it_learns(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a reference picture."""
    plain = harness.example

    def example(root: Path, case: Case, model: LoadedModel) -> Any:
        noisy, times, _, aim = plain(root, case, model)
        batch = ours(*PICTURES)
        return noisy, times, led(model, told(model, PROMPTS, batch), batch), aim

    monkeypatch.setattr(harness, "example", example)
    harness.learns_by_a_lora(root, CASE)
    harness.learns_whole(root, PLUS)


def test_folders_are_told_apart(root: Path) -> None:
    for case in (CASE, PLUS, PLAIN):
        folder = harness.made(root, case)
        assert probe_family(folder) == case.name == probe_text_encoder([folder])
        assert probe_denoiser(folder / "transformer") == "qwen_image"
    size = {"shortest_edge": 784, "longest_edge": 3136}
    model = opened(root, CASE)
    model.text_encoder.clips[0].images.tokenizer.size = size  # type: ignore[union-attr]
    (root / "models/own").mkdir()
    from hcpgraph_nodes.families.registry import family

    family(CASE.name).save(root / "models/own", tuple(model)[:4], torch.float32, {})  # type: ignore[arg-type]
    again = load_model(context(root), path="models:own")
    read = again.text_encoder.clips[0].images.tokenizer.size  # type: ignore[union-attr]
    assert {name: read[name] for name in size} == size


def test_files_of_which_the_family_is_named(root: Path) -> None:
    """They look like those of Qwen-Image."""
    model, path = opened(root, CASE), files.whole(root, CASE)
    assert probe_family(path) == "qwen_image" and probe_family(path, CASE.name) == CASE.name
    named = {"family": CASE.name, "config": f"models:{CASE.name}"}
    again = load_model(context(root), path=f"models:{path.name}", **named)
    for found, expected in zip(again[:3], model[:3], strict=True):
        files.equal(found, expected)  # type: ignore[arg-type]
    for kind, state in files.denoisers(root, CASE).items():
        save_file(state, root / "models" / f"{kind}.safetensors")
        found = load_denoiser(context(root), path=f"models:{kind}.safetensors", **named).denoiser
        files.equal(found, model.denoiser, files.STEP if kind == "eight_bits" else 0.0)
        assert found.family == CASE.name
        assert load_denoiser(context(root), path=f"models:{kind}.safetensors").denoiser.family == "qwen_image"
    save_file(load_file(harness.made(root, CASE) / "text_encoder/model.safetensors"), root / "models/text.safetensors")
    text = load_text_encoder(context(root), path="models:text.safetensors", **named)
    files.equal(text, model.text_encoder)
    with torch.no_grad():
        found_text = encode_text(text, Captions(PROMPTS), ours(*PICTURES))
    assert torch.equal(found_text.data, told(model, PROMPTS, ours(*PICTURES)).data)
    with pytest.raises(GraphError, match="E_FAMILY"):
        load_denoiser(context(root), path="models:bare.safetensors", family="flux")


@pytest.mark.parametrize(
    ("code", "texts", "pictures"),
    [
        ("E_IMAGES", PROMPTS, [ours(*PICTURES), ours(OTHER)]),
        ("E_IMAGES", ("a <|image_pad|>",), []),
        ("E_SIZE", PROMPTS, [Images(torch.zeros(1, 3, 2, 402))]),
    ],
)
def test_pictures_that_are_refused(root: Path, code: str, texts: tuple[str, ...], pictures: list[Images]) -> None:
    with pytest.raises(GraphError) as caught:
        told(opened(root, CASE), texts, *pictures)
    assert caught.value.problem.code == code


def test_a_processor_of_another_network_is_refused(root: Path) -> None:
    model = new_model(context(root), family=CASE.name, seed=1)
    model.text_encoder.clips[0].images.tokenizer.merge_size = 4  # type: ignore[union-attr]
    with pytest.raises(GraphError, match=r"E_MODEL_FOLDER.*merge_size"):
        encode_text(model.text_encoder, Captions(PROMPTS), ours(*PICTURES))


def test_a_graph_with_pictures(tmp_path: Path) -> None:
    """It draws; a cache of texts, and pictures for Qwen-Image, are told before, at the port that has one."""
    (tmp_path / "data").mkdir()
    OTHER.save(tmp_path / "data/other.png")
    g = Graph()
    g.add("model.new", "model", family=PLUS.name, seed=1)
    g.add("image.load", "picture", path="data:other.png")
    g.add("text.prompt", "prompt", texts=["make it red"])
    g.add("text.encode", "encode")
    g.add("condition.image", "led", by="tokens")
    g.add("sample.empty_latents", "latents", width=16, height=16)
    g.add("sample.denoise", "drawn", sampler="euler", steps=2, guidance=1.0)
    g.edges |= {
        "encode.text_encoder": "model.text_encoder",
        "encode.captions": "prompt.out",
        "encode.images_2": "picture.out",
        "led.conditioning": "encode.out",
        "led.vae": "model.vae",
        "led.images": "picture.out",
        "latents.vae": "model.vae",
        "drawn.denoiser": "model.denoiser",
        "drawn.schedule": "model.schedule",
        "drawn.positive": "led.out",
        "drawn.latents": "latents.out",
    }

    def told_before() -> list[tuple[str, str | None]]:
        problems = hcpgraph.validate(g, workspace=tmp_path)
        return [(each.code, each.port) for each in problems if each.severity == "error"]

    assert told_before() == []
    hcpgraph.run(g, workspace=tmp_path)
    g.nodes["encode"].settings["cache"] = "ram"
    assert told_before() == [("E_CACHE", "images_2")]
    g.nodes["model"].settings["family"] = "qwen_image"
    assert ("E_IMAGES", "images_2") in told_before()


def test_references_that_are_refused(root: Path) -> None:
    model = opened(root, CASE)
    text = told(model, PROMPTS)
    for shape, code in (((2, 8, 16, 16), "E_CHANNELS"), ((2, 16, 15, 16), "E_CONDITION")):
        with pytest.raises(GraphError) as caught:
            drawn(root, CASE, model, text.with_parts(image_tokens_1=torch.zeros(shape)))
        assert caught.value.problem.code == code
