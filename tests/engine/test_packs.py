"""Packs: folders and installed packages, manifests on disk, broken files (DESIGN §3)."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

import hcpgraph
from hcpgraph import GraphErrors
from hcpgraph.declaring.manifest import manifest
from hcpgraph.declaring.pack import Pack, from_folder, installed

from .support import graph

ONE = '''
from hcpgraph import node

@node("one.file")
def one(a: int = 1, *, plus: int = 1) -> int:
    """Add.

    Args:
        a: A number.
        plus: Another one.
    """
    return a + plus
'''


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HCPGRAPH_CACHE", str(tmp_path / "manifests-here"))
    return tmp_path / "manifests-here" / "manifests"


def folder(tmp_path, name="pack", **files):
    place = tmp_path / name
    place.mkdir(exist_ok=True)
    for file, text in files.items():
        (place / f"{file}.py").write_text(textwrap.dedent(text))
    return place


def test_one_file_in_a_folder_is_a_pack(tmp_path):
    place = folder(tmp_path, "alone", nodes=ONE.replace("one.file", "one.alone"))
    g = graph({"a": ("one.alone", {"plus": 4})})
    assert hcpgraph.run(g, packs=[place], workspace=tmp_path / "ws").outputs["a.out"] == 5


def test_broken_files_are_named_and_disturb_nobody(tmp_path, cache):
    place = folder(
        tmp_path,
        good=ONE,
        syntax="def broken(:\n",
        lookup="x = unknown_name\n",
        leaves="import sys\nsys.exit(3)\n",
        wrong="from hcpgraph import node\n@node('wrong.node')\ndef f(a): ...\n",
        noisy=ONE.replace("one.file", "one.noisy") + "\nprint('noise', end='')\n",
    )
    described = manifest(from_folder(place))
    assert {spec["id"] for spec in described["specs"]} == {"one.file", "one.noisy"}
    told = {os.path.basename(p["message"].split("'")[1]): p for p in described["problems"]}
    assert set(told) == {"syntax.py", "lookup.py", "leaves.py", "wrong.py"}
    assert all(p["severity"] == "warning" and p["code"] == "E_PACK" for p in told.values())
    assert "line 1" in told["syntax.py"]["hint"] and "line 1" in told["lookup.py"]["hint"]
    assert "docstring is missing" in told["wrong.py"]["message"]


def test_the_manifest_is_made_once_and_again_after_an_edit(tmp_path, cache, monkeypatch):
    place = folder(tmp_path, nodes=ONE)
    first = manifest(from_folder(place))
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", None)
        assert manifest(from_folder(place)) == first
    (place / "nodes.py").write_text(ONE.replace("version", "version").replace('"one.file"', '"one.file", version=2'))
    assert manifest(from_folder(place))["specs"][0]["version"] == 2
    assert len(list(cache.iterdir())) == 1


def test_folders_of_one_name_keep_their_own_manifests(tmp_path, cache):
    places = [
        folder(tmp_path / name, "same", nodes=ONE) for name in map(str, (1, 2)) if (tmp_path / name).mkdir() is None
    ]
    for place in (*places, places[0]):
        manifest(from_folder(place))
    assert len(list(cache.iterdir())) == 2


def test_a_damaged_manifest_is_made_again(tmp_path, cache):
    place = folder(tmp_path, nodes=ONE)
    first = manifest(from_folder(place))
    next(cache.iterdir()).write_text("{")
    assert manifest(from_folder(place)) == first


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HCPGRAPH_CACHE", str(tmp_path / "file"))
    assert manifest(from_folder(folder(tmp_path, nodes=ONE)))["specs"]


def test_a_missing_folder(tmp_path):
    with pytest.raises(GraphErrors, match="E_PACK"):
        from_folder(tmp_path / "nothing")


def test_a_package_with_a_broken_subpackage(tmp_path, cache, monkeypatch):
    place = tmp_path / "some_package"
    (place / "good").mkdir(parents=True)
    (place / "bad").mkdir()
    (place / "__init__.py").write_text("")
    (place / "good" / "__init__.py").write_text(ONE)
    (place / "bad" / "__init__.py").write_text("1 / 0")
    (place / "bad" / "inner.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    described = manifest(Pack("some_package", place, "some_package", "1.2"))
    assert [spec["id"] for spec in described["specs"]] == ["one.file"]
    assert [p["message"].partition(" ")[0] for p in described["problems"]] == ["'some_package.bad'"]


def test_a_package_that_cannot_be_imported_at_all(tmp_path, cache, monkeypatch):
    place = folder(tmp_path, "bad_package", __init__="raise RuntimeError('never')")
    monkeypatch.syspath_prepend(str(tmp_path))
    described = manifest(Pack("bad_package", place, "bad_package", "1"))
    assert described["specs"] == [] and described["problems"][0]["severity"] == "warning"
    assert "never" in described["problems"][0]["message"]


def test_the_shipped_pack_is_installed():
    assert "hcpgraph_nodes" in [pack.name for pack in installed()]


def test_validation_imports_neither_torch_nor_nodes(tmp_path):
    place = folder(tmp_path, "spy", nodes=ONE.replace("one.file", "one.spy"))
    g = graph({"a": "one.spy"})
    g.save(tmp_path / "g.json")
    hcpgraph.default_registry([place])
    script = f"""
import json, sys, hcpgraph
found = hcpgraph.validate({str(tmp_path / "g.json")!r}, packs=[{str(place)!r}])
print(json.dumps([len(found), "torch" in sys.modules, any("hcpgraph_pack" in name for name in sys.modules)]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [0, False, False]
