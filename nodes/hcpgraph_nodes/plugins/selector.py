"""Which layers a selector names. The grammar is HCP-Diffusion's.

* `down_blocks.0.attentions.0` — exactly this layer; an empty text is the whole model;
* `re:.*attn1` — every layer whose name matches the regular expression from its start;
* `cls:Linear` — every layer of this class; `cls:Linear:re:down_blocks` — those of them that also match.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from torch import nn

from hcpgraph import GraphError

SECONDS = 2.0
"""A regular expression that takes longer over all layers is refused."""


@dataclass(frozen=True)
class Selector:
    """A parsed selector: an exact name or a pattern, and a class name if one is asked for."""

    text: str
    name: str | None = None
    pattern: str | None = None
    cls: str | None = None


def parse(text: str) -> Selector:
    """Read a selector.

    Raises:
        GraphError: E_SELECTOR, `pre_hook:` or an empty class name.
    """
    rest, cls = text, None
    if rest.startswith("cls:"):
        cls, colon, rest = rest[4:].partition(":")
        if not cls:
            raise GraphError("E_SELECTOR", f"'{text}' names no class", hint="write cls:Linear")
        if not colon:
            return Selector(text, cls=cls)
    if rest.startswith("pre_hook:"):
        raise GraphError(
            "E_SELECTOR", f"'{text}': this plugin replaces layers and has no pre_hook", hint="remove pre_hook:"
        )
    if rest.startswith("re:"):
        return Selector(text, pattern=rest[3:], cls=cls)
    return Selector(text, name=rest, cls=cls)


def select(layers: Mapping[str, nn.Module], selectors: Sequence[str]) -> list[str]:
    """Names of the layers that the selectors match, in order, without repetition.

    Args:
        layers: Every layer by its name; `''` is the whole model.
        selectors: The selectors.

    Raises:
        GraphError: E_SELECTOR (not readable, or too slow), E_NO_LAYER (matches nothing; the hint lists near misses).
    """
    found: dict[str, None] = {}
    for text in selectors:
        selector = parse(text)
        matched = [
            name
            for name in _named(layers, selector)
            if selector.cls is None or type(layers[name]).__name__ == selector.cls
        ]
        if not matched:
            raise no_layer(text, layers)
        found.update(dict.fromkeys(matched))
    return list(found)


def within(layers: Mapping[str, nn.Module], names: Iterable[str], classes: tuple[type[nn.Module], ...]) -> list[str]:
    """The layers of these classes among `names` and below them, in the model's order within each."""
    found: dict[str, None] = {}
    for name in names:
        below = name + "." if name else ""
        for path, layer in layers.items():
            if (path == name or path.startswith(below)) and isinstance(layer, classes):
                found[path] = None
    return list(found)


def no_layer(text: str, names: Iterable[str]) -> GraphError:
    """The error for a selector that matches nothing."""
    near = near_misses(text, names)
    return GraphError("E_NO_LAYER", f"'{text}' matches no layer", hint=f"near misses: {', '.join(near)}")


def near_misses(text: str, names: Iterable[str], count: int = 5) -> list[str]:
    """The layer names that look most like a selector."""
    import regex

    literal = regex.sub(r"^(cls:[^:]*:)?(re:)?|\\(?=\.)|[\^$*+?()\[\]{}|]", "", text).strip(".")

    def likeness(name: str) -> float:
        return SequenceMatcher(None, literal, name, autojunk=False).ratio()

    return sorted((name for name in names if name), key=likeness, reverse=True)[:count]


def _named(layers: Mapping[str, nn.Module], selector: Selector) -> list[str]:
    if selector.name is not None:
        return [selector.name] if selector.name in layers else []
    if selector.pattern is None:
        return list(layers)
    return match_names(selector.pattern, layers, selector.text)


def match_names(pattern: str, names: Iterable[str], text: str) -> list[str]:
    """The names that a regular expression matches from their start, within a time limit.

    Raises:
        GraphError: E_SELECTOR.
    """
    from time import monotonic

    import regex

    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        raise GraphError("E_SELECTOR", f"'{text}' is no regular expression: {error}") from None
    end = monotonic() + SECONDS
    try:
        return [name for name in names if compiled.match(name, timeout=max(end - monotonic(), 1e-3))]
    except TimeoutError:
        raise GraphError(
            "E_SELECTOR", f"'{text}' takes longer than {SECONDS:g} s", hint="avoid nested repetition such as (a+)+"
        ) from None
