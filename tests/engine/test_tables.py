"""Rows that packs add to tables: read from the source, in the manifest, known without importing."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import hcpgraph
from hcpgraph.declaring.tables import read_row

ROW = 'TABLE = {"table": "colours", "name": "red", "rgb": (255, 0, 0), "warm": True}\n'


def pack(place: Path, **files: str) -> Path:
    place.mkdir()
    for name, text in files.items():
        (place / f"{name}.py").write_text(textwrap.dedent(text))
    return place


def test_a_row_is_known_without_its_module(tmp_path: Path) -> None:
    red = 'raise RuntimeError("imported")\n' + ROW
    place = pack(tmp_path / "colours", red=red, green=ROW.replace('"red"', '"green"').replace("TABLE", "TABLE: dict"))
    rows = hcpgraph.default_registry([place]).tables["colours"]
    assert list(rows) == ["green", "red"]
    assert rows["red"].values == {"table": "colours", "name": "red", "rgb": [255, 0, 0], "warm": True}
    assert hcpgraph.table("colours")["red"] is rows["red"] and hcpgraph.table("nothing") == {}
    with pytest.raises(RuntimeError, match="imported"):
        rows["red"].load()
    assert rows["green"].load().TABLE["name"] == "green"


def test_an_edit_is_another_row(tmp_path: Path) -> None:
    place = pack(tmp_path / "edited", red=ROW.replace("colours", "edited"))
    assert hcpgraph.default_registry([place]).tables["edited"]["red"].values["warm"]
    (place / "red.py").write_text(ROW.replace("colours", "edited").replace("True", "False "))
    assert not hcpgraph.default_registry([place]).tables["edited"]["red"].values["warm"]
    assert not hcpgraph.table("edited")["red"].values["warm"]


def test_what_is_no_row_is_told_and_disturbs_nobody(tmp_path: Path) -> None:
    place = pack(
        tmp_path / "odd",
        good=ROW.replace("colours", "odd"),
        again=ROW.replace("colours", "odd"),
        computed=ROW.replace("(255, 0, 0)", "list(range(3))"),
        sets=ROW.replace("(255, 0, 0)", "{1, 2}"),
        unnamed=ROW.replace('"red"', "7"),
        other='TABLE = "CREATE TABLE x"\nTABLE2 = {"table": "odd", "name": "no"}\n',
    )
    registry = hcpgraph.default_registry([place])
    told = [problem for problem in registry.problems if "odd" in problem.message or "odd" in (problem.hint or "")]
    assert {Path(problem.message.split("'")[-2]).stem for problem in told} <= {"computed", "sets", "unnamed", "again"}
    assert len(told) == 4 and {problem.code for problem in told} == {"E_PACK"}
    assert list(registry.tables["odd"]) == ["red"]


@pytest.mark.parametrize(
    ("text", "said"), [("f(1)", "no literal"), ("float('nan')", "no literal"), ("1e999", "no liter")]
)
def test_the_line_is_told(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "row.py"
    file.write_text("\n\n" + ROW.replace("True", text))
    with pytest.raises(ValueError, match=f"line 3 is {said}"):
        read_row("row", file)


def test_the_installed_packs_are_known_at_once_and_without_torch() -> None:
    code = "import sys, hcpgraph; assert 'sd15' in hcpgraph.table('families'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
