"""The graphs that train, one algorithm each for all families: run on tiny models of SD 1.5 and SDXL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import hcpgraph
from hcpgraph.running.record import Result

from .small import furnish, small

GRAPHS = Path(__file__).resolve().parents[2] / "graphs/train"
ADAPTERS = ("lora", "lora_text_encoder", "locon", "loha", "lokr", "dora")
WORDS = ("textual_inversion", "lora_word", "dreamartist", "dreamartist_plus", "custom_diffusion")
WHOLE = ("dreambooth", "full")
ALGORITHMS = (*ADAPTERS, *WORDS, *WHOLE, "controlnet")
FAMILIES = ("sd15", "sdxl")

WEIGHTS = "diffusion_pytorch_model.safetensors"
WORD, NEGATIVE = "my-cat.safetensors", "my-cat-neg.safetensors"
FILES = {
    "textual_inversion": {WORD},
    "lora_word": {"lora.safetensors", WORD},
    "dreamartist": {WORD, NEGATIVE},
    "dreamartist_plus": {"lora.safetensors", "lora-neg.safetensors", WORD, NEGATIVE},
    "custom_diffusion": {"custom_diffusion.safetensors", WORD},
    "controlnet": {f"controlnet/{WEIGHTS}"},
}
"""What an algorithm leaves, if it is not one LoRA."""
UNREAD = "lora_te1_text_model_encoder_layers_2_"
"""SDXL reads the last layer but one of its first text network: the last one learns nothing."""
ZERO_AT_START = (".lora_up.weight", ".hada_w2_a", ".lokr_w2", ".lokr_w2_b", ".diff")


def run(workspace: Path, name: str, inputs: dict[str, Any]) -> Result:
    graph = hcpgraph.load(GRAPHS.parent / f"{name}.json")
    result = hcpgraph.run(graph, settings=small(graph) | inputs, workspace=workspace, disk_cache=False)
    assert result.status == "done", result.failed
    return result


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path, tiny_sdxl_folder: Path) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("train")
    furnish(root, tiny_folder, tiny_sdxl_folder)
    yield root
    shutil.rmtree(root)


@pytest.fixture
def workspace(furnished: Path) -> Iterator[Path]:
    """The models and pictures of all tests, and nothing of another: no results, no training to go on from."""
    yield furnished
    for folder in furnished.iterdir():
        if folder.name not in ("data", "models"):
            shutil.rmtree(folder)


def test_every_algorithm_has_a_graph() -> None:
    """Those that are left make the models that ship."""
    assert {path.stem for path in GRAPHS.glob("*.json")} == {
        *ALGORITHMS,
        "emoji_base",
        "emoji_more",
        "emoji_vae",
        "scratch",
    }


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_graph_trains_what_it_says(name: str, family: str, workspace: Path) -> None:
    given = {"preview_condition": "data:conditions/0.png"} if "control" in name else {}
    run(workspace, f"train/{name}", {"model": f"models:{family}", **given})
    out = workspace / "out" / name
    assert (out / "loss.png").exists() and list(out.glob("preview-*.png"))
    files = {path.relative_to(out).as_posix(): load_file(path) for path in out.rglob("*.safetensors")}
    if name in WHOLE:
        before = load_file(workspace / "models" / family / f"unet/{WEIGHTS}")
        after = files[f"model/unet/{WEIGHTS}"]
        assert all(not after[key].equal(value.half()) for key, value in before.items() if key.endswith("to_q.weight"))
        return
    assert set(files) == FILES.get(name, {"lora.safetensors"})
    for file, state in files.items():
        read = {key: value for key, value in state.items() if not key.startswith(UNREAD)}
        zero = [value for key, value in read.items() if key.endswith(ZERO_AT_START) or "controlnet_" in key]
        words = [value for key, value in state.items() if key in ("emb_params", "clip_l", "clip_g")]
        assert zero or words, file
        assert all(value.abs().max() > 0 for value in (*zero, *words)), file


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lora_word", "dreamartist_plus", "controlnet"])
def test_what_a_graph_left_draws(name: str, workspace: Path) -> None:
    given = {"condition": "data:conditions/0.png"} if name == "controlnet" else {}
    model = {"model": "models:sd15"}
    run(workspace, f"train/{name}", {f"preview_{key}": value for key, value in given.items()} | model)
    drawn = run(workspace, f"sample/{name}", given | model)
    assert [Path(entry["uri"]).stem.split("-")[0] for entry in drawn.artifacts] == ["drawn", "drawn"]
