"""`text.affix`, `text.replace`, `text.word` and `text.join`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import hcpgraph_nodes
import pytest
from hcpgraph_nodes.text import patterns
from hcpgraph_nodes.text.affix import affix
from hcpgraph_nodes.text.join import join
from hcpgraph_nodes.text.replace import replace
from hcpgraph_nodes.text.word import word
from hcpgraph_nodes.types import Captions

from hcpgraph.errors import GraphError

KEYS = (("cats", 0, 0), ("cats", 0, 1))
OWN = ({"tags": "a, b", "class": "cat"}, {"class": "dog"})
GIVEN = Captions(("one", ""), KEYS, OWN)
LOCALE = json.loads((Path(hcpgraph_nodes.__file__).parent / "locales/zh-CN.json").read_text(encoding="utf-8"))


def test_affix() -> None:
    out = affix(GIVEN, prefix="猫", suffix="4k", prefix_separator="，", suffix_separator=" / ")
    assert out == Captions(("猫，one / 4k", ""), KEYS, OWN)
    assert affix(GIVEN, prefix="p", suffix="s", on_empty="add").texts == ("p, one, s", "p, s")
    assert affix(GIVEN, prefix="p", on_empty="add").texts == ("p, one", "p")
    assert affix(GIVEN, suffix="s", on_empty="add").texts == ("one, s", "s")
    assert affix(GIVEN) == GIVEN
    assert affix(Captions((" \n",)), prefix="p").texts == (" \n",)


def test_replace_in_order() -> None:
    given = Captions(("1girl, long_hair ^_^", "", "a.a"), None, None)
    spaced = replace(given, find=[r"re:(\w)_(?=\w)"], replacement=r"\1 ")
    assert spaced.texts == ("1girl, long hair ^_^", "", "a.a")
    assert replace(spaced, find=["1girl", "."], replacement="\\1").texts == ("\\1, long hair ^_^", "", "a\\1a")
    assert replace(given, find=["1", "girl, ", "re:_+"], replacement="").texts == ("longhair ^^", "", "a.a")
    assert replace(given).texts == ("1girl, long hair ^ ^", "", "a.a")
    assert replace(GIVEN, find=["one"], replacement="二👍") == Captions(("二👍", ""), KEYS, OWN)


FACES = ("0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3", "6_9", ">_o", "@_@", "^_^",
         "o_o", "u_u", "x_x", "|_|", "||_||")  # fmt: skip
"""Tags that are faces, as taggers list them."""


@pytest.mark.parametrize("texts", [replace.__doc__, LOCALE["text.replace:find"]])
def test_the_pattern_of_the_docs_leaves_faces_alone(texts: str) -> None:
    (pattern,) = set(re.findall("`(re:[^`]+)`", texts))
    given = Captions((", ".join(FACES), "long_hair, fate_(series), one_a_day, a_b, 2_girls, black_long_hair"))
    faces, tags = replace(given, find=[pattern], replacement=" ").texts
    assert faces == given.texts[0]
    assert tags == "long hair, fate (series), one a day, a_b, 2 girls, black long hair"


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (["", "x"], "nothing to find"),
        (["re:(", "x"], "no regular expression"),
        (["re:(o)", r"\q"], "does not fit"),
        (["re:(o)", r"\7"], "does not fit"),
    ],
)
def test_bad_pairs(pair: list[str], message: str) -> None:
    with pytest.raises(GraphError, match=f"E_PATTERN.*{message}"):
        replace(GIVEN, find=[pair[0]], replacement=pair[1])


def test_a_slow_replacement_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SECONDS", 0.05)
    with pytest.raises(GraphError, match=r"E_PATTERN.*takes longer"):
        replace(Captions(("a" * 60 + "!",)), find=["re:(a|aa)+$"], replacement="x")


def test_word() -> None:
    assert word(GIVEN, name="class") == Captions(("cat", "dog"), KEYS, OWN)
    assert word(GIVEN, name="tags", on_missing="empty").texts == ("a, b", "")
    assert word(Captions(("x", "y")), name="tags", on_missing="keep").texts == ("x", "y")
    with pytest.raises(GraphError, match=r"E_WORD 1 of 2 samples have no word 'tags'(.|\n)*on_missing"):
        word(GIVEN, name="tags")
    with pytest.raises(GraphError, match=r"E_WORD 2 of 2(.|\n)*did you mean 'class'"):
        word(GIVEN, name="clas")


def test_join() -> None:
    tags = word(GIVEN, name="tags", on_missing="empty")
    assert join((GIVEN, tags)) == Captions(("one, a, b", ""), KEYS, OWN)
    free = Captions(("x", "y"))
    assert join((free, GIVEN), separator=" / ") == Captions(("x / one", "y"), KEYS, OWN)
    for wrong in ((), (GIVEN, Captions(("x",))), (GIVEN, Captions(("x", "y"), KEYS[::-1]))):
        with pytest.raises(GraphError, match="E_BATCH"):
            join(wrong)


def test_the_texts_of_a_batch_stay_a_tuple(tmp_path: Path) -> None:
    for out in (affix(GIVEN), replace(GIVEN, find=["a"]), word(GIVEN, name="class"), join((GIVEN,))):
        assert isinstance(out.texts, tuple) and hash(out.keys)
