"""A model on one wire: nodes change a part of it and hand on the rest, and give what they give on wires of parts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import hcpgraph
from hcpgraph import Graph
from hcpgraph.checking.analyse import analyse
from hcpgraph.paths import Roots
from hcpgraph.running.record import Result

LORA = {"rank": 2, "alpha": 2}
DRAW = {"steps": 2, "sampler": "ddim", "guidance": 3}
SIDE = {"width": 16, "height": 16}


@pytest.fixture
def place(tiny_folder: Path, tiny_sd2_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_folder, tmp_path / "models/sd15")
    shutil.copytree(tiny_sd2_folder, tmp_path / "models/sd2")
    return tmp_path


def graph(nodes: Mapping[str, tuple[str, dict[str, Any]]], edges: Mapping[str, str]) -> Graph:
    made = Graph()
    for id, (type, settings) in {"model": ("model.load", {"path": "models:sd15"}), **nodes}.items():
        made.add(type, id, settings=settings)
    made.edges = dict(edges)
    return made


def drawn(nodes: Mapping[str, tuple[str, dict[str, Any]]], edges: Mapping[str, str], **ends: str) -> Graph:
    """A graph that draws `say` with whatever model is wired."""
    model = ends.pop("model", "model.model")
    parts = {"text": "text_encoder", "none": "text_encoder", "canvas": "vae", "decode": "vae"}
    wires = {f"{id}.{port}": ends.get(port, model) for id, port in parts.items()}
    wires |= (
        {"sample.model": model}
        if not ends
        else {"sample.denoiser": ends["denoiser"], "sample.schedule": ends["schedule"]}
    )
    return graph(
        {
            "say": ("text.prompt", {"texts": ["a small square of a cat"]}),
            "nothing": ("text.prompt", {"texts": [""]}),
            "text": ("text.encode", {}),
            "none": ("text.encode", {}),
            "canvas": ("sample.empty_latents", SIDE),
            "sample": ("sample.denoise", DRAW),
            "decode": ("image.decode", {}),
            **nodes,
        },
        {
            "text.captions": "say.out",
            "none.captions": "nothing.out",
            "sample.positive": "text.out",
            "sample.negative": "none.out",
            "sample.latents": "canvas.out",
            "decode.latents": "sample.out",
            **wires,
            **edges,
        },
    )


def run(g: Graph, place: Path, *targets: str) -> Result:
    done = hcpgraph.run(g, workspace=place, targets=list(targets) or None, disk_cache=False)
    assert done.status == "done", done.failed
    return done


def picture(g: Graph, place: Path) -> torch.Tensor:
    value: torch.Tensor = run(g, place, "decode.out").outputs["decode.out"].data
    return value


PARTS = {
    "denoiser": "model.denoiser",
    "schedule": "model.schedule",
    "text_encoder": "model.text_encoder",
    "vae": "model.vae",
}


def test_one_wire_draws_what_four_wires_draw(place: Path) -> None:
    assert picture(drawn({}, {}), place).equal(picture(drawn({}, {}, **PARTS), place))


def test_adapters_and_words_on_one_wire_equal_those_on_wires_of_parts(place: Path) -> None:
    nodes = {
        "word": ("word.new", {"name": "small", "init": "big", "noise": 0.1}),
        "lora": ("plugin.lora", {**LORA, "init": "svd"}),
        "text_lora": ("plugin.lora", {**LORA, "init": "svd", "layers": ["text_encoder:@attention"]}),
    }
    one = drawn(
        nodes,
        {"word.model": "model.model", "lora.model": "word.model", "text_lora.model": "lora.model"},
        model="text_lora.model",
    )
    nodes = {**nodes, "text_lora": ("plugin.lora", {**LORA, "init": "svd", "layers": ["@attention"]})}
    wires = {"word.model": "model.text_encoder", "text_lora.model": "word.model", "lora.model": "model.denoiser"}
    four = drawn(nodes, wires, **{**PARTS, "denoiser": "lora.model", "text_encoder": "text_lora.model"})
    assert picture(one, place).equal(picture(four, place))
    assert not picture(one, place).equal(picture(drawn({}, {}), place)), "the word acts"


def test_one_node_attaches_to_two_parts_and_its_file_is_read_by_one_node(place: Path) -> None:
    both = {"layers": ["@attention", "text_encoder:@mlp"], "ranks": {"text_encoder:@mlp": 3}}
    nodes = {
        "lora": ("plugin.lora", {**LORA, **both}),
        "save": ("plugin.save", {"dtype": "fp32", "path": "out:both.safetensors"}),
    }
    g = graph(nodes, {"lora.model": "model.model", "save.adapter.0": "lora.adapter"})
    run(g, place)
    state = load_file(place / "out/both.safetensors")
    ranks = {
        key.partition("_")[2].partition("_")[0]: value.shape[0] for key, value in state.items() if "lora_down" in key
    }
    assert ranks == {"unet": 2, "te": 3}
    nodes = {"lora": ("plugin.lora", LORA), "save": ("plugin.save", {"dtype": "fp32", "path": "out:alone.safetensors"})}
    run(graph(nodes, {"lora.model": "model.denoiser", "save.adapter.0": "lora.adapter"}), place)
    alone = load_file(place / "out/alone.safetensors")
    assert all(state[key].equal(value) for key, value in alone.items()), "the draws of the denoiser are the same"
    for key in list(state):
        if "lora_up" in key:
            state[key] = torch.full_like(state[key], 0.1)
    save_file(state, place / "models/both.safetensors")
    file = ("plugin.load", {"path": "models:both.safetensors"})
    one = drawn({"lora": file}, {"lora.model": "model.model"}, model="lora.model")
    assert analyse(one, hcpgraph.default_registry(), Roots(place)).flat.nodes["sample"].inputs["schedule"] == [
        ("model", "schedule")
    ]
    two = drawn({"lora": file, "text": ("text.encode", {}), "second": file}, {"lora.model": "model.denoiser", "second.model": "model.text_encoder"},
                **{**PARTS, "denoiser": "lora.model", "text_encoder": "second.model"})  # fmt: skip
    assert picture(one, place).equal(picture(two, place))
    assert not picture(one, place).equal(picture(drawn({}, {}), place))


@pytest.mark.parametrize("kind", ["pickle", "only the denoiser"])
def test_a_file_says_which_parts_it_is_about(kind: str, place: Path) -> None:
    """Where its header does not say it, all parts go through the node; the picture is the same."""
    nodes = {"lora": ("plugin.lora", LORA), "save": ("plugin.save", {"dtype": "fp32", "path": "out:a.safetensors"})}
    run(graph(nodes, {"lora.model": "model.model", "save.adapter.0": "lora.adapter"}), place)
    state = {
        key: torch.full_like(value, 0.1) if "lora_up" in key else value
        for key, value in load_file(place / "out/a.safetensors").items()
    }
    torch.save(state, place / "models/a.ckpt")
    save_file(state, place / "models/a.safetensors")
    path = "models:a.ckpt" if kind == "pickle" else "models:a.safetensors"
    g = drawn({"lora": ("plugin.load", {"path": path})}, {"lora.model": "model.model"}, model="lora.model")
    flat = analyse(g, hcpgraph.default_registry(), Roots(place)).flat
    assert ("lora/parts" in flat.nodes) == (kind == "pickle")
    plain = drawn({"lora": ("plugin.load", {"path": "models:a.safetensors"})}, {"lora.model": "model.denoiser"},
                  **{**PARTS, "denoiser": "lora.model"})  # fmt: skip
    assert picture(g, place).equal(picture(plain, place))


def test_take_off_convert_merge_and_copy_whole_models(place: Path) -> None:
    both = (
        "plugin.lora",
        {**LORA, "init": "svd", "layers": ["@attention", "text_encoder:@attention"], "decompose": True},
    )
    wires = {"lora.model": "model.model", "off.model": "lora.model", "off.adapter": "lora.adapter"}
    plain = picture(drawn({}, {}), place)
    assert picture(drawn({"lora": both, "off": ("plugin.without", {})}, wires, model="off.out"), place).equal(plain)
    lora = picture(drawn({"lora": both}, {"lora.model": "model.model"}, model="lora.model"), place)
    for type, settings, port in (
        ("plugin.merge", {}, "out"),
        ("plugin.convert_to_lora", {"rank": 32}, "model"),
        ("model.reference", {}, "out"),
    ):
        wires = {"lora.model": "model.model", "next.model": "lora.model"}
        wires |= {"next.adapter": "lora.adapter"} if type == "plugin.convert_to_lora" else {}
        torch.testing.assert_close(
            picture(drawn({"lora": both, "next": (type, settings)}, wires, model=f"next.{port}"), place),
            lora,
            atol=1e-4,
            rtol=0,
        )


def test_what_a_training_changes_on_one_wire_equals_what_it_changes_on_four(place: Path) -> None:
    def weights(one: bool) -> dict[str, torch.Tensor]:
        name = "one" if one else "four"
        chosen = {"layers": ["@cross_attention", "text_encoder:@mlp"]} if one else {"layers": ["@cross_attention"]}
        nodes: dict[str, Any] = {
            "pictures": ("data.folder", {"path": "data:p", "on_missing": "filename"}),
            "buckets": ("data.fixed_bucket", {"width": 16, "height": 16}),
            "loader": ("data.loader", {"batch_size": 1, "workers": 0}),
            "unet": ("model.trainable", chosen),
            "adamw": ("optim.adamw", {"lr": 1e-2}),
            "train": ("train.loop", {"steps": 2}),
            "done": ("flow.after", {}),
            "save": ("model.save", {"path": f"out:{name}"}),
        }
        inside = {
            "batch": "data.batch", "latents": "diffusion.encode_image", "noise": "noise.gaussian", "times": "diffusion.timesteps",
            "noisy": "diffusion.add_noise", "text": "text.encode", "predict": "diffusion.predict", "target": "diffusion.target",
            "mse": "loss.mse", "mean": "loss.mean",
        }  # fmt: skip
        edges = {
            "buckets.dataset": "pictures.out", "loader.data": "buckets.out", "adamw.params.0": "unet.params",
            "train.optimizer.0": "adamw.out", "train.loss.0": "mean.out", "batch.loader": "loader.out",
            "latents.images": "batch.images", "noise.latents": "latents.out", "times.latents": "latents.out",
            "noisy.latents": "latents.out", "noisy.noise": "noise.out", "noisy.timesteps": "times.out", "text.captions": "batch.captions",
            "predict.noisy": "noisy.out", "predict.timesteps": "times.out", "predict.conditioning": "text.out",
            "target.latents": "latents.out", "target.noise": "noise.out", "target.timesteps": "times.out",
            "mse.prediction": "predict.out", "mse.target": "target.out", "mean.loss": "mse.out", "done.trained": "train.trained",
        }  # fmt: skip
        readers = {"predict.denoiser": "denoiser", "text.text_encoder": "text_encoder", "latents.vae": "vae"}
        readers |= {f"{id}.schedule": "schedule" for id in ("times", "noisy", "target")}
        if one:
            edges |= dict.fromkeys(readers, "unet.model") | {
                "unet.model": "model.model",
                "done.value": "unet.model",
                "save.model": "done.out",
            }
        else:
            nodes |= {"words": ("model.trainable", {"layers": ["@mlp"]}), "words_done": ("flow.after", {})}
            edges |= {port: PARTS[part] for port, part in readers.items()}
            edges |= {
                "unet.model": "model.denoiser",
                "words.model": "model.text_encoder",
                "adamw.params.1": "words.params",
            }
            edges |= {"predict.denoiser": "unet.model", "text.text_encoder": "words.model", "done.value": "unet.model"}
            edges |= {
                "words_done.value": "words.model",
                "words_done.trained": "train.trained",
                "save.denoiser": "done.out",
            }
            edges |= {"save.text_encoder": "words_done.out", "save.vae": "model.vae", "save.schedule": "model.schedule"}
        g = graph(nodes, edges)
        for id, type in inside.items():
            g.add(type, id)
            g.nodes[id].inside = "train"
        run(g, place)
        root = place / "out" / name
        return {f"{part}.{key}": value for part, file in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model"), ("vae", "diffusion_pytorch_model"))
                for key, value in load_file(root / part / f"{file}.safetensors").items()}  # fmt: skip

    (place / "data/p").mkdir(parents=True)
    for index in range(2):
        Image.new("RGB", (16, 16), (100 * index, 50, 9)).save(place / f"data/p/{index}.png")
    one, four = weights(True), weights(False)
    assert one.keys() == four.keys() and all(one[key].equal(value) for key, value in four.items())
    before = load_file(place / "models/sd15/text_encoder/model.safetensors")
    changed = {
        key
        for key, value in before.items()
        if not one[f"text_encoder.text_model.{key.removeprefix('text_model.')}"].equal(value)
    }
    assert changed and all(".mlp." in key for key in changed), "the text encoder's chosen layers learnt, and no others"


def test_join_takes_another_vae(place: Path) -> None:
    nodes = {"other": ("vae.load", {"path": "models:sd2", "family": "sd2"}), "join": ("model.join", {})}
    one = drawn(nodes, {"join.base": "model.model", "join.vae": "other.out"}, model="join.model")
    four = drawn({"other": nodes["other"]}, {}, **{**PARTS, "vae": "other.out"})
    assert picture(one, place).equal(picture(four, place))
    assert not picture(one, place).equal(picture(drawn({}, {}), place))


def test_a_model_that_lacks_a_part_is_told_before_anything_is_loaded(place: Path) -> None:
    g = drawn({"join": ("model.join", {})}, {"join.denoiser": "model.denoiser"}, model="join.model")
    found = {(one.code, one.where) for one in hcpgraph.validate(g, workspace=place)}
    assert {
        ("E_BUNDLE_PART", "decode.vae"),
        ("E_BUNDLE_PART", "text.text_encoder"),
        ("E_BUNDLE_PART", "sample.schedule"),
    } <= found


def test_selectors_of_a_part_that_layers_does_not_name_are_refused(place: Path) -> None:
    settings = {**LORA, "layers": ["@attention", "text_encoder:@mlp"], "lrs": {"vae:@conv": 1e-3}}
    g = graph({"lora": ("plugin.lora", settings)}, {"lora.model": "model.model"})
    done = hcpgraph.run(g, workspace=place)
    assert "E_LAYERS" in str(done.failed["lora"]) and "vae" in str(done.failed["lora"])


@pytest.mark.parametrize(
    ("type", "settings"), [("plugin.loha", {"rank": 2}), ("plugin.lokr", {}), ("plugin.full", {"bias": False})]
)
def test_every_adapter_goes_to_two_parts_and_off_one_of_them(type: str, settings: dict[str, Any], place: Path) -> None:
    both = {"layers": ["@attention", "text_encoder:@attention"], **settings}
    nodes = {
        "lora": (type, both),
        "save": ("plugin.save", {"path": "out:both.safetensors"}),
        "off": ("plugin.without", {}),
    }
    edges = {"lora.model": "model.model", "save.adapter.0": "lora.adapter"}
    edges |= {"apart.model": "lora.model", "off.model": "apart.text_encoder", "off.adapter": "lora.adapter"}
    done = run(graph({**nodes, "apart": ("model.split", {})}, edges), place, "save", "off.out")
    keys = load_file(place / "out/both.safetensors")
    assert {key.partition("_")[2].partition("_")[0] for key in keys} == {"unet", "te"}
    assert done.outputs["off.out"].stack == (), "its own part of the adapter is taken off"
