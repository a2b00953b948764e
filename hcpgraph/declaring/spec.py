"""What a node declares: ports, settings, facts and effects, as plain data that lives in the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from ..types import TypeRef, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

EFFECTS = frozenset({"pure", "random", "step", "state", "resource", "write", "read"})


@dataclass(frozen=True)
class _Marker:
    name: str


MANY = _Marker("many")
LAZY = _Marker("lazy")
LATER = _Marker("later")
Many = Annotated[tuple[T, ...], MANY]
"""`Many[T]`: a port that takes many wires, in order; the function receives a tuple."""
Lazy = Annotated[T, LAZY]
"""`Lazy[T]`: a port whose branch runs only if the node's `choose` table asks for it; otherwise it is None."""
Later = Annotated[T, LATER]
"""`Later[T]`: a port that is read when the pass is over, and so may stand on what the node gave in this pass. The
class's `commit(NAME=value)` gets the values of its later ports, detached; the call gets None."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A fact that is the value of a setting."""

    name: str


@dataclass(frozen=True, slots=True)
class FromPort:
    """A fact that is copied from an input port (`Port("name")` in a declaration), where it may have another name."""

    name: str
    fact: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """A fact that a torch-free function of the pack (`@prober(name)` in its rules.py) reads from settings."""

    name: str


Port = FromPort


class Facts:
    """Static facts of a port: `Annotated[Denoiser, Facts(family=Setting("family"), weights="denoiser")]`.

    A fact is a literal, `Setting(name)`, `Port(name)` or `Probe(name)`. Two names mean something to the engine:
    `weights` separates the weights that one resource node creates (by default all its outputs share them).
    """

    def __init__(self, **facts: Any) -> None:
        self.facts = facts

    def to_json(self) -> dict[str, Any]:
        return {name: _fact_json(value) for name, value in self.facts.items()}


def _fact_json(value: Any) -> dict[str, Any]:
    if isinstance(value, Setting):
        return {"setting": value.name}
    if isinstance(value, FromPort):
        return {"port": value.name} | ({"fact": value.fact} if value.fact else {})
    if isinstance(value, Probe):
        return {"probe": value.name}
    return {"literal": value}


@dataclass(frozen=True, slots=True)
class Each:
    """Of an entry: it is an item of the list at an input port, one a pass; `item: Annotated[T, Each("items")]`.

    Where the items are known before the run, what the entry feeds is checked for each of them.

    Args:
        port: The input port.
        number: Whether it is the number of the item instead, from 0.
    """

    port: str
    number: bool = False


class Whole:
    """A port for a bundle that stands for other ports of its node: `{"model": Whole(Model, denoiser="denoiser")}`.

    Args:
        kind: The type of the bundle.
        parts: Part of the bundle -> the port that it is wired to, or comes from.
    """

    def __init__(self, kind: type, **parts: str) -> None:
        self.kind = kind
        self.parts = parts


@dataclass(frozen=True)
class PortSpec:
    """One port of a node: input, output, entry or exit.

    Attributes:
        parts: Of a port that stands for others: part of the bundle -> the port that it is wired to, or comes from.
        each: Of an entry that is an item of a list, pass by pass: the input port of the list.
        number: Whether it is the number of that item instead, from 0.
    """

    name: str
    type: str
    optional: bool = False
    many: bool = False
    lazy: bool = False
    later: bool = False
    help: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    each: str = ""
    number: bool = False

    @cached_property
    def ref(self) -> TypeRef:
        return parse(self.type)

    @cached_property
    def takes(self) -> TypeRef:
        """What wires to an input may bring."""
        return parse(f"Many[{self.type}]") if self.many else self.ref

    def to_json(self) -> dict[str, Any]:
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in data.items() if value not in (False, "", {})}


@dataclass(frozen=True)
class Choose:
    """Which lazy ports a setting asks for: `Choose("condition", {"true": ["on_true"], "false": ["on_false"]})`."""

    setting: str
    table: Mapping[str, list[str]]

    def ports(self, value: Any) -> list[str]:
        import json

        return self.table.get(value if isinstance(value, str) else json.dumps(value), [])


@dataclass(frozen=True)
class NodeSpec:
    """Everything that is known of a node type without importing it.

    Attributes:
        takes, gives: Ports for bundles that stand for inputs and outputs; the function knows nothing of them.
        changes: Parts of a bundle that the node changes, where its variable could stand for several: their names, or
            `{"probe": name}`; None: it hands on what it is given.
    """

    id: str
    version: int
    title: str
    help: str
    doc: str
    pack: str
    module: str
    qualname: str
    file: str
    code: str
    is_class: bool
    takes_ctx: bool
    effects: tuple[str, ...]
    inputs: tuple[PortSpec, ...]
    outputs: tuple[PortSpec, ...]
    schema: Mapping[str, Any]
    setting_types: Mapping[str, str]
    defaults: Mapping[str, Any]
    multi: bool = False
    body: bool = False
    entries: tuple[PortSpec, ...] = ()
    exits: tuple[PortSpec, ...] = ()
    mutates: tuple[str, ...] = ()
    trains: tuple[str, ...] = ()
    choose: Choose | None = None
    packages: tuple[str, ...] = ()
    fold: bool = False
    cache: str = "ram"
    resumes: tuple[str, ...] = ()
    gradient: bool = True
    aims: tuple[str, ...] = ()
    averages: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    takes: tuple[PortSpec, ...] = ()
    gives: tuple[PortSpec, ...] = ()
    changes: tuple[str, ...] | Mapping[str, str] | None = None

    @cached_property
    def input(self) -> dict[str, PortSpec]:
        return {port.name: port for port in self.inputs}

    @cached_property
    def later(self) -> frozenset[str]:
        """Input ports that are read when a pass is over."""
        return frozenset(port.name for port in self.inputs if port.later)

    @cached_property
    def output(self) -> dict[str, PortSpec]:
        return {port.name: port for port in self.outputs}

    @cached_property
    def whole_input(self) -> dict[str, PortSpec]:
        return {port.name: port for port in self.takes}

    @cached_property
    def whole_output(self) -> dict[str, PortSpec]:
        return {port.name: port for port in self.gives}

    @cached_property
    def entry(self) -> dict[str, PortSpec]:
        return {port.name: port for port in self.entries}

    @cached_property
    def exit(self) -> dict[str, PortSpec]:
        return {port.name: port for port in self.exits}

    @cached_property
    def settings(self) -> dict[str, Mapping[str, Any]]:
        """Schema of every setting, with references resolved one level."""
        return dict(self.schema.get("properties", {}))

    @cached_property
    def required(self) -> frozenset[str]:
        return frozenset(self.schema.get("required", ()))

    @cached_property
    def pure(self) -> bool:
        return self.effects == ("pure",)

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Settings that name files or folders which the node reads."""
        return tuple(
            name
            for name, schema in self.settings.items()
            if schema.get("x-widget", {}).get("kind") in ("path", "model") and not schema["x-widget"].get("write")
        )

    def reads(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Files and folders that settings name, as `root:relative`."""
        return tuple(str(settings[name]) for name in self.paths if settings.get(name))

    @cached_property
    def seeds(self) -> tuple[str, ...]:
        return tuple(n for n, s in self.settings.items() if s.get("x-widget", {}).get("kind") == "seed")

    def has(self, effect: str) -> bool:
        return effect in self.effects

    def ports(self) -> Iterator[PortSpec]:
        yield from (*self.inputs, *self.outputs, *self.entries, *self.exits)

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in ("inputs", "outputs", "entries", "exits", "takes", "gives"):
                value = [port.to_json() for port in value]
            elif f.name == "choose" and value is not None:
                value = {"setting": value.setting, "table": dict(value.table)}
            elif isinstance(value, tuple):
                value = list(value)
            data[f.name] = value
        return data

    def drawn(self) -> dict[str, Any]:
        """As editors and the reference show it: ports for bundles stand first, and those that they stand for say so."""
        data = self.to_json()
        for side, wholes in (("inputs", data.pop("takes")), ("outputs", data.pop("gives"))):
            of = {own: whole["name"] for whole in wholes for own in whole["parts"].values()}
            own_ports = [
                {**p, "optional": True, "part_of": of[p["name"]]} if p["name"] in of else p for p in data[side]
            ]
            needed = {of[p["name"]] for p in data[side] if p["name"] in of and not p.get("optional")}
            whole_ports = [
                {k: v for k, v in {**whole, "optional": whole["name"] not in needed}.items() if k != "parts" and v}
                for whole in wholes
            ]
            data[side] = [*whole_ports, *own_ports]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> NodeSpec:
        values = dict(data)
        for name in ("inputs", "outputs", "entries", "exits", "takes", "gives"):
            values[name] = tuple(PortSpec(**port) for port in values[name])
        for name in ("effects", "mutates", "trains", "packages", "resumes", "aims", "averages", "classes"):
            values[name] = tuple(values[name])
        if isinstance(values["changes"], list):
            values["changes"] = tuple(values["changes"])
        if values["choose"] is not None:
            values["choose"] = Choose(**values["choose"])
        return cls(**values)
