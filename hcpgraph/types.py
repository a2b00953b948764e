"""The lattice of port types: how they are registered, written down, and which may feed which.

A type is written as a short string that lives in the manifest: `Noise`, `list[Image]`, `Latents?` (optional), `$T`
(a variable bound once per node; `$M:Handle` takes a Handle or what inherits from it), `any`. `Many[Curve]` is what an
input for many wires of curves takes: curves, and lists of them. The rule of compatibility
stands here and nowhere else.
"""

from __future__ import annotations

import types as pytypes
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, TypeVar, get_args, get_origin

from .errors import SpecError

C = TypeVar("C", bound=type)


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """What the lattice and the editor know of one registered type.

    Attributes:
        parts: Of a bundle, which is several values on one wire: name of a part -> its type.
        join: Of a bundle, the node that makes one of its parts; its inputs are called as the parts.
        split: Of a bundle, the node that takes one apart; its outputs are called as the parts.
    """

    name: str
    bases: tuple[str, ...] = ()
    color: str = "#8a8f98"
    shape: str = "circle"
    weights: str = ""
    facts: tuple[str, ...] = ()
    help: str = ""
    gradient: bool = True
    told: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    join: str = ""
    split: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "bases": list(self.bases),
            "color": self.color,
            "shape": self.shape,
            "weights": self.weights,
            "facts": list(self.facts),
            "help": self.help,
            "gradient": self.gradient,
            "told": list(self.told),
            "parts": dict(self.parts),
            "join": self.join,
            "split": self.split,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TypeInfo:
        return cls(
            data["name"],
            tuple(data["bases"]),
            data["color"],
            data["shape"],
            data["weights"],
            tuple(data["facts"]),
            data["help"],
            data["gradient"],
            tuple(data["told"]),
            data["parts"],
            data["join"],
            data["split"],
        )


Lattice = dict[str, TypeInfo]

BUILTIN: dict[type, str] = {
    int: "int",
    float: "float",
    str: "str",
    bool: "bool",
    dict: "dict",
    object: "any",
    type(None): "none",
}
_classes: dict[type, str] = dict(BUILTIN)
_registered: Lattice = {
    name: TypeInfo(name, color="#8a8f98", shape="square") for name in BUILTIN.values() if name != "any"
}


def port_type(
    *,
    color: str = "#8a8f98",
    shape: str = "circle",
    weights: str = "",
    facts: Sequence[str] = (),
    told: Sequence[str] = (),
    gradient: bool = True,
    name: str | None = None,
    parts: Mapping[str, type] | None = None,
    join: str = "",
    split: str = "",
) -> Callable[[C], C]:
    """Register a class as a port type.

    Args:
        color: Colour of its ports and wires, `#rrggbb`.
        shape: `circle`, `square`, `diamond` or `triangle`; colour alone must not carry the meaning.
        weights: `runs` for a handle that can run weights, `params` for a value that exposes the parameters of its own
            node, `carries` for one that passes on what it was given, such as an optimizer; empty otherwise
            (DESIGN §5.7).
        facts: Names of the static facts that values of this type agree on within one node, such as `latents`.
        told: Names of facts that go with its wires but may differ between the ports of a node, such as the `family` of
            an autoencoder that fits several.
        gradient: Whether its values can carry gradients; texts, timesteps and sizes cannot.
        name: Its name in files and messages; by default the name of the class.
        parts: Of a bundle: name of a part -> its type, which is registered. A wire of a bundle stands for one wire a
            part (docs/adr/022-bundles.md).
        join: Of a bundle: the node that makes one of its parts.
        split: Of a bundle: the node that takes one apart.

    Raises:
        SpecError: the name is taken by another class; a part is of no registered type.
    """

    def register(cls: C) -> C:
        label = name or cls.__name__
        known = next((c for c, n in _classes.items() if n == label), None)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise SpecError(f"port type '{label}' is already registered by {known.__module__}.{known.__qualname__}")
        bases = tuple(_classes[base] for base in cls.__mro__[1:] if base in _classes and base is not object)
        inherited = [_registered[base] for base in bases]
        agreeing = tuple(dict.fromkeys([*facts, *(fact for base in inherited for fact in base.facts)]))
        also = dict.fromkeys([*told, *(fact for base in inherited for fact in base.told)])
        _classes[cls] = label
        _registered[label] = TypeInfo(
            label,
            bases,
            color,
            shape,
            weights or next((base.weights for base in inherited if base.weights), ""),
            agreeing,
            (cls.__doc__ or "").strip().split("\n")[0],
            gradient and all(base.gradient for base in inherited),
            tuple(fact for fact in also if fact not in agreeing),
            {part: describe(kind) for part, kind in (parts or {}).items()},
            join,
            split,
        )
        return cls

    return register


def registered() -> Lattice:
    """All types that this process has registered so far."""
    return dict(_registered)


@dataclass(frozen=True, slots=True)
class TypeRef:
    """A parsed type string."""

    name: str
    args: tuple[TypeRef, ...] = ()
    optional: bool = False

    @property
    def variable(self) -> bool:
        return self.name.startswith("$")

    @property
    def bound(self) -> TypeRef | None:
        """What a variable must be at least."""
        _, _, bound = self.name.partition(":") if self.variable else ("", "", "")
        return TypeRef(bound) if bound else None

    def required(self) -> TypeRef:
        return TypeRef(self.name, self.args) if self.optional else self

    def __str__(self) -> str:
        inner = f"[{', '.join(map(str, self.args))}]" if self.args else ""
        return f"{self.name}{inner}{'?' if self.optional else ''}"


ANY = TypeRef("any")
MANY = "Many"
"""Stands around the type of an input that takes many wires."""


@lru_cache(maxsize=4096)
def parse(text: str) -> TypeRef:
    """Read a type string such as `list[Image]?`."""
    optional = text.endswith("?")
    body = text[:-1] if optional else text
    if body.endswith("]"):
        name, _, inner = body[:-1].partition("[")
        return TypeRef(name, (parse(inner),), optional)
    return TypeRef(body, (), optional)


def describe(annotation: Any) -> str:
    """Write a Python annotation as a type string.

    Raises:
        SpecError: a class that was never registered with `@port_type`.
    """
    if get_origin(annotation) is Annotated:
        return describe(get_args(annotation)[0])
    if annotation is None:
        return "none"
    if annotation is Any or annotation is object:
        return "any"
    if isinstance(annotation, TypeVar):
        bound = annotation.__bound__
        return f"${annotation.__name__}" if bound is None else f"${annotation.__name__}:{describe(bound)}"
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (typing.Union, pytypes.UnionType):
        rest = [arg for arg in args if arg is not type(None)]
        if len(rest) == 1 and len(rest) < len(args):
            return describe(rest[0]) + "?"
        raise SpecError(f"a port takes one type or `T | None`, not {annotation}")
    if origin is typing.Literal:
        kinds = {type(arg) for arg in args}
        return BUILTIN.get(kinds.pop(), "any") if len(kinds) == 1 else "any"
    if origin in (list, tuple):
        return f"list[{describe(args[0]) if args else 'any'}]"
    if annotation in (list, tuple):
        return "list[any]"
    if origin is dict:
        return "dict"
    cls = origin or annotation
    if isinstance(cls, type) and cls in _classes:
        return _classes[cls]
    raise SpecError(f"{annotation!r} is no port type: register the class with @port_type")


def accepts(lattice: Lattice, target: TypeRef, source: TypeRef, bound: dict[str, TypeRef] | None = None) -> bool:
    """Whether a wire from `source` may end at `target`; binds the variables of `target` in `bound`.

    What an input for many wires takes is written `Many[T]`: T, else a list whose items it takes, each as a wire.

    Same type, subclass, `T` into `T | None`, int into float, a variable bound once, `any` on either side; a bundle
    where one of its parts may go, and into a variable that one of its parts may bind, which it binds as a whole. A
    source that is still an unbound variable is accepted: nothing is known of it.
    """
    if target.name == MANY:
        return accepts(lattice, target.args[0], source, bound) or spreads(lattice, target, source, bound)
    if target.variable:
        if target.bound is not None and not _reaches(lattice, target.bound, source.required()):
            return False
        if bound is None or source.variable:
            return True
        known = bound.get(target.name)
        if known is None:
            bound[target.name] = source.required() if target.optional else source
            return True
        if _is_bundle(lattice, known) != _is_bundle(lattice, source):
            return False
        if accepts(lattice, known, source):
            return True
        if accepts(lattice, source, known):
            bound[target.name] = source
            return True
        return False
    if target.name == "any" or source.name == "any" or source.variable:
        return True
    if source.optional and not target.optional:
        return False
    if source.name == "none":
        return target.optional
    if target.name == source.name:
        if target.args and source.args:
            return accepts(lattice, target.args[0], source.args[0], bound)
        return True
    if target.name == "float" and source.name == "int":
        return True
    info = lattice.get(source.name)
    return info is not None and (target.name in info.bases or target.name in info.parts.values())


def spreads(lattice: Lattice, target: TypeRef, source: TypeRef, bound: dict[str, TypeRef] | None = None) -> bool:
    """Whether a list ends at an input for many wires (`Many[T]`) with its items, because it does not as one value."""
    if source.name != "list" or not source.args or source.optional:
        return False
    item = target.args[0]
    return not accepts(lattice, item, source, bound) and accepts(lattice, item, source.args[0], bound)


def _is_bundle(lattice: Lattice, kind: TypeRef) -> bool:
    info = lattice.get(kind.name)
    return info is not None and bool(info.parts)


def _reaches(lattice: Lattice, bound: TypeRef, source: TypeRef) -> bool:
    """Whether a value may stand for a variable with a bound: it is of that type, or a part of the bundle is."""
    info = lattice.get(source.name)
    parts = info.parts.values() if info is not None else ()
    return accepts(lattice, bound, source) or any(accepts(lattice, bound, TypeRef(part)) for part in parts)


def substitute(kind: TypeRef, bound: Mapping[str, TypeRef]) -> TypeRef:
    """Replace the variables of a type by what they were bound to."""
    if kind.variable:
        found = bound.get(kind.name, kind)
        return TypeRef(found.name, found.args, found.optional or kind.optional)
    if kind.args:
        return TypeRef(kind.name, tuple(substitute(arg, bound) for arg in kind.args), kind.optional)
    return kind


def registered_name(cls: type) -> str | None:
    """The name under which a class was registered as a port type, if it was."""
    return _classes.get(cls)


def registered_class(name: str) -> type | None:
    return next((cls for cls, known in _classes.items() if known == name), None)
