"""Families in graphs: what does not fit is refused before anything loads; SDXL trains as a step written by hand."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hcpgraph_nodes.diffusion.add_noise import add_noise
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.diffusion.target import target
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions, CropInfo, Latents, Noise, NoisyLatents, Timesteps

import hcpgraph
from hcpgraph import Graph
from hcpgraph.testing import context

FAMILIES = ("sd15", "sd2", "sdxl")


def sampling(denoiser: str, text: str, vae: str, decoder: str, **settings: Any) -> Graph:
    """A picture by parts of several new models."""
    g = Graph()
    for name in FAMILIES:
        g.add("model.new", name, family=name)
    g.add("text.prompt", "prompt", texts=["a cat"])
    g.add("text.encode", "encode")
    g.add("sample.empty_latents", "size", width=64, height=64)
    g.add("sample.denoise", "sample", **{"guidance": 1.0, **settings})
    g.add("image.decode", "picture")
    g.connect("prompt.out", "encode.captions")
    g.connect(f"{text}.text_encoder", "encode.text_encoder")
    g.connect(f"{vae}.vae", "size.vae")
    g.connect("size.out", "sample.latents")
    g.connect("encode.out", "sample.positive")
    g.connect(f"{denoiser}.denoiser", "sample.denoiser")
    g.connect(f"{denoiser}.schedule", "sample.schedule")
    g.connect("sample.out", "picture.latents")
    g.connect(f"{decoder}.vae", "picture.vae")
    return g


def errors(graph: Graph, workspace: Path) -> list[Any]:
    return [problem for problem in hcpgraph.validate(graph, workspace=workspace) if problem.severity == "error"]


@pytest.mark.parametrize("name", FAMILIES)
def test_one_family_fits(tmp_path: Path, name: str) -> None:
    assert errors(sampling(name, name, name, name), tmp_path) == []


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        (("sd15", "sd15", "sdxl", "sd15"), "sample"),
        (("sd15", "sd15", "sd15", "sdxl"), "picture"),
        (("sd15", "sd2", "sd15", "sd15"), "sample"),
        (("sd2", "sd15", "sd2", "sd2"), "sample"),
        (("sdxl", "sd15", "sdxl", "sdxl"), "sample"),
        (("sdxl", "sdxl", "sd2", "sdxl"), "sample"),
    ],
)
def test_parts_of_other_families_are_refused(tmp_path: Path, parts: tuple[str, str, str, str], place: str) -> None:
    found = errors(sampling(*parts), tmp_path)
    assert [problem.node for problem in found] == [place]
    assert {name for name in FAMILIES if name in found[0].message} == set(parts)


def test_files_are_told_apart_without_torch(tiny_sdxl_folder: Path, tiny_sd2_folder: Path, tmp_path: Path) -> None:
    """The folders are probed; nothing loads torch."""
    shutil.copytree(tiny_sdxl_folder, tmp_path / "models/one")
    shutil.copytree(tiny_sd2_folder, tmp_path / "models/two")
    g = Graph()
    g.add("model.load", "one", path="models:one")
    g.add("model.load", "two", path="models:two")
    g.add("sample.empty_latents", "size")
    g.add("image.decode", "picture")
    g.connect("one.vae", "size.vae")
    g.connect("size.out", "picture.latents")
    g.connect("two.vae", "picture.vae")
    g.save(tmp_path / "g.json")
    code = (
        "import sys, hcpgraph\n"
        f"found = hcpgraph.validate({str(tmp_path / 'g.json')!r}, workspace={str(tmp_path)!r})\n"
        "print([(p.node, p.message.count('latents') == 2) for p in found if p.severity == 'error'])\n"
        "print('torch' in sys.modules)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines() == ["[('picture', True)]", "False"]


@pytest.mark.parametrize(("name", "codes"), [("sd15", {"E_NO_NEGATIVE"}), ("sd2", {"E_NO_NEGATIVE"}), ("sdxl", set())])
def test_sdxl_may_do_without_a_negative_prompt(tmp_path: Path, name: str, codes: set[str]) -> None:
    assert {problem.code for problem in errors(sampling(name, name, name, name, guidance=4.0), tmp_path)} == codes


@pytest.mark.parametrize(("name", "codes"), [("sd15", ["W_SIZES_UNUSED"]), ("sdxl", [])])
def test_sizes_for_a_family_that_does_not_read_them(tmp_path: Path, name: str, codes: list[str]) -> None:
    from hcpgraph_nodes.rules import sizes_are_read

    class View:
        node, type, connected = "n", "diffusion.predict", frozenset({"sizes"})
        facts = {"denoiser": {"family": name}}
        giver = "value.list"

        def givers(self, port):
            return [SimpleNamespace(type=self.giver)]

    assert [(problem.code, problem.severity) for problem in sizes_are_read(View())] == [(c, "warning") for c in codes]
    View.giver = "data.batch"
    assert sizes_are_read(View()) == [], "they come with every batch"
    View.giver, View.connected = "value.list", frozenset()
    assert sizes_are_read(View()) == []


@pytest.mark.parametrize(
    ("path", "layout", "codes"),
    [
        ("out:model", "diffusers", []),
        ("out:model.safetensors", "single_file", []),
        ("out:model", "single_file", ["E_SETTING"]),
        ("out:model.safetensors", "diffusers", ["E_SETTING"]),
    ],
)
def test_path_of_a_saved_model(tmp_path: Path, path: str, layout: str, codes: list[str]) -> None:
    g = Graph()
    g.add("model.new", "new")
    g.add("model.save", "save", path=path, layout=layout)
    for part in ("denoiser", "text_encoder", "vae", "schedule"):
        g.connect(f"new.{part}", f"save.{part}")
    assert [problem.code for problem in errors(g, tmp_path)] == codes


@pytest.mark.parametrize(("name", "layers", "codes"), [("sd15", 1, []), ("sdxl", 2, []), ("sdxl", 1, ["E_SIZE"])])
def test_text_layers_that_sdxl_needs(tmp_path: Path, name: str, layers: int, codes: list[str]) -> None:
    g = Graph()
    g.add("model.new", "new", family=name, text_layers=layers)
    assert [problem.code for problem in errors(g, tmp_path)] == codes


def test_the_families_of_the_settings_are_those_of_the_table() -> None:
    from hcpgraph_nodes.families.registry import family
    from hcpgraph_nodes.families.table import families

    registry = hcpgraph.default_registry()
    ours = [name for name, row in families().items() if row.module.startswith("hcpgraph_nodes.")]
    assert set(ours) >= set(FAMILIES) and all(family(name).name == name for name in ours)
    for node, also in (("model.load", ["auto"]), ("model.new", []), ("vae.load", []), ("controlnet.load", ["auto"])):
        spec = registry.specs[node]
        assert registry.shown(spec)["properties"]["family"]["enum"] == [*also, *ours]
        assert "enum" not in spec.settings["family"]
    assert registry.code["family"] == {name: f"hcpgraph_nodes.families.{name}" for name in ours}


@pytest.mark.parametrize("node", ["model.load", "model.new", "vae.load", "controlnet.load"])
def test_a_family_that_nobody_declares_is_refused_before_the_run(tmp_path: Path, node: str) -> None:
    g = Graph()
    g.add(node, "new", family="sdlx", **({} if node == "model.new" else {"path": "models:x"}))
    (tmp_path / "models/x").mkdir(parents=True)
    (found,) = [problem for problem in errors(g, tmp_path) if problem.code == "E_FAMILY"]
    assert (found.node, found.port) == ("new", "family") and "'sdxl'" in (found.hint or "")


def test_a_training_step_of_sdxl_is_the_step_written_by_hand(tiny_sdxl_folder: Path, tmp_path: Path) -> None:
    """UNet and both text networks are trained; every gradient, and the weights after one step of SGD, agree."""
    from diffusers import StableDiffusionXLPipeline

    shutil.copytree(tiny_sdxl_folder, tmp_path / "models/tiny")
    ctx = context(tmp_path)
    model = load_model(ctx, path="models:tiny")
    tuned = [trainable(ctx, handle) for handle in (model.denoiser, model.text_encoder)]
    generator = torch.Generator().manual_seed(1)
    clean, noise = (torch.randn(2, 4, 8, 8, generator=generator) for _ in range(2))
    times = torch.tensor([20, 800])
    sizes = torch.tensor([[40, 30, 2, 0, 16, 16], [16, 16, 0, 0, 16, 16]])
    prompts = ["a red cat", ""]

    latents, drawn, timesteps = Latents(clean), Noise(noise), Timesteps(times)
    noisy = add_noise(latents, drawn, timesteps, model.schedule)
    text = encode_text(tuned[1].model, Captions(tuple(prompts)))
    prediction = predict(tuned[0].model, noisy, timesteps, text, CropInfo(sizes))
    loss = (prediction.data - target(latents, drawn, timesteps, model.schedule).data).square().mean()
    loss.backward()
    own = {name: p for each in tuned for name, p in each.params.groups[0]["params"].items()}
    torch.optim.SGD(own.values(), lr=0.1).step()

    pipe = StableDiffusionXLPipeline.from_pretrained(tiny_sdxl_folder, local_files_only=True)
    networks = (pipe.text_encoder, pipe.text_encoder_2)
    outputs = []
    for tokenizer, network in zip((pipe.tokenizer, pipe.tokenizer_2), networks, strict=True):
        ids = tokenizer(prompts, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
        outputs.append(network(ids, output_hidden_states=True))
    embeddings = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    signal = torch.cumprod(1 - betas, 0)[times].view(-1, 1, 1, 1)
    added = {"text_embeds": outputs[1].text_embeds, "time_ids": sizes}
    mixed = signal.sqrt() * clean + (1 - signal).sqrt() * noise
    guess = pipe.unet(mixed, times, embeddings, added_cond_kwargs=added).sample
    expected = (guess - noise).square().mean()
    expected.backward()
    trained = [p for network in (pipe.unet, *networks) for p in network.parameters()]
    torch.optim.SGD(trained, lr=0.1).step()

    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    references = dict(pipe.unet.named_parameters())
    references |= {f"text_encoder.text_model.{name}": p for name, p in networks[0].named_parameters()}
    references |= {f"text_encoder_2.{name}": p for name, p in networks[1].named_parameters()}
    assert own.keys() == references.keys()
    for name, parameter in own.items():
        reference = references[name]
        assert (parameter.grad is None) == (reference.grad is None), name
        assert torch.allclose(parameter, reference, atol=1e-7), name
        if reference.grad is not None:
            assert torch.allclose(parameter.grad, reference.grad, rtol=1e-4, atol=1e-7), name
    unused = {name for name, parameter in own.items() if parameter.grad is None}
    assert unused and all(
        name.startswith(("text_encoder.text_model.encoder.layers.2.", "text_encoder.text_model.final"))
        for name in unused
    )


@pytest.fixture
def sdxl(tiny_sdxl_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_sdxl_folder, tmp_path / "models/tiny")
    return tmp_path


def test_a_lora_reaches_both_text_networks(sdxl: Path) -> None:
    from hcpgraph_nodes.plugins.lora import lora

    ctx = context(sdxl)
    encoder = load_model(ctx, path="models:tiny").text_encoder
    plain = encode_text(encoder, Captions(("a red cat",)))
    adapted = lora(ctx, encoder, rank=2)
    blocks = adapted.adapter.plugin.blocks
    assert {path.split(".")[0] for path in blocks} == {"text_encoder", "text_encoder_2"}
    assert "text_encoder.text_model.encoder.layers.0.self_attn.q_proj" in blocks
    assert len(blocks) == 2 * 3 * 4
    same = encode_text(adapted.model, Captions(("a red cat",)))
    assert plain.pooled is not None and same.pooled is not None
    assert torch.equal(same.data, plain.data) and torch.equal(same.pooled, plain.pooled)
    with torch.no_grad():
        for name, parameter in adapted.params.groups[0]["params"].items():
            if "text_encoder_2" in name:
                parameter.add_(0.1)
    changed = encode_text(adapted.model, Captions(("a red cat",)))
    assert torch.equal(changed.data[..., :32], plain.data[..., :32])
    assert (changed.data[..., 32:] - plain.data[..., 32:]).abs().max() > 1e-3
    assert changed.pooled is not None and not torch.equal(changed.pooled, plain.pooled)
    again = encode_text(encoder, Captions(("a red cat",)))
    assert torch.equal(again.data, plain.data)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_is_near_float32(sdxl: Path, precision: str) -> None:
    results = []
    for kind in ("fp32", precision):
        model = load_model(context(sdxl, precision=kind), path="models:tiny")
        noisy = NoisyLatents(torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2)))
        text = encode_text(model.text_encoder, Captions(("a cat",)))
        sizes = CropInfo(torch.tensor([[1024, 768, 3, 0, 16, 16]]))
        results.append(predict(model.denoiser, noisy, Timesteps(torch.tensor([500])), text, sizes).data)
    assert results[1].dtype is torch.float32
    assert (results[0] - results[1]).norm() < 0.02 * results[0].norm()  # rounding is the processor's own


def test_layers_of_a_single_file_are_listed(sdxl: Path) -> None:
    """As `hcpgraph layers` and the picker of the editor do it."""
    from hcpgraph_nodes.editor import model_outline
    from hcpgraph_nodes.model.save import save_model

    ctx = context(sdxl)
    save_model(ctx, *load_model(ctx, path="models:tiny"), path="models:one.safetensors", layout="single_file")
    for part in ("denoiser", "text_encoder", "vae"):
        folder, single = (
            model_outline(path, ctx.run.roots, part) for path in ("models:tiny", "models:one.safetensors")
        )
        assert folder == single
    text = model_outline("models:tiny", ctx.run.roots, "text_encoder")
    assert "text_encoder_2.text_model.encoder.layers.0.mlp.fc1" in text["layers"]
