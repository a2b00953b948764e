"""The model that ships: its weights are the ones that were measured, and it draws the same picture everywhere."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hcpgraph
from hcpgraph.paths import BUILTIN

EMOJI = BUILTIN / "emoji"
DRAWN = Path(__file__).with_name("emoji_drawn.png")
GRAPHS = Path(__file__).resolve().parents[2] / "graphs"
PROMPTS = ["grinning face", "red heart", "red apple", "flag of Japan"]
WEIGHTS = {
    "text_encoder/model.safetensors": "a37864ebe15cc84096a947286623ff060090eaf6ab60efc1b6b6d4d4d8065531",
    "unet/diffusion_pytorch_model.safetensors": "39690eed471de6befb89130b25dcbbdef7e2df1e8fa1c162fd960b96e0762307",
    "vae/diffusion_pytorch_model.safetensors": "2eca121f1db50f3159fd04cfb653cced61c80ae255a29075a9869af43f071828",
}


def test_the_weights_are_the_measured_ones():
    assert {name: hashlib.sha256((EMOJI / name).read_bytes()).hexdigest() for name in WEIGHTS} == WEIGHTS


def test_the_folder_stays_small_and_holds_nothing_that_runs():
    files = [path for path in EMOJI.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 24_000_000
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".md", ".webp"}


def test_the_model_card_says_what_a_user_must_know():
    card = (EMOJI / "README.md").read_text(encoding="utf-8")
    for told in ("CC BY-SA 4.0", "OpenMoji", "sha256", "top-1", "top-5", "steps", "cannot", "contact.webp"):
        assert told in card, told


def drawing() -> hcpgraph.Graph:
    """The quickstart's picture before training, of four things that the model knows."""
    g = hcpgraph.load(GRAPHS / "quickstart/train_lora.json")
    g.set("prompts.texts", PROMPTS)
    g.set("before.count", len(PROMPTS))
    return g


def draw(workspace):
    result = hcpgraph.run(drawing(), targets=["before.images"], workspace=workspace, disk_cache=False)
    assert result.status == "done", result.failed
    (images,) = result.outputs.values()
    return (images.data.permute(0, 2, 3, 1).numpy() * 255).round().astype(np.uint8)


@pytest.mark.slow
def test_a_fixed_prompt_and_seed_give_the_committed_picture_and_twice_the_same(workspace, tmp_path):
    first, second = draw(workspace), draw(tmp_path / "again")
    assert np.array_equal(first, second)
    with Image.open(DRAWN) as picture:
        committed = np.asarray(picture.convert("RGB")).astype(int)
    apart = np.abs(np.concatenate(list(first), axis=1).astype(int) - committed)
    assert apart.mean() <= 1.0 and apart.max() <= 8


@pytest.mark.slow
def test_diffusers_opens_the_folder_and_draws_the_same():
    import torch
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(EMOJI, torch_dtype=torch.float32, safety_checker=None)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    generators = [torch.Generator("cpu").manual_seed(3 + index) for index in range(len(PROMPTS))]
    drawn = pipe(
        PROMPTS,
        height=64,
        width=64,
        num_inference_steps=20,
        guidance_scale=4.0,
        generator=generators,
        output_type="np",
    ).images
    with Image.open(DRAWN) as picture:
        committed = np.asarray(picture.convert("RGB")).astype(int)
    apart = np.abs(np.concatenate(list((drawn * 255).round()), axis=1) - committed)
    assert apart.mean() <= 1.0 and apart.max() <= 8


def test_the_graph_that_goes_on_is_the_training_graph_with_another_start():
    """Where the run folder is gone, training goes on from the committed weights with nothing else changed."""
    base = json.loads((GRAPHS / "train/emoji_base.json").read_text())
    more = json.loads((GRAPHS / "train/emoji_more.json").read_text())
    assert set(base["nodes"]) - set(more["nodes"]) == {"new", "vae", "join"} and set(more["nodes"]) - set(
        base["nodes"]
    ) == {"base"}
    assert more["nodes"]["base"]["settings"]["path"] == "builtin:emoji"
    for id in set(base["nodes"]) & set(more["nodes"]):
        kept = {name: value for name, value in base["nodes"][id].get("settings", {}).items() if name != "path"}
        assert kept.items() <= more["nodes"][id].get("settings", {}).items(), id
    renamed = {
        target: source.replace("join.model", "base.model").replace("vae.out", "base.model")
        for target, source in base["edges"].items()
        if not target.startswith("join.")
    }
    assert more["edges"] == renamed


def test_the_card_names_the_graphs_that_ship():
    known = hcpgraph.default_registry().find
    for name in ("emoji_vae", "emoji_base"):
        graph = hcpgraph.load(GRAPHS / f"train/{name}.json")
        assert (
            graph.content_hash(lambda type: known(type).defaults if known(type) else {})
            in (EMOJI / "README.md").read_text()
        )
