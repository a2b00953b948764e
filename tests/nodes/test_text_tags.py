"""`text.shuffle_tags`, `text.drop_tags` and `text.pick_line`: their rates against closed forms, and what they keep."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from math import sqrt
from pathlib import Path
from time import monotonic

import pytest
from hcpgraph_nodes.text import patterns
from hcpgraph_nodes.text.drop_tags import drop_tags
from hcpgraph_nodes.text.pick_line import pick_line
from hcpgraph_nodes.text.shuffle_tags import shuffle_tags
from hcpgraph_nodes.text.tags import split
from hcpgraph_nodes.types import Captions

from hcpgraph.errors import GraphError
from hcpgraph.testing import context

SIGMAS = 5
WORDS = ({"class": "cat"},)


def captions(text: str, count: int) -> Captions:
    """The same text under many keys."""
    return Captions((text,) * count, tuple(("cats", 0, i) for i in range(count)), WORDS * count)


def within(found: int, n: int, p: float) -> bool:
    """Whether a count is what a binomial distribution gives."""
    return abs(found - n * p) <= SIGMAS * sqrt(n * p * (1 - p))


def test_every_order_is_equally_likely(tmp_path: Path) -> None:
    count = 12_000
    given = captions("x, a, b, c, d", count)
    out = shuffle_tags(context(tmp_path, seed=1), given, keep_first=1)
    assert (out.keys, out.words) == (given.keys, given.words)
    found = Counter(out.texts)
    assert set(found) == {", ".join(("x", *order)) for order in permutations("abcd")}
    chi_square = sum((n - count / 24) ** 2 / (count / 24) for n in found.values())
    assert chi_square < 55  # its 99.98 % quantile for 23 degrees of freedom


def test_some_captions_are_shuffled(tmp_path: Path) -> None:
    out = shuffle_tags(context(tmp_path, seed=2), captions("a ,b,c,, d", 4000), probability=0.25)
    alone = out.texts.count("a ,b,c,, d")
    assert within(alone, 4000, 0.75)
    assert all(sorted(text.split(", ")) == list("abcd") for text in out.texts if text != "a ,b,c,, d")


@pytest.mark.parametrize("probability", [0, 0.5, 1])
def test_groups_stay_together_and_are_opened(probability: float, tmp_path: Path) -> None:
    given = captions("x, red hair;;;long hair, smile, hat", 300)
    out = shuffle_tags(context(tmp_path), given, keep_first=1, probability=probability, group_separator=";;;")
    for text in out.texts:
        tags = text.split(", ")
        assert tags[0] == "x" and sorted(tags) == sorted(["x", "red hair", "long hair", "smile", "hat"])
        assert tags.index("long hair") == tags.index("red hair") + 1
    assert len(set(out.texts)) == (1 if probability == 0 else 6)
    with pytest.raises(GraphError, match=r"E_SEPARATOR.*','"):
        shuffle_tags(context(tmp_path), given, group_separator=",;")


def test_tags_outside_of_the_marks_keep_their_place_as_in_kohya_s_scripts(tmp_path: Path) -> None:
    given = captions("sks, dog ||| a, b, c ||| best", 200)
    out = shuffle_tags(context(tmp_path), given, keep_separator="|||", keep_first=1).texts
    assert {text.partition(", a")[0][:8] for text in out} == {"sks, dog"} and all(
        text.endswith(", best") for text in out
    )
    assert len(set(out)) == 6
    assert set(shuffle_tags(context(tmp_path), given, keep_separator="|||", probability=0).texts) == {
        "sks, dog, a, b, c, best"
    }
    one = captions("sks ||| a, b", 50)
    dropped = drop_tags(context(tmp_path), one, rate=0.5, keep_separator="|||")
    assert set(dropped.texts) == {"sks ||| ", "sks ||| a", "sks ||| b", "sks ||| a, b"}
    assert set(shuffle_tags(context(tmp_path), dropped, keep_separator="|||").texts) == {
        "sks", "sks, a", "sks, b", "sks, a, b", "sks, b, a"
    }  # fmt: skip
    assert drop_tags(context(tmp_path), given, rate=1, keep_separator="|||").texts[0] == "sks, dog |||  ||| best"
    for node in (drop_tags, shuffle_tags):
        with pytest.raises(GraphError, match=r"E_SEPARATOR keep_separator: tags are cut at '\|'"):
            node(context(tmp_path), one, separator="|", keep_separator="|||")
    with pytest.raises(GraphError, match=r"E_SEPARATOR .*is part of another one"):
        shuffle_tags(context(tmp_path), one, group_separator="|||", keep_separator="|||")


def test_the_drop_rate_is_the_rate(tmp_path: Path) -> None:
    given = captions("x, y, a, b, c, d, e", 2000)
    out = drop_tags(context(tmp_path, seed=3), given, rate=0.3, keep_first=2, keep=["e"])
    assert (out.keys, out.words) == (given.keys, given.words)
    found = Counter(tag for text in out.texts for tag in text.split(", "))
    assert found["x"] == found["y"] == found["e"] == 2000
    assert all(within(found[tag], 2000, 0.7) for tag in "abcd")
    both = sum("a" in text and "b" in text for text in out.texts)
    assert within(both, 2000, 0.7**2), "tags are drawn by themselves"
    sizes = Counter(len(text.split(", ")) - 3 for text in out.texts)
    assert within(sizes[4], 2000, 0.7**4) and within(sizes[0], 2000, 0.3**4)


def test_some_captions_lose_tags(tmp_path: Path) -> None:
    out = drop_tags(context(tmp_path, seed=4), captions("a,b", 3000), rate=1, probability=0.4)
    assert set(out.texts) == {"", "a,b"} and within(out.texts.count(""), 3000, 0.4)


def test_patterns_name_whole_tags(tmp_path: Path) -> None:
    out = drop_tags(
        context(tmp_path), captions("red hair, hair ribbon, hat, HAT", 1), rate=1, keep=["re:.* hair", "hat"]
    )
    assert out.texts == ("red hair, hat",)
    with pytest.raises(GraphError, match=r"E_PATTERN 're:\('"):
        drop_tags(context(tmp_path), captions("a", 1), keep=["re:("])


def test_a_slow_pattern_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SECONDS", 0.05)
    start = monotonic()
    with pytest.raises(GraphError, match=r"E_PATTERN.*takes longer"):
        drop_tags(context(tmp_path), captions("a" * 60 + "!", 1), rate=1, keep=["re:(a|aa)+$"])
    assert monotonic() - start < 30


def test_a_kept_tag_changes_no_draw_of_the_others(tmp_path: Path) -> None:
    ctx, given = context(tmp_path, seed=5), captions("a, b, c, d", 500)
    free, bound = drop_tags(ctx, given, rate=0.5), drop_tags(ctx, given, rate=0.5, keep=["b"])
    for one, other in zip(free.texts, bound.texts, strict=True):
        left, kept = set(split(one, ", ")), set(split(other, ", "))
        assert left | {"b"} == kept


def test_one_line_of_several(tmp_path: Path) -> None:
    out = pick_line(context(tmp_path, seed=6), captions("a cat\r\n\n  a pet \nCat", 3000))
    found = Counter(out.texts)
    assert set(found) == {"a cat", "a pet", "Cat"} and all(within(n, 3000, 1 / 3) for n in found.values())
    assert pick_line(context(tmp_path), Captions(("", "\n \n", "one"))).texts == ("", "", "one")
    assert set(pick_line(context(tmp_path), captions("a | b", 50), separator="|").texts) == {"a", "b"}


@pytest.mark.parametrize("separator", ["，", "、", " ", ", ", "\n"])
def test_separators_and_unusual_text(separator: str, tmp_path: Path) -> None:
    tags = ["1女孩", "👩‍🚀", "微笑", "e\u0301te\u0301", "_", "{x}"]
    (text,) = shuffle_tags(context(tmp_path), Captions((separator.join(tags),)), separator=separator).texts
    assert sorted(text.split(separator)) == sorted(tags) and text != separator.join(tags)
    assert drop_tags(context(tmp_path), Captions((separator.join(tags),)), separator=separator, rate=0).texts == (
        separator.join(tags),
    )


def test_empty_and_very_long_captions(tmp_path: Path) -> None:
    tags = [f"tag {i}" for i in range(10_000)]
    given = Captions(("", "   ", ",,,", "one", ", ".join(tags)))
    out = shuffle_tags(context(tmp_path), given)
    assert out.texts[:4] == ("", "", "", "one")
    assert out.texts[4] != given.texts[4] and sorted(out.texts[4].split(", ")) == sorted(tags)
    kept = drop_tags(context(tmp_path), given, rate=0.5, keep=["re:tag [0-9]"])
    assert kept.texts[:3] == ("", "", "")
    left = kept.texts[4].split(", ")
    assert within(len(left) - 10, 9990, 0.5) and set(tags[:10]) <= set(left)
    assert left == sorted(left, key=tags.index), "the order stays"
