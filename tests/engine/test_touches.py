"""What is found of paths before anything runs: endings of what is written, folders without anything in them."""

from pathlib import Path

import pytest

import hcpgraph


def problems(workspace: Path, node: str, **settings: object) -> list[str]:
    graph = hcpgraph.Graph()
    graph.add(node, "n", **settings)
    found = hcpgraph.validate(graph, workspace=workspace, files=True)
    return [f"{each.code} {each.message} -> {each.hint}" for each in found if each.port == "path"]


@pytest.mark.parametrize(
    ("node", "path", "ending"),
    [
        ("image.save", "out:x.jpg", ".png"),
        ("image.log", "out:folder/x", ".png"),
        ("plugin.save", "out:x.ckpt", ".safetensors"),
        ("word.save", "out:x.bin", ".safetensors or .pt"),
    ],
)
def test_a_saver_with_another_ending_is_told_before_the_run(tmp_path, node, path, ending):
    assert any(f"'{path}' does not end in {ending}" in found for found in problems(tmp_path, node, path=path))
    fine = path.rpartition(".")[0] or path
    assert not problems(tmp_path, node, path=fine + ending.partition(" ")[0])


def test_an_empty_folder_is_told_before_the_run(tmp_path):
    (tmp_path / "data/cats").mkdir(parents=True)
    (tmp_path / "data/cats/.hidden").touch()
    (told,) = problems(tmp_path, "data.folder", path="data:cats")
    assert told.startswith("E_NOT_FOUND 'data:cats' is an empty folder -> put files into")
    (tmp_path / "data/cats/a.png").touch()
    assert not problems(tmp_path, "data.folder", path="data:cats")


def test_a_name_that_no_disk_takes_is_told_before_the_run(tmp_path):
    (told,) = problems(tmp_path, "image.save", path=f"out:{'x' * 300}.png")
    assert told.startswith("E_PATH") and "has a name of 304 bytes" in told
