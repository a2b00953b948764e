"""What is said of pickles that hold more than tensors."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.pickles import PickleTrouble, read_pickle
from torch import nn


class Command:
    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


def stored(tmp_path: Path, content: Any) -> Path:
    file = tmp_path / "x.pt"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)
    return file


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"a": Command()}, r"it holds (posix|nt)\.mkdir, which is no tensor"),
        ({"a": nn.Linear(1, 1)}, r"it holds torch\.nn\.modules\.linear\.Linear, which is no tensor"),
        (pickle.dumps({"a": Command()}), "it is damaged, or torch did not write it"),
        (pickle.dumps({"a": Command()}, protocol=2), r"it holds (posix|nt)\.mkdir, which is no tensor"),
        (b"<html>", "it is damaged, or torch did not write it"),
        (b"", "it is damaged, or torch did not write it"),
    ],
)
def test_it_says_what_the_file_holds_and_never_how_to_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PickleTrouble, match=f"^{said}$"):
        read_pickle(stored(tmp_path, content))
    assert not (tmp_path / "ran").exists()


def test_tensors_in_containers_are_read_and_further_classes_where_they_are_named(tmp_path: Path) -> None:
    content = OrderedDict(a=torch.ones(2), b=[{"c": torch.zeros(1)}], d="text", e=3)
    assert str(read_pickle(stored(tmp_path, content))) == str(content)
    with pytest.raises(PickleTrouble, match="cannot be read: No such file"):
        read_pickle(tmp_path / "none.pt")
    allowed = stored(tmp_path, {"w": nn.ParameterDict({"x": torch.ones(1)})})
    assert float(read_pickle(allowed, [nn.ParameterDict, set])["w"]["x"].detach()) == 1


def test_nothing_else_reads_pickles() -> None:
    root = Path(__file__).parents[2]
    found = [
        file.name
        for folder in ("hcpgraph", "nodes")
        for file in (root / folder).rglob("*.py")
        if "torch.load(" in file.read_text("utf-8")
    ]
    assert found == ["pickles.py"]
