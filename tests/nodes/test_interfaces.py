"""Parts of two families on one graph: they fit where what lies between them is the same, whatever the families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.families.table import families, interface
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.save import save_model

import hcpgraph
from hcpgraph import Graph
from hcpgraph.testing import context

FROM_BOTH = [("draw.latents", "latents"), ("decode.latents", "latents")]


def drawing(denoiser: str, text: str, vae: str) -> Graph:
    """A picture with parts of up to three models."""
    g = Graph()
    for id, name in (("denoiser", denoiser), ("text", text), ("vae", vae)):
        g.add("model.load", id, path=f"models:{name}")
    g.add("text.prompt", "prompt", texts=["a cat"])
    for id in ("encode", "against"):
        g.add("text.encode", id)
        g.edges |= {f"{id}.text_encoder": "text.text_encoder", f"{id}.captions": "prompt.out"}
    g.add("sample.empty_latents", "empty", width=16, height=16)
    g.add("sample.denoise", "draw", sampler="ddim", steps=2, guidance=2.0)
    g.add("image.decode", "decode")
    g.add("image.save", "save")
    g.edges |= {
        "empty.vae": "vae.vae",
        "draw.denoiser": "denoiser.denoiser",
        "draw.schedule": "denoiser.schedule",
        "draw.positive": "encode.out",
        "draw.negative": "against.out",
        "draw.latents": "empty.out",
        "decode.vae": "vae.vae",
        "decode.latents": "draw.out",
        "save.images": "decode.out",
    }
    return g


def met(graph: Graph, workspace: Path) -> list[tuple[str, str]]:
    found = [problem for problem in hcpgraph.validate(graph, workspace=workspace) if problem.code == "E_FACT"]
    return [(problem.where, problem.message.partition(" ")[0]) for problem in found]


def test_every_family_says_what_its_parts_go_together_by():
    assert all(interface(name, part) for name in families() for part in ("latents", "text"))


@pytest.mark.parametrize("single", ["", ".safetensors"])
def test_a_vae_of_another_family_with_the_same_latents(family_files: Path, single: str):
    one, other = f"sd2{single}", f"sd15{single}"
    assert met(drawing(one, one, other), family_files) == []
    assert met(drawing(one, one, "sdxl"), family_files) == FROM_BOTH
    assert met(drawing("sdxl", "sdxl", other), family_files) == FROM_BOTH


def test_texts_of_another_family(family_files: Path):
    assert met(drawing("sd2", "sd15", "sd2"), family_files) == [("draw.positive", "text"), ("draw.negative", "text")]


def test_the_family_goes_on_over_nodes_that_hand_on(family_files: Path):
    """Rules read it of the wire: a word for A1111 has one text network."""
    g = Graph()
    g.add("model.load", "model", path="models:sdxl")
    g.add("flow.reroute", "on")
    g.add("word.new", "word", name="toy")
    g.add("word.save", "save", format="a1111", path="out:toy.pt")
    g.edges |= {"on.value": "model.text_encoder", "word.model": "on.out", "save.word": "word.word"}
    codes = [problem.code for problem in hcpgraph.validate(g, workspace=family_files)]
    assert "E_WORD_FORMAT" in codes
    g.nodes["model"].settings["path"] = "models:sd15"
    assert "E_WORD_FORMAT" not in [problem.code for problem in hcpgraph.validate(g, workspace=family_files)]


def test_it_draws_and_is_saved(family_files: Path, tmp_path: Path):
    """The picture is the one of the VAE that was wired, and the saved model holds it."""
    pictures: list[Any] = []
    for vae in ("sd2", "sd15"):
        g = drawing("sd2", "sd2", vae)
        result = hcpgraph.run(g, workspace=family_files, targets=["decode"])
        assert result.status == "done"
        pictures.append(result.outputs["decode.out"].data)
    assert (pictures[0] - pictures[1]).abs().max() > 1e-3
    ctx = context(family_files)
    first, second = (load_model(ctx, path=f"models:{name}") for name in ("sd2", "sd15"))
    for path, layout in (("out:mixed", "diffusers"), ("out:mixed.safetensors", "single_file")):
        made: Any = layout
        saved = save_model(ctx, first.denoiser, first.text_encoder, second.vae, first.schedule, path=path, layout=made)
        again = load_model(ctx, path=saved.uri)
        state, wanted = again.vae.root.module.state_dict(), second.vae.root.module.state_dict()
        assert again.denoiser.family == "sd2"
        assert all(torch.equal(state[name], value) for name, value in wanted.items())
