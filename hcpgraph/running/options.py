"""How a graph is run: the record behind the keywords of `hcpgraph.run` and `hcpgraph.plan`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from ..checking.analyse import default_roots
from ..errors import GraphErrors, Problem, did_you_mean
from ..events import Listener
from ..paths import Roots
from ..requests import Requests
from .cache import Cache

OnValue = Callable[[str, Mapping[str, Any]], None]


class Given(TypedDict, total=False):
    """The fields of `Options` as keywords."""

    targets: Iterable[str] | None
    settings: Mapping[str, Any] | None
    seed: int | None
    precision: str | None
    workspace: str | Path | None
    roots: Mapping[str, Path] | None
    packs: Iterable[str | Path]
    allow_write: Iterable[str]
    locked: bool
    device: str
    force: Iterable[str]
    resume: bool
    on_error: str
    cache: Cache | None
    disk_cache: bool
    record: bool
    run_id: str | None
    cancel: threading.Event
    requests: Requests
    on_event: Listener | None
    on_value: OnValue | None


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a graph is run. Of `targets`, `packs`, `allow_write` and `force` one alone is a list of one.

    Attributes:
        targets: Nodes or `node.port`s; by default everything that writes or feeds nothing.
        settings: `node.setting` -> value, over what the graph says.
        seed: Sets every seed of the root graph, and the run's own.
        precision: Of frozen weights and inference: fp32, bf16 or fp16; by default what the graph says.
        workspace: Folder of the named roots; by default `workspace` below the current folder.
        roots: Root name -> folder, over those of the workspace.
        packs: Folders with further nodes.
        allow_write: Roots below which nodes may write besides `out:` (and new weights in `models:`), such as `data`.
        locked: Whether a required file of other content is an error.
        device: `auto`, `cpu`, `cuda`, `cuda:N`, `mps`.
        force: Training loops that start again although a checkpoint fits; `*` means all.
        resume: Whether training loops go on from checkpoints that were made with other code, versions or
            lengths of their curves.
        on_error: `stop`, or `continue` with what does not stand on the failed node.
        cache: Results to share between runs of this process.
        disk_cache: Whether results are read from and kept on disk. Checkpoints of training loops are kept anyway.
        record: Whether runs/<id> is written.
        run_id: Name of the run and of its folder; by default made of the time.
        cancel: Set it from another thread to stop at the next safe place.
        requests: What is asked of a training loop while it runs, from another thread.
        on_event: Called with every event.
        on_value: Called with the id of every node at the top that ran, and its outputs by name.
    """

    targets: Iterable[str] | None = None
    settings: Mapping[str, Any] | None = None
    seed: int | None = None
    precision: str | None = None
    workspace: str | Path | None = None
    roots: Mapping[str, Path] | None = None
    packs: Iterable[str | Path] = ()
    allow_write: Iterable[str] = ()
    locked: bool = False
    device: str = "auto"
    force: Iterable[str] = ()
    resume: bool = False
    on_error: str = "stop"
    cache: Cache | None = None
    disk_cache: bool = True
    record: bool = True
    run_id: str | None = None
    cancel: threading.Event = field(default_factory=threading.Event)
    requests: Requests = field(default_factory=Requests)
    on_event: Listener | None = None
    on_value: OnValue | None = None

    def __post_init__(self) -> None:
        if self.on_error not in ("stop", "continue"):
            raise GraphErrors.one("E_CALL", f"on_error is 'stop' or 'continue', not {self.on_error!r}")
        for name in ("targets", "packs", "allow_write", "force"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, (value,) if isinstance(value, str | Path) else tuple(value))

    def given(self, **more: Unpack[Given]) -> Options:
        """The same with other fields.

        Raises:
            GraphErrors: E_CALL, there is no such field, or a value that none may have.
        """
        known = [one.name for one in fields(self)]
        if wrong := [name for name in more if name not in known]:
            raise GraphErrors(
                Problem("E_CALL", f"a run has no option '{name}'", hint=did_you_mean(name, known, "options"))
                for name in wrong
            )
        return replace(self, **more)

    @property
    def places(self) -> Roots:
        """Where the named roots lie."""
        return default_roots(self.workspace, self.roots, self.allow_write)

    @property
    def forced(self) -> frozenset[str]:
        return frozenset(self.force)
