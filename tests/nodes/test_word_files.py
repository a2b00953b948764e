"""Files of words: every layout is read, what we write is read back bit for bit and loads in diffusers."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions
from hcpgraph_nodes.words.block import attach
from hcpgraph_nodes.words.bundle import bundled
from hcpgraph_nodes.words.load import load
from hcpgraph_nodes.words.new import new
from hcpgraph_nodes.words.save import save
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from hcpgraph import GraphError
from hcpgraph.testing import context


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def space(
    tiny_folder: Path, tiny_sd2_folder: Path, tiny_sdxl_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("words")
    for name, model in (("sd15", tiny_folder), ("sd2", tiny_sd2_folder), ("sdxl", tiny_sdxl_folder)):
        shutil.copytree(model, folder / "models" / name)
    (folder / "data").mkdir()
    return folder


@pytest.fixture(scope="module")
def one(space: Path):
    return load_model(context(space), path="models:sd15").text_encoder


@pytest.fixture(scope="module")
def two(space: Path):
    return load_model(context(space), path="models:sdxl").text_encoder


L, G = random(2, 32), random(2, 40, seed=1)


def written(space: Path, name: str, content, header: dict[str, str] | None = None) -> str:
    path = space / "data" / name
    if path.suffix == ".safetensors":
        save_file({key: value.clone() for key, value in content.items()}, path, header)
    else:
        torch.save(content, path)
    return f"data:{name}"


SINGLE = {
    "kohya.safetensors": ({"emb_params": L}, "kohya"),
    "diffusers.safetensors": ({"<cat-toy>": L}, "<cat-toy>"),
    "clip_l.safetensors": ({"clip_l": L}, "clip_l"),
    "learned_embeds.bin": ({"<cat-toy>": L}, "<cat-toy>"),
    "a1111.pt": (
        {
            "string_to_token": {"*": 265},
            "string_to_param": {"*": L},
            "name": "style",
            "step": 499,
            "sd_checkpoint": "cc6cb27103",
            "sd_checkpoint_name": "v1-5",
        },
        "style",
    ),
    "compvis.pt": (
        {"string_to_token": {"*": torch.tensor(265)}, "string_to_param": nn.ParameterDict({"*": nn.Parameter(L)})},
        "compvis",
    ),
    "hcp1.pt": ({"string_to_param": {"*": nn.Parameter(L)}, "name": "pt-cat"}, "pt-cat"),
    "hcp2.ckpt": (("pt-cat", nn.Parameter(L)), "pt-cat"),
    "tensor.pt": (L, "tensor"),
    "kohya_lora.safetensors": ({"bundle_emb.my.cat.string_to_param.*": L, "lora_unet_x.alpha": L[0, 0]}, "my.cat"),
    "bundle2.safetensors": ({"bundle_emb.cat.emb_params": L}, "cat"),
}
BOTH = {
    "sdxl.safetensors": ({"clip_l": L, "clip_g": G}, "sdxl"),
    "sdxl.pt": ({"clip_g": G, "clip_l": L, "name": "style"}, "style"),
    "hcp1_xl.pt": ({"string_to_param": {"*": torch.cat([L, G], dim=1)}, "name": "pt-cat"}, "pt-cat"),
    "hcp2_xl.pt": (
        {"string_to_param": {"*": {"clip_L": nn.Parameter(L), "clip_bigG": nn.Parameter(G)}}, "name": "c"},
        "c",
    ),
    "hcp2_xl.ckpt": (("c", nn.ParameterDict({"clip_L": nn.Parameter(L), "clip_bigG": nn.Parameter(G)})), "c"),
    "onetrainer.safetensors": (
        {"bundle_emb.cat.clip_l": L, "bundle_emb.cat.clip_g": G, "lora_te1_x.alpha": L[0, 0]},
        "cat",
    ),
}


@pytest.mark.parametrize("file", [*SINGLE, *BOTH])
def test_every_layout_is_read(space: Path, one, two, file: str) -> None:
    content, name = {**SINGLE, **BOTH}[file]
    handle, wanted = (one, (L,)) if file in SINGLE else (two, (L, G))
    made = load(context(space), handle, path=written(space, file, content))
    assert made.word.name == name
    assert all(torch.equal(a, b) for a, b in zip(made.word.vectors(), wanted, strict=True))
    assert made.params.groups == () and not made.model.trainable
    again = load(context(space), handle, path=f"data:{file}", name="<other>", trainable=True, lr=0.1, weight_decay=0.0)
    (group,) = again.params.groups
    assert again.word.name == "<other>" and again.model.trainable and len(group["params"]) == len(wanted)
    assert (group["lr"], group["weight_decay"]) == (0.1, 0.0)


def test_precision_and_single_vectors(space: Path, one) -> None:
    half = written(space, "half.safetensors", {"emb_params": L.half()})
    row = written(space, "row.safetensors", {"<row>": L[0]})
    assert torch.equal(load(context(space), one, path=half).word.vectors()[0], L.half().float())
    assert torch.equal(load(context(space), one, path=row).word.vectors()[0], L[:1])


def test_the_trigger_phrase_in_the_header_is_the_name(space: Path, one) -> None:
    path = written(space, "file.safetensors", {"emb_params": L}, {"modelspec.trigger_phrase": "<sks>"})
    assert load(context(space), one, path=path).word.name == "<sks>"
    path = written(space, "phrase.safetensors", {"emb_params": L}, {"modelspec.trigger_phrase": "a cat"})
    with pytest.raises(GraphError) as caught:
        load(context(space), one, path=path)
    assert caught.value.problem.code == "E_WORD_NAME"
    assert load(context(space), one, path=path, name="cat").word.name == "cat"


def test_a_file_with_several_words(space: Path, one) -> None:
    path = written(space, "several.safetensors", {"<a>": L, "<b>": -L})
    with pytest.raises(GraphError, match="2 words") as caught:
        load(context(space), one, path=path)
    assert "<a>, <b>" in caught.value.problem.hint
    made = load(context(space), load(context(space), one, path=path, which="<a>").model, path=path, which="<b>")
    assert [plugin.blocks["text_model.embeddings.token_embedding"].word for plugin in made.model.stack] == [
        "<a>",
        "<b>",
    ]
    assert torch.equal(made.word.vectors()[0], -L)
    with pytest.raises(GraphError, match="no word '<c>'"):
        load(context(space), one, path=path, which="<c>")


@pytest.mark.parametrize(
    ("file", "content", "encoders", "code", "text"),
    [
        ("w.safetensors", {"emb_params": random(1, 1024)}, 1, "E_WORD_SHAPE", "Stable Diffusion 2.x"),
        ("w.safetensors", {"emb_params": random(1, 768)}, 1, "E_WORD_SHAPE", "Stable Diffusion 1.x"),
        ("w.safetensors", {"clip_l": L, "clip_g": G}, 1, "E_WORD_SHAPE", r"clip_g \[2, 40\]"),
        (
            "w.safetensors",
            {"clip_l": random(1, 768), "clip_g": random(1, 1280)},
            2,
            "E_WORD_SHAPE",
            "second text encoder",
        ),
        ("w.safetensors", {"emb_params": L}, 2, "E_WORD_SHAPE", r"text_encoder_2 \[n, 40\]"),
        ("w.safetensors", {"clip_l": L}, 2, "E_WORD_SHAPE", r"text_encoder_2 \[n, 40\]"),
        ("w.safetensors", {"clip_l": L, "clip_g": G[:1]}, 2, "E_WORD_SHAPE", "as many vectors"),
        ("w.safetensors", {"clip_l": L, "clip_l_out": L}, 1, "E_WORD_FILE", "clip_l_out"),
        ("w.safetensors", {"bundle_emb.a.clip_l": L, "bundle_emb.a.t5": L}, 1, "E_WORD_FILE", "bundle_emb.a.t5"),
        (
            "w.safetensors",
            {"lora_unet_conv_in.lora_down.weight": random(4, 4, 3, 3)},
            1,
            "E_WORD_FILE",
            "plugin.load",
        ),
        (
            "w.safetensors",
            {"emb_params": torch.zeros(2, 32, dtype=torch.int64)},
            1,
            "E_WORD_FILE",
            "no table of numbers",
        ),
        ("w.safetensors", {"emb_params": L / 0}, 1, "E_NOT_FINITE", "infinite"),
        ("w.pt", {"string_to_param": {"*": L, "b": L}}, 1, "E_WORD_FILE", "2 tensors"),
        ("w.pt", {"string_to_param": 3}, 1, "E_WORD_FILE", "int"),
        ("w.pt", {}, 1, "E_WORD_FILE", "no tensors"),
        ("w.pt", [L], 1, "E_WORD_FILE", "no tensors"),
        (
            "w.safetensors",
            {"lora_unet_x.lora_down.weight": L, "lora_unet_x.alpha": L[0, 0]},
            1,
            "E_WORD_FILE",
            "plugin.load",
        ),
        ("w.safetensors", {"unet.x.lora_A.weight": L, "unet.x.lora_B.weight": L}, 1, "E_WORD_FILE", "plugin.load"),
        ("w.pt", {"name": "x"}, 1, "E_WORD_FILE", "belong to no word"),
        (
            "w.pt",
            {"string_to_param": {"*": L}, "name": nn.Linear(1, 1)},
            1,
            "E_WORD_FILE",
            "holds torch.nn.modules.linear.Linear, which is no tensor",
        ),
    ],
)
def test_files_that_do_not_fit(space: Path, one, two, file: str, content, encoders: int, code: str, text: str) -> None:
    path = written(space, file, content)
    with pytest.raises(GraphError) as caught:
        load(context(space), one if encoders == 1 else two, path=path)
    problem = caught.value.problem
    assert problem.code == code and problem.hint and re.search(text, f"{problem.message} {problem.hint}")


def test_damaged_files(space: Path, one) -> None:
    for name, content in (("d.safetensors", b"\xff" * 40), ("d.pt", b"no zip"), ("d.txt", b"x"), ("e.pt", b"")):
        (space / "data" / name).write_bytes(content)
        with pytest.raises(GraphError) as caught:
            load(context(space), one, path=f"data:{name}")
        assert caught.value.problem.code == "E_WORD_FILE", name


def test_code_in_a_pickle_is_not_run(space: Path, one) -> None:
    class Evil:
        def __reduce__(self):
            return (Path.touch, (space / "touched",))

    path = written(space, "evil.pt", {"string_to_param": {"*": L}, "name": Evil()})
    with pytest.raises(GraphError) as caught:
        load(context(space), one, path=path)
    assert caught.value.problem.code == "E_WORD_FILE" and not (space / "touched").exists()


@pytest.mark.parametrize("format", ["safetensors", "diffusers", "a1111"])
@pytest.mark.parametrize("encoders", [1, 2])
def test_round_trip(tmp_path: Path, one, two, format: str, encoders: int) -> None:
    ctx = context(tmp_path, graph_text=lambda: '{"format":"hcpgraph/1"}')
    handle, vectors = (one, (L,)) if encoders == 1 else (two, (L, G))
    _, word = attach(
        handle, "<my:cat>", dict(zip(("text_encoder", "text_encoder_2"), vectors, strict=False)), trainable=True
    )
    if format == "a1111" and encoders == 2:
        with pytest.raises(GraphError) as caught:
            save(ctx, word, format=format)
        assert caught.value.problem.code == "E_WORD_FORMAT"
        return
    saved = save(ctx, word, format=format)
    suffix = ".pt" if format == "a1111" else ".safetensors"
    assert saved.uri == f"out:mycat{suffix}" and len(saved.sha256) == 64
    made = load(ctx, handle, path=saved.uri)
    assert made.word.name == "<my:cat>"
    assert all(torch.equal(a, b) for a, b in zip(made.word.vectors(), vectors, strict=True))
    half = load(ctx, handle, path=save(ctx, word, format=format, dtype="fp16", path=f"out:half{suffix}").uri)
    assert all(torch.equal(a, b.half().float()) for a, b in zip(half.word.vectors(), vectors, strict=True))
    file = tmp_path / "out" / f"mycat{suffix}"
    if suffix == ".pt":
        content = torch.load(file, weights_only=True)
        assert content["hcpgraph"] == '{"format":"hcpgraph/1"}' and content["string_to_token"] == {"*": 265}
        assert content["name"] == "<my:cat>" and torch.equal(content["string_to_param"]["*"], L)
        return
    names = (
        {"safetensors": ["emb_params"], "diffusers": ["<my:cat>"]}[format] if encoders == 1 else ["clip_g", "clip_l"]
    )
    assert sorted(load_file(file)) == names
    with safe_open(file, "pt") as opened:
        header = opened.metadata()
    assert header["hcpgraph"] == '{"format":"hcpgraph/1"}' and header["modelspec.trigger_phrase"] == "<my:cat>"
    assert "modelspec.architecture" not in header  # its vectors are narrower than those of a released model
    with pytest.raises(GraphError) as caught:
        save(ctx, word, format=format, path="out:x.pt")
    assert caught.value.problem.code == "E_WORD_FORMAT"


def test_what_is_not_finite_is_not_written(tmp_path: Path, one) -> None:
    ctx = context(tmp_path)
    _, word = attach(one, "big", {"text_encoder": 1e6 * torch.ones(1, 32)}, trainable=True)
    for format in ("safetensors", "a1111"):
        with pytest.raises(GraphError, match="E_NOT_FINITE"):
            save(ctx, word, format=format, dtype="fp16")
        assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
    assert save(ctx, word, dtype="bf16").uri == "out:big.safetensors"


def test_the_longest_name_makes_a_file(tmp_path: Path, one) -> None:
    _, word = attach(one, 100 * "猫", {"text_encoder": L}, trainable=True)
    saved = save(context(tmp_path), word)
    assert saved.uri == f"out:{66 * '猫'}.safetensors"
    assert load(context(tmp_path), one, path=saved.uri).word.name == 100 * "猫"


PROMPTS = ["a photo of a <cat-toy>, big", "nothing"]


@pytest.mark.parametrize("family", ["sd15", "sd2"])
@pytest.mark.parametrize("format", ["safetensors", "diffusers", "a1111"])
@pytest.mark.parametrize("count", [1, 3])
def test_loads_in_diffusers(space: Path, family: str, format: str, count: int) -> None:
    from diffusers import StableDiffusionPipeline

    ctx = context(space, node="w")
    text_encoder = load_model(ctx, path=f"models:{family}").text_encoder
    made = new(ctx, text_encoder, name="<cat-toy>", vectors=count, init="", noise=3.0)
    file = save(ctx, made.word, format=format, overwrite=True).uri.removeprefix("out:")
    pipe = StableDiffusionPipeline.from_pretrained(space / "models" / family, local_files_only=True)
    options = {"token": "<cat-toy>"} if format == "safetensors" else {}
    pipe.load_textual_inversion(space / "out", weight_name=file, **options)
    with torch.no_grad():
        theirs = pipe.encode_prompt(PROMPTS, "cpu", 1, False)[0]
        ours = encode_text(made.model, Captions(tuple(PROMPTS))).data
    torch.testing.assert_close(ours, theirs)
    assert (ours - encode_text(text_encoder, Captions(tuple(PROMPTS))).data)[0].abs().max() > 0.1


def test_both_networks_load_in_diffusers(space: Path, two) -> None:
    from diffusers import StableDiffusionXLPipeline

    ctx = context(space, node="w")
    made = new(ctx, two, name="<cat-toy>", vectors=2, init="", noise=3.0)
    state = load_file(space / "out" / save(ctx, made.word, path="out:xl.safetensors").uri.removeprefix("out:"))
    pipe = StableDiffusionXLPipeline.from_pretrained(space / "models/sdxl", local_files_only=True)
    for key, end in (("clip_l", ""), ("clip_g", "_2")):
        parts = {"text_encoder": getattr(pipe, f"text_encoder{end}"), "tokenizer": getattr(pipe, f"tokenizer{end}")}
        pipe.load_textual_inversion(state[key], token="<cat-toy>", **parts)
    with torch.no_grad():
        theirs, _, pooled, _ = pipe.encode_prompt(PROMPTS, device="cpu", do_classifier_free_guidance=False)
        ours = encode_text(made.model, Captions(tuple(PROMPTS)))
    torch.testing.assert_close(ours.data, theirs)
    torch.testing.assert_close(ours.pooled, pooled)
    plain = encode_text(two, Captions(tuple(PROMPTS)))
    assert (plain.pooled - pooled)[0].abs().max() > 0.01 and torch.allclose(plain.pooled[1], pooled[1], atol=1e-6)


def test_bundled() -> None:
    state = {
        "bundle_emb.a.b.string_to_param.*": L,
        "bundle_emb.c.clip_l": L,
        "bundle_emb.c.clip_g": G,
        "bundle_emb..clip_l": L,
        "bundle_emb.c.other": L,
        "lora_unet_conv_in.alpha": L,
    }
    words, rest = bundled(state)
    assert {name: sorted(own) for name, own in words.items()} == {"a.b": [""], "c": ["clip_g", "clip_l"]}
    assert sorted(rest) == ["bundle_emb..clip_l", "bundle_emb.c.other", "lora_unet_conv_in.alpha"]
    assert bundled({}) == ({}, {})
