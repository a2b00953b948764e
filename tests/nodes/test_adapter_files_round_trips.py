"""Every layout × family × kind of adapter: what is written comes back bit for bit, or is refused as the docs say."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.adapter_files.layouts import LAYOUTS
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.load import load_plugin
from hcpgraph_nodes.plugins.save import save_plugin

from hcpgraph import GraphError
from hcpgraph.testing import context

from .adapter_models import attached

pytestmark = pytest.mark.slow

FAMILIES = ("sd15", "sd2", "sdxl")
VARIANTS = {
    "lora": "LoRA, LoCon",
    "tucker": "LoCon in Tucker form",
    "bias": "LoRA with bias",
    "dora": "DoRA",
    "loha": "LoHa",
    "lokr": "LoKr",
    "full": "full difference",
    "norm": "difference of a norm",
}
PAGE = Path(__file__).resolve().parents[2] / "docs" / "adapter-files.md"


@pytest.fixture(scope="module")
def place(tmp_path_factory, tiny_folder, tiny_sd2_folder, tiny_sdxl_folder) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name, source in zip(FAMILIES, (tiny_folder, tiny_sd2_folder, tiny_sdxl_folder), strict=True):
        shutil.copytree(source, folder / "models" / name)
    return folder


@pytest.fixture(scope="module")
def models(place: Path):
    return {name: load_model(context(place), path=f"models:{name}") for name in FAMILIES}


def outcome(place: Path, model, layout: str, variant: str) -> str:
    """`equal`, or why the layout refuses the adapter."""
    handles = (model.denoiser, model.text_encoder)
    made = [attached(handle, [""], variant) for handle in handles]
    files = (
        [[each] for each in zip(handles, made, strict=True)]
        if layout == "hcp"
        else [list(zip(handles, made, strict=True))]
    )
    for content in files:
        ctx = context(place)
        try:
            adapters = tuple(each.adapter for _, each in content)
            saved = save_plugin(ctx, adapters, path="out:trip.safetensors", layout=layout, dtype="fp32")
        except GraphError as error:
            assert error.problem.code == "E_ADAPTER" and not list(place.glob("out/*"))
            return re.sub(r" \(.*?\)", "", error.problem.message)
        for handle, each in content:
            found = load_plugin(ctx, handle, path=saved.uri).adapter.plugin.blocks
            assert list(found) == list(each.adapter.plugin.blocks)
            for path, block in each.adapter.plugin.blocks.items():
                before, after = block.tensors(), found[path].tensors()
                assert before.keys() == after.keys()
                assert all(torch.equal(before[name], after[name]) for name in before), path
        (place / "out/trip.safetensors").unlink()
    return "equal"


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_table_of_the_docs_says_what_happens(place: Path, models, family: str, variant: str) -> None:
    cells = [outcome(place, models[family], layout, variant) for layout in LAYOUTS]
    assert f"| {VARIANTS[variant]} | {' | '.join(cells)} |" in PAGE.read_text("utf-8").splitlines()
    assert cells[0] == "equal"


def test_the_table_has_no_other_rows() -> None:
    table = PAGE.read_text("utf-8").split("## What comes back")[1].split("What else")[0].split("\n\n")
    rows = [line for block in table for line in block.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows[1:]] == list(VARIANTS.values())
