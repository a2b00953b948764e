"""`text.prompt` and `text.template`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hcpgraph_nodes.text.prompt import prompt
from hcpgraph_nodes.text.template import template
from hcpgraph_nodes.types import Captions

from hcpgraph.errors import GraphError
from hcpgraph.testing import context

KEYS = tuple(("cats", 0, i) for i in range(3000))


def test_prompt_repeats() -> None:
    assert prompt(texts=["a", "b"]) == Captions(("a", "b"))
    assert prompt(texts=["a", "b"], repeat=2).texts == ("a", "a", "b", "b")


def test_words_and_captions_fill_the_slots(tmp_path: Path) -> None:
    captions = Captions(("a {pt1} cat", ""), KEYS[:2])
    out = template(context(tmp_path), captions, templates=["photo of {pt1}, {caption}"], words={"pt1": "my-cat"})
    assert out == Captions(("photo of my-cat, a {pt1} cat", "photo of my-cat, "), KEYS[:2])
    with pytest.raises(GraphError, match=r"E_SLOT.*\{pt2\}"):
        template(context(tmp_path), captions, templates=["{pt2}"], words={"pt1": "x"})


def test_the_sentence_depends_on_the_key_alone(tmp_path: Path) -> None:
    ctx = context(tmp_path, node="sentences", seed=1)
    lines = ["a {caption}", "b {caption}", "c {caption}"]
    captions = Captions(tuple(str(i) for i in range(3000)), KEYS)
    out = template(ctx, captions, templates=lines)
    counts = Counter(text[0] for text in out.texts)
    assert set(counts) == {"a", "b", "c"} and min(counts.values()) > 900
    assert [text[2:] for text in out.texts] == list(captions.texts)
    part = template(ctx, Captions(captions.texts[50:60], KEYS[50:60]), templates=lines)
    assert part.texts == out.texts[50:60]
    assert template(context(tmp_path, node="sentences", seed=2), captions, templates=lines).texts != out.texts
    free = Captions(("x",) * 50)
    assert template(ctx, free, templates=lines) == template(ctx, free, templates=lines)
    assert len(set(template(ctx, free, templates=lines).texts)) == 3
