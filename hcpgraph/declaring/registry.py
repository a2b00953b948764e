"""What node types there are: specs from manifests, implementations imported when they are first run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import GraphErrors, Problem, did_you_mean
from ..importing import FOLDER_PREFIX, folder_module, import_module
from ..types import Lattice, TypeInfo, registered
from .manifest import manifest
from .pack import Pack, from_folder, installed
from .spec import NodeSpec
from .tables import Row, know, known

if TYPE_CHECKING:
    from .node import Impl

Resolve = Callable[[str], Path]
Prober = Callable[[Mapping[str, Any], Resolve], Any]
Rule = Callable[[Any], Iterable[Problem]]
Passes = Callable[[Mapping[str, Any]], int | Mapping[str, Any] | None]
Shares = Callable[[list[Mapping[str, Any]], int], int | None]
Depends = Callable[[Mapping[str, Any]], bool]
StandsFor = Callable[[Mapping[str, Mapping[str, Any]]], tuple[Any, str] | None]


@dataclass
class Rules:
    """What the torch-free `rules` modules of packs say.

    Attributes:
        probers: Name of a probe -> what reads it.
        rules: Pack name -> rules over the nodes of that pack.
        code: Name of a fact or setting -> its values -> the module whose code each of them means; a pack may name a
            table instead, whose rows are the values.
        passes: Node type that owns a region -> says by its settings how often it runs its body: a number, the settings
            that say it where only the run knows the number, or None.
        shares: Node type that says which optimizers a loss is for -> says by the settings of several, and the steps of
            the loop, how many of them these optimizers do.
        lengths: Node type -> settings that are as long as the training, each with what says whether anything depends
            on it.
        defaults: Node type -> settings that may be `auto`, each with what says by the facts of the connected input
            ports which value that stands for and why; None while they are not known.
        asked: Node type -> input ports that are read for their facts alone, before the run.
    """

    probers: dict[str, Prober] = field(default_factory=dict)
    rules: dict[str, list[Rule]] = field(default_factory=dict)
    code: dict[str, dict[str, str]] = field(default_factory=dict)
    passes: dict[str, Passes] = field(default_factory=dict)
    shares: dict[str, Shares] = field(default_factory=dict)
    lengths: dict[str, dict[str, Depends]] = field(default_factory=dict)
    defaults: dict[str, dict[str, StandsFor]] = field(default_factory=dict)
    asked: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Specs(Mapping[str, NodeSpec]):
    """Node type -> spec, each made of what its manifest says when it is first asked for."""

    def __init__(self) -> None:
        self._said: dict[str, Mapping[str, Any]] = {}
        self._made: dict[str, NodeSpec] = {}

    def add(self, said: Mapping[str, Any]) -> None:
        self._said[said["id"]] = said

    def pack(self, type_id: str) -> str | None:
        """The name of the pack that a type is from; None for one that is not here."""
        return self._said[type_id]["pack"] if type_id in self._said else None

    def __getitem__(self, type_id: str) -> NodeSpec:
        made = self._made.get(type_id)
        return self._made.setdefault(type_id, NodeSpec.from_json(self._said[type_id])) if made is None else made

    def __contains__(self, type_id: object) -> bool:
        return type_id in self._said

    def __iter__(self) -> Iterator[str]:
        return iter(self._said)

    def __len__(self) -> int:
        return len(self._said)


class Registry:
    """The node types of some packs.

    Attributes:
        specs: Node type -> spec.
        types: The lattice of port types.
        tables: Table -> name of a row -> row.
        files: Module that declares a row -> where it lies.
        problems: What could not be imported, as warnings that name the file.
        packs: Pack name -> pack.
    """

    def __init__(self, packs: Iterable[Pack]) -> None:
        self.packs = {pack.name: pack for pack in packs}
        self.specs = Specs()
        self.types: Lattice = registered()
        self.tables: dict[str, dict[str, Row]] = {}
        self.files: dict[str, Path] = {}
        self.problems: list[Problem] = []
        for pack in self.packs.values():
            data = manifest(pack)
            self.problems += [Problem(**problem) for problem in data["problems"]]
            self.types |= {item["name"]: TypeInfo.from_json(item) for item in data["types"]}
            for item in data["specs"]:
                if (known := self.specs.pack(item["id"])) is not None:
                    message = f"node '{item['id']}' of pack '{pack.name}' is already there from '{known}'"
                    self.problems.append(Problem("E_PACK", message, hint="rename one of the two", severity="warning"))
                    continue
                self.specs.add(item)
            self._add_rows(pack, [Row(**item) for item in data["rows"]])
        self._rules: Rules | None = None

    def _add_rows(self, pack: Pack, rows: Iterable[Row]) -> None:
        """Take the rows of a pack into the tables, but for those that a pack before it has."""
        kept = []
        for row in rows:
            known = self.tables.setdefault(row.table, {}).setdefault(row.name, row)
            if known is row:
                kept.append(row)
                self.files[row.module] = Path(row.file)
                continue
            message = f"'{row.name}' of the table {row.table} in '{row.file}' is already there from '{known.file}'"
            self.problems.append(Problem("E_PACK", message, hint="rename one of the two", severity="warning"))
        know(str(pack.folder), kept)

    def find(self, type_id: str) -> NodeSpec | None:
        """The spec of a type, also of one that this process declared itself (a notebook, a test)."""
        if (spec := self.specs.get(type_id)) is not None:
            return spec
        from .node import declared

        impl = declared().get(type_id)
        if impl is None or impl.spec.module.startswith(FOLDER_PREFIX):
            return None
        self.types |= registered()
        return impl.spec

    def shown(self, spec: NodeSpec) -> dict[str, Any]:
        """The schema of a node's settings as it is shown: with the rows that a table offers as choices."""
        found = dict(spec.schema)
        if any(schema.get("x-widget", {}).get("table") for schema in spec.settings.values()):
            found["properties"] = {name: self._offered(schema) for name, schema in spec.settings.items()}
        return found

    def _offered(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        widget = dict(schema.get("x-widget", {}))
        offered = [*widget.pop("also", ()), *self.tables.get(widget.pop("table", ""), {})]
        return {**schema, "enum": offered, "x-widget": widget} if offered else schema

    def impl(self, type_id: str) -> Impl:
        """Import the node.

        Raises:
            GraphErrors: E_TYPE_UNKNOWN, E_IMPORT when its module cannot be imported here, E_CODE_CHANGED when this
                process imported it before its file was edited: new keys must not name results of old code.
        """
        from .node import declared

        spec = self.find(type_id)
        if spec is None:
            raise GraphErrors.one("E_TYPE_UNKNOWN", f"unknown node type '{type_id}'", hint=self.suggestion(type_id))
        impl = declared().get(type_id)
        if impl is None or (impl.spec.module, impl.spec.code) != (spec.module, spec.code):
            try:
                import_module(spec.module, spec.file)
            except Exception as error:
                raise GraphErrors.one(
                    "E_IMPORT",
                    f"the module of '{type_id}' cannot be imported: {type(error).__name__}: {error}",
                    hint=f"pip install what is missing, or leave out the pack '{spec.pack}'",
                ) from error
            impl = declared().get(type_id)
            if impl is None or (impl.spec.module, impl.spec.code) != (spec.module, spec.code):
                raise GraphErrors.one(
                    "E_CODE_CHANGED",
                    f"{spec.file} was edited after this process had imported it",
                    hint="start the process again",
                )
        return impl

    def suggestion(self, type_id: str) -> str:
        return did_you_mean(type_id, self.specs, "node types") + "; a missing pack is given with --pack FOLDER"

    def version(self, pack: str) -> str:
        return self.packs[pack].version if pack in self.packs else "0"

    @property
    def probers(self) -> dict[str, Prober]:
        return self._load_rules().probers

    @property
    def rules(self) -> dict[str, list[Rule]]:
        """Pack name -> rules over the nodes of that pack."""
        return self._load_rules().rules

    @property
    def code(self) -> dict[str, dict[str, str]]:
        """Name of a fact or setting -> its values -> the module whose code each of them means."""
        return self._load_rules().code

    @property
    def passes(self) -> dict[str, Passes]:
        """Node type that owns a region -> says by its settings how often it runs its body."""
        return self._load_rules().passes

    @property
    def shares(self) -> dict[str, Shares]:
        """Node type that says which optimizers a loss is for -> says how many steps of a loop these do."""
        return self._load_rules().shares

    @property
    def lengths(self) -> dict[str, dict[str, Depends]]:
        """Node type -> settings that are as long as the training -> says whether anything depends on them."""
        return self._load_rules().lengths

    @property
    def defaults(self) -> dict[str, dict[str, StandsFor]]:
        """Node type -> settings that may be `auto` -> says by the facts of input ports what that stands for."""
        return self._load_rules().defaults

    @property
    def asked(self) -> dict[str, tuple[str, ...]]:
        """Node type -> input ports that are read for their facts alone."""
        return self._load_rules().asked

    def _load_rules(self) -> Rules:
        """Import the torch-free `rules` module of every pack that has one."""
        if self._rules is None:
            found = Rules()
            for pack in self.packs.values():
                file = pack.folder / "rules.py"
                if not file.is_file():
                    continue
                try:
                    module = import_module(f"{pack.module}.rules" if pack.module else folder_module(file), str(file))
                except Exception as error:
                    message = f"the rules of pack '{pack.name}' cannot be imported: {type(error).__name__}: {error}"
                    self.problems.append(Problem("E_PACK", message, hint=f"see {file}", severity="warning"))
                    continue
                found.probers |= getattr(module, "PROBERS", {})
                found.rules[pack.name] = getattr(module, "RULES", [])
                for name, table in getattr(module, "CODE", {}).items():
                    found.code.setdefault(name, {}).update(self._modules(table))
                found.passes |= getattr(module, "PASSES", {})
                found.shares |= getattr(module, "SHARES", {})
                found.lengths |= getattr(module, "LENGTHS", {})
                found.defaults |= getattr(module, "DEFAULTS", {})
                found.asked |= getattr(module, "ASKED", {})
            self._rules = found
        return self._rules

    def _modules(self, table: str | Mapping[str, str]) -> Mapping[str, str]:
        """Values and the modules that they mean: a table of rows is named by its name."""
        if isinstance(table, str):
            return {name: row.module for name, row in self.tables.get(table, {}).items()}
        return table


def default_registry(packs: Iterable[str | Path] = ()) -> Registry:
    """The installed packs and the given folders; the same object as long as none of their files changes."""
    folders = [packs] if isinstance(packs, str | Path) else packs
    chosen = (*installed(), *(from_folder(folder) for folder in folders))
    return _registry(chosen, tuple(pack.stamp() for pack in chosen))


def table(name: str) -> Mapping[str, Row]:
    """The rows of a table by name: those of all packs that this process has opened, at least of the installed ones."""
    if not known():
        default_registry()
    return {row.name: row for row in known() if row.table == name}


@lru_cache(maxsize=8)
def _registry(packs: tuple[Pack, ...], stamps: tuple[str, ...]) -> Registry:
    return Registry(packs)
