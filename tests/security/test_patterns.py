"""Regular expressions of a file cost little to compile, wherever they are read."""

import ast
import random
from pathlib import Path

import psutil
import pytest
from hcpgraph_nodes import regexes
from hcpgraph_nodes.adapter_files.peft_config import _matches
from hcpgraph_nodes.data.sources import patterns as names
from hcpgraph_nodes.plugins.blocks.selector import match_names, near_misses
from hcpgraph_nodes.text import patterns as texts

from hcpgraph import GraphError

ROOT = Path(__file__).resolve().parents[2]
BOMBS = {
    "three levels": "(?:(?:(?:a{1000}){1000}){1000})",
    "with pieces between": "(?:(?:a{1000}b){1000}c){1000}",
    "optional": "(?:(?:a?){0,1000}){,1000}",
    "one count": "a{10000000}",
    "counts of counts": "a{300}{300}",
    "a huge number": f"a{{{'9' * 5000}}}",
    "side by side": "(?:a{100}){100}" * 100,
    "deep": "(?:" * 2000 + "a" + ")" * 2000,
    "long": "a" * 100_000,
    "lazy and possessive": "(?:(?:a{1000}?){1000}+){1000}",
    "spaces": "(?:(?:a{ 1000 }){ 1 , 1000 })",
}
LARGE = "(?:(?:(?:[ab]|c){10}){10}d?){30}"
TRICKS = {
    "a comment hides a parenthesis": "(?:a{1000}(?#()){1000}(?#))",
    "the flag x hides one": "(?x)(?:(?:a{1000}#(\n){1000}#)\n)",
    "the flag x of a group": "(?ix:a{1000}#(\n){1000}",
    "sets of version 1": "(?V1)[[a](]{1000}",
    "a class in a set": "(?:a{1000}[[:alpha:](]){1000}[[:alpha:])]",
    "a bracket first": "(?:a{1000}[](]){1000}[])]",
    "not closed": "(?:a{1000}",
    "not opened": "a{1000})",
    "a set without end": "[abc",
}
PLACES = {
    "text": lambda pattern: texts.matcher((f"re:{pattern}",)),
    "text, replaced": lambda pattern: texts.replacer(f"re:{pattern}", ""),
    "names": lambda pattern: names.matcher([f"re:{pattern}"]),
    "layers": lambda pattern: match_names(pattern, ["a", "b"], f"re:{pattern}"),
}


@pytest.mark.parametrize("name", [*BOMBS, *TRICKS])
def test_bombs_are_refused(name):
    with pytest.raises(regexes.BadPattern):
        regexes.compiled((BOMBS | TRICKS)[name])


@pytest.mark.parametrize("place", PLACES)
def test_in_every_place(place):
    for pattern in (*BOMBS.values(), "(", "*"):
        with pytest.raises(GraphError) as raised:
            PLACES[place](pattern)
        problem = raised.value.problem
        assert problem.code in ("E_PATTERN", "E_SELECTOR") and problem.hint
        assert len(problem.message) < 3_000


def test_a_pattern_of_an_adapter_that_cannot_be_read_is_a_name():
    """As PEFT: what is no pattern is compared as it stands."""
    assert not any(_matches(pattern, "down.0.attn") for pattern in BOMBS.values())
    assert _matches("down\\.0", "unet.down.0") and not _matches("down\\.0", "unet.down.1")


def test_what_people_write_is_read():
    for pattern in (r"\d{4}-\d{2}-\d{2}", r".*attn[12]\.to_(q|k|v)$", r"(\w{1,50}) (\w{1,50}) (\w{1,50})", r"[^\]\[a-z]+",
                    r"\p{Han}{2,8}", r"(?i)cat(?=s)", r"(?P<a>x)(?P=a)", r"\N{DIGIT ONE}{3}", "a{", "{x}", "a{,}", r"\({1000}"):  # fmt: skip
        assert regexes.compiled(pattern)
    assert regexes.compiled("(a{2}b){3}").fullmatch("aab" * 3)
    assert regexes.compiled("CAT", ignore_case=True).search("a cat")


def test_the_count_is_that_of_the_pattern_written_out():
    """Against a reference that makes a pattern and counts it on the way."""
    draw = random.Random(0)

    def make(depth):
        text, count = "", 0
        for _ in range(draw.randint(1, 3)):
            inner, size = (
                make(depth - 1) if depth and draw.random() < 0.6 else (draw.choice(["a", r"\(", "[)(]", "."]), 1)
            )
            if size > 1 or (inner.startswith("a") and draw.random() < 0.3):
                inner, size = draw.choice(["(?:", "(", "(?=", "(?i:"]) + inner + ")", size + 1
            times = draw.choice([1, 1, 2, 3, 10])
            text += inner + (draw.choice(["{%d}", "{1,%d}", "{,%d}", "{%d,}"]) % times if times > 1 else "")
            count += size * times
        return text, count

    for _ in range(300):
        text, count = make(3)
        found = regexes.written_out(text)
        # the marks of a group (`?:`, `?i:`) are counted as pieces too, never fewer
        assert count <= found <= 8 * count


def test_compiling_is_small_at_the_bound():
    """The largest that is let through, in memory of this process."""
    process = psutil.Process()
    before = process.memory_info().rss
    assert regexes.written_out(LARGE) > regexes.LARGEST / 2
    assert regexes.compiled(LARGE)
    assert process.memory_info().rss - before < 100 * 2**20


def test_near_misses_of_a_very_long_selector():
    assert near_misses("re:" + "attn" * 100_000, ["down.attn1", "up.attn2"]) != []


FIXED = {
    "hcpgraph/checking/fits.py:",
    "hcpgraph/document/fileformat.py:matches",
    "nodes/hcpgraph_nodes/controlnet/probe.py:_count",
    "nodes/hcpgraph_nodes/families/dit/layout.py:_pattern",
    "nodes/hcpgraph_nodes/regexes.py:compiled",
    "nodes/hcpgraph_nodes/selectors.py:",
    "nodes/hcpgraph_nodes/words/tokens.py:_finder",
}
"""Functions that make a pattern of something else than a literal: of literals given to them, such as those of settings
in the declarations of nodes, and of escaped names."""
CALLS = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}


def loose_patterns(source):
    """Functions that hand `re` or `regex` something else than a literal or a constant of the module."""
    found = set()

    def walk(node, name):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = name or node.name
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in ("re", "regex")
            and node.func.attr in CALLS
            and not all(
                isinstance(part, ast.Constant | ast.JoinedStr | ast.FormattedValue | ast.BinOp | ast.Add | ast.Load)
                or (isinstance(part, ast.Name) and part.id.isupper())
                for part in ast.walk(node.args[0])
            )
        ):
            found.add(name or "")
        for child in ast.iter_child_nodes(node):
            walk(child, name)

    walk(ast.parse(source), "")
    return found


def test_nobody_else_compiles_what_is_no_literal():
    found = {
        f"{path.relative_to(ROOT).as_posix()}:{name}"
        for folder in ("hcpgraph", "nodes")
        for path in (ROOT / folder).rglob("*.py")
        for name in loose_patterns(path.read_text("utf-8"))
    }
    assert found == FIXED, "a pattern of a file goes through hcpgraph_nodes.regexes"
    assert loose_patterns("def f(p):\n    return re.compile(p)") == {"f"}
    assert loose_patterns("def f(p):\n    return regex.match(rf'a{p}', 'b')") == {"f"}
