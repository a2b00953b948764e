"""The graphs that make the emoji model, with few steps on small parts, and the benchmark that judges it."""

import importlib.util
import json
from pathlib import Path

import pytest
from PIL import Image

import hcpgraph

ROOT = Path(__file__).resolve().parents[2]
GRAPHS = ROOT / "graphs/train"
FEW = ["re:^(panda|frog|lion|fox|penguin|rocket)$"]
SIZES = {"new.channels": [8, 8, 16, 16], "new.latent_channels": 4}


@pytest.fixture(scope="module")
def emoji(tmp_path_factory):
    """A workspace in which both parts ran one after the other."""
    workspace = tmp_path_factory.mktemp("emoji")
    settings = {
        "steps": 4,
        "batch_size": 3,
        "pictures.include": FEW,
        "samples.count": 2,
        "check.batches": 1,
        "check.steps": 2,
        "preview.steps": 2,
        "schedule.warmup_steps": 2,
    }
    vae = hcpgraph.run(GRAPHS / "emoji_vae.json", workspace=workspace, settings=settings | SIZES)
    assert vae.status == "done", vae.failed
    del settings["samples.count"]
    small = {
        "new.channels": [8, 16],
        "new.attention": [1],
        "new.latent_channels": 4,
        "new.text_width": 16,
        "new.text_layers": 1,
        "watch.steps": 2,
        "final.steps": 2,
    }
    base = hcpgraph.run(GRAPHS / "emoji_base.json", workspace=workspace, settings=settings | small)
    assert base.status == "done", base.failed
    return workspace, vae, base


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("emoji_base", ROOT / "benchmarks/emoji_base.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_both_parts_write_what_they_say(emoji):
    workspace, _, _ = emoji
    out = workspace / "out/emoji"
    assert {path.name for path in out.iterdir()} == {
        "vae",
        "vae.png",
        "vae-loss.png",
        "vae-preview-000002.png",
        "vae-preview-000004.png",
        "base",
        "base.png",
        "base-loss.png",
        "preview-000002.png",
        "preview-000004.png",
    }
    with Image.open(out / "vae.png") as picture:
        assert "hcpgraph" in picture.info


@pytest.mark.slow
def test_the_model_is_the_average_around_the_vae_of_part_one(emoji):
    import torch
    from diffusers import StableDiffusionPipeline
    from safetensors.torch import load_file

    workspace, _, _ = emoji
    folder = workspace / "out/emoji/base"
    pipeline = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    scale = json.loads((workspace / "out/emoji/vae/config.json").read_text())["scaling_factor"]
    assert pipeline.vae.config.scaling_factor == scale != 1.0
    saved = load_file(folder / "unet/diffusion_pytorch_model.safetensors")
    assert {tensor.dtype for tensor in saved.values()} == {torch.float16}
    cached = hcpgraph.run(
        workspace / "out/emoji/base.png", workspace=workspace, targets=["unet_averaged", "unet"], record=False
    )
    assert cached.status == "done", cached.failed
    averaged = cached.outputs["unet_averaged.denoiser"].root.module.state_dict()
    last = cached.outputs["unet.model"].root.module.state_dict()
    assert all(torch.equal(averaged[key].half(), saved[key]) for key in saved)
    assert any(not torch.equal(last[key].half(), saved[key]) for key in saved)


@pytest.mark.slow
def test_both_parts_train_on_the_same_pictures_without_cats_and_instruments(emoji):
    names = {}
    for part in ("emoji_vae", "emoji_base"):
        result = hcpgraph.run(GRAPHS / f"{part}.json", workspace=emoji[0], targets=["pictures.out"], record=False)
        names[part] = [sample.caption for sample in result.outputs["pictures.out"].samples]
    captions = names["emoji_base"]
    assert captions == names["emoji_vae"] and len(set(captions)) == len(captions) >= 1800
    words = {word for caption in captions for word in caption.split()}
    assert not words & {"cat", "cats", "guitar", "violin", "trumpet", "harp", "saxophone"}
    assert {"panda", "red apple", "cow face", "bell"} <= set(captions)


@pytest.mark.slow
def test_the_benchmark_measures_the_model_that_was_trained(emoji, benchmark, capsys):
    sheet = emoji[0] / "sheet.png"
    model = ["--model", str(emoji[0] / "out/emoji/base"), "--workspace", str(emoji[0])]
    found = benchmark.main([*model, "--limit", "7", "--steps", "2", "--out", str(sheet)])
    assert found["captions"] == 7 and found["pictures"] >= 1800
    assert 0 <= found["top1"] <= found["top5"] <= 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == found
    with Image.open(sheet) as picture:
        assert picture.size[0] > 64


def test_the_rank_of_a_picture_counts_only_those_that_are_nearer(benchmark):
    import torch

    known = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [5.0, 5.0]])
    drawn = torch.tensor([[0.1, 0.0], [0.9, 0.0], [0.9, 0.1], [0.0, 0.1]])
    assert benchmark.ranks(drawn, known, torch.arange(4)).tolist() == [0, 0, 0, 3]
