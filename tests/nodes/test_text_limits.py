"""What an encoder does not read is said before a run, without its tokenizer, and never of a text that fits."""

from __future__ import annotations

import pytest
from hcpgraph_nodes.families.clip_bpe import clip_tokenizer
from hcpgraph_nodes.words.limits import at_least, lost, weighted
from hypothesis import given, settings
from hypothesis import strategies as st

import hcpgraph
from hcpgraph import Graph

TOKENIZER = clip_tokenizer()
PIECES = st.lists(
    st.one_of(st.sampled_from(["don't", "cats", "1girl", ":3", "(a)", "猫", "é", "²", "__"]), st.text(max_size=6))
)


@given(PIECES)
@settings(derandomize=True, deadline=None, max_examples=300)
def test_the_count_is_never_above_that_of_the_tokenizer(pieces: list[str]) -> None:
    text = " ".join(pieces)
    assert at_least(text) <= len(TOKENIZER(text, add_special_tokens=False).input_ids)


def test_what_is_lost() -> None:
    assert lost("a, " * 37 + "b c, d") == "c, d" and lost("cat " * 75) == ""


def test_what_other_programs_take_for_weights() -> None:
    assert weighted("a (red cat:1.3), ((blue)), {dog: .5}") == ["(red cat:1.3)", "((blue))", "{dog: .5}"]
    for text in ("fate_(series)", r"\(cat:1.2\)", "{caption}", "{2::a|b}", "[cat]", "(a, b)", ":3"):
        assert weighted(text) == []


@pytest.mark.parametrize(
    ("type", "values", "codes"),
    [
        ("text.prompt", {"texts": ["cat " * 80, "a (cat:1.2)"]}, {"W_TEXT_CUT", "W_PROMPT_WEIGHTS"}),
        ("text.prompt", {"texts": ["cat " * 75, "{a|b} " * 80, "fate_(series)"]}, set()),
        ("text.template", {"templates": ["(a:1.2) {caption}"]}, {"W_PROMPT_WEIGHTS"}),
        ("text.affix", {"prefix": "((best))"}, {"W_PROMPT_WEIGHTS"}),
        ("data.folder", {"path": "data:x", "trigger": "(sks:2)"}, {"W_PROMPT_WEIGHTS"}),
    ],
)
def test_validation_says_so_of_texts_that_stand_in_the_graph(
    type: str, values: dict[str, object], codes: set[str]
) -> None:
    graph = Graph()
    graph.add(type, "node", settings=values)
    found = [problem for problem in hcpgraph.validate(graph) if problem.node == "node"]
    assert {problem.code for problem in found if problem.code.startswith("W_")} == codes
    assert all("lost is 'cat cat cat cat cat'" in one.message for one in found if one.code == "W_TEXT_CUT")
