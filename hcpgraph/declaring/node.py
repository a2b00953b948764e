"""`@node`: reads the signature and the docstring of a function or class into a NodeSpec."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import uuid4

from ..errors import SpecError
from ..types import describe
from . import docstring, ports
from .body import Body
from .spec import EFFECTS, Choose, NodeSpec, PortSpec, Probe, Whole

if TYPE_CHECKING:
    from pydantic import BaseModel

F = TypeVar("F", bound=Callable[..., Any])

ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


@dataclass(frozen=True)
class Impl:
    """The runnable side of a node: what was decorated, its settings model, the defaults of its input ports."""

    spec: NodeSpec
    target: Callable[..., Any]
    model: type[BaseModel]
    port_defaults: Mapping[str, Any]
    exit_type: Any = None

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Settings as keyword arguments, checked as JSON: the rules are those of the schema, nothing is coerced.

        Raises:
            ValueError: they do not fit (pydantic's ValidationError), or are not JSON.
        """
        try:
            text = json.dumps(given)
        except TypeError as error:
            raise ValueError(str(error)) from None
        return dict(self.model.model_validate_json(text, strict=True).__dict__)


_declared: dict[str, Impl] = {}


def declared() -> dict[str, Impl]:
    """All nodes whose modules this process has imported, by id."""
    return _declared


def node(
    id: str,
    *,
    version: int = 1,
    effects: str | Iterable[str] = "pure",
    mutates: Iterable[str] = (),
    trains: Iterable[str] = (),
    choose: Choose | None = None,
    packages: Iterable[str] = (),
    fold: bool = False,
    cache: str = "ram",
    resumes: Iterable[str] = (),
    gradient: bool = True,
    aims: Iterable[str] = (),
    averages: Iterable[str] = (),
    classes: Iterable[str] = (),
    takes: Mapping[str, Whole] | None = None,
    gives: Mapping[str, Whole] | None = None,
    changes: Iterable[str] | Probe | None = None,
    title: str | None = None,
) -> Callable[[F], F]:
    """Declare a function or class as a node; returns it unchanged.

    Args:
        id: `category.name`, unique over all packs.
        version: Rises when an old file must change or the same inputs give other numbers.
        effects: One or more of pure, random, step, state, resource, write, read (DESIGN §3).
        mutates: Input ports whose weights a call changes through what hangs on them, such as an optimizer.
        trains: Input ports whose own weights this node makes trainable.
        choose: Which lazy ports are needed for which value of a setting.
        packages: pip packages whose version belongs to the cache key.
        fold: The module is torch-free and the node cheap: evaluated while planning when it feeds a setting.
        cache: `ram`, `disk` (outputs with a codec survive the process) or `none`.
        resumes: Settings and input ports that may change without starting again, such as `steps`: the node keeps
            checkpoints of its own under `ctx.key`, which leaves them out.
        gradient: Whether gradients flow from its outputs to its inputs. False says that they end here on purpose; else
            a node in a training step whose outputs do not carry the gradients that its inputs ask for is an error.
        aims: Input ports, of optimizers, for whose weights alone the losses are that the node gives to a training loop.
        averages: Input ports, of optimizers, whose moving averages stand in what the node gives for the weights they
            train: it changes while these are trained.
        classes: Settings that name a class as `package.module:Class`, whose code belongs to the cache key.
        takes: Input ports for a bundle whose parts go to inputs that nothing else is wired to.
        gives: Output ports for a bundle whose parts are outputs.
        changes: Parts that the node changes of a bundle at an input whose type is a variable: their names, or a Probe
            that tells them from the settings (None: not known). By default it hands on every part that it could take.
        title: Shown in the editor; by default made from the id.

    Raises:
        SpecError: a missing annotation or help line, an unknown effect, a bad or duplicate id.
    """
    names = tuple(sorted({effects} if isinstance(effects, str) else set(effects)))

    def declare(target: F) -> F:
        impl = _read(
            target,
            id=id,
            version=version,
            title=title or id.rpartition(".")[2].replace("_", " ").capitalize(),
            effects=names,
            mutates=tuple(mutates),
            trains=tuple(trains),
            choose=choose,
            packages=tuple(packages),
            fold=fold,
            cache=cache,
            resumes=tuple(resumes),
            gradient=gradient,
            aims=tuple(aims),
            averages=tuple(averages),
            classes=tuple(classes),
            takes=takes or {},
            gives=gives or {},
            changes={"probe": changes.name} if isinstance(changes, Probe) else changes and tuple(changes),
        )
        known = _declared.get(id)
        if known is not None and (known.spec.module, known.spec.qualname) != (impl.spec.module, impl.spec.qualname):
            raise SpecError(f"node '{id}' is declared twice: {known.spec.module} and {impl.spec.module}")
        _declared[id] = impl
        return target

    return declare


def _read(
    target: Any,
    *,
    id: str,
    effects: tuple[str, ...],
    takes: Mapping[str, Whole],
    gives: Mapping[str, Whole],
    **common: Any,
) -> Impl:
    if not ID.fullmatch(id):
        raise SpecError(f"node id '{id}': use 'category.name' in lower case")
    if unknown := set(effects) - EFFECTS:
        raise SpecError(f"{id}: unknown effects {sorted(unknown)}; known: {sorted(EFFECTS)}")
    is_class = inspect.isclass(target)
    doc = docstring.read(inspect.getdoc(target) or "")
    if not doc.first:
        raise SpecError(f"{id}: the docstring is missing; its first line is the tooltip")
    call = target.__call__ if is_class else target
    hints = get_type_hints(call, include_extras=True)
    parameters = list(inspect.signature(call).parameters.values())
    if is_class:
        parameters = parameters[1:]
    takes_ctx = bool(parameters) and parameters[0].name == "ctx"
    if takes_ctx:
        parameters = parameters[1:]
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    keyword = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    if len(positional) + len(keyword) != len(parameters):
        raise SpecError(f"{id}: *args, **kwargs and positional-only parameters are not ports")
    if is_class:
        if keyword:
            raise SpecError(f"{id}: settings of a class node are keyword-only parameters of __init__")
        if target.__init__ is not object.__init__:
            hints |= {k: v for k, v in get_type_hints(target.__init__, include_extras=True).items() if k != "return"}
            keyword = [p for p in inspect.signature(target.__init__).parameters.values() if p.name != "self"]
            if any(p.kind is not p.KEYWORD_ONLY for p in keyword):
                raise SpecError(f"{id}: every parameter of __init__ stands after `*`")
    for parameter in (*positional, *keyword):
        if parameter.name not in hints:
            raise SpecError(f"{id}: parameter '{parameter.name}' has no annotation")
    returns = get_type_hints(call, include_extras=True).get("return", _MISSING)
    if returns is _MISSING:
        raise SpecError(f"{id}: the return annotation is missing (None for a node without outputs)")

    bodies = [p for p in positional if get_origin(hints[p.name]) is Body]
    if len(bodies) > 1 or any(p.name != "body" for p in bodies):
        raise SpecError(f"{id}: a node owns one region, its parameter is named 'body'")
    inputs = tuple(
        ports.port(id, p.name, hints[p.name], doc.args, p.default is not p.empty) for p in positional if p not in bodies
    )
    entries: tuple[PortSpec, ...] = ()
    exits: tuple[PortSpec, ...] = ()
    if bodies:
        entry, exit_ = get_args(hints["body"])
        entries, exits = ports.tuple_ports(id, entry, doc.body), ports.tuple_ports(id, exit_, doc.body)
    outputs, multi = ports.outputs(id, returns, doc.returns)
    into = ports.wholes(id, takes, doc.args, optional=True)
    out_of = ports.wholes(id, gives, doc.returns, optional=False)
    model = _settings_model(id, keyword, hints, doc.args)
    schema = _settings_schema(id, model)
    _disjoint(id, "inputs, exits and settings", [*into, *inputs, *exits], schema.get("properties", {}))
    _disjoint(id, "entries and outputs", [*entries, *out_of, *outputs], {})
    file = Path(inspect.getfile(target))
    spec = NodeSpec(
        id=id,
        help=doc.first,
        doc=doc.text,
        pack=sys.modules[target.__module__].__name__.partition(".")[0],
        module=target.__module__,
        qualname=target.__qualname__,
        file=str(file),
        code=file_digest(file),
        is_class=is_class,
        takes_ctx=takes_ctx,
        effects=effects,
        inputs=inputs,
        outputs=outputs,
        schema=schema,
        setting_types={p.name: _setting_type(hints[p.name]) for p in keyword},
        defaults={n: s["default"] for n, s in schema.get("properties", {}).items() if "default" in s},
        multi=multi,
        body=bool(bodies),
        entries=entries,
        exits=exits,
        takes=into,
        gives=out_of,
        **common,
    )
    _check(spec)
    _check_later(spec, target)
    defaults = {p.name: None if p.default is p.empty else p.default for p in positional}
    exit_type = get_args(hints["body"])[1] if exits else None
    return Impl(spec, target, model, defaults, get_origin(exit_type) or exit_type)


def _check(spec: NodeSpec) -> None:
    """Names that a declaration mentions must be there, and its effects must not contradict each other."""
    choosing = [spec.choose.setting] if spec.choose else []
    lazy = {port.name for port in spec.inputs if port.lazy}
    chosen = {name for names in spec.choose.table.values() for name in names} if spec.choose else set()
    facts = [fact for port in spec.ports() for fact in port.facts.values()]
    for what, names, known in (
        ("mutates", spec.mutates, spec.input),
        ("trains", spec.trains, spec.input),
        ("aims", spec.aims, spec.input),
        ("averages", spec.averages, spec.input),
        ("resumes", spec.resumes, {**spec.settings, **spec.input}),
        ("classes", spec.classes, spec.settings),
        ("choose", choosing, spec.settings),
        ("the table of choose", chosen, lazy),
        ("the lazy ports of choose", lazy, chosen),
        ("Facts(Setting)", [fact["setting"] for fact in facts if "setting" in fact], spec.settings),
        ("takes", [name for port in spec.takes for name in port.parts.values()], spec.input),
        ("gives", [name for port in spec.gives for name in port.parts.values()], spec.output),
        ("Each", [port.each for port in spec.entries if port.each], spec.input),
        ("Facts(Port)", [fact["port"] for fact in facts if "port" in fact], spec.input),
    ):
        if unknown := sorted(set(names) - set(known)):
            raise SpecError(f"{spec.id}: {what} names {unknown}, which is not there")
    if "pure" in spec.effects and len(spec.effects) > 1:
        raise SpecError(f"{spec.id}: 'pure' excludes every other effect")
    if spec.fold and (spec.is_class or spec.takes_ctx or spec.body or lazy or not spec.pure):
        raise SpecError(f"{spec.id}: a fold node is a pure function without ctx, body and lazy ports")
    if spec.paths and not spec.has("read"):
        raise SpecError(f"{spec.id}: {list(spec.paths)} name what is read, so its effects are 'read' too")
    if spec.has("read") and not (spec.paths or spec.packages):
        raise SpecError(
            f"{spec.id}: 'read' needs a setting with a PathPicker or ModelPicker, or `packages`: a plain text says "
            "nothing of what is read, and its results would go stale"
        )
    if spec.cache not in ("ram", "disk", "none"):
        raise SpecError(f"{spec.id}: cache is ram, disk or none, not '{spec.cache}'")


def _check_later(spec: NodeSpec, target: Any) -> None:
    """What is read when a pass is over is committed to the instance of a class."""
    if not spec.later:
        return
    if not spec.is_class or not spec.has("state") or not hasattr(target, "commit"):
        raise SpecError(f"{spec.id}: later ports are those of a class with the effect 'state' and a method commit")
    if crowded := sorted(port.name for port in spec.inputs if port.later and (port.many or port.lazy)):
        raise SpecError(f"{spec.id}: later ports take one wire: {crowded}")


_MISSING = object()


def _setting_type(hint: Any) -> str:
    """The type of the wires that may feed it; `int | Literal["auto"]` takes numbers, for such words are written."""
    if get_origin(hint) is Annotated:
        return _setting_type(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        kinds = [kind for kind in get_args(hint) if get_origin(kind) is not Literal]
        hint = reduce(or_, kinds) if kinds else hint
    try:
        return describe(hint)
    except SpecError:
        return "any"


def _settings_model(
    id: str, parameters: list[inspect.Parameter], hints: Mapping[str, Any], helps: Mapping[str, str]
) -> type[BaseModel]:
    from pydantic import ConfigDict, Field, ValidationError, create_model

    definitions: dict[str, Any] = {}
    for p in parameters:
        if p.name not in helps:
            raise SpecError(f"{id}: setting '{p.name}' has no help line in the docstring")
        if _validates(hints[p.name]):
            raise SpecError(f"{id}: setting '{p.name}' has a validator that JSON Schema cannot express; use a rule")
        default = ... if p.default is p.empty else p.default
        definitions[p.name] = (Annotated[hints[p.name], Field(description=helps[p.name])], default)
    config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        protected_namespaces=(),
        validate_default=True,
        regex_engine="python-re",
    )
    name = "".join(part.capitalize() for part in re.split(r"[._]", id)) + "Settings"
    model: type[BaseModel] = create_model(name, __config__=config, **definitions)
    try:
        model.model_validate_json("{}")
    except ValidationError as error:
        for fault in error.errors():
            if fault["type"] != "missing":
                raise SpecError(f"{id}: the default of '{fault['loc'][0]}' does not fit: {fault['msg']}") from None
    return model


def _validates(hint: Any) -> bool:
    """Whether a validator function is somewhere in an annotation."""
    from pydantic import AfterValidator, BeforeValidator, PlainValidator, WrapValidator

    refused = (BeforeValidator, AfterValidator, PlainValidator, WrapValidator)
    stack = [hint]
    while stack:
        item = stack.pop()
        if isinstance(item, refused):
            return True
        stack += [arg for arg in (*get_args(item), *getattr(item, "metadata", ())) if arg is not item]
    return False


def _settings_schema(id: str, model: type[BaseModel]) -> dict[str, Any]:
    try:
        schema: dict[str, Any] = model.model_json_schema()
    except Exception as error:
        raise SpecError(f"{id}: the settings have no JSON Schema: {error}") from None
    schema.pop("title", None)
    definitions = schema.pop("$defs", {})
    for name, item in schema.get("properties", {}).items():
        item.pop("title", None)
        schema["properties"][name] = _in_place(item, definitions, ())
    if definitions and "$ref" in str(schema):
        schema["$defs"] = definitions
    return schema


def _in_place(item: Any, definitions: Mapping[str, Any], within: tuple[str, ...]) -> Any:
    """A schema with what it refers to in place of the references, but for those of a definition to itself."""
    if isinstance(item, list):
        return [_in_place(each, definitions, within) for each in item]
    if not isinstance(item, dict):
        return item
    name = str(item.get("$ref", "")).rpartition("/")[2]
    if name and name not in within:
        rest = {key: value for key, value in item.items() if key != "$ref"}
        return _in_place({**definitions[name], **rest}, definitions, (*within, name))
    return {key: _in_place(value, definitions, within) for key, value in item.items()}


def _disjoint(id: str, what: str, ports: Iterable[PortSpec], settings: Iterable[str]) -> None:
    names = [port.name for port in ports] + list(settings)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(f"{id}: {what} share the names {twice}")


@lru_cache(maxsize=1024)
def file_digest(path: Path) -> str:
    """sha256 of a source file; the cache lives as long as the process, which runs the code it imported.

    Code without a file (a notebook cell) gets a name that no other process repeats: never stale, never shared.
    """
    if not path.is_file():
        return uuid4().hex
    return hashlib.sha256(path.read_bytes()).hexdigest()
