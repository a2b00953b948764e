"""A plugin of somebody else's node pack: a folder with a class and a node, and none of our code changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import hcpgraph
from hcpgraph.cli import main
from hcpgraph.paths import Roots
from hcpgraph.running.cache import Cache
from hcpgraph.server.queue.layers import Outlines, Question

from ..graphs.hand_written import drawn

PACK = '''
"""(IA)³: layers' outputs are scaled by learnt vectors. Source: Liu et al. 2022, https://arxiv.org/abs/2205.05638."""

from typing import Annotated

import torch
from hcpgraph import Context, node
from hcpgraph.widgets import LayerPicker
from hcpgraph_nodes.model.handles import component
from hcpgraph_nodes.plugins.attach import Adapted, M, adapted
from hcpgraph_nodes.plugins.kinds import WrapPluginBlock
from torch import nn


class Rescale(WrapPluginBlock):
    """One factor an output channel of a linear layer."""

    def __init__(self, layer):
        super().__init__()
        self.factors = nn.Parameter(torch.ones(layer.out_features))

    def forward(self, host, x, *args, **kwargs):
        return host(x, *args, **kwargs) * self.factors


@node("theirs.rescale", effects="resource")
def rescale(ctx: Context, model: M, *, layers: Annotated[list[str], LayerPicker()], lr: float = 0.1) -> Adapted[M]:
    """Scale what layers give by learnt vectors.

    Args:
        model: Any model.
        layers: Selectors.
        lr: Learning rate.
    """
    return adapted(model, component(model), Rescale.on(model, layers), ctx.node, lr)
'''
VALUES = r"re:.*attn1\.to_v$"


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("packs") / "theirs"
    folder.mkdir()
    (folder / "rescale.py").write_text(PACK, encoding="utf-8")
    return folder


@pytest.fixture
def file(tmp_path: Path, pack: Path) -> Path:
    g = drawn(3)
    g.remove("whole")
    g.add("theirs.rescale", "rescale", layers=[VALUES])
    for source, target in [
        ("new.denoiser", "rescale.model"),
        ("rescale.model", "predict.denoiser"),
        ("rescale.params", "adamw.params"),
    ]:
        g.connect(source, target)
    path = tmp_path / "graph.json"
    path.write_text(g.dump(), encoding="utf-8")
    return path


def call(*arguments: object, code: int = 0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.mark.slow
def test_it_is_validated_run_and_trained(file: Path, pack: Path, tmp_path: Path) -> None:
    assert "E_TYPE_UNKNOWN" in call("validate", file, code=2).output
    call("validate", file, "--pack", pack)
    call("run", file, "--pack", pack, "--workspace", tmp_path / "w", "--target", "train")
    g = hcpgraph.load(file)
    g.add("flow.after", "last")
    g.connect("rescale.model", "last.value")
    g.connect("train.trained", "last.trained")
    result = hcpgraph.run(g, targets=["last", "new.denoiser"], workspace=tmp_path / "w", packs=[pack])
    assert result.status == "done", result.failed
    (plugin,) = result.outputs["last.out"].stack
    assert all(name.endswith("attn1.to_v") for name in plugin.blocks)
    assert all((block.factors != 1).all() for block in plugin.blocks.values())
    base = result.outputs["new.denoiser"]
    assert base.root is result.outputs["last.out"].root and base.stack == () and not base.trainable


@pytest.mark.parametrize("selectors", [[VALUES], ["mid_block", "pre_hook:conv_in", "conv_in", VALUES], ["conv_inn"]])
def test_the_picker_shows_what_hcpgraph_layers_lists(selectors: list[str], pack: Path, tmp_path: Path) -> None:
    g = hcpgraph.Graph()
    g.add("model.load", "base", path="builtin:emoji")
    g.add("theirs.rescale", "rescale", layers=selectors)
    g.connect("base.denoiser", "rescale.model")
    question = Question(g.dump(), "rescale", "layers", selectors)
    reply = Outlines(Roots(tmp_path), [pack], "cpu", Cache()).answer(question, may_run=True)
    listed = call("layers", "builtin:emoji", *selectors, "--json", code=2 if selectors == ["conv_inn"] else 0)
    told = json.loads(listed.stdout)
    if selectors == ["conv_inn"]:
        assert reply["near"][0] == "conv_in" and "near misses: conv_in," in told["problems"][0]["hint"]
        return
    names = [("pre_hook:" if row["input"] else "") + row["name"] for row in told["layers"]]
    assert reply["names"] == names and reply["matched"] == told["matched"] and reply["total"] == told["total"]
