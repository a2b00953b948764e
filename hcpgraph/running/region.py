"""The body of a region: drawn once, bound at each call of its owner, run as a straight list of calls over slots.

Inside a pass there is no validation, no dictionary and no event: an op reads slots, calls, writes slots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..checking.flat import FlatNode, Source
from ..context import Context, RunState, Scope, Watch
from ..declaring.body import Body, Series
from ..declaring.node import Impl
from ..errors import Cancelled, GraphError
from ..planning.begun import kept
from ..planning.plan import Plan
from . import nested
from .failures import failed
from .following import Check, Following, checker
from .layout import Layout, OpLayout, fetch, flat_arguments, lay_out


class Regions:
    """All regions of one run: layouts are made once, bodies are bound at each call.

    Attributes:
        watches: What looks at the ops of every pass.
        passes: Training loop and the passes around it that its weights were made in -> how often it ran there.
    """

    def __init__(self, plan: Plan, run: RunState, watches: tuple[Watch, ...] = ()) -> None:
        self.plan = plan
        self.run = run
        self.passes: nested.Passes = Counter()
        self.watches = watches
        self._layouts: dict[str, Layout] = {}
        self._settings: dict[str, dict[str, Any]] = {}
        self._checks: dict[tuple[str, str], Check] = {}

    def layout(self, owner: str) -> Layout:
        if owner not in self._layouts:
            self._layouts[owner] = lay_out(self.plan, owner, self.layout)
        return self._layouts[owner]

    def settings(self, node: FlatNode, impl: Impl, wired: Mapping[str, Any]) -> dict[str, Any]:
        """Validated settings as keyword arguments; those without run-time wires are validated once a run.

        Raises:
            GraphError: E_SETTING, a value that came over a wire does not fit.
        """
        if not wired and node.id in self._settings:
            return self._settings[node.id]
        given = {**self.plan.analysis.settings[node.id], **wired}
        from pydantic import ValidationError

        try:
            valid = impl.settings(given)
        except ValidationError as error:
            first = error.errors()[0]
            raise GraphError("E_SETTING", first["msg"], node=node.id, port=".".join(map(str, first["loc"]))) from None
        except ValueError as error:
            raise GraphError("E_SETTING", f"no JSON value: {error}", node=node.id) from None
        if not wired:
            self._settings[node.id] = valid
        return valid

    def check(self, op: OpLayout, setting: str) -> Check:
        """What checks a setting that follows the passes; made once a run."""
        if (op.id, setting) not in self._checks:
            self._checks[op.id, setting] = checker(op.impl, op.id, setting)
        return self._checks[op.id, setting]

    def bind(
        self, owner: str, values: Mapping[Source, Any], scope: Scope, around: BoundBody | None = None
    ) -> BoundBody:
        """A body ready to run; `values` has at least the sources of `layout(owner).outer`."""
        return BoundBody(self, self.layout(owner), values, scope, around)


class BoundBody(Body[Any, Any]):
    """A body with its invariants, its stateful nodes and its place in the nest of regions.

    It is bound when it is first used: an owner that decides not to run its body costs nothing.

    Attributes:
        layout: What runs.
        around: The body that the owner stands in, None at the top.
        scope: Seed, iteration path and step, as the nodes inside see them.
        entry: The entry values of the pass that is going on.
        instances: Class nodes of this body by id; they live as long as this call of the owner.
        drawing: Ops that may draw from the global generators, which are seeded before them.
    """

    def __init__(
        self,
        regions: Regions,
        layout: Layout,
        values: Mapping[Source, Any],
        scope: Scope,
        around: BoundBody | None = None,
    ) -> None:
        self.regions = regions
        self.layout = layout
        self.values = values
        self.around = around
        self.scope = replace(scope, exact=False)
        self.entry: Mapping[str, Any] = {}
        self.instances: dict[str, Any] = {}
        self.earlier = 0
        self.carried = False
        self.turns = 1
        self.drawing: frozenset[str] = frozenset()
        self._outside = scope
        self._path = scope.path
        self._anew = True
        self._passes = 0
        self._template: list[Any] | None = None
        self.ops: list[tuple[Any, ...]] = []

    @property
    def owner(self) -> str:
        return self.layout.owner

    @property
    def trained(self) -> frozenset[str]:
        return self.regions.plan.analysis.weights.trains.get(self.owner, frozenset())

    @property
    def written(self) -> str:
        return self.regions.plan.written(self.owner)

    @property
    def series(self) -> Series | None:
        return self.scope.series

    @series.setter
    def series(self, series: Series | None) -> None:
        self.scope.series = series

    def seed(self, seed: int) -> None:
        self.scope.seed = seed

    def pin(self, index: int | None = None) -> None:
        self._anew, self.scope.exact = False, True
        if index is None:
            self._path, self.scope.seed = (), self.regions.run.seed
        else:
            self._path = (-1, index)

    def repeat_draws(self) -> None:
        self._anew, self._path, self.scope.exact = False, self._outside.path, self._outside.exact

    def kept(self, ctx: Context, at_most: int, begun_with: str = "") -> Path:
        named = (sha256(f"{text}\0{begun_with}".encode()).hexdigest() for text in (ctx.key, ctx.kin))
        key, kin = named if begun_with else (ctx.key, ctx.kin)
        return kept(self.regions.plan, ctx.node, key, kin, ctx.run.roots, at_most, ctx.log)

    def bind(self) -> list[Any]:
        """Make contexts, instances and calls; returns the slots with all invariants in place."""
        if self._template is not None:
            return self._template
        slots: list[Any] = [None] * self.layout.size
        for source, slot in self.layout.outer.items():
            slots[slot] = self.values[source]
        for slot, value in self.layout.constants:
            slots[slot] = value
        for op in self.layout.ops:
            wired = {}
            known = self.regions.plan.analysis.settings[op.id]
            for name, source in op.node.wired.items():
                if name not in known and source in self.layout.outer:
                    wired[name] = slots[self.layout.outer[source]]
            only = op.outputs[0] if len(op.outputs) == 1 and not op.impl.spec.multi else None
            self.ops.append((self._call(op, wired), *fetch(op), only, op.outputs, op.guard, op, op.frees))
        self._template = slots
        return slots

    def _call(self, op: OpLayout, wired: Mapping[str, Any]) -> Any:
        spec, target = op.impl.spec, op.impl.target
        if op.follows:
            return self._following(op, wired)
        settings = self.regions.settings(op.node, op.impl, wired)
        ctx = Context(op.id, self.regions.run, self.scope, stream=op.node.stream, reads=spec.reads(settings))
        if spec.body:
            return partial(self._own, op, ctx, settings)
        if spec.is_class:
            instance = target(**settings)
            self.instances[op.id] = instance
            return partial(instance, ctx) if spec.takes_ctx else instance
        if spec.takes_ctx:
            return partial(target, ctx, **settings)
        return partial(target, **settings) if settings else target

    def _following(self, op: OpLayout, wired: Mapping[str, Any]) -> Any:
        """The call of an op with settings that follow the pass; their values stand before its ports."""
        spec, target, regions = op.impl.spec, op.impl.target, self.regions
        ctx = Context(op.id, regions.run, self.scope, stream=op.node.stream, reads=())
        checks = {name: regions.check(op, name) for name, _ in op.follows}
        settings = Following(checks, lambda values: regions.settings(op.node, op.impl, {**wired, **values}))
        count = len(checks)

        def call(*given: Any) -> Any:
            return target(*given[count:], **settings(given))

        def call_with_context(*given: Any) -> Any:
            return target(ctx, *given[count:], **settings(given))

        def call_and_tell_what_is_read(*given: Any) -> Any:
            told = settings(given)
            ctx.reads = spec.reads(told)
            if spec.body:
                return self._own(op, ctx, told, *given[count:])
            return target(*((ctx,) if spec.takes_ctx else ()), *given[count:], **told)

        if spec.body or spec.paths:
            return call_and_tell_what_is_read
        return call_with_context if spec.takes_ctx else call

    def _own(
        self, op: OpLayout, ctx: Context, settings: Mapping[str, Any], values: Mapping[Source, Any], *ports: Any
    ) -> Any:
        body = self.regions.bind(op.id, values, self.scope, self)
        if op.impl.spec.resumes:
            body.earlier, body.carried, body.turns = nested.place(self.regions.plan, self.regions.passes, self, ctx)
        return call_owner(op.impl, ctx, ports, body, settings)

    def open(self, **entry: Any) -> list[Any]:
        """Start a pass: a fresh set of slots with the entry values, and the scope moved on."""
        slots = self.bind().copy()
        for name, value in entry.items():
            slots[self.layout.entries[name]] = value
        index = entry.get("index", entry.get("step", self._passes))
        self._passes, self.entry = self._passes + 1, entry
        scope = self.scope
        scope.path = (*self._path, index) if self._anew else self._path
        scope.turns = (*self._outside.turns, (index, self._anew))
        if "step" in entry:
            scope.step = entry["step"]
        return slots

    def execute(self, slots: list[Any], ops: Iterable[tuple[Any, ...]]) -> None:
        """Run some ops of an open pass, in order.

        Raises:
            GraphError: a node failed; it says which.
        """
        op: tuple[Any, ...] = ()
        for watch in self.scope.watches:
            ops = watch(self, slots, ops)
        try:
            for op in ops:
                call, how, fetch, only, outputs, guard, _, frees = op
                if guard is not None and not guard(slots):
                    for slot in frees:
                        slots[slot] = None
                    continue
                if how == 1:
                    result = call(slots[fetch])
                elif how == 2:
                    result = call(*fetch(slots))
                else:
                    result = call()
                if only is not None:
                    slots[only] = result
                elif outputs:
                    for slot, value in zip(outputs, result, strict=True):
                        slots[slot] = value
                if frees:
                    for slot in frees:
                        slots[slot] = None
        except Cancelled:
            raise
        except (Exception, SystemExit) as error:
            layout = self.layout_of(op)
            raise failed(layout.id, layout.impl, flat_arguments(layout.arguments, slots), error) from error

    def commit(self, id: str, values: Mapping[str, Any]) -> None:
        """Hand a stateful node what it reads when the pass is over.

        Raises:
            GraphError: the node failed.
        """
        op = next(op for op in self.layout.ops if op.id == id)
        try:
            self.instances[id].commit(**values)
        except (Exception, SystemExit) as error:
            raise failed(id, op.impl, [], error) from error

    def draws(self, id: str) -> bool:
        """Whether an op may draw from the global generators, because of itself or of a region around it."""
        return id in self.drawing or (self.around is not None and self.around.draws(self.layout.owner))

    def layout_of(self, op: tuple[Any, ...]) -> OpLayout:
        """What an op was made of; those of a loss group, which free slots at other times, have the same parts."""
        layout: OpLayout = op[6]
        return layout

    def inputs_of(self, layout: OpLayout, slots: list[Any]) -> Iterator[tuple[str, Any]]:
        """What an op is about to read, by port; what its region reads from outside by the port of its source."""
        values = flat_arguments(layout.arguments, slots)
        yield from zip((port.name for port in layout.impl.spec.inputs), values, strict=True)
        yield from (((".".join(source)), slots[slot]) for source, slot in layout.captures)

    def exits(self, slots: list[Any]) -> Any:
        """The exit values of a finished pass as the owner's named tuple."""
        owner = self.regions.plan.node(self.layout.owner)
        assert owner.spec is not None
        impl = self.regions.plan.analysis.registry.impl(owner.type)
        if impl.exit_type is None:
            return None
        values: dict[str, Any] = {}
        for port in owner.spec.exits:
            feeding = self.layout.exits.get(port.name)
            if port.many:
                values[port.name] = tuple(slots[i] for i in feeding or ())
            elif feeding:
                values[port.name] = slots[feeding[0]]
        return impl.exit_type(**values)

    def run(self, **entry: Any) -> Any:
        slots = self.open(**entry)
        self.execute(slots, self.ops)
        return self.exits(slots)


def call_owner(impl: Impl, ctx: Context, ports: Iterable[Any], body: BoundBody, settings: Mapping[str, Any]) -> Any:
    named = dict(zip((port.name for port in impl.spec.inputs), ports, strict=True))
    context = {"ctx": ctx} if impl.spec.takes_ctx else {}
    if impl.spec.is_class:
        return impl.target(**settings)(**context, **named, body=body)
    return impl.target(**context, **named, body=body, **settings)
