"""`text.template` from files and with words of the sample, and `text.template_pair`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hcpgraph_nodes.text.template import template
from hcpgraph_nodes.text.template_pair import template_pair
from hcpgraph_nodes.types import Captions

from hcpgraph.errors import GraphError
from hcpgraph.paths import BUILTIN
from hcpgraph.testing import context

COUNT = 900
KEYS = tuple(("cats", 2, i) for i in range(COUNT))
PLAIN = Captions(("sitting",) * COUNT, KEYS)


def test_a_file_of_templates(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "t.txt").write_text("\ufeffphoto, {caption}\r\n\n# a note\n  画，{caption}  \n", encoding="utf-8")
    out = template(context(tmp_path), PLAIN, file="data:t.txt")
    counts = Counter(out.texts)
    assert set(counts) == {"photo, sitting", "画，sitting"} and min(counts.values()) > 380
    listed = template(context(tmp_path), PLAIN, templates=["photo, {caption}", "画，{caption}"])
    assert listed == out, "a file is its lines"
    (folder / "t.txt").write_text("new {caption}")
    assert set(template(context(tmp_path), PLAIN, file="data:t.txt").texts) == {"new sitting"}


def test_bad_files(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "empty.txt").write_text("\n# no line\n")
    (folder / "latin.txt").write_bytes(b"caf\xe9 {caption}")
    for uri, message in {
        "data:empty.txt": "E_TEXT_FILE.*holds no line",
        "data:latin.txt": "E_TEXT_FILE.*not UTF-8",
        "data:sub": "E_TEXT_FILE.*cannot be read",
        "data:gone.txt": "E_NOT_FOUND",
    }.items():
        with pytest.raises(GraphError, match=message):
            template(context(tmp_path), PLAIN, file=uri)
    with pytest.raises(GraphError, match=r"E_TEMPLATE.*both"):
        template(context(tmp_path), PLAIN, file="data:empty.txt", templates=["a {caption}"])


@pytest.mark.parametrize("file", sorted(path.name for path in (BUILTIN / "templates").iterdir()))
def test_the_shipped_templates_use_the_word(file: str, tmp_path: Path) -> None:
    out = template(context(tmp_path), PLAIN, file=f"builtin:templates/{file}", words={"pt1": "<cat>"})
    assert len(set(out.texts)) >= 7
    assert all("<cat>" in text and ("sitting" in text) == ("caption" in file) for text in out.texts)


def test_words_of_the_sample_and_words_of_the_setting(tmp_path: Path) -> None:
    own = ({"class": "cat", "caption": "column", "by": "A"}, {"class": "dog", "by": "B"})
    given = Captions(("one", "two"), KEYS[:2], own)
    out = template(context(tmp_path), given, templates=["{class} {caption} {by}"], words={"by": "me"})
    assert out == Captions(("cat one me", "dog two me"), KEYS[:2], own)
    assert template(context(tmp_path), given, templates=["{caption}"], words={"caption": "x"}).texts == ("x", "x")


def test_slots_without_a_value_are_found_before_they_are_drawn(tmp_path: Path) -> None:
    given = Captions(("a", "b", "c"), KEYS[:3], ({"class": "cat"}, {"class": "dog"}, {}))
    rare = ["{caption}"] * 4000 + ["{class} {artist}"]
    with pytest.raises(GraphError) as caught:
        template(context(tmp_path), given, templates=rare, words={"artists": "x"})
    problem = caught.value.problem
    assert problem.code == "E_SLOT"
    assert problem.message == "slots without a value: {artist} (3 of 3 captions), {class} (1 of 3 captions)"
    assert problem.hint == "did you mean 'artists'?"


def test_pairs_share_their_line(tmp_path: Path) -> None:
    own = ({"class": "cat"},) * COUNT
    given = Captions(PLAIN.texts, KEYS, own)
    lines = ["photo of {pt1}, {style}, {caption}", "a {class} like {pt1}, {style}, {caption}"]
    words = {"pt1": "good", "style": "ink"}
    other = {"pt1": "bad"}
    positive, negative = template_pair(context(tmp_path), given, templates=lines, words=words, negative_words=other)
    assert (positive.keys, positive.words) == (negative.keys, negative.words) == (KEYS, own)
    assert negative.texts == tuple(text.replace("good", "bad") for text in positive.texts)
    assert set(positive.texts) == {"photo of good, ink, sitting", "a cat like good, ink, sitting"}
    single = template(context(tmp_path), given, templates=lines, words={"pt1": "good", "style": "ink"})
    assert single == positive, "the positive side is text.template"
    with pytest.raises(GraphError, match=r"E_SLOT.*\{pt2\}"):
        template_pair(context(tmp_path), given, templates=["{pt2}"], words=words)
