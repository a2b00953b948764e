"""The report of a graph as JSON data; its shape is `DataReport` of `hcpgraph schema`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any

from hcpgraph.errors import Cancelled, GraphError, Problem
from hcpgraph.paths import Roots

from .find import Chain, Found, ancestors, data_sources, find
from .options import Options, Progress
from .pruned import Pruned
from .words import Texts

if TYPE_CHECKING:
    from hcpgraph.checking.analyse import Analysis
    from hcpgraph.data_report import DataNote, DataReport


def report(
    analysis: Analysis,
    roots: Roots,
    options: Options,
    *,
    problems: Sequence[Problem] = (),
    progress: Progress = lambda node, value, total: None,
    cancel: Event | None = None,
) -> DataReport:
    """Read the data of a graph and say what a run would train on.

    Loaders are reported as far as they can be: what is wrong elsewhere in the graph, or with another loader, is told
    as a problem beside them.

    Args:
        analysis: The graph, checked; it may have errors.
        roots: Where `root:relative` paths lie.
        options: What is wanted.
        problems: What is told besides the problems of the graph.
        progress: Called with a node, how much is done and how much there is.
        cancel: Set it from another thread to end this.

    Raises:
        Cancelled: `cancel` was set.
    """
    stop = cancel or Event()
    told = [*analysis.problems, *problems]
    notes: list[DataNote] = []

    def hear(event: dict[str, Any]) -> None:
        if event["kind"] == "log":
            notes.append({"node": event["node"], "level": event["level"], "message": event["message"]})
        elif event["kind"] == "node_started":
            progress(event["node"], 0, 0)
        elif event["kind"] == "progress":
            progress(event["node"], event["value"], event["total"])

    def step(node: str, value: int, total: int) -> None:
        if stop.is_set():
            raise Cancelled
        progress(node, value, total)

    whole = _sound(analysis, find(analysis))
    if not whole and not any(problem.severity == "error" for problem in told):
        hint = "add data.loader between buckets and the training loop"
        told.append(Problem("W_NO_LOADER", "the graph has no loader", hint=hint, severity="warning"))
    loaders = []
    if whole:
        pruned = Pruned(analysis, whole, roots)
        told += pruned.problems
        more = [source for one in pruned.found for source in data_sources(analysis, one.bucketed[0])]
        ran = pruned.read(hear, stop, more)
        told += [_named(node, error) for node, error in ran.failed.items()]
        from .loader import loader_report

        texts = Texts(options.language)
        for one in pruned.found:
            if (one.node, "out") not in ran.values:
                continue
            try:
                made, wrong = loader_report(analysis, pruned, ran, one, roots, options, texts, step)
            except GraphError as error:
                told.append(_named(one.node, error))
                continue
            loaders.append(made)
            told += wrong
    unique = list(dict.fromkeys(told))
    unique.sort(key=lambda problem: problem.severity != "error")
    return {
        "ok": not any(problem.severity == "error" for problem in unique),
        "lang": options.language,
        "title": analysis.graph.meta.title,
        "problems": [problem.to_json() for problem in unique],  # type: ignore[misc]
        "notes": notes,
        "loaders": loaders,
    }


def _named(node: str, error: GraphError) -> Problem:
    return replace(error.problem, node=error.problem.node or node)


def _sound(analysis: Analysis, every: list[Found]) -> list[Found]:
    """The loaders whose data can be read although something else may be wrong with the graph."""
    broken = {problem.node for problem in analysis.errors}
    ordered = {id for id, _ in analysis.order.sorted}
    found = []
    for one in every:
        above = ancestors(
            analysis, [one.node if analysis.flat.nodes[one.node].type == "data.loader" else one.bucketed[0]]
        )
        if above & broken or one.node in broken or not above <= ordered:
            continue
        loops = tuple(loop for loop in one.loops if loop not in broken)
        chains = tuple(_checked(chain, broken) for chain in one.chains if chain.loop in loops)
        found.append(replace(one, loops=loops, chains=chains))
    return found


def _checked(chain: Chain, broken: set[str | None]) -> Chain:
    wrong = sorted(id for id in chain.nodes if id in broken)
    return replace(chain, reason=f"'{wrong[0]}' is wrong") if wrong else chain
