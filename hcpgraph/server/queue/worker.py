"""The worker: the one process that imports torch and runs jobs, one at a time.

It hears JSON lines on stdin and speaks them on what was its stdout; what nodes print goes to its log. It lives as long
as its stdin is open: when the server ends, in whatever way, the run is stopped, a checkpoint kept, and it ends too.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ...api import run
from ...checking.flatten import flatten
from ...declaring.registry import Registry, default_registry
from ...device import pick_device
from ...document import loads
from ...document.graph import Graph
from ...errors import Failure, Problem
from ...events import Event
from ...paths import Roots
from ...processes.commands import lines
from ...requests import Requests
from ...running.cache import Cache
from ...running.record import Result
from .layers import Outlines, Question
from .previews import Previews

LEAVE_SECONDS = 30.0
"""How long a run may take to stop after the server is gone."""
FLUSH_SECONDS = 0.5
SPENT = ("E_MEMORY", "E_CODE_CHANGED")
"""After such an error only a new worker is of use."""

Message = Mapping[str, Any]


class Voice:
    """Speaks to the server from any thread; who speaks does not wait for the pipe, unless it asks to."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._lines: queue.SimpleQueue[Message | threading.Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="voice", daemon=True)
        self._thread.start()

    def say(self, message: Message) -> None:
        self._lines.put(message)

    def flush(self) -> None:
        """Wait until all that was said is in the pipe, where it outlives this process; not for long, though."""
        done = threading.Event()
        self._lines.put(done)
        done.wait(FLUSH_SECONDS)

    def close(self) -> None:
        """Say everything that was put, then nothing more."""
        self._lines.put(None)
        self._thread.join(LEAVE_SECONDS)

    def _write(self) -> None:
        with suppress(OSError):
            while (message := self._lines.get()) is not None:
                if isinstance(message, threading.Event):
                    self._file.flush()
                    message.set()
                    continue
                self._file.write(json.dumps(message, separators=(",", ":"), default=str).encode() + b"\n")
                if self._lines.empty():
                    self._file.flush()
            self._file.flush()


class Job:
    """The job that runs now, and what other threads may do to it."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.cancel = threading.Event()
        self.requests = Requests()
        self.started: set[str] = set()


class Worker:
    """Runs what it is told.

    Args:
        voice: To the server.
        roots, packs: Of the workspace.
        warm: Whether the nodes are imported while there is nothing to do.
    """

    def __init__(self, voice: Voice, roots: Roots, packs: tuple[Path, ...], warm: bool) -> None:
        self.voice = voice
        self.roots = roots
        self.packs = packs
        self.device = pick_device("auto")
        self.cache = Cache()
        self.outlines = Outlines(roots, packs, self.device, self.cache)
        self._warming = self._imports() if warm else iter(())
        self._work: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._questions: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._jobs: dict[str, Job] = {}
        self._busy = False

    def listen(self, lines: Iterable[bytes]) -> None:
        """Take in what the server says until it says nothing more; runs in a thread."""
        with suppress(ValueError):
            for line in lines:
                self._hear(json.loads(line))
        self.leave()

    def leave(self) -> None:
        """Stop what runs, which keeps a checkpoint, and end."""
        for job in list(self._jobs.values()):
            job.cancel.set()
        if not self._busy and not self._jobs:  # whatever goes on, there is nothing to keep
            self.voice.close()
            os._exit(0)
        self._work.put(None)
        leave = threading.Timer(LEAVE_SECONDS, os._exit, (1,))
        leave.daemon = True
        leave.start()

    def work(self) -> None:
        """Do what was asked for, in order; in between, import what runs will need."""
        while True:
            try:
                message = self._work.get(block=False)
            except queue.Empty:
                message = self._work.get() if next(self._warming, None) is None else {"do": "nothing"}
            if message is None:
                return
            if message["do"] == "run":
                self._busy = True
                self._run(message)
                self._busy = False
            elif message["do"] == "layers":
                self._tell_layers(message, may_run=True)

    def answer(self) -> None:
        """Answer questions about layers beside a running job, where that needs no model; runs in a thread."""
        while True:
            self._tell_layers(self._questions.get(), may_run=False)

    def _hear(self, message: Message) -> None:
        what = message["do"]
        if what == "run":
            self._jobs[message["job"]] = Job(message["job"])
            self._work.put(message)
        elif what == "layers":
            self._questions.put(message)
        elif (job := self._jobs.get(message["job"])) is not None:
            if what == "cancel":
                job.cancel.set()
            elif what == "request":
                job.requests.ask(message["what"])

    def _tell_layers(self, message: Message, *, may_run: bool) -> None:
        question = Question(message["graph"], message["node"], message["setting"], message["patterns"])
        reply, problem = None, None
        try:
            reply = self.outlines.answer(question, may_run=may_run)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            problem = _bug(error)
        if reply is None and problem is None:
            if not self._busy:
                self._work.put(message)
                return
            problem = Problem("E_BUSY", "the model is looked at when the running job has ended")
        told = problem.to_json() if problem else None
        self.voice.say({"type": "answer", "id": message["id"], "reply": reply, "problem": told})

    def _run(self, message: Message) -> None:
        id = message["job"]
        job = self._jobs[id]
        done: dict[str, Any] = {"type": "done", "job": id, "status": "failed", "replace": False, "problem": None}
        try:
            graph = loads(message["graph"])
            registry = default_registry(self.packs)
            result = self._perform(job, graph, registry, message)
            done["status"] = result.status
            spent = any(error.problem.code in SPENT for error in result.failed.values())
            done["replace"] = spent or trained(graph, registry, job.started)
        except Failure as failure:
            first, *rest = [problem for problem in failure.problems if problem.severity == "error"] or failure.problems
            done["problem"] = first.to_json() | ({"hint": _more(first, len(rest))} if rest else {})
        except BaseException as error:
            traceback.print_exc(file=sys.stderr)
            done |= {"problem": _bug(error).to_json(), "replace": True}
        del self._jobs[id]
        self._clean()
        self.voice.say(done)

    def _perform(self, job: Job, graph: Graph, registry: Registry, message: Message) -> Result:
        def tell(event: Event) -> None:
            self.voice.say({"type": "event", "event": event})
            if event["kind"] == "node_started":
                job.started.add(event["node"])
                self.voice.flush()  # whatever the node does to this process, it is known which one it was

        previews = Previews(job.id, registry, self.voice.say)
        try:
            return run(
                graph,
                targets=message["targets"] or None,
                workspace=self.roots.workspace,
                roots=self.roots.overrides,
                allow_write=[*self.roots.writable, *message["allow_write"]],
                packs=self.packs,
                cache=self.cache,
                on_event=tell,
                force=message["force"],
                resume=message["resume"],
                cancel=job.cancel,
                requests=job.requests,
                run_id=job.id,
                on_value=previews,
            )
        finally:
            previews.close()

    def _clean(self) -> None:
        """Give back what the run used and nobody keeps."""
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    def _imports(self) -> Iterator[bool]:
        """Import the nodes of the installed packs, one module at a step; one that is broken is told when it runs."""
        registry = default_registry(self.packs)
        for spec in list(registry.specs.values()):
            with suppress(Exception):
                registry.impl(spec.id)
            yield True


def trained(graph: Graph, registry: Registry, started: set[str]) -> bool:
    """Whether a run changed weights: a node that does so, or the region around it, was begun."""
    flat = flatten(graph, registry)
    changing = (id for id, node in flat.nodes.items() if node.spec is not None and node.spec.mutates)
    return any(started & {id, *flat.chain(id)} for id in changing)


def _more(first: Problem, count: int) -> str:
    other = f"and {count} more {'problem' if count == 1 else 'problems'}"
    return f"{first.hint}; {other}" if first.hint else other


def _bug(error: BaseException) -> Problem:
    message = f"the worker made a mistake: {type(error).__name__}: {str(error).strip()[:500]}"
    return Problem("E_INTERNAL", message, hint="its log in cache:logs says more; please report it")


def main() -> None:
    """Be a worker until stdin is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    voice = Voice(os.fdopen(os.dup(1), "wb", buffering=1 << 20))
    os.dup2(2, 1)  # what nodes print must not end up between the messages
    hears = lines()
    settings = json.loads(next(hears))
    overrides = {name: Path(path) for name, path in settings["roots"].items()}
    packs = tuple(Path(pack) for pack in settings["packs"])
    roots = Roots(Path(settings["workspace"]), overrides).allowing(settings["allow_write"])
    worker = Worker(voice, roots, packs, settings["warm"])
    signal.signal(signal.SIGTERM, lambda *_: worker.leave())
    threading.Thread(target=worker.listen, args=(hears,), name="ears", daemon=True).start()
    default_registry(packs)
    threading.Thread(target=worker.answer, name="layers", daemon=True).start()
    voice.say({"type": "ready", "device": worker.device})
    worker.work()
    voice.close()
    os._exit(0)


if __name__ == "__main__":
    main()
