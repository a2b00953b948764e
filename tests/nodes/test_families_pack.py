"""A family in a pack of one file: nothing of ours knows its name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hcpgraph_nodes.families.contradiction import other_family
from hcpgraph_nodes.families.probe import probe_family
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.families.table import families

import hcpgraph
from hcpgraph import Graph
from hcpgraph.checking.analyse import analyse, default_roots
from hcpgraph.declaring import tables
from hcpgraph.fingerprint import Fingerprints
from hcpgraph.planning.cache_keys import keys
from hcpgraph.planning.demand import bodies

TEXT = """
from hcpgraph_nodes.families.sd15 import SD15

TABLE = {
    "table": "families",
    "name": "stranger",
    "title": "A stranger's model",
    "folder": [
        {
            "parts": {
                "unet": "UNet2DConditionModel",
                "text_encoder": "CLIPTextModel",
                "text_encoder_2": None,
                "strange": "StrangePart",
            },
            "rank": 9,
        }
    ],
    "file": [{"keys": ["strange."]}],
    "interfaces": {"latents": "sd", "text": "stranger"},
    "reads_sizes": True,
    "groups": {"denoiser": [{"attention": ["cls:Conv2d"]}]},
}


class Stranger(SD15):
    name = "stranger"


FAMILY = Stranger()
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """The pack, and a process that forgets it again."""
    hcpgraph.default_registry()
    before = dict(tables._known)
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/stranger.py").write_text(TEXT)
    yield tmp_path / "pack"
    tables._known.clear()
    tables._known.update(before)


@pytest.fixture
def workspace(tmp_path: Path, tiny_folder: Path) -> Path:
    """A workspace with a folder that only the marks of the stranger tell from SD 1.x."""
    model = tmp_path / "ws/models/strange"
    shutil.copytree(tiny_folder, model)
    index = json.loads((model / "model_index.json").read_text()) | {"strange": ["x", "StrangePart"]}
    (model / "model_index.json").write_text(json.dumps(index))
    return tmp_path / "ws"


def drawing() -> Graph:
    g = Graph()
    g.add("model.load", "model", path="models:strange")
    g.add("plugin.lora", "lora", layers=["@attention"])
    g.connect("model.denoiser", "lora.model")
    return g


def test_it_is_known_probed_and_run(place: Path, workspace: Path) -> None:
    model = workspace / "models/strange"
    assert "stranger" not in families() and probe_family(model) == "sd15"
    registry = hcpgraph.default_registry([place])
    assert probe_family(model) == "stranger" and "stranger" in families()
    shown = registry.shown(registry.specs["model.load"])["properties"]["family"]
    ours = [name for name, row in families().items() if row.module.startswith("hcpgraph_nodes.")]
    assert sorted(shown["enum"]) == sorted(["auto", *ours, "stranger"])
    result = hcpgraph.run(drawing(), targets=["lora"], packs=[place], workspace=workspace)
    assert result.status == "done", result.failed
    adapted = result.outputs["lora.model"]
    assert adapted.family == "stranger" and family("stranger").name == "stranger"
    blocks = result.outputs["lora.adapter"].plugin.blocks
    assert "conv_in" in blocks and not any("attn1" in path for path in blocks), "its group of that name"


def test_it_may_take_the_vae_of_another_family(place: Path, workspace: Path) -> None:
    hcpgraph.default_registry([place])
    model = workspace / "models/strange"
    assert other_family("vae.load", "sd15", model) is None
    assert other_family("vae.load", "sdxl", model) == "stranger"
    assert other_family("model.load", "sd15", model) == "stranger"


def test_an_edit_of_its_file_runs_what_reads_it_again_and_nothing_else(place: Path, workspace: Path) -> None:
    g = drawing()
    g.add("model.new", "other")
    roots = default_roots(workspace)

    def now() -> dict[str, str | None]:
        found = analyse(g, hcpgraph.default_registry([place]), roots)
        made = keys(found, bodies(found), roots, environment="e=1", seed=0, fingerprints=Fingerprints())
        return dict(made.of)

    before = now()
    (place / "stranger.py").write_text(TEXT + "\n")
    after = now()
    assert {id for id in before if before[id] != after[id]} == {"model", "lora"}
