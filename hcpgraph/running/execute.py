"""Runs a plan: demand first, cache before work, one event stream; iterative at any depth."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from ..checking.flat import FlatNode, Source
from ..context import Context, RunState, Scope
from ..declaring.node import Impl
from ..device import peak_memory
from ..errors import Cancelled, GraphError, GraphErrors, visible
from ..fingerprint import Fingerprints
from ..generators import unmoved
from ..planning.demand import chosen
from ..planning.plan import Plan
from .cache import Cache, DiskCache, Marks, copied
from .failures import failed, joined
from .generator_watch import watch
from .layout import spread
from .region import Regions, call_owner


class Execution:
    """One run of one plan.

    Attributes:
        recorded: Whether the run has a record, so that what it keeps can say where it comes from.
        values: Node -> tuple of its outputs, as long as somebody still needs them.
        ran, cached: Ids in the order in which they finished.
        failed: Node -> what went wrong.
        skipped: Nodes that stand on a failed one.
        timing: Node -> seconds, and by how many bytes it raised the peak of memory (of the GPU where one is used).
    """

    def __init__(
        self,
        plan: Plan,
        run: RunState,
        *,
        ram: Cache | None = None,
        disk: DiskCache | None = None,
        fingerprints: Fingerprints | None = None,
        on_error: str = "stop",
        on_value: Callable[[str, Mapping[str, Any]], None] | None = None,
        recorded: bool = False,
    ) -> None:
        self.plan = plan
        self.run = run
        self.ram = ram
        self.disk = disk
        self.fingerprints = fingerprints or Fingerprints()
        self.on_error = on_error
        self.on_value = on_value
        self.recorded = recorded
        self.regions = Regions(plan, run, (watch,) if run.watch_generators else ())
        self.values: dict[str, tuple[Any, ...]] = {}
        self.ran: list[str] = []
        self.cached: list[str] = []
        self.failed: dict[str, GraphError] = {}
        self.skipped: list[str] = []
        self._out: set[str] = set()
        self._anew = plan.anew(run.force)
        self._marks: dict[str, Marks] = {}
        self.timing: dict[str, dict[str, float]] = {}
        self._waiting: dict[str, tuple[str, ...]] = {}
        self._kept = {source[0] for source in plan.outputs.values()}
        self._readers = Counter(other for id in plan.needed() for other in (*plan.waits_for(id), *plan.branches(id)))

    def go(self) -> None:
        """Run all targets.

        Raises:
            Cancelled: the run was asked to stop.
        """
        needed = set(self.plan.needed())
        for each in self.plan.analysis.defaults:
            if needed.intersection((each.node, *self.plan.analysis.flat.chain(each.node))):
                self.run.events.emit("log", each.node, message=str(each), level="info")
        for target in self.plan.targets:
            self.reach(target)
            if self.failed and self.on_error == "stop":
                return

    def outputs(self) -> dict[str, Any]:
        """Values of the plan's outputs that were computed."""
        found = {}
        for name, (id, port) in self.plan.outputs.items():
            if id in self.values:
                found[name] = self.values[id][self._position(id, port)]
        return found

    def _position(self, id: str, port: str) -> int:
        spec = self.plan.node(id).spec
        assert spec is not None
        return next(i for i, output in enumerate(spec.outputs) if output.name == port)

    def reach(self, target: str) -> None:
        """Depth first with an explicit stack: a node is looked up in the caches before its inputs are asked for."""
        stack = [(target, False)]
        while stack:
            id, ready = stack.pop()
            if id in self.values or id in self._out:
                continue
            if not ready:
                if self._from_cache(id):
                    continue
                self._waiting[id] = self.plan.waits_for(id)
                stack.append((id, True))
                stack += [(other, False) for other in reversed(self._waiting[id])]
                continue
            if any(other in self._out for other in self._waiting[id]):
                self.skipped.append(id)
                self._out.add(id)
                self.run.events.emit("node_skipped", id)
                continue
            more = self._branch(id)
            if more:
                self._waiting[id] = (*self._waiting[id], *more)
                stack.append((id, True))
                stack += [(other, False) for other in reversed(more)]
                continue
            if self.run.cancel.is_set():
                raise Cancelled
            self._run(id)
            if self.failed and self.on_error == "stop":
                return

    def _branch(self, id: str) -> tuple[str, ...]:
        """Lazy branches that are wanted now that the run-time value of the choosing setting is known."""
        node = self.plan.node(id)
        assert node.spec is not None
        choose = node.spec.choose
        if choose is None or chosen(node, self.plan.analysis.settings[id]) is not None:
            return ()
        wanted = choose.ports(self._value(node.wired[choose.setting]))
        found = (s[0] for name in wanted for s in node.inputs.get(name, ()))
        return tuple(other for other in dict.fromkeys(found) if other not in self._waiting[id])

    def _value(self, source: Source) -> Any:
        return self.values[source[0]][self._position(*source)]

    def _from_cache(self, id: str) -> bool:
        key = self.plan.keys.of.get(id)
        if key is None or id in self._anew:
            return False
        found: tuple[Any, ...] | None = None
        made_by: Mapping[str, str] | None = None
        if self.ram is not None and key in self.ram and self.plan.cacheable(id):
            found, made_by = self.ram.get(key), self.ram.made_by(key)
        elif self.disk is not None and self.plan.on_disk(id):
            found, made_by = self._read(id, key)
        if found is None:
            return False
        self._take(id, found)
        self.cached.append(id)
        self._release(id)
        self.run.events.emit("node_cached", id, key=key, **({"made_by": made_by} if made_by else {}))
        return True

    def _read(self, id: str, key: str) -> tuple[tuple[Any, ...] | None, Mapping[str, str] | None]:
        """What the disk has under a key, and the run that made it."""
        assert self.disk is not None
        spec = self.plan.node(id).spec
        assert spec is not None
        if self.disk.folder.joinpath("values", key[:2], key).exists():
            self.plan.analysis.registry.impl(spec.id)
        found = self.disk.get(key)
        if found is None:
            return None, None
        value, extra = found
        for written in extra.get("artifacts", ()):
            try:
                path = self.run.roots.resolve(written["uri"])
            except GraphError:
                return None, None
            if self.fingerprints.of(path) != written["sha256"]:
                return None, None
        for written in extra.get("artifacts", ()):
            entry = {"node": id, **{name: item for name, item in written.items() if name != "sha256"}, "cached": True}
            self.run.artifacts.append(entry)
            self.run.events.emit("artifact", **entry)
        return tuple(value), extra.get("made_by")

    def _run(self, id: str) -> None:
        node = self.plan.node(id)
        key = self.plan.keys.of.get(id) or ""
        events = self.run.events
        events.emit("node_started", id)
        started, memory = time.perf_counter(), peak_memory(self.run.device)
        ports: list[Any] = []
        impl: Impl | None = None
        written = len(self.run.artifacts)
        try:
            impl = self.plan.analysis.registry.impl(node.type)
            self.plan.keys.code.check(id)
            ports = self._ports(node, impl)
            outputs = as_outputs(impl, self._call(node, impl, ports, key))
            self._unchanged(id)
        except Cancelled:
            raise
        except GraphErrors as errors:
            self._fail(id, joined(id, errors))
            return
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            if impl is None or (isinstance(error, KeyboardInterrupt) and self.run.cancel.is_set()):
                raise
            self._fail(id, failed(id, impl, ports, error), traceback.format_exc())
            return
        self._take(id, outputs)
        self.ran.append(id)
        seconds = time.perf_counter() - started
        self.timing[id] = {"seconds": round(seconds, 4), "memory": peak_memory(self.run.device) - memory}
        events.emit("node_done", id, seconds=round(seconds, 4), **({"key": key} if key else {}))
        if self.on_value is not None:
            self.on_value(id, {port.name: value for port, value in zip(impl.spec.outputs, outputs, strict=True)})
        self._keep(id, key, outputs, self.run.artifacts[written:])
        self._release(id)

    def _take(self, id: str, outputs: tuple[Any, ...]) -> None:
        self.values[id] = outputs
        if self.plan.steady(id):
            self._marks[id] = Marks(outputs)

    def _unchanged(self, id: str) -> None:
        """Check that a node has left alone what it was given.

        Raises:
            GraphError: E_MUTATED; what was changed is not read again, in this run or a later one.
        """
        for other in self._waiting[id]:
            if other in self._marks and self._marks[other].changed():
                for changed in [known for known, marks in self._marks.items() if marks.changed()]:
                    self.values.pop(changed, None)
                    self._out.add(changed)
                port = next((name for name, sources in self.plan.node(id).inputs.items() for s in sources
                             if s[0] == other), None)  # fmt: skip
                raise GraphError(
                    "E_MUTATED",
                    f"changed what '{other}' gave in place, which others read too",
                    node=id,
                    port=port,
                    hint="work on a copy: tensor.clone(), or operators without a trailing underscore",
                )

    def _ports(self, node: FlatNode, impl: Impl) -> list[Any]:
        assert node.spec is not None
        wanted = None
        if node.spec.choose is not None:
            settings = self.plan.analysis.settings[node.id]
            value = settings.get(node.spec.choose.setting)
            if node.spec.choose.setting in node.wired and node.spec.choose.setting not in settings:
                value = self._value(node.wired[node.spec.choose.setting])
            wanted = node.spec.choose.ports(value)
        ports: list[Any] = []
        for port in node.spec.inputs:
            sources = node.inputs.get(port.name, ())
            if port.lazy and wanted is not None and port.name not in wanted:
                ports.append(impl.port_defaults[port.name])
            elif port.many:
                lists = {i for i in range(len(sources)) if (node.id, port.name, i) in self.plan.analysis.wires.spread}
                ports.append(spread((copied(self._value(source)) for source in sources), lists))
            else:
                ports.append(copied(self._value(sources[0]) if sources else impl.port_defaults[port.name]))
        return ports

    def _call(self, node: FlatNode, impl: Impl, ports: list[Any], key: str) -> Any:
        assert node.spec is not None
        scope = Scope(self.run.seed, watches=self.regions.watches)
        known = self.plan.analysis.settings[node.id]
        wired = {name: self._value(source) for name, source in node.wired.items() if name not in known}
        settings = self.regions.settings(node, impl, wired)
        ctx = Context(
            node.id,
            self.run,
            scope,
            stream=node.stream,
            key=self.plan.keys.resumable.get(node.id, key),
            kin=self.plan.keys.resumable_kin.get(node.id, ""),
            reads=node.spec.reads(settings),
        )
        watched = self.run.watch_generators and "random" not in self.plan.analysis.weights.effects[node.id]
        with unmoved(node.id) if watched else nullcontext():
            if node.spec.body:
                layout = self.regions.layout(node.id)
                values = {source: copied(self._value(source)) for source in layout.outer}
                return call_owner(impl, ctx, ports, self.regions.bind(node.id, values, scope), settings)
            context = (ctx,) if node.spec.takes_ctx else ()
            if node.spec.is_class:
                return impl.target(**settings)(*context, *ports)
            return impl.target(*context, *ports, **settings)

    def _fail(self, id: str, error: GraphError, trace: str | None = None) -> None:
        self.failed[id] = error
        self._out.add(id)
        self.run.events.emit("node_failed", id, problem=error.problem.to_json(), traceback=trace and visible(trace))

    def _keep(self, id: str, key: str, outputs: tuple[Any, ...], written: Sequence[Mapping[str, Any]]) -> None:
        if not key or self.run.requests.shortened or id in self.run.not_finite:
            return
        made_by = {"run": self.run.id, "node": id} if self.recorded else None
        if self.ram is not None and self.plan.cacheable(id):
            self.ram.put(key, outputs, made_by)
        if self.disk is not None and self.plan.on_disk(id):
            prints = []
            for entry in written:
                path = self.run.roots.resolve(entry["uri"])
                kept = {name: item for name, item in entry.items() if name != "node"}
                prints.append({**kept, "sha256": self.fingerprints.of(path)})
            extra = ({"artifacts": prints} if prints else {}) | ({"made_by": made_by} if made_by else {})
            self.disk.put(key, outputs, extra or None)

    def _release(self, id: str) -> None:
        """Forget values whose last reader has run or was found in a cache."""
        for other in (*self.plan.waits_for(id), *self.plan.branches(id)):
            self._readers[other] -= 1
            if self._readers[other] == 0 and other not in self._kept:
                self.values.pop(other, None)
                self._marks.pop(other, None)


def as_outputs(impl: Impl, result: Any) -> tuple[Any, ...]:
    """What a node returned, one value an output.

    Raises:
        TypeError: it is not the named tuple that was declared.
    """
    spec = impl.spec
    if not spec.multi:
        return (result,) if spec.outputs else ()
    if not isinstance(result, tuple) or len(result) != len(spec.outputs):
        names = ", ".join(port.name for port in spec.outputs)
        raise TypeError(f"gave {type(result).__name__}, not the named tuple ({names}) of its return annotation")
    return tuple(result)
