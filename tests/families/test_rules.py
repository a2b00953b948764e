"""What is told before a run about models that are made by configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hcpgraph_nodes.model.new import new_model

import hcpgraph
from hcpgraph import Graph, GraphError
from hcpgraph.testing import context


def problems(graph: Graph, workspace: Path) -> list[tuple[str, str | None]]:
    return [(problem.code, problem.port) for problem in hcpgraph.validate(graph, workspace=workspace)]


def drawing(family: str = "sd3", **settings: Any) -> Graph:
    """A picture of a new model."""
    g = Graph()
    g.add("model.new", "model", family=family)
    g.add("text.prompt", "prompt", texts=["a cat"])
    g.add("text.encode", "encode")
    g.add("sample.empty_latents", "size", width=64, height=64)
    g.add("sample.denoise", "sample", **{"guidance": "auto", "sampler": "auto", "steps": "auto", **settings})
    for wire in (
        ("prompt.out", "encode.captions"),
        ("model.text_encoder", "encode.text_encoder"),
        ("model.vae", "size.vae"),
        ("size.out", "sample.latents"),
        ("encode.out", "sample.positive"),
        ("encode.out", "sample.negative"),
        ("model.model", "sample.model"),
    ):
        g.connect(*wire)
    return g


@pytest.mark.parametrize("family", ["sd3", "flux", "z_image"])
def test_it_is_fine_as_it_is(tmp_path: Path, family: str) -> None:
    """Also where `auto` means that the negative prompt is not read."""
    assert problems(drawing(family), tmp_path) == []


def test_guidance_counts_from_where_the_family_has_it(tmp_path: Path) -> None:
    assert problems(drawing("z_image", guidance=0.5), tmp_path) == []
    assert problems(drawing("z_image", guidance=0.0), tmp_path) == [("W_NEGATIVE_UNUSED", "negative")]
    assert problems(drawing("flux", guidance=1.0), tmp_path) == [("W_NEGATIVE_UNUSED", "negative")]
    alone = drawing("z_image", guidance=0.5)
    alone.disconnect("sample.negative")
    assert problems(alone, tmp_path) == [("E_NO_NEGATIVE", "negative")]


@pytest.mark.parametrize(
    ("node", "settings", "found"),
    [
        ("model", {"channels": [8, 16], "text_width": 32}, ("E_SETTING", "channels")),
        ("sample", {"guidance": 0.5}, ("E_SETTING", "guidance")),
        ("sample", {"sampler": "ddim"}, ("E_SETTING", "sampler")),
        ("size", {"width": 60}, None),
    ],
)
def test_what_would_have_no_effect(tmp_path: Path, node: str, settings: dict[str, Any], found: Any) -> None:
    g = drawing()
    for name, value in settings.items():
        g.set(f"{node}.{name}", value)
    assert problems(g, tmp_path) == ([] if found is None else [found])


def test_sizes_of_its_latents_are_told_from_a_folder(tmp_path: Path) -> None:
    """The transformer takes squares of latents, so that sides are multiples of twice what the VAE makes one of."""
    from .every_graph import furnished

    root = furnished(tmp_path, "sd3")
    g = drawing()
    g.remove("model")
    g.add("model.load", "model", path="models:model")
    for port, target in (("text_encoder", "encode.text_encoder"), ("vae", "size.vae"), ("model", "sample.model")):
        g.connect(f"model.{port}", target)
    g.set("size.width", 66)
    assert problems(g, root) == [("E_SIZE", "width")]


def test_configurations_are_of_components_that_the_family_has(tmp_path: Path) -> None:
    with pytest.raises(GraphError) as caught:
        new_model(context(tmp_path), family="sd3", config={"unet": {"layers": 1}})
    assert caught.value.problem.code == "E_SETTING" and "transformer" in (caught.value.problem.hint or "")
    made = new_model(context(tmp_path), family="sd3", config={"transformer": {"num_layers": 1}})
    assert len(made.denoiser.root.module.transformer_blocks) == 1  # type: ignore[arg-type]
    made = new_model(context(tmp_path), family="sd3", config={"transformer": {"num_attention_heads": "two"}})
    with pytest.raises(GraphError) as caught:
        _ = made.denoiser.root.module
    assert caught.value.problem.code == "E_MODEL_CLASS"


def test_a_unet_takes_configurations_too(tmp_path: Path) -> None:
    made = new_model(context(tmp_path), family="sd15", config={"unet": {"layers_per_block": 2}})
    assert made.denoiser.config["layers_per_block"] == 2
    assert len(made.denoiser.root.module.down_blocks[0].resnets) == 2  # type: ignore[index,union-attr]


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        (["@attention", "@mlp", "@conv"], [("W_NO_GROUP", "layers")]),
        (["@conv"], [("E_NO_LAYER", "layers")]),
        (["vae:@conv", "@attention"], []),
    ],
)
def test_a_group_that_the_family_lacks_is_left_out_beside_others(tmp_path: Path, layers: list[str], found: Any) -> None:
    g = Graph()
    g.add("model.new", "model", family="flux")
    g.add("plugin.lora", "lora", layers=layers)
    g.connect("model.model", "lora.model")
    assert problems(g, tmp_path) == found
    if not any(code.startswith("E_") for code, _ in found):
        result = hcpgraph.run(g, targets=["lora.adapter"], workspace=tmp_path)
        assert result.status == "done", result.failed
