"""The tables of error codes: what is raised is explained, what is explained is raised, in both languages."""

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from docs.generate import errors
from hcpgraph.cli import main
from hcpgraph.error_codes import FILE, error_codes, languages

ROOT = Path(__file__).resolve().parents[1]
CODE = re.compile(r"[EWI]_[A-Z][A-Z0-9_]*")
NAMES = re.compile(
    r"[a-z]+[._][a-z_.]+[a-z]"  # model.load, clip_skip
    r"|--[a-z-]+"
    r"|hcpgraph (?:check|layers|migrate|nodes|serve|templates|trust)"
    r"|\b[A-Z]+:[A-Z]+\b"
)
"""What no translation changes."""
ENGINE, LIBRARY = ROOT / "hcpgraph", ROOT / "nodes/hcpgraph_nodes"
GLOSSARY = (ROOT / "docs/zh-CN/glossary.md").read_text(encoding="utf-8")


def raised(folder: Path) -> dict[str, str]:
    """Every code that stands in the code of a folder, with a file that has it: a string that is nothing but a code."""
    found = {}
    for path in folder.rglob("*.py"):
        for part in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and CODE.fullmatch(part.value):
                found[part.value] = path.relative_to(ROOT).as_posix()
    return found


def raised_by_the_editor() -> set[str]:
    sources = [p for p in (ROOT / "web/src").rglob("*.ts*") if ".test." not in p.name and p.suffix in (".ts", ".tsx")]
    return {code for path in sources for code in re.findall(rf'code: "({CODE.pattern})"', path.read_text("utf-8"))}


def table(folder: Path) -> dict[str, dict[str, dict[str, str]]]:
    return tomllib.loads((folder / FILE).read_text(encoding="utf-8"))


def explain(*arguments: str):
    return CliRunner().invoke(main, ["explain", *arguments])


def test_every_code_that_is_raised_is_explained_once():
    engine, library = raised(ENGINE), raised(LIBRARY)
    assert len(engine) > 80 and len(library) > 80, "the scan finds the codes"
    assert sorted((set(engine) | raised_by_the_editor()) - set(table(ENGINE))) == []
    assert {code: at for code, at in library.items() if code not in table(ENGINE) | table(LIBRARY)} == {}
    assert sorted(set(table(ENGINE)) & set(table(LIBRARY))) == []


def test_every_code_that_is_explained_is_raised():
    assert sorted(set(table(ENGINE)) - set(raised(ENGINE)) - raised_by_the_editor()) == []
    assert sorted(set(table(LIBRARY)) - set(raised(LIBRARY))) == []


@pytest.mark.parametrize("folder", [ENGINE, LIBRARY], ids=["engine", "library"])
def test_both_languages_say_the_same_of_the_same_things(folder):
    codes = table(folder)
    assert list(codes) == sorted(codes)
    rows = re.findall(r"^\| [^|]+ \| [^|]+ \| ([^|]+) \|$", GLOSSARY, re.MULTILINE)[1:]
    never = [word for row in rows for word in row.split("、")]
    for code, parts in codes.items():
        assert list(parts) == ["meaning", "remedy"], code
        for said in parts.values():
            english, chinese = said["en"], said["zh-CN"]
            assert set(said) == {"en", "zh-CN"}, code
            assert english.endswith("."), code
            assert re.search(r"[\u4e00-\u9fff]", chinese) and chinese.endswith("。"), code
            names = NAMES.findall(english)
            assert [name for name in names if name not in chinese] == [], code
            assert [word for word in never if word in chinese] == [], code


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_page_of_the_docs_is_the_table(language):
    assert errors.PAGES[language].read_text(encoding="utf-8") == errors.page(language), "run python -m docs.generate"


def test_explain_says_what_to_do_in_the_language_that_is_asked_for():
    told = explain("e_cycle", "--lang", "en")
    assert told.exit_code == 0
    entry = table(ENGINE)["E_CYCLE"]
    assert told.stderr.splitlines() == ["E_CYCLE", entry["meaning"]["en"], f"    -> {entry['remedy']['en']}"]
    assert entry["remedy"]["zh-CN"] in explain("E_CYCLE", "--lang", "zh-CN").stderr
    data = json.loads(explain("E_CYCLE", "--json", "--lang", "en").stdout)
    assert data == {"code": "E_CYCLE", "meaning": entry["meaning"]["en"], "remedy": entry["remedy"]["en"]}


def test_explain_follows_the_locale(monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert table(ENGINE)["E_CYCLE"]["meaning"]["zh-CN"] in explain("E_CYCLE").stderr
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert table(ENGINE)["E_CYCLE"]["meaning"]["en"] in explain("E_CYCLE").stderr


def test_explain_lists_every_code():
    told = explain("--lang", "en")
    assert told.exit_code == 0
    assert [line.split()[0] for line in told.stderr.splitlines()] == sorted(table(ENGINE) | table(LIBRARY))
    assert len(json.loads(explain("--json").stdout)) == len(told.stderr.splitlines())


def test_explain_suggests_what_was_meant():
    told = explain("E_CYCEL")
    assert told.exit_code == 2
    assert "E_CODE_UNKNOWN" in told.stderr and "did you mean 'E_CYCLE'?" in told.stderr
    assert "--lang" in explain("--lang", "fr").stderr


def test_a_pack_explains_its_own_codes_and_no_others(tmp_path):
    (tmp_path / FILE).write_text(
        '[E_MINE]\nmeaning.en = "Mine."\nremedy.en = "Do."\n[E_CYCLE]\nmeaning.en = "Other."\nremedy.en = "No."\n',
        encoding="utf-8",
    )
    told = explain("E_MINE", "--pack", str(tmp_path), "--lang", "zh-CN")
    assert told.stderr.splitlines() == ["E_MINE", "Mine.", "    -> Do."]
    assert "Other" not in explain("E_CYCLE", "--pack", str(tmp_path), "--lang", "en").stderr


@pytest.mark.parametrize(
    "text", ["[E_MINE", '[E_MINE]\nmeaning.en = "Mine."\n', '[E_MINE]\nmeaning = "a"\nremedy = "b"\n']
)
def test_a_broken_table_is_a_warning(tmp_path, text):
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    codes, problems = error_codes([tmp_path])
    assert "E_CYCLE" in codes and "E_MINE" not in codes
    assert [(problem.code, problem.severity) for problem in problems] == [("E_PACK", "warning")]
    assert str(tmp_path / FILE) in problems[0].message


def test_the_languages_are_those_of_the_table():
    assert languages() == ["en", "zh-CN"]


def test_the_docs_name_codes_that_are_there():
    known = {*table(ENGINE), *table(LIBRARY), "E_MY_TIDE"}
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        named = set(re.findall(rf"(?<![\w-]){CODE.pattern}(?!\w)", path.read_text(encoding="utf-8")))
        assert {code for code in named if not code.endswith("_")} <= known, path
