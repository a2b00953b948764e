"""Which layers a selector names. The grammar is HCP-Diffusion's.

* `down_blocks.0.attentions.0` — exactly this layer; an empty text is the whole model;
* `re:.*attn1` — every layer whose name matches the regular expression from its start;
* `cls:Linear` — every layer of this class; `cls:Linear:re:down_blocks` — those of them that also match;
* `@attention` — every layer with weights that the family counts to this group; `@all` is every layer with weights;
* `pre_hook:conv_in`, `pre_hook:re:.*conv` — the input of these layers, where a plugin can take one.

`cls:`, `pre_hook:` and `re:` may stand in any order, each once, before the name, the pattern or the group. A component
may be named before all of it (`selectors`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher, get_close_matches

from torch import nn

from hcpgraph import GraphError
from hcpgraph.errors import did_you_mean

from ... import regexes
from ...families.table import groups
from ...model.handles import COMPONENTS, Handle
from ...selectors import GROUPS, NETWORKS, split

LITERAL = 200
"""Characters of a selector that near misses are looked for by."""
SECONDS = 2.0
"""A regular expression that takes longer over all layers is refused."""


@dataclass(frozen=True)
class Selector:
    """A parsed selector: an exact name, a pattern or a group, a class if one is asked for, whether inputs are meant."""

    text: str
    name: str | None = None
    pattern: str | None = None
    group: str | None = None
    cls: str | None = None
    pre: bool = False


@dataclass(frozen=True)
class Asked:
    """What selectors are asked of.

    Attributes:
        family: Name of the model family: it says which layers are in a group.
        component: denoiser, text_encoder, vae or controlnet.
    """

    family: str | None = None
    component: str | None = None

    @classmethod
    def of(cls, model: Handle) -> Asked:
        return cls(model.family, COMPONENTS.get(type(model)))


NOTHING_KNOWN = Asked()


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
    """Read a selector, but for the component that it may begin with.

    Raises:
        GraphError: E_SELECTOR, an empty class name or a part that stands there twice.
    """
    rest = split(text).rest
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
    if rest.startswith("@"):
        return Selector(text, group=rest[1:], cls=cls, pre=pre)
    return Selector(text, name=rest, cls=cls, pre=pre)


class NoGroup(GraphError):
    """A group that other families have, and this one has not."""


def points(
    layers: Mapping[str, nn.Module], selectors: Sequence[str], asked: Asked = NOTHING_KNOWN, *, hooks: bool = True
) -> list[Point]:
    """The places that the selectors match, in order, without repetition.

    A group that the family does not have is left out where another selector matches: one graph serves families with and
    without convolutions. A rule tells of it before the run (`pairs.layers`).

    Args:
        layers: Every layer by its name; `''` is the whole model.
        selectors: The selectors.
        asked: What the layers are of.
        hooks: Whether `pre_hook:` means something here.

    Raises:
        GraphError: E_SELECTOR (not readable, too slow, a pre_hook where there is none, another component, no such
            group), E_NO_LAYER (matches nothing; the hint lists near misses, or the groups that there are).
    """
    found: dict[Point, None] = {}
    lacking: GraphError | None = None
    for text in selectors:
        selector = parse(text)
        if selector.pre and not hooks:
            message = f"'{text}': this takes whole layers, not their inputs, and has no pre_hook"
            raise GraphError("E_SELECTOR", message, hint="remove pre_hook:")
        whole = _spoken_of(layers, text, asked)
        if selector.name == "":
            selector = replace(selector, name=whole)
        try:
            matched = _matched(_below(layers, whole), selector, asked)
        except NoGroup as error:
            lacking = error
            continue
        if not matched:
            raise no_layer(text, layers)
        found.update(dict.fromkeys(Point(name, layers[name], selector.pre) for name in matched))
    if lacking is not None and not found:
        raise lacking
    return list(found)


def select(layers: Mapping[str, nn.Module], selectors: Sequence[str], asked: Asked = NOTHING_KNOWN) -> list[str]:
    """Names of the layers that the selectors match, in order, without repetition.

    Raises:
        GraphError: E_SELECTOR (also for pre_hook), E_NO_LAYER.
    """
    return [point.path for point in points(layers, selectors, asked, hooks=False)]


def weighted(layers: Mapping[str, nn.Module]) -> list[str]:
    """Names of the layers that have weights of their own."""
    return [name for name, layer in layers.items() if next(iter(layer.parameters(recurse=False)), None) is not None]


def grouped(layers: Mapping[str, nn.Module], asked: Asked) -> dict[str, list[str]]:
    """The layers of every group that has some: group -> names, in the model's order."""
    known = groups(asked.family, asked.component) if asked.family else {}
    found = {group: _group(layers, Selector("@" + group, group=group), asked) for group in (*known, "all")}
    return {group: found[group] for group in (*(each for each in GROUPS if each in found), *known) if found[group]}


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


def _spoken_of(layers: Mapping[str, nn.Module], text: str, asked: Asked) -> str:
    """The layer within which a selector looks, by the component that it begins with; `''` is the whole model.

    Raises:
        GraphError: E_SELECTOR, another component; E_NO_LAYER, a text network that is not there.
    """
    component, number, _ = split(text)
    if component is None:
        return ""
    if component != asked.component:
        what = f"a {asked.component}" if asked.component else "no part of a model"
        hint = f"wire a {component} to it, a whole model, or leave out '{component}:'"
        raise GraphError("E_SELECTOR", f"'{text}' speaks of a {component}, and this is {what}", hint=hint)
    if number is None:
        return ""
    networks = {at: name for at in range(1, NETWORKS + 1) if (name := network_name(at)) in layers} or {1: ""}
    if number not in networks:
        known = ", ".join(f"text_encoder_{at}:" for at in networks)
        raise GraphError("E_NO_LAYER", f"'{text}': this model has no text network {number}", hint=f"it has {known}")
    return networks[number]


def _below(layers: Mapping[str, nn.Module], path: str) -> Mapping[str, nn.Module]:
    """A layer and those in it."""
    if not path:
        return layers
    return {name: layer for name, layer in layers.items() if name == path or name.startswith(path + ".")}


def network_name(number: int) -> str:
    """What the layers of a text network begin with where there are several: its folder in a diffusers pipeline."""
    return "text_encoder" if number == 1 else f"text_encoder_{number}"


def _group(layers: Mapping[str, nn.Module], selector: Selector, asked: Asked) -> list[str]:
    """The layers of a group, in the model's order.

    Raises:
        GraphError: E_SELECTOR, no such group; E_NO_LAYER, the component has none of it.
    """
    group = str(selector.group)
    with_weights = weighted(layers)
    if group == "all":
        return with_weights
    known = groups(asked.family, asked.component) if asked.family else {}
    if group not in known:
        if group not in GROUPS:
            hint = did_you_mean(f"@{group}", [f"@{each}" for each in dict.fromkeys((*GROUPS, *known))], "groups")
            raise GraphError("E_SELECTOR", f"'{selector.text}': there is no group @{group}", hint=hint)
        what = f"the {asked.component} of {asked.family}" if asked.family and asked.component else "this model"
        hint = f"its groups: {', '.join(f'@{each}' for each in (*known, 'all'))}"
        raise NoGroup("E_NO_LAYER", f"'{selector.text}': {what} has no group @{group}", hint=hint)
    candidates = {name: layers[name] for name in with_weights}
    members = {name for text in known[group] for name in _matched(candidates, parse(text), NOTHING_KNOWN)}
    return [name for name in with_weights if name in members]


def _matched(layers: Mapping[str, nn.Module], selector: Selector, asked: Asked) -> list[str]:
    """The layers that a selector matches, perhaps none."""
    names = _named(layers, selector, asked)
    return [name for name in names if selector.cls in (None, type(layers[name]).__name__)]


def _named(layers: Mapping[str, nn.Module], selector: Selector, asked: Asked) -> list[str]:
    if selector.group is not None:
        return _group(layers, selector, asked)
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
