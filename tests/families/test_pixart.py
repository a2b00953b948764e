"""PixArt-α and Σ against their pipelines in diffusers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.denoiser.load import load_denoiser
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.diffusion.target import target
from hcpgraph_nodes.families.file_marks import process_fact
from hcpgraph_nodes.families.part_probe import probe_denoiser
from hcpgraph_nodes.families.probe import probe_family
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.families.table import interface
from hcpgraph_nodes.loss.mse import mse
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.types import Conditioning, CropInfo, Latents, Noise
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

CALLED = {"guidance_scale": 4.5, "use_resolution_binning": False, "clean_caption": False}
ALPHA = Case("pixart_alpha", guidance=4.5, sampler="dpmpp_2m", called=CALLED, louder=2.0)
SIGMA = replace(ALPHA, name="pixart_sigma")
BOTH = pytest.mark.parametrize("case", [ALPHA, SIGMA], ids=lambda case: case.name)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pixart")


@BOTH
def test_prompts_are_those_of_the_pipeline(root: Path, case: Case) -> None:
    model, pipe = opened(root, case), pipeline(root, case)
    told = pipe.encode_prompt(list(PROMPTS), negative_prompt=list(NEGATIVE))
    for found, text, mask in ((encoded(model, PROMPTS), *told[:2]), (encoded(model, NEGATIVE), *told[2:])):
        assert far(found.data, text) <= 1e-4 and torch.equal(found.masks["text"], mask.bool())
    shouted = encoded(model, [f"  {text.upper()}" for text in PROMPTS])
    assert torch.equal(shouted.data, encoded(model, PROMPTS).data)
    assert shouted.data.shape == (2, {"pixart_alpha": 120, "pixart_sigma": 300}[case.name], 32)


@BOTH
def test_pictures_are_those_of_the_pipeline(root: Path, case: Case) -> None:
    model = opened(root, case)
    positive = encoded(model, PROMPTS)
    reference = theirs(root, case)
    assert far(drawn(root, case, model, positive), reference) <= TOLERANCE
    other = load_model(context(root), path=f"models:{case.name}", prediction_type="v_prediction")
    twins = {
        "prompt": drawn(root, case, model, without(positive, "text")),
        "mask": drawn(root, case, model, unmasked(positive)),
        "guidance": drawn(root, case, model, positive, guidance=2.0),
        "prediction": drawn(root, case, other, positive),
    }
    assert {name: far(twin, reference) for name, twin in twins.items() if far(twin, reference) < 100 * TOLERANCE} == {}


def test_alpha_reads_the_sizes_of_pictures(root: Path) -> None:
    """The pipeline tells height, width and their ratio; ours are those of the latents, or those that are given."""
    model, pipe = opened(root, ALPHA), pipeline(root, ALPHA)
    noisy, times, text, _ = harness.example(root, ALPHA, model)
    rows = torch.tensor([[700, 900, 0, 10, 32, 16]] * 2)
    given = {"resolution": rows[:, :2].float(), "aspect_ratio": rows[:, 4:5] / rows[:, 5:6]}
    with torch.no_grad():
        expected = pipe.transformer(
            noisy.data,
            timestep=times.data,
            encoder_hidden_states=text.data,
            encoder_attention_mask=text.masks["text"],
            added_cond_kwargs=given,
            return_dict=False,
        )[0][:, :4]
        told = predict(model.denoiser, noisy, times, text, CropInfo(rows)).data
        plain = predict(model.denoiser, noisy, times, text).data
    assert far(told, expected) <= 1e-5 and far(plain, expected) > 1e-3


@BOTH
def test_it_learns(root: Path, case: Case) -> None:
    harness.learns_by_a_lora(root, case)
    harness.learns_whole(root, case, layout="diffusers" if case is ALPHA else "single_file")


@BOTH
def test_the_files_that_people_have(root: Path, case: Case) -> None:
    files.denoiser_files_are_read(root, case)
    files.parts_are_read(root, case)


@BOTH
def test_the_layout_is_that_of_the_authors(root: Path, case: Case) -> None:
    """The names that diffusers' `convert_pixart_sigma_to_diffusers.py` takes, and its cuts of fused matrices."""
    state = files.denoisers(root, case)
    outer = ["x_embedder.proj", "y_embedder.y_proj.fc1", "y_embedder.y_proj.fc2", "t_block.1", "final_layer.linear"]
    embedders = ["t_embedder", *(["csize_embedder", "ar_embedder"] if case is ALPHA else [])]
    outer += [f"{name}.mlp.{layer}" for name in embedders for layer in (0, 2)]
    inner = ["attn.qkv", "attn.proj", "cross_attn.q_linear", "cross_attn.kv_linear", "cross_attn.proj"]
    inner += ["mlp.fc1", "mlp.fc2"]
    layers = outer + [f"blocks.{block}.{name}" for block in range(2) for name in inner]
    names = {f"{layer}.{parameter}" for layer in layers for parameter in ("weight", "bias")}
    names |= {f"{place}.scale_shift_table" for place in ("final_layer", "blocks.0", "blocks.1")}
    assert state["bare"].keys() == names
    own = state["diffusers"]
    for part, index in {"q": 0, "k": 1, "v": 2}.items():
        cut = state["bare"]["blocks.1.attn.qkv.weight"].chunk(3)[index]
        assert torch.equal(cut, own[f"transformer_blocks.1.attn1.to_{part}.weight"])
    for part, index in {"k": 0, "v": 1}.items():
        cut = state["bare"]["blocks.1.cross_attn.kv_linear.bias"].chunk(2)[index]
        assert torch.equal(cut, own[f"transformer_blocks.1.attn2.to_{part}.bias"])


def test_the_authors_files_say_which_release_they_are(root: Path) -> None:
    """By the length of what stands for a dropped caption, and by the table of positions how large its pictures are."""
    bare = files.denoisers(root, SIGMA)["bare"]
    for length, of, side, scale in ((120, "pixart_alpha", 64, None), (300, "pixart_sigma", 32, 0.5)):
        extra = {"y_embedder.y_embedding": torch.zeros(length, 32), "pos_embed": torch.zeros(1, (side // 2) ** 2, 48)}
        path = root / "models" / f"authors_{length}.safetensors"
        save_file(bare | extra, path)
        assert probe_denoiser(path) == of
        found = load_denoiser(context(root), path=f"models:{path.name}").denoiser
        config = found.root.module.config
        assert (config.sample_size, config.interpolation_scale) == (side, scale)
        files.equal(load_denoiser(context(root), path=f"models:{path.name}").denoiser, found)
        save_file({files.UNET + name: value for name, value in (bare | extra).items()}, path)
        assert probe_family(path) == of


@BOTH
def test_folders_of_older_releases_are_read(root: Path, case: Case) -> None:
    """They were saved as Transformer2DModel, with an embedding that nothing reads."""
    folder = root / "models" / f"older_{case.name}"
    pipeline(root, case).save_pretrained(folder)
    for name in ("model_index.json", "transformer/config.json"):
        text = (folder / name).read_text("utf-8").replace("PixArtTransformer2DModel", "Transformer2DModel")
        config = json.loads(text) | ({} if name == "model_index.json" else {"num_vector_embeds": None})
        (folder / name).write_text(json.dumps(config))
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    save_file(load_file(weights) | {"caption_projection.y_embedding": torch.zeros(120, 32)}, weights)
    assert probe_family(folder) == probe_denoiser(folder) == case.name
    found = load_model(context(root), path=f"models:{folder.name}")
    files.equal(found.denoiser, opened(root, case).denoiser)
    assert found.denoiser.family == case.name


def test_a_file_says_what_it_predicts(root: Path) -> None:
    """By its header as modelspec does; else it is what the released model predicts."""
    bare = files.denoisers(root, SIGMA)["bare"]
    path = root / "models" / "said.safetensors"
    for said, expected in (({}, "epsilon"), ({"modelspec.prediction_type": "v"}, "v_prediction")):
        save_file(bare, path, metadata=said)
        found = load_denoiser(context(root), path=f"models:{path.name}")
        assert (found.schedule.prediction_type, found.denoiser.prediction_type) == (expected, expected)
        settings = {"path": str(path), "family": "pixart_sigma"}
        assert process_fact("predicts")(settings, Path) == expected
        asked = load_denoiser(context(root), path=f"models:{path.name}", prediction_type="sample")
        assert asked.schedule.prediction_type == "sample"


@BOTH
def test_what_is_released_has_the_sizes_that_a_file_is_taken_to_have(case: Case) -> None:
    """A file of the released model, by its tensors alone."""
    from accelerate import init_empty_weights

    network = family(case.name).transformer  # type: ignore[attr-defined]
    with init_empty_weights():
        module = network.make(network.released)
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    with init_empty_weights():
        again = network.make({**network.released, **network.sized(shapes)})
    assert {name: tuple(value.shape) for name, value in again.state_dict().items()} == shapes
    assert again.pos_embed.interpolation_scale == module.pos_embed.interpolation_scale == 2


def test_text_of_either_length_is_read(root: Path) -> None:
    """Padding is masked, so that text encoders of both releases serve either denoiser, as their interface says."""
    model = opened(root, SIGMA)
    noisy, times, text, _ = harness.example(root, SIGMA, model)
    short = Conditioning.of(text.data[:, :120], mask=text.masks["text"][:, :120])
    with torch.no_grad():
        found, expected, bare = (
            predict(model.denoiser, noisy, times, each, schedule=model.schedule).data
            for each in (short, text, Conditioning.of(short.data))
        )
    assert far(found, expected) <= 1e-5 and far(bare, expected) > 1e-3
    assert interface("pixart_alpha", "text") == interface("pixart_sigma", "text") == "pixart"


def test_noise_and_velocity_are_not_mixed_up(root: Path) -> None:
    """A process that is read as one of another prediction makes targets that the loss refuses."""
    model = opened(root, ALPHA)
    noisy, times, text, _ = harness.example(root, ALPHA, model)
    other = load_model(context(root), path="models:pixart_alpha", prediction_type="v_prediction").schedule
    made = (Latents(noisy.data), Noise(noisy.data), times)
    with torch.no_grad():
        found = predict(model.denoiser, noisy, times, text, schedule=model.schedule)
    assert mse(found, target(*made, model.schedule)).data.shape == noisy.data.shape
    with pytest.raises(GraphError, match="E_PREDICTION"):
        mse(found, target(*made, other))
