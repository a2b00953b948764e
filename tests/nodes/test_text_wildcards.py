"""`text.wildcards`: the grammar, the odds, the files, and what goes wrong."""

from __future__ import annotations

from collections import Counter
from math import sqrt
from pathlib import Path

import pytest
from hcpgraph_nodes.text.wildcards import wildcards
from hcpgraph_nodes.types import Captions

from hcpgraph.errors import GraphError
from hcpgraph.testing import context


def drawn(tmp_path: Path, text: str, count: int = 400, folder: str | None = None) -> Counter[str]:
    keys = tuple(("cats", 0, i) for i in range(count))
    return Counter(wildcards(context(tmp_path), Captions((text,) * count, keys), folder=folder).texts)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "wild"
    (folder / "衣服").mkdir(parents=True)
    (folder / "colour.txt").write_text("\ufeffred\n# a note\n\n  blue \n", encoding="utf-8")
    (folder / "衣服" / "hat.txt").write_text("{big|small} __colour__ hat\r\ncap\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a {red|blue} hat", {"a red hat", "a blue hat"}),
        ("{|very }old", {"old", "very old"}),
        ("{{a|b}|c}{1|2}", {"a1", "a2", "b1", "b2", "c1", "c2"}),
        ("{a {b|{c|d}} e|f}", {"a b e", "a c e", "a d e", "f"}),
        ("{红|蓝}帽子，{😀|👩‍🚀}", {"红帽子，😀", "红帽子，👩‍🚀", "蓝帽子，😀", "蓝帽子，👩‍🚀"}),
        ("a\n{b|c}", {"a\nb", "a\nc"}),
        ("{0::a|b}", {"b"}),
        ("{b|0::a}", {"b"}),
        ("{x::a|b}", {"x::a", "b"}),
    ],
)
def test_choices(text: str, expected: set[str], tmp_path: Path) -> None:
    assert set(drawn(tmp_path, text)) == expected


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("", ""),
        ("{pt1} and {{{masterpiece}}}", "{pt1} and {{{masterpiece}}}"),
        (":{ }:( ||_|| a|b }", ":{ }:( ||_|| a|b }"),
        (r"\{a\|b\} \\ fate \(series\) \n", r"{a|b} \ fate \(series\) \n"),
        (r"\__colour__ ____ ^__^ snake_case _a_", "__colour__ ____ ^__^ snake_case _a_"),
        ("{a {b} c", "{a {b} c"),
    ],
)
def test_what_is_no_choice_stays(text: str, plain: str, tmp_path: Path) -> None:
    assert set(drawn(tmp_path, text, 3)) == {plain}


def test_odds_are_the_weights(tmp_path: Path) -> None:
    count = 6000
    found = drawn(tmp_path, "{2::a|b|0.5::{c|3::d}}", count)
    for text, share in {"a": 2 / 3.5, "b": 1 / 3.5, "c": 0.5 / 3.5 / 4, "d": 0.5 / 3.5 * 3 / 4}.items():
        assert abs(found[text] - count * share) <= 5 * sqrt(count * share * (1 - share)), text


def test_lines_of_files(files: Path, tmp_path: Path) -> None:
    assert set(drawn(tmp_path, "__colour__", folder="data:wild")) == {"red", "blue"}
    hats = {"cap", *(f"{size} {colour} hat" for size in ("big", "small") for colour in ("red", "blue"))}
    assert set(drawn(tmp_path, "__衣服/hat__", folder="data:wild/")) == hats
    assert set(drawn(tmp_path, "{__colour__|green}", folder="data:wild")) == {"red", "blue", "green"}
    (files / "colour.txt").write_text("purple", encoding="utf-8")
    assert set(drawn(tmp_path, "__colour__", folder="data:wild")) == {"purple"}, "a changed file is read again"


def test_the_text_depends_on_the_key_alone(files: Path, tmp_path: Path) -> None:
    keys = tuple(("cats", 1, i) for i in range(200))
    whole = Captions(("{a|b|c} __colour__ {1|2}",) * 200, keys, ({"class": "x"},) * 200)
    ctx = context(tmp_path, seed=7)
    out = wildcards(ctx, whole, folder="data:wild")
    assert (out.keys, out.words) == (keys, whole.words)
    part = wildcards(ctx, Captions(whole.texts[50:60], keys[50:60]), folder="data:wild")
    assert part.texts == out.texts[50:60]
    assert wildcards(context(tmp_path, seed=8), whole, folder="data:wild").texts != out.texts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a {b|c", r"without its '}'"),
        ("{0::a|0::b}", r"weights are all 0"),
        ("{" * 40 + "a|b" + "}" * 40, r"more than 32 braces"),
        ("__colour__", r"'__colour__' asks for a file and no folder is set(.|\n)*\\__colour__"),
    ],
)
def test_a_bad_text_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=f"E_WILDCARD (.|\n)*{message}"):
        drawn(tmp_path, text)


def test_bad_files_are_named(files: Path, tmp_path: Path) -> None:
    def error(text: str) -> str:
        with pytest.raises(GraphError) as caught:
            drawn(tmp_path, text, folder="data:wild")
        return str(caught.value)

    assert "did you mean 'colour'?" in error("__color__")
    (files / "a.txt").write_text("__b__")
    (files / "b.txt").write_text("x __a__")
    assert "wildcards contain each other: __a__ > __b__ > __a__" in error("__a__")
    (files / "none.txt").write_text("# nothing\n")
    assert error("__none__").startswith("E_TEXT_FILE 'data:wild/none.txt' holds no line")
    (files / "latin.txt").write_bytes(b"caf\xe9")
    assert "is not UTF-8" in error("__latin__")
    for i in range(20):
        (files / f"bomb{i}.txt").write_text(f"__bomb{i + 1}__ __bomb{i + 1}__")
    (files / "bomb20.txt").write_text("x")
    assert "more than 10000 choices" in error("__bomb0__")
    for i in range(70):
        (files / f"deep{i}.txt").write_text(f"{{__deep{i + 1}__|__deep{i + 1}__}}")
    assert "more than 64 inside each other" in error("__deep0__")
    with pytest.raises(GraphError, match="E_NOT_FOUND"):
        drawn(tmp_path, "__colour__", folder="data:elsewhere")


def test_a_link_of_the_user_is_followed_and_no_name_leads_out(files: Path, tmp_path: Path) -> None:
    (tmp_path / "colours.txt").write_text("mauve")
    (files / "mine.txt").symlink_to(tmp_path / "colours.txt")
    assert set(drawn(tmp_path, "__mine__", folder="data:wild")) == {"mauve"}
    assert set(drawn(tmp_path, "__../../colours__", folder="data:wild")) == {"__../../colours__"}
