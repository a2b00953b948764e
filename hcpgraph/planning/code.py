"""The code behind a node's result: its own, what the engine hands to it, and what its facts and settings name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..checking import sweeps
from ..checking.analyse import Analysis
from ..checking.flat import FlatNode
from ..declaring.sources import NAME, Look, Part, distributions_of, label, sources
from ..declaring.spec import NodeSpec
from ..errors import GraphError

BY_CONTEXT = ("context", "paths")
BY_RANDOM = ("rng",)


class Code:
    """The code of the nodes of one graph, as it is on disk now.

    Args:
        analysis: Of the graph.
    """

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis
        self._look = Look(sources())
        self._own: dict[str, dict[Part, str]] = {}
        self._digests: dict[tuple[str, tuple[str, ...]], str] = {}
        self._running: set[Part] = set()

    def digest(self, id: str) -> str:
        """What changes with the code of a node."""
        spec = self._spec(id)
        named = self._named(id)
        key = spec.id, tuple(named)
        if key not in self._digests:
            text = "\n".join(f"{name}={value}" for name, value in sorted(self._parts(spec, named)))
            self._digests[key] = sha256(text.encode()).hexdigest()
        return self._digests[key]

    def parts(self, id: str) -> dict[str, str]:
        """The same in parts: file -> sha256, distribution -> version."""
        return dict(self._parts(self._spec(id), self._named(id)))

    def keep(self) -> None:
        """Remember what was found in the files."""
        self._look.sources.keep()

    def check(self, id: str) -> None:
        """Call it when a node has been imported: a new key must not name the result of old code.

        Raises:
            GraphError: E_CODE_CHANGED, this process runs other code than its key says.
        """
        for part, digest in self._files(self._spec(id), self._named(id)).items():
            if part in self._running:
                continue
            if not self._look.sources.runs(part, digest):
                raise GraphError(
                    "E_CODE_CHANGED",
                    f"{part.path} was edited after this process had imported it",
                    node=id,
                    hint="start the process again",
                )
            self._running.add(part)

    def _spec(self, id: str) -> NodeSpec:
        spec = self._analysis.flat.nodes[id].spec
        assert spec is not None
        return spec

    def _parts(self, spec: NodeSpec, named: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        yield from ((label(part), digest) for part, digest in self._files(spec, named).items())
        yield from ((name, value) for name, value in named.items() if value)
        if not self._base(spec):
            yield spec.id, spec.code

    def _files(self, spec: NodeSpec, named: Mapping[str, str]) -> dict[Part, str]:
        found = dict(self._base(spec))
        for name, version in named.items():
            if not version:
                found |= self._look.closure(name, self._analysis.registry.files.get(name))
        return found

    def _base(self, spec: NodeSpec) -> Mapping[Part, str]:
        """A node's own closure and the engine's part in it; nothing where it has no file, such as a notebook's cell."""
        if spec.id not in self._own:
            own = dict(self._look.closure(spec.module, Path(spec.file))) if Path(spec.file).is_file() else {}
            for name in (*(BY_CONTEXT if spec.takes_ctx else ()), *(BY_RANDOM if spec.has("random") else ())):
                own |= self._look.alone(f"{NAME}.{name}") if own else {}
            if spec.body and own:
                own |= self._look.closure(f"{NAME}.running.region")
            self._own[spec.id] = own
        return self._own[spec.id]

    def _named(self, id: str) -> dict[str, str]:
        """Modules that settings and facts of a node name; distributions of the classes among them with a version."""
        node, spec, settings = self._analysis.flat.nodes[id], self._spec(id), self._analysis.settings[id]
        found: dict[str, str] = {}
        for name, table in self._analysis.registry.code.items():
            values = self._values(node, name)
            known = all(value in table for value in values)
            found |= dict.fromkeys((table[value] for value in values) if known else table.values(), "")
        named = (value for name in spec.classes for value in sweeps.values(node, settings, name))
        for module in dict.fromkeys(str(value).partition(":")[0] for value in named):
            if not module:
                continue
            if self._look.place(module) is not None:
                found[module] = ""
            else:
                found |= distributions_of(module)
        return found

    def _values(self, node: FlatNode, name: str) -> list[Any]:
        """What a node makes its choice by: a setting, else facts of its own; None stands for what is unknown."""
        spec, settings = self._spec(node.id), self._analysis.settings[node.id]
        if name in spec.settings and settings.get(name) in self._analysis.registry.code[name]:
            return [settings[name]]
        own = [p.name for p in (*spec.outputs, *spec.entries) if name in p.facts and "port" not in p.facts[name]]
        if not own and name not in spec.settings:
            return []
        facts = self._analysis.wires.facts
        return [facts.get((node.id, port), {}).get(name, (None, ""))[0] for port in own] or [None]
