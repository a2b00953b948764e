"""Words in prompts: what a text encoder makes of them equals a model whose embedding table was made longer by hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.model.encoder import encoder_digest
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.text.embeddings import embeddings
from hcpgraph_nodes.text.encode import encode, encode_text
from hcpgraph_nodes.types import Captions
from hcpgraph_nodes.words import tokens
from hcpgraph_nodes.words.block import attach
from hcpgraph_nodes.words.new import new
from torch import nn

from hcpgraph import GraphError
from hcpgraph.events import Event, EventLog
from hcpgraph.testing import context

WIDTH, VOCABULARY, LENGTH = 32, 1000, 77


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def space(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("words")
    shutil.copytree(tiny_folder, folder / "models" / "tiny")
    return folder


@pytest.fixture(scope="module")
def text_encoder(space: Path):
    return load_model(context(space), path="models:tiny").text_encoder


@pytest.fixture(scope="module")
def longer(tiny_folder: Path):
    """A function from words and texts to what transformers makes of them with a longer embedding table."""
    from transformers import CLIPTextModel, CLIPTokenizer

    def run(words: dict[str, torch.Tensor], *texts: str, clip_skip: int = 0) -> torch.Tensor:
        tokenizer = CLIPTokenizer.from_pretrained(tiny_folder / "tokenizer")
        model = CLIPTextModel.from_pretrained(tiny_folder / "text_encoder")
        rows = [model.get_input_embeddings().weight.data]
        for name, vectors in words.items():
            names = [f"{name}_{number}" for number in range(len(vectors))]
            tokenizer.add_tokens(names)
            texts = tuple(text.replace(name, " ".join(names)) for text in texts)
            rows.append(vectors)
        model.set_input_embeddings(nn.Embedding.from_pretrained(torch.cat(rows)))
        ids = tokenizer(list(texts), padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt")
        with torch.no_grad():
            hidden = model(ids.input_ids, output_hidden_states=True).hidden_states[-1 - clip_skip]
            return model.final_layer_norm(hidden)

    return run


def known(text_encoder, words: dict[str, torch.Tensor], trainable: bool = False):
    for name, vectors in words.items():
        text_encoder, _ = attach(text_encoder, name, {c.name: vectors for c in text_encoder.clips}, trainable=trainable)
    return text_encoder


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("clip_skip", [0, 1])
def test_equals_a_longer_table(text_encoder, longer, count: int, clip_skip: int) -> None:
    words = {"<cat>": random(count, WIDTH)}
    texts = ("a photo of <cat>, big", "<cat>", "<cat> and <cat>s", "nothing of the kind", "")
    without = encode_text(text_encoder, Captions(texts), clip_skip=clip_skip).data
    found = encode_text(known(text_encoder, words), Captions(texts), clip_skip=clip_skip).data
    torch.testing.assert_close(found, longer(words, *texts, clip_skip=clip_skip))
    assert torch.equal(found[3:], without[3:]) and not torch.isclose(found[:3], without[:3]).all()


def test_several_words_of_which_some_contain_others(text_encoder, longer) -> None:
    words = {"<a>": random(2, WIDTH), "<a>-b": random(1, WIDTH, seed=1), "x<a>-b": random(3, WIDTH, seed=2)}
    texts = ("<a>, <a>-b and x<a>-b", "x<a>-b<a>-b<a>", "<a>x<a>")
    own = {"<a>": "§1", "<a>-b": "§2", "x<a>-b": "§3"}
    replaced = list(texts)
    for name in sorted(own, key=len, reverse=True):
        replaced = [text.replace(name, own[name]) for text in replaced]
    wanted = longer({own[name]: vectors for name, vectors in words.items()}, *replaced)
    torch.testing.assert_close(encode_text(known(text_encoder, words), Captions(texts)).data, wanted)
    turned = dict(reversed(words.items()))
    torch.testing.assert_close(encode_text(known(text_encoder, turned), Captions(texts)).data, wanted)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("sks", "sks sks, asks sksy (sks) sks2", 3),
        ("sks", "SKS Sks", 2),
        ("MyCat", "mycat, a MYCAT-like animal", 2),
        ("<s1>", "a<s1>b <s1><s1>", 3),
        ("s1>", "a s1>b as1>", 1),
        ("cat", "a cat, a category; 一只cat在", 2),
        ("猫娘", "一只猫娘在", 1),
        ("кот", "кот котик", 1),
        ("café", "a café, a café", 2),
        ("a.b*", "a.b* axb a.b", 1),
        ("pt1", "pt1 pt10 pt-1", 1),
    ],
)
def test_where_a_name_is_found(text_encoder, name: str, text: str, found: int) -> None:
    handle = known(text_encoder, {name: random(1, WIDTH)})
    assert (tokens.ids(handle, handle.clips[0], [text]) < 0).sum() == found


def test_ids_are_those_of_the_library(text_encoder, space: Path, tiny_folder: Path) -> None:
    from transformers import CLIPTokenizer

    library = CLIPTokenizer.from_pretrained(tiny_folder / "tokenizer")
    library.add_tokens("<cat-toy>")
    handle = known(text_encoder, {"<cat-toy>": random(1, WIDTH)})
    texts = ["A <cat-toy>, big  <Cat-Toy>!", "<cat-toy>", "<cat-toy>ish 12 <cat-toy>", "none ", "Don't  <|endoftext|>"]
    wanted = library(texts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt").input_ids
    assert torch.equal(tokens.ids(handle, handle.clips[0], texts), torch.where(wanted == VOCABULARY, -1, wanted))
    plain = tokens.ids(text_encoder, text_encoder.clips[0], texts)
    assert (plain >= 0).all() and (plain < VOCABULARY).all()


def test_two_branches_know_different_words(text_encoder, longer) -> None:
    one, two, both = (
        {"<x>": random(2, WIDTH)},
        {"<x>": random(1, WIDTH, seed=1)},
        {"<y>": random(1, WIDTH, seed=2), "<x>": random(2, WIDTH)},
    )
    text = Captions(("<x> on <y>",))
    plain = encode_text(text_encoder, text).data
    handles = [known(text_encoder, words) for words in (one, two, both)]
    for handle, words in zip([*handles, *handles], [one, two, both] * 2, strict=True):
        torch.testing.assert_close(encode_text(handle, text).data, longer(words, *text.texts))
    assert torch.equal(encode_text(text_encoder, text).data, plain)
    less = handles[2].without(handles[2].stack[0])
    torch.testing.assert_close(encode_text(less, text).data, longer(one, *text.texts))
    assert torch.equal(encode_text(handles[0].without(handles[0].stack[0]), text).data, plain)


def test_a_name_that_is_a_token_means_the_word(space: Path, text_encoder) -> None:
    made = new(context(space, node="w"), text_encoder, name="the", init="", noise=1.0)
    ids = tokens.ids(made.model, made.model.clips[0], ["a the", "a theory"])
    assert ids[0, 2] == -1 and (ids[1] >= 0).all()
    with made.model.active():
        rows = made.model.root.layers["text_model.embeddings.token_embedding"](ids)
    assert torch.equal(rows[0, 2], made.word.vectors()[0][0])


def events(space: Path, **options):
    """A context, and what happens in it."""
    found: list[Event] = []
    ctx = context(space, **options)
    ctx.run.events = EventLog("words", listener=found.append)
    return ctx, found


def test_a_name_that_is_a_token_warns(space: Path, text_encoder) -> None:
    ctx, found = events(space)
    new(ctx, text_encoder, name="<new>")
    assert found == []
    new(ctx, text_encoder, name="the")
    assert len(found) == 1 and "'the' is a token already" in found[0]["message"]


def test_names_that_are_none(space: Path, text_encoder) -> None:
    ctx = context(space)
    one = new(ctx, text_encoder, name="<Cat>").model
    for handle, name in ((one, "<cat>"), (text_encoder, "a b"), (text_encoder, ""), (text_encoder, "a\u3000b")):
        with pytest.raises(GraphError) as caught:
            new(ctx, handle, name=name)
        assert caught.value.problem.code == "E_WORD_NAME" and caught.value.problem.hint
    assert new(ctx, one.without(one.stack[0]), name="<cat>").model.stack


def test_long_prompts_are_cut_and_say_so_once(space: Path, text_encoder, longer) -> None:
    words = {"<w>": random(30, WIDTH)}
    handle = known(text_encoder, words)
    fits, long = "<w> <w> a cat on a mat", "<w> <w> <w> the end"
    ctx, found = events(space, node="text")
    for cache in ("off", "ram"):
        data = encode(ctx, handle, Captions((fits,)), cache=cache).data
        assert found == []
        torch.testing.assert_close(data, longer(words, fits))
    for cache in ("off", "ram"):
        data = encode(ctx, handle, Captions((fits, long)), cache=cache).data
        torch.testing.assert_close(data[1:], longer(words, long), rtol=1e-4, atol=1e-5)
    (event,) = found
    assert event["level"] == "warning"
    assert long in event["message"] and "cut to 75, and lost is '<w> the end'" in event["message"]
    other, again = events(space, node="text")
    encode(other, handle, Captions((long,)))
    assert len(again) == 1, "another run says it again"
    row = tokens.ids(handle, handle.clips[0], [long])[0]
    assert (row < 0).sum() == 75 and row[-1] == text_encoder.config["eos_token_id"] == 999
    plain, told = events(space)
    for _ in range(2):
        encode(plain, text_encoder, Captions(("cat " * 37 + "on a mat", "cat " * 37)))
    (event,) = told
    assert "cut to 75, and lost is 'a mat'" in event["message"]


def test_weights_are_told_and_counted_and_so_is_a_trained_word_that_never_comes(space: Path, text_encoder) -> None:
    ctx, found = events(space, node="text")
    for number in range(10):
        encode(ctx, text_encoder, Captions((f"a (cat:1.{number}) in a fate_(series)", "a ((dog))", "plain (a, b) [c]")))
    messages = [event["message"] for event in found]
    assert messages[0] == "'(cat:1.0)' weighs nothing: the text encoder reads it as it stands there"
    assert messages[1:] == [
        "10 different texts with weights by now; the last one: " + messages[0].replace("1.0", "1.8")
    ]

    trained = new(context(space, node="w"), text_encoder, name="<w>").model
    ctx, found = events(space, node="text")
    for _ in range(30):
        encode(ctx, trained, Captions(("a cat", "a <wx>", "no", "w")))
    (event,) = found
    assert "none of the first 100 texts contains the trained word '<w>'" in event["message"]
    ctx, found = events(space, node="text")
    for number in range(60):
        encode(ctx, trained, Captions(("a cat", "a <W>" if number == 7 else "a dog")))
    assert found == []


def test_the_start_is_text_or_noise(space: Path, text_encoder) -> None:
    table = text_encoder.root.layers["text_model.embeddings.token_embedding"].weight
    one, two = (int(text_encoder.clips[0].tokens.tokenizer(w, add_special_tokens=False).input_ids[0]) for w in "ab")
    ctx = context(space, node="w", seed=3)

    def start(handle=text_encoder, **settings) -> torch.Tensor:
        (vectors,) = new(ctx, handle, **{"name": "<n>", **settings}).word.vectors()
        return vectors

    assert torch.equal(start(init="a b", vectors=1), table[[one]])
    assert torch.equal(start(init="a b", vectors=5), table[[one, two, one, two, one]])
    drawn = start(init="", noise=2.0, vectors=75)
    assert drawn.std() / table.std() == pytest.approx(2, rel=0.05) and abs(drawn.mean()) < 0.1 * drawn.std()
    assert torch.equal(start(init="a", noise=2.0, vectors=75), table[[one]] + drawn)
    assert torch.equal(start(init="", noise=2.0, vectors=75), drawn)
    ctx = context(space, node="w", seed=4)
    assert not torch.equal(start(init="", noise=2.0, vectors=75), drawn)
    older = known(text_encoder, {"<old>": random(2, WIDTH)})
    assert torch.equal(
        start(older, init="<old> b", vectors=4), torch.cat([random(2, WIDTH), table[[two]], random(2, WIDTH)[:1]])
    )
    with pytest.raises(GraphError) as caught:
        start(init=" ", noise=0.0)
    assert caught.value.problem.code == "E_WORD_INIT"


def test_half_precision_keeps_the_word_whole(space: Path, text_encoder) -> None:
    ctx = context(space, precision="bf16")
    half = load_model(ctx, path="models:tiny").text_encoder
    made = new(ctx, half, name="<w>", vectors=2, init="cat")
    out = encode_text(made.model, Captions(("a <w>",))).data
    (parameters,) = [group["params"] for group in made.params.groups]
    assert out.dtype is torch.float32 and all(p.dtype is torch.float32 for p in parameters.values())
    out.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in parameters.values())
    exact = encode_text(
        new(context(space), text_encoder, name="<w>", vectors=2, init="cat").model, Captions(("a <w>",))
    )
    assert (out - exact.data).abs().max() < 0.1


def test_caches(space: Path, text_encoder) -> None:
    ctx, words = context(space), Captions(("a <w>", "a <v>"))
    trained = new(ctx, text_encoder, name="<w>", init="cat")
    with pytest.raises(GraphError) as caught:
        encode(ctx, trained.model, words, cache="ram")
    assert caught.value.problem.code == "E_CACHE"
    vectors = random(1, WIDTH)
    one, again = known(text_encoder, {"<w>": vectors}), known(text_encoder, {"<w>": vectors})
    others = [{"<v>": vectors}, {"<w>": -vectors}, {"<w>": vectors, "<v>": vectors}, {"<v>": vectors, "<w>": vectors}]
    digests = [encoder_digest(ctx, known(text_encoder, other)) for other in others]
    assert encoder_digest(ctx, one) == encoder_digest(ctx, again)
    assert len({*digests, encoder_digest(ctx, one), encoder_digest(ctx, text_encoder)}) == 6
    for handle in (one, text_encoder, known(text_encoder, others[0])):
        torch.testing.assert_close(
            encode(ctx, handle, words, cache="disk").data, encode_text(handle, words).data, rtol=1e-4, atol=1e-5
        )
    before = embeddings(one).encoded
    encode(ctx, again, words, cache="disk")
    assert embeddings(one).encoded == before, "equal words, equal embeddings"
    assert torch.equal(
        encode(ctx, trained.model.copy({}), words, cache="ram").data[1:],
        encode(ctx, text_encoder, words, cache="ram").data[1:],
    )


def test_a_lora_on_the_same_encoder(space: Path, text_encoder) -> None:
    ctx = context(space, node="w")
    first = new(ctx, lora(ctx, text_encoder, rank=2).model, name="<w>", init="the").model
    second = lora(ctx, new(ctx, text_encoder, name="<w>", init="the").model, rank=2).model
    words = Captions(("a <w>",))
    assert torch.equal(encode_text(first, words).data, encode_text(text_encoder, Captions(("a the",))).data)
    assert torch.equal(encode_text(second, words).data, encode_text(first, words).data)


@pytest.mark.parametrize("legacy", [False, True])
def test_pooling_finds_the_end_in_both_networks(tiny_sdxl_folder: Path, tmp_path: Path, legacy: bool) -> None:
    """The released SDXL says eos_token_id 2: then transformers takes the largest id of a row for the end."""
    config = shutil.copytree(tiny_sdxl_folder, tmp_path / "models/sdxl") / "text_encoder_2/config.json"
    if legacy:
        config.write_text(json.dumps(json.loads(config.read_text()) | {"eos_token_id": 2}))
    handle = load_model(context(tmp_path), path="models:sdxl").text_encoder
    assert handle.clips[1].config["eos_token_id"] == (2 if legacy else 999)
    made = new(context(tmp_path, node="w"), handle, name="<w>", vectors=3, init="", noise=3.0)
    assert [tuple(v.shape) for v in made.word.vectors()] == [(3, 32), (3, 40)]
    assert [len(group["params"]) for group in made.params.groups] == [2]
    texts = ["a photo of <w>, big", "cat"]
    for clip, vectors in zip(handle.clips, made.word.vectors(), strict=True):
        ids = tokens.ids(made.model, clip, texts)
        end = (ids == 999).int().argmax(-1)
        with torch.no_grad(), made.model.active(ids=ids) as module:
            network = getattr(module, clip.name)
            out = network(ids, output_hidden_states=True)
        table = torch.cat([network.get_input_embeddings().weight, vectors.flip(0)])
        positions = getattr(network, "text_model", network).embeddings.position_embedding.weight
        assert torch.equal(out.hidden_states[0], table[ids] + positions), "id -1 is the last row, the first vector"
        at_end = out.last_hidden_state[torch.arange(2), end]
        if clip.name == "text_encoder":
            assert torch.equal(out.pooler_output, at_end)
        else:
            assert torch.equal(out.text_embeds, network.text_projection(at_end))
    found, plain = (encode_text(text, Captions(tuple(texts))) for text in (made.model, handle))
    torch.testing.assert_close(found.pooled[1], plain.pooled[1])
    assert (found.pooled[0] - plain.pooled[0]).abs().max() > 0.01
