"""Caches that nodes keep below `cache:` are never older than the code that fills them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from hcpgraph_nodes.data.color_jitter import color_jitter
from hcpgraph_nodes.data.sources.headers import _stamps
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.text.embeddings import embeddings
from hcpgraph_nodes.text.encode import encode
from hcpgraph_nodes.types import Captions

from hcpgraph.declaring import sources
from hcpgraph.testing import context

from .latent_sets import bucketed, dataset, folder
from .latent_sets import encode as encode_latents

__all__ = ["folder"]  # a fixture
NODES = Path(__file__).resolve().parents[2] / "nodes" / "hcpgraph_nodes"
NOT_OF_CODE = {
    "data/sources/content.py",  # sha256 of files
    "data/batches/store.py",  # holds what others have named
    "model/encoder.py",  # digests of weights; what code does with them is in `arithmetic`
}


@pytest.fixture
def edit(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Files of ours seem edited from here on."""
    read, edited = sources.Sources.read, set[Path]()

    def pretend(self: sources.Sources, path: Path) -> sources.Read:
        found = read(self, path)
        return found._replace(sha256=f"edited {found.sha256}") if path in edited else found

    def edit(name: str) -> None:
        edited.add(NODES / name)
        sources.code_of.cache_clear()

    monkeypatch.setattr(sources.Sources, "read", pretend)
    yield edit
    sources.code_of.cache_clear()


@pytest.mark.parametrize(
    "name", ["families/kl_vae.py", "families/sd15.py", "data/bucketing/resize.py", "data/color_jitter.py"]
)
def test_latents_are_made_again_when_what_makes_them_is_edited(
    workspace: Path,
    folder: Path,
    edit: Callable[[str], None],
    name: str,
) -> None:
    data = bucketed(folder, color_jitter(dataset(folder), brightness=0.1))
    assert encode_latents(workspace, data)[1] == "6 of 6"
    edit("text/affix.py")
    assert encode_latents(workspace, data)[1] == "0 of 6"
    edit(name)
    assert encode_latents(workspace, data)[1] == "6 of 6"
    assert encode_latents(workspace, data)[1] == "0 of 6"


@pytest.mark.parametrize("name", ["families/unet_family.py", "words/tokens.py", "text/embeddings.py"])
def test_embeddings_are_made_again_when_what_makes_them_is_edited(
    workspace: Path, edit: Callable[[str], None], name: str
) -> None:
    def encoded() -> int:
        handle = load_model(context(workspace), path="models:tiny").text_encoder
        encode(context(workspace), handle, Captions(("a cat", "a dog")), cache="disk")
        return embeddings(handle).encoded

    assert [encoded(), encoded()] == [2, 0]
    edit("data/bucketing/resize.py")
    assert encoded() == 0
    edit(name)
    assert [encoded(), encoded()] == [2, 0]


def test_headers_are_read_again_by_other_code(folder: Path, edit: Callable[[str], None]) -> None:
    files = sorted(folder.glob("*.png"))
    before = _stamps(files)
    edit("image/read.py")
    assert all(before[file] != after for file, after in _stamps(files).items())


def test_another_torch_makes_other_items(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sources.code_of("hcpgraph_nodes.data.latents")
    monkeypatch.setattr(sources, "package_version", lambda name: "0.0")
    sources.code_of.cache_clear()
    assert sources.code_of("hcpgraph_nodes.data.latents") != before
    sources.code_of.cache_clear()


def test_every_module_with_a_cache_of_its_own_names_the_code_that_fills_it() -> None:
    for path in NODES.rglob("*.py"):
        tree = ast.parse(path.read_bytes())
        texts = (
            item.value for item in ast.walk(tree) if isinstance(item, ast.Constant) and isinstance(item.value, str)
        )
        if any(text.startswith("cache:") for text in texts):
            names = {item.id for item in ast.walk(tree) if isinstance(item, ast.Name)}
            place = path.relative_to(NODES).as_posix()
            assert "code_of" in names or place in NOT_OF_CODE, f"{place} keeps something that may be of other code"
