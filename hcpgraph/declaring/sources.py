"""Source files as part of a cache key: what a module may import and read, found without importing anything.

Imports are read from the syntax tree, those inside of functions too. They are followed into packs, into the engine and
into whatever else is neither the standard library nor an installed distribution. Files beside a module that a text in
it names, such as `with_name("table.json")`, belong to it.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache, lru_cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

from ..atomic import write_text
from ..fingerprint import stamp
from ..importing import FOLDER_PREFIX, changed_since_import, watch_imports
from ..paths import cache_folder
from ..version import package_version
from .pack import installed

NAME = __name__.partition(".")[0]
ENGINE = Path(__file__).resolve().parents[1]
DECLARING = frozenset({"declaring", "errors", "events", "importing", "requests", "types", "widgets"})
"""Modules of the engine that say what is declared and told: what they decide is in a key by itself."""
ENVIRONMENT = ("torch", "diffusers", "transformers")
"""Distributions whose version belongs to every key."""
INSTALLED = {"site-packages", "dist-packages"}
TEXT_LENGTH = 100
"""Longer texts name no file."""


class Read(NamedTuple):
    """What is known of one file.

    Attributes:
        sha256: Of its content.
        imports: Modules that it may import, and `module.name` for every name that it takes from one; relative ones
            begin with dots.
        texts: Texts in it that could name a file beside it.
    """

    sha256: str
    imports: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


class Part(NamedTuple):
    """A module, or a file that one reads, written `module:file`."""

    name: str
    path: Path


Beneath = tuple[list[tuple[str, Path]], list[tuple[Part, str]]]
"""Modules that a module imports, with their files, and files that it reads, with their sha256."""


class Sources:
    """The source files as one process knows them: each is read once, and again when its stamp has changed.

    Args:
        kept: File in which it is remembered between processes what was found; None remembers nothing.
    """

    def __init__(self, kept: Path | None = None) -> None:
        self._kept = kept
        self._known: dict[str, tuple[str, Read]] | None = None
        self._fresh = False
        self._imported: dict[Path, str] = {}
        watch_imports()

    def read(self, path: Path) -> Read:
        """What a file says now.

        Raises:
            OSError: it cannot be read.
        """
        if self._known is None:
            self._known = self._remembered()
        mark = stamp(path)
        known = self._known.get(str(path))
        if known is None or known[0] != mark:
            known = self._known[str(path)] = mark, _read(path)
            self._fresh = True
        return known[1]

    def runs(self, part: Part, sha256: str) -> bool:
        """Whether this process has imported a file as it was looked at, or has not imported it at all."""
        if self.read(part.path).sha256 != sha256:
            return False
        if getattr(sys.modules.get(part.name), "__file__", None) is None:
            return True
        if self._imported.get(part.path) != sha256:
            if changed_since_import(part.name, part.path):
                return False
            self._imported[part.path] = sha256
        return True

    def keep(self) -> None:
        """Remember what was found; a disk that does not take it is no error."""
        if self._fresh and self._kept is not None and self._known is not None:
            self._fresh = False
            entries = {path: [mark, *read] for path, (mark, read) in self._known.items()}
            with suppress(OSError):
                self._kept.parent.mkdir(parents=True, exist_ok=True)
                write_text(self._kept, json.dumps(entries))

    def _remembered(self) -> dict[str, tuple[str, Read]]:
        try:
            data = json.loads(self._kept.read_bytes()) if self._kept is not None else {}
            return {path: (mark, Read(sha, (*found,), (*texts,))) for path, (mark, sha, found, texts) in data.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


class Look:
    """One look at the source files: each is stamped once."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._read: dict[Path, Read | None] = {}
        self._places: dict[str, Path | None] = {}
        self._tops: dict[str, tuple[Path | None, tuple[str, ...]]] = {}
        self._closures: dict[str, dict[Part, str]] = {}
        self._beneaths: dict[str, Beneath] = {}

    def closure(self, name: str, file: Path | None = None) -> Mapping[Part, str]:
        """A module and all that it stands on, files that it reads included, with the sha256 of each.

        Args:
            name: The module; one that is not there, or is of a distribution that is no pack, stands on nothing.
            file: Where it lies, if that does not follow from its name.
        """
        if name not in self._closures:
            self._closures[name] = dict(self._walk(name, file))
        return self._closures[name]

    def alone(self, name: str) -> Mapping[Part, str]:
        """A module without what it imports."""
        path = self.place(name)
        read = None if path is None else self._reading(path)
        return {} if path is None or read is None else {Part(name, path): read.sha256}

    def place(self, name: str) -> Path | None:
        """The file of a module that is followed."""
        if name not in self._places:
            self._places[name] = self._find(name)
        return self._places[name]

    def _find(self, name: str) -> Path | None:
        first, *rest = name.split(".")
        if first not in self._tops:
            self._tops[first] = _top(first)
        file, folders = self._tops[first]
        if not rest:
            return file
        places = (Path(folder, *rest) for folder in folders)
        files = (file for place in places for file in (place.with_suffix(".py"), place / "__init__.py"))
        return next((file for file in files if file.is_file()), None)

    def _walk(self, name: str, file: Path | None) -> Iterator[tuple[Part, str]]:
        stack = [(name, file or self.place(name))]
        seen = {name}
        while stack:
            name, path = stack.pop()
            read = None if path is None else self._reading(path)
            if path is None or read is None:
                continue
            yield Part(name, path), read.sha256
            others, data = self._beneath(name, path, read)
            yield from data
            stack += [(other, place) for other, place in others if other not in seen]
            seen.update(other for other, _ in others)

    def _beneath(self, name: str, path: Path, read: Read) -> Beneath:
        """What a module imports and reads itself."""
        if name not in self._beneaths:
            others = [(other, self.place(other)) for other in _absolute(name, path.name == "__init__.py", read.imports)]
            files = () if path.is_relative_to(ENGINE) else _beside(path.parent, read.texts)
            data = [
                (Part(f"{name}:{file.relative_to(path.parent).as_posix()}", file), found.sha256)
                for file in files
                if (found := self._reading(file)) is not None
            ]
            self._beneaths[name] = [(other, place) for other, place in others if place is not None], data
        return self._beneaths[name]

    def _reading(self, path: Path) -> Read | None:
        if path not in self._read:
            try:
                self._read[path] = self.sources.read(path)
            except OSError:
                self._read[path] = None
        return self._read[path]


@lru_cache(maxsize=1)
def sources() -> Sources:
    """The source files of this process."""
    return Sources(cache_folder() / "sources.json")


@lru_cache(maxsize=256)
def code_of(*modules: str) -> str:
    """Digest of all that modules stand on, of those that are no packs by version: for caches that a node keeps itself.

    This process has imported them, so that what is found once holds as long as it lives.
    """
    look = Look(sources())
    found: dict[str, str] = {name: package_version(name) for name in ENVIRONMENT}
    for name in modules:
        file = getattr(sys.modules.get(name), "__file__", None)
        if name.startswith(FOLDER_PREFIX) and file is not None:
            parts = look.closure(name, Path(file))
        else:
            parts = look.closure(name)
        top = name.partition(".")[0]
        version = getattr(sys.modules.get(top), "__version__", None)
        found |= {label(part): digest for part, digest in parts.items()} or (
            {top: str(version)} if version else distributions_of(name)
        )
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def label(part: Part) -> str:
    """A name that is the same on every machine."""
    return part.path.name if part.name.startswith(FOLDER_PREFIX) else part.name


def distributions_of(module: str) -> dict[str, str]:
    """The distributions that a module comes with -> version."""
    return {name: package_version(name) for name in _distributions().get(module.partition(".")[0], ())}


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def _read(path: Path) -> Read:
    data = path.read_bytes()
    sha = hashlib.sha256(data).hexdigest()
    try:
        tree = ast.parse(data) if path.suffix == ".py" else None
    except (SyntaxError, ValueError, RecursionError):
        tree = None
    imports: set[str] = set()
    texts: set[str] = set()
    stack: list[ast.AST] = [tree] if tree is not None else []
    while stack:
        item = stack.pop()
        if isinstance(item, ast.If) and "TYPE_CHECKING" in ast.unparse(item.test):
            stack += item.orelse
            continue
        if isinstance(item, ast.Import):
            imports |= {alias.name for alias in item.names}
        elif isinstance(item, ast.ImportFrom):
            base = "." * item.level + (item.module or "")
            inner = base if base.endswith(".") else f"{base}."
            imports |= {base, *(inner + alias.name for alias in item.names)}
        elif isinstance(item, ast.Constant) and isinstance(item.value, str) and _may_name_a_file(item.value):
            texts.add(item.value)
        stack += ast.iter_child_nodes(item)
    return Read(sha, tuple(sorted(imports)), tuple(sorted(texts)))


def _may_name_a_file(text: str) -> bool:
    plain = all(letter.isalnum() or letter in "._-/" for letter in text)
    return 0 < len(text) <= TEXT_LENGTH and plain and text[0] not in "./"


def _beside(folder: Path, texts: Iterable[str]) -> Iterator[Path]:
    """Files that texts name, and the files of folders that they name and in which no Python lies."""
    there = set(os.listdir(folder))
    for place in (folder / text for text in texts if text.partition("/")[0] in there):
        if place.suffix:
            if place.suffix != ".py" and place.is_file():
                yield place
        elif place.is_dir() and not any(place.rglob("*.py")):
            yield from sorted(path for path in place.rglob("*") if path.is_file())


@lru_cache(maxsize=4096)
def _absolute(name: str, is_package: bool, imports: tuple[str, ...]) -> tuple[str, ...]:
    """Names of modules that imports may run and that can change a result."""
    return tuple(dict.fromkeys(other for other in _imported(name, is_package, imports) if _counts(other)))


def _imported(name: str, is_package: bool, imports: Iterable[str]) -> Iterator[str]:
    """Names of modules that imports may run: the modules themselves and the packages that they lie in."""
    package = name if is_package else name.rpartition(".")[0]
    for text in imports:
        bare = text.lstrip(".")
        parts = bare.split(".") if bare else []
        if level := len(text) - len(bare):
            above = package.split(".") if package else []
            if level > len(above):
                continue
            parts = [*above[: len(above) - level + 1], *parts]
        yield from (".".join(parts[: i + 1]) for i in range(len(parts)))


def _counts(name: str) -> bool:
    """Whether a module can change a result: the engine's front door and what it declares with cannot."""
    first, _, rest = name.partition(".")
    if first == NAME and not rest.startswith("testing"):
        return bool(rest) and rest.partition(".")[0] not in DECLARING
    return first not in sys.stdlib_module_names


def _top(name: str) -> tuple[Path | None, tuple[str, ...]]:
    """File of a top module or package and the folders of its modules, if it is followed."""
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        found = None
    if found is None:
        return None, ()
    file = Path(found.origin) if found.origin and found.origin.endswith(".py") else None
    folders = tuple(found.submodule_search_locations or ())
    ours = name == NAME or any(pack.module == name for pack in installed())
    if not ours and any(INSTALLED & set(Path(place).parts) for place in (*folders, file or "")):
        return None, ()
    return file, folders
