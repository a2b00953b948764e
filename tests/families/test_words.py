"""Words of models with several text networks of other kinds than CLIP's: made, written, read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.plugins.load import load_plugin
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions
from hcpgraph_nodes.words.load import load
from hcpgraph_nodes.words.new import new
from hcpgraph_nodes.words.save import save
from safetensors.torch import load_file, save_file

from hcpgraph import GraphError
from hcpgraph.testing import context

from .adapters import transformers

TEXTS = Captions(("a photo of <cat>, red", "a dog"))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("words")


def written(root: Path, model: Any, name: str, **settings: Any) -> tuple[Any, Path]:
    made = new(context(root, node="word", seed=3), model.text_encoder, name="<cat>", vectors=2, init="cat", noise=1.0)
    saved = save(context(root), made.word, path=f"out:{name}.safetensors", **settings)
    return made, root / "out" / saved.uri.removeprefix("out:")


def test_a_word_comes_back_in_every_family(root: Path) -> None:
    for name in transformers():
        model = new_model(context(root), family=name, seed=1)
        made, path = written(root, model, name)
        networks = [clip.spelled for clip in model.text_encoder.clips]
        keys = networks if len(networks) > 1 else ["emb_params"]
        assert sorted(load_file(path)) == sorted(keys)
        again = load(context(root), model.text_encoder, path=f"out:{path.name}")
        assert again.word.name == "<cat>"
        assert all(torch.equal(a, b) for a, b in zip(again.word.vectors(), made.word.vectors(), strict=True))
        with torch.no_grad():
            plain, ours = encode_text(model.text_encoder, TEXTS), encode_text(made.model, TEXTS)
            found = encode_text(again.model, TEXTS)
        assert torch.equal(found.data, ours.data)
        length = min(ours.data.shape[1], plain.data.shape[1])  # some families pad to the longest text
        first, second = (ours.data[:, :length] - plain.data[:, :length]).abs().amax((1, 2))
        assert first > 1e-3 and second <= 1e-6, f"{name} reads the word where it stands, and nowhere else"


def test_networks_of_sd3(root: Path) -> None:
    model = new_model(context(root), family="sd3", seed=1)
    made, path = written(root, model, "sd3_networks")
    state = load_file(path)
    widths = {"clip_l": 16, "clip_g": 16, "t5xxl": 32}
    assert {key: tuple(value.shape) for key, value in state.items()} == {key: (2, size) for key, size in widths.items()}
    bundled = {f"bundle_emb.<cat>.{key}": value for key, value in state.items()}
    save_file(bundled, root / "out/bundled.safetensors")
    again = load(context(root), model.text_encoder, path="out:bundled.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(again.word.vectors(), made.word.vectors(), strict=True))
    save_file({key: state[key] for key in ("clip_l", "clip_g")}, root / "out/two.safetensors")
    with pytest.raises(GraphError, match=r"needed is .*text_encoder_3 \[n, 32\]") as caught:
        load(context(root), model.text_encoder, path="out:two.safetensors")
    assert caught.value.problem.code == "E_WORD_SHAPE"
    with pytest.raises(GraphError, match="holds words, no adapter: clip_g, clip_l, t5xxl"):
        load_plugin(context(root), model.text_encoder, path=f"out:{path.name}")


def test_words_without_the_network_that_a_model_lacks(root: Path) -> None:
    """A model without T5 takes the vectors of its CLIPs."""
    from dataclasses import replace

    model = new_model(context(root), family="sd3", seed=1)
    made, path = written(root, model, "sd3_small")
    small = replace(model.text_encoder, clips=model.text_encoder.clips[:2])
    again = load(context(root), small, path=f"out:{path.name}")
    assert len(again.word.vectors()) == 2
    assert all(torch.equal(a, b) for a, b in zip(again.word.vectors(), made.word.vectors()[:2], strict=True))
