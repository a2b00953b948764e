"""Which layers a selector names. The grammar is HCP-Diffusion's.

* `down_blocks.0.attentions.0` — exactly this layer; an empty text is the whole model;
* `re:.*attn1` — every layer whose name matches the regular expression from its start;
* `cls:Linear` — every layer of this class; `cls:Linear:re:down_blocks` — those of them that also match;
* `pre_hook:conv_in`, `pre_hook:re:.*conv` — the input of these layers, where a plugin can take one.

The three may stand in any order, each once, before the name or the pattern.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches

from torch import nn

from hcpgraph import GraphError

from ... import regexes

LITERAL = 200
"""Characters of a selector that near misses are looked for by."""
SECONDS = 2.0
"""A regular expression that takes longer over all layers is refused."""


@dataclass(frozen=True)
class Selector:
    """A parsed selector: an exact name or a pattern, a class name if one is asked for, and whether inputs are meant."""

    text: str
    name: str | None = None
    pattern: str | None = None
    cls: str | None = None
    pre: bool = False


@dataclass(frozen=True)
class Point:
    """A place in a model where a plugin can act: a layer's output, or its input if `pre`."""

    path: str
    layer: nn.Module
    pre: bool = False

    @property
    def name(self) -> str:
        """As a selector names it."""
        return f"pre_hook:{self.path}" if self.pre else self.path


def parse(text: str) -> Selector:
    """Read a selector.

    Raises:
        GraphError: E_SELECTOR, an empty class name or a part that stands there twice.
    """
    rest = text
    cls: str | None = None
    is_pattern = pre = False
    while True:
        if rest.startswith("cls:") and cls is None:
            cls, colon, rest = rest[4:].partition(":")
            if not cls:
                raise GraphError("E_SELECTOR", f"'{text}' names no class", hint="write cls:Linear")
            if not colon and not is_pattern:
                return Selector(text, cls=cls, pre=pre)
        elif rest.startswith("pre_hook:") and not pre:
            pre, rest = True, rest[9:]
        elif rest.startswith("re:") and not is_pattern:
            is_pattern, rest = True, rest[3:]
        else:
            break
    if rest.startswith(("cls:", "pre_hook:", "re:")):
        raise GraphError("E_SELECTOR", f"'{text}' says {rest.partition(':')[0]}: twice", hint="write it once")
    if is_pattern:
        return Selector(text, pattern=rest, cls=cls, pre=pre)
    return Selector(text, name=rest, cls=cls, pre=pre)


def points(layers: Mapping[str, nn.Module], selectors: Sequence[str], *, hooks: bool = True) -> list[Point]:
    """The places that the selectors match, in order, without repetition.

    Args:
        layers: Every layer by its name; `''` is the whole model.
        selectors: The selectors.
        hooks: Whether `pre_hook:` means something here.

    Raises:
        GraphError: E_SELECTOR (not readable, too slow, or a pre_hook where there is none), E_NO_LAYER (matches
            nothing; the hint lists near misses).
    """
    found: dict[Point, None] = {}
    for text in selectors:
        selector = parse(text)
        if selector.pre and not hooks:
            message = f"'{text}': this takes whole layers, not their inputs, and has no pre_hook"
            raise GraphError("E_SELECTOR", message, hint="remove pre_hook:")
        matched = [
            Point(name, layers[name], selector.pre)
            for name in _named(layers, selector)
            if selector.cls is None or type(layers[name]).__name__ == selector.cls
        ]
        if not matched:
            raise no_layer(text, layers)
        found.update(dict.fromkeys(matched))
    return list(found)


def select(layers: Mapping[str, nn.Module], selectors: Sequence[str]) -> list[str]:
    """Names of the layers that the selectors match, in order, without repetition.

    Raises:
        GraphError: E_SELECTOR (also for pre_hook), E_NO_LAYER.
    """
    return [point.path for point in points(layers, selectors, hooks=False)]


def within(layers: Mapping[str, nn.Module], names: Iterable[str], classes: tuple[type[nn.Module], ...]) -> list[str]:
    """The layers of these classes among `names` and below them, in the model's order within each."""
    found: dict[str, None] = {}
    for name in names:
        below = name + "." if name else ""
        for path, layer in layers.items():
            if (path == name or path.startswith(below)) and isinstance(layer, classes):
                found[path] = None
    return list(found)


def no_layer(text: str, layers: Mapping[str, object]) -> GraphError:
    """The error for a selector that matches nothing."""
    return GraphError(
        "E_NO_LAYER", f"'{text}' matches no layer", hint=f"near misses: {', '.join(nearest(text, layers))}"
    )


def nearest(text: str, layers: Mapping[str, object]) -> list[str]:
    """What a selector that matches nothing may have meant: classes, where no layer is of the one that it names."""
    cls, classes = parse(text).cls, sorted({type(layer).__name__ for layer in layers.values()})
    if cls is None or cls in classes:
        return near_misses(text, layers)
    return [f"cls:{each}" for each in get_close_matches(cls, classes, n=3) or classes]


def near_misses(text: str, names: Iterable[str], count: int = 5) -> list[str]:
    """The layer names that look most like a selector, one for every part of a name that does.

    As many neighbouring parts of a name are compared as the selector has: `atn2` looks like the end of all `….attn2`.
    """
    import regex

    literal = regex.sub(r"^(?:cls:[^:]*:|re:|pre_hook:)*|\\(?=\.)|[\^$*+?()\[\]{}|]", "", text).strip(".")[:LITERAL]
    width = literal.count(".") + 1
    likeness: dict[str, float] = {}

    def like(part: str) -> float:
        if part not in likeness:
            likeness[part] = SequenceMatcher(None, literal, part, autojunk=False).ratio()
        return likeness[part]

    nearest: dict[str, str] = {}
    for name in names:
        parts = name.split(".")
        windows = [".".join(parts[at : at + width]) for at in range(max(len(parts) - width, 0) + 1)]
        nearest.setdefault(max(windows, key=like), name)
    found = sorted((part for part in nearest if part), key=like, reverse=True)
    return [nearest[part] for part in found[:count]]


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

    try:
        compiled = regexes.compiled(pattern)
    except regexes.BadPattern as error:
        raise GraphError("E_SELECTOR", f"'{text}' {error}", hint="correct it") from None
    end = monotonic() + SECONDS
    try:
        return [name for name in names if compiled.match(name, timeout=max(end - monotonic(), 1e-3))]
    except TimeoutError:
        raise GraphError(
            "E_SELECTOR", f"'{text}' takes longer than {SECONDS:g} s", hint="avoid nested repetition such as (a+)+"
        ) from None
