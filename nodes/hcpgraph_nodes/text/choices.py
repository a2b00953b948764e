r"""The grammar of wildcards: `{a|b}`, `{2::a|b}`, `__name__`, read into a tree.

Braces without `|` are plain text, so slots of templates and emoticons survive; a backslash makes any of `{ } | _ \`
plain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from hcpgraph.errors import GraphError

DEPTH = 32
SPECIAL = re.compile(r"\\(?P<plain>[{}|_\\])|__(?!_)(?P<name>[\w/-]+?)(?<!_)__(?!_)|[{}|]")
WEIGHT = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)::")


@dataclass(frozen=True, slots=True)
class Name:
    """`__name__`: a line of a file."""

    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """`{…|…}`: one of the options, each a piece of text of its own."""

    options: tuple[Parts, ...]
    weights: tuple[float, ...]


Parts = tuple[str | Name | Choice, ...]


@dataclass(slots=True)
class _Open:
    """A brace that is not closed yet; the outermost one stands for the whole text."""

    options: list[list[str | Name | Choice]] = field(default_factory=lambda: [[]])


@lru_cache(maxsize=4096)
def parse(text: str) -> Parts:
    """Read a text.

    Raises:
        GraphError: E_WILDCARD, a choice without its closing brace, nested too deeply, or with weights of 0 alone.
    """
    stack, end = [_Open()], 0
    for match in SPECIAL.finditer(text):
        if match.start() > end:
            stack[-1].options[-1].append(text[end : match.start()])
        end = match.end()
        token = match[0]
        if match["plain"] is not None:
            stack[-1].options[-1].append(match["plain"])
        elif match["name"] is not None:
            stack[-1].options[-1].append(Name(match["name"]))
        elif token == "{":
            stack.append(_Open())
            if len(stack) > DEPTH:
                raise _wrong(text, f"has more than {DEPTH} braces inside each other")
        elif token == "|" and len(stack) > 1:
            stack[-1].options.append([])
        elif token == "}" and len(stack) > 1:
            closed = stack.pop()
            stack[-1].options[-1].extend(_closed(closed, text))
        else:
            stack[-1].options[-1].append(token)
    stack[-1].options[-1].append(text[end:])
    while len(stack) > 1:
        left_open = stack.pop()
        if len(left_open.options) > 1:
            raise _wrong(text, "has a '{' with '|' and without its '}'")
        stack[-1].options[-1].extend(["{", *left_open.options[0]])
    return tuple(stack[0].options[0])


def _closed(brace: _Open, text: str) -> list[str | Name | Choice]:
    """What a pair of braces means: a choice, or the same text with its braces."""
    if len(brace.options) == 1:
        return ["{", *brace.options[0], "}"]
    options, weights = [], []
    for option in brace.options:
        weight = 1.0
        if option and isinstance(option[0], str) and (match := WEIGHT.match(option[0])):
            weight = float(match[1])
            option = [option[0][match.end() :], *option[1:]]
        options.append(tuple(option))
        weights.append(weight)
    if not sum(weights):
        raise _wrong(text, "has a choice whose weights are all 0")
    return [Choice(tuple(options), tuple(weights))]


def _wrong(text: str, what: str) -> GraphError:
    shown = text if len(text) <= 200 else text[:200] + "…"
    return GraphError("E_WILDCARD", f"'{shown}' {what}", hint=r"write {a|b}, or \{ \| \} where no choice is meant")
