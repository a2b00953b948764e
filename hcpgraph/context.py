"""`Context`: the only thing a node sees of the engine."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import generators
from .errors import LONGEST, Cancelled, GraphError, visible
from .events import EventLog
from .paths import Roots
from .requests import Requests
from .rng import stream_seed

if TYPE_CHECKING:
    import torch

SampleKey = tuple[str, int, int]
Watch = Callable[..., Iterable[tuple[Any, ...]]]
"""What looks at the ops of a pass while they run: it takes the body, its slots and the ops, and gives the ops on."""
PROGRESS_SECONDS = 0.1
ENDING = re.compile(r"\.[A-Za-z]\w*$")
OWN_ROOTS = ("cache:", "runs:")
"""What lies there is the engine's and the nodes' own, named by its content."""


@dataclass
class Scope:
    """Where in the nested regions the run is.

    Attributes:
        seed: Seed of the draws.
        path: Indices of the enclosing regions that draw anew in every pass, outermost first.
        exact: Whether rows without a sample key are drawn with the very seed of their node, as diffusers does; inside
            of a region that draws anew in every pass every number depends on the path as well.
        turns: Index of the pass and whether it draws anew, of every enclosing region, outermost first.
        step: Position of the loop.
        series: Where a training loop collects the numbers that nodes inside of it report: name -> [(step, value)].
        watches: What looks at the ops of a pass while they run.
    """

    seed: int = 0
    path: tuple[int, ...] = ()
    exact: bool = True
    turns: tuple[tuple[int, bool], ...] = ()
    step: int = 0
    series: dict[str, list[tuple[int, float]]] | None = None
    watches: tuple[Watch, ...] = ()


@dataclass
class RunState:
    """What all nodes of one run share; `rank` of `world` processes that train together.

    `not_finite` are nodes that wrote or reported values that are not finite, with what it was the first time.
    `watch_generators` is a testing mode: who moves a global random generator and is not declared random fails.
    """

    id: str = "run"
    roots: Roots = field(default_factory=lambda: Roots(Path.cwd()))
    events: EventLog = field(default_factory=lambda: EventLog("run"))
    device: str = "cpu"
    precision: str = "fp32"
    seed: int = 0
    rank: int = 0
    world: int = 1
    graph_text: Callable[[], str] | None = None
    force: frozenset[str] = frozenset()
    cancel: threading.Event = field(default_factory=threading.Event)
    requests: Requests = field(default_factory=Requests)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    not_finite: dict[str, str] = field(default_factory=dict)
    watch_generators: bool = field(default_factory=generators.watching)

    @property
    def embed(self) -> str | None:
        """The canonical graph text that written pictures and weight files carry."""
        return self.graph_text() if self.graph_text is not None else None


class Context:
    """Handed to a node as `ctx`.

    Attributes:
        node: Id of the node in the flattened graph.
        stream: Name of its random stream.
        key: Its Merkle key (hex), or an empty string inside a region.
        kin: Of a training loop, its key without code, versions and environment.
        reads: Files and folders that its settings name, whose content is in its key; None where that is not known.
        run: What the run shares: `run.roots`, `run.embed` (the canonical graph text to write into files), …
        scope: Position in the enclosing regions.
    """

    __slots__ = ("_progressed", "key", "kin", "node", "reads", "run", "scope", "stream")

    def __init__(
        self,
        node: str,
        run: RunState,
        scope: Scope,
        *,
        stream: str | None = None,
        key: str = "",
        kin: str = "",
        reads: tuple[str, ...] | None = None,
    ) -> None:
        self.node = node
        self.stream = stream or node
        self.key = key
        self.kin = kin
        self.reads = reads
        self.run = run
        self.scope = scope
        self._progressed = 0.0

    @property
    def step(self) -> int:
        """Position of the innermost training loop: number of optimizer steps done so far."""
        return self.scope.step

    @property
    def device(self) -> torch.device:
        import torch

        return torch.device(self.run.device)

    @property
    def dtype(self) -> torch.dtype:
        """Precision in which frozen weights are kept and inference runs."""
        import torch

        return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[self.run.precision]

    def check(self) -> None:
        """Call it in every loop over items.

        Raises:
            Cancelled: the run was asked to stop.
        """
        if self.run.cancel.is_set():
            raise Cancelled

    def progress(self, value: int, total: int, **fields: Any) -> None:
        """Report `value` of `total` items done; thinned out to ten a second."""
        now = time.monotonic()
        if value >= total or now - self._progressed >= PROGRESS_SECONDS:
            self._progressed = now
            self.run.events.emit("progress", self.node, value=value, total=total, **fields)

    def metric(self, step: int, **values: float) -> None:
        """Record numbers of one step, at full rate on disk; inside a training loop they join its curve."""
        if wrong := [name for name, value in values.items() if not math.isfinite(value)]:
            self.not_finite(f"{', '.join(wrong)} of step {step}")
        if self.scope.series is not None:
            for name, value in values.items():
                self.scope.series.setdefault(name, []).append((step, value))
        self.run.events.emit("metric", self.node, step=step, values=values)

    def log(self, message: str, level: str = "info") -> None:
        self.run.events.emit("log", self.node, message=visible(message, LONGEST), level=level)

    def not_finite(self, what: str) -> None:
        """Say that something written or reported has values that are not finite. The run tells it once a node: in its
        log, its record and its summary; whatever is written carries a mark of its own.
        """
        if self.node not in self.run.not_finite:
            self.run.not_finite[self.node] = what
            self.log(f"not finite (infinite or not numbers): {what}", "warning")

    def path(self, uri: str, *, must_exist: bool = True) -> Path:
        """The real path of `root:relative`, which a setting of the node names, or a folder around it, or of a cache.

        Raises:
            GraphError: E_PATH, E_NOT_FOUND; E_READ, no setting names it, so that its content is in no key.
        """
        if self.reads is not None and not uri.startswith(OWN_ROOTS) and not any(_below(uri, at) for at in self.reads):
            raise GraphError(
                "E_READ",
                f"reads '{uri}', which no setting of it names: its kept result would not change with the file",
                hint="declare effects='read' and a setting with a PathPicker or ModelPicker for it",
            )
        return self.run.roots.resolve(uri, must_exist=must_exist)

    @property
    def mark(self) -> str:
        """What stands behind the names of files that are written inside of a training loop, `-000250`; else nothing."""
        return "" if self.scope.series is None else f"-{self.scope.step:06d}"

    def output(self, uri: str, *, overwrite: bool = False, weights: bool = False, marked: bool = False) -> Path:
        """A free path to write to, below `out:` or what the run may write to; report it with `artifact` once it is
        complete. `weights` may also be new files in `models:`; their setting is a `ModelPicker(write=True)`.

        Inside of a training loop the step stands behind the name, unless the file is to be replaced or `marked` says
        that it stands there already.

        Raises:
            GraphError: E_PATH, E_WRITE.
        """
        if not overwrite and not marked:
            uri = _marked(uri, self.mark)
        return self.run.roots.free(uri, overwrite=overwrite, weights=weights)

    def artifact(self, path: Path, kind: str, **fields: Any) -> None:
        """Announce a file that was written: kind is image, weights, table, graph or file.

        Inside a training loop it carries the step, unless `fields` say another.
        """
        if self.scope.series is not None:
            fields.setdefault("step", self.scope.step)
        entry = {"node": self.node, "uri": self.run.roots.uri(path), "type": kind, **fields}
        self.run.artifacts.append(entry)
        self.run.events.emit("artifact", **entry)

    def seed(self, key: Any = None) -> int:
        """Seed of this node's draw for one sample key in this pass of the enclosing regions that draw anew."""
        return stream_seed(self.scope.seed, self.stream, self.scope.path, key)

    def row_seeds(self, seed: int, rows: int = 1, keys: Sequence[SampleKey] | None = None) -> list[int]:
        """Seeds of rows that a seed setting names: `seed + i` for row i, as diffusers does with a list of generators.

        Inside of a region that draws anew in every pass they are hashed from the pass, the seed and the row, or the
        row's sample key, so that two passes differ.

        Args:
            seed: The node's seed setting.
            rows: Number of rows.
            keys: Their sample keys, if they have any.
        """
        if self.scope.exact:
            return [seed + row for row in range(rows)]
        return [self.seed((seed, key)) for key in (range(rows) if keys is None else keys)]

    def generators(self, seed: int, rows: int, keys: Sequence[SampleKey] | None = None) -> list[torch.Generator]:
        """CPU generators of rows that a seed setting names, see `row_seeds`."""
        import torch

        return [torch.Generator("cpu").manual_seed(each) for each in self.row_seeds(seed, rows, keys)]

    def generator(self, key: Any = None) -> torch.Generator:
        """A CPU generator of this node's own stream."""
        import torch

        return torch.Generator("cpu").manual_seed(self.seed(key))

    def normal(self, shape: Sequence[int], keys: Iterable[SampleKey] | None = None) -> torch.Tensor:
        """Standard normal numbers, float32, drawn on the CPU and moved to the device.

        Args:
            shape: Shape of the result; with `keys` its first size is the number of keys.
            keys: One sample key a row: row i depends on key i alone.
        """
        import torch

        if keys is None:
            return torch.randn(tuple(shape), generator=self.generator()).to(self.device)
        rows = [torch.randn(tuple(shape[1:]), generator=self.generator(key)) for key in keys]
        return torch.stack(rows).to(self.device)

    def uniform(self, keys: Iterable[SampleKey]) -> torch.Tensor:
        """One uniform number in [0, 1) a key, float64, on the CPU."""
        import torch

        return torch.stack([torch.rand((), dtype=torch.float64, generator=self.generator(key)) for key in keys])


def _marked(uri: str, mark: str) -> str:
    """A name with a mark in front of its ending."""
    ending = ENDING.search(uri)
    end = ending.start() if ending else len(uri)
    return f"{uri[:end]}{mark}{uri[end:]}"


def _below(uri: str, place: str) -> bool:
    """Whether a path is another one or lies in it."""
    inner = place if place.endswith((":", "/")) else f"{place}/"
    return uri == place or uri.startswith(inner)
