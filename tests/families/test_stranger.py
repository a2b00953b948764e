"""The family of docs/families.md: a node pack of one file, installed by pip. Nothing of ours knows its name."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from .. import test_docs_guides as guides

PAGES = ("docs/families.md", "docs/zh-CN/families.md")
PYTHON = """
import sys, torch
from pathlib import Path
import hcpgraph
from hcpgraph.testing import context
from hcpgraph_nodes.families.probe import probe_family
from hcpgraph_nodes.families.part_probe import probe_denoiser
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.model.save import save_model

root = Path(sys.argv[1])
hcpgraph.default_registry()
made = new_model(context(root), family="tide", config={"transformer": {"layers": 3}}, seed=1)
for layout, path in (("diffusers", "models:model"), ("single_file", "models:one.safetensors")):
    save_model(context(root), *made[:4], path=path, layout=layout)
    place = root / "models" / path.removeprefix("models:")
    assert probe_family(place) == probe_denoiser(place) == "tide", path
    again = load_model(context(root), path=path)
    assert all(
        torch.equal(value, again.denoiser.root.module.state_dict()[name])
        for name, value in made.denoiser.root.module.state_dict().items()
    )
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that has the pack."""
    folder, place = tmp_path_factory.mktemp("tide"), tmp_path_factory.mktemp("site")
    (folder / "hcpgraph_tide").mkdir()
    (folder / "hcpgraph_tide/__init__.py").write_text('"""Tide."""\n')
    (folder / "hcpgraph_tide/tide.py").write_text(guides.code_of(PAGES[0]), encoding="utf-8")
    (folder / "pyproject.toml").write_text(guides.code_of(PAGES[0], "toml"), encoding="utf-8")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(place)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(folder)], check=True)
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(place), *([known] if known else [])])}


def test_both_pages_have_one_code() -> None:
    assert guides.code_of(PAGES[0]) == guides.code_of(PAGES[1])
    assert guides.code_of(PAGES[0], "toml") == guides.code_of(PAGES[1], "toml")


@pytest.mark.slow
def test_it_is_made_saved_recognised_and_trained(installed: dict[str, str], tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    (root / "data/pictures").mkdir(parents=True)
    for index in range(3):
        Image.new("RGB", (40, 36), (60 * index, 90, 200)).save(root / "data/pictures" / f"{index}.png")
    (root / "models").mkdir()
    subprocess.run([sys.executable, "-c", PYTHON, str(root)], env=installed, check=True)
    sizes = {"buckets.target_area": 1024, "watch.width": 32, "watch.height": 32, "watch.steps": 2, "train.steps": 2}
    asked = [text for key, value in sizes.items() for text in ("--set", f"{key}={value}")]
    run = [
        sys.executable,
        "-m",
        "hcpgraph.cli",
        "run",
        str(guides.ROOT / "graphs/train/lora.json"),
        "--workspace",
        str(root),
        *asked,
        "--json",
    ]
    told = subprocess.run(run, env=installed, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert json.loads(told.stdout)["status"] == "done"
    assert list(root.glob("out/lora/*.safetensors"))


def test_nothing_of_ours_knows_its_name() -> None:
    for folder in ("hcpgraph", "nodes"):
        for path in (guides.ROOT / folder).rglob("*.py"):
            assert not re.search(r"\btide\b", path.read_text("utf-8"), re.IGNORECASE), path
