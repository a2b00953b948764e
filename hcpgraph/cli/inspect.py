"""`hcpgraph inspect`: what a graph, a picture or a weight file holds, without running or importing anything of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import GraphErrors, Problem
from .common import FILE, WRONG, Command, json_option, machine, pack_option, report, said

if TYPE_CHECKING:
    from ..document.graph import Graph

SHOWN = 40


@click.command("inspect", cls=Command)
@click.argument("file", type=FILE)
@json_option
@pack_option
@click.pass_context
def command(ctx: click.Context, file: Path, as_json: bool, packs: tuple[Path, ...]) -> None:
    """Show what FILE holds: nodes, what it reads, writes and trains, Python objects; of weights their tensors."""
    from ..document import load
    from .tensors import is_safetensors

    told: dict[str, Any] = {"file": str(file), "kind": "graph"}
    problems: list[Problem] = []
    if file.is_file() and is_safetensors(file):
        told |= {"kind": "weights", **_weights(file)}
    elif file.is_file() and _is_png(file):
        told["kind"] = "picture"
    try:
        told["graph"] = _graph(load(file), packs)
    except GraphErrors as errors:
        problems = errors.problems
        carried = told["kind"] != "graph" and all(problem.code == "E_FILE" for problem in problems)
        if not carried:
            raise
        told["graph"] = None
    if as_json:
        machine(told)
    else:
        _say(told)
        report(Problem(p.code, p.message, hint=p.hint, severity="warning") for p in problems)
    ctx.exit(WRONG if told["kind"] == "picture" and problems else 0)


def _is_png(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(8) == b"\x89PNG\r\n\x1a\n"


def _weights(file: Path) -> dict[str, Any]:
    from .tensors import read_header

    header = read_header(file)
    return {
        "metadata": {name: value for name, value in header.metadata.items() if name != "hcpgraph"},
        "numbers": header.numbers(),
        "dtypes": header.dtypes(),
        "tensors": [{"name": name, "dtype": dtype, "shape": shape} for name, dtype, shape in header.tensors],
    }


def _graph(graph: Graph, packs: tuple[Path, ...]) -> dict[str, Any]:
    from .. import trust
    from ..checking.analyse import analyse, default_roots
    from ..checking.touches import touches
    from ..declaring.registry import default_registry

    places = default_roots()
    checked = analyse(graph, default_registry(packs), places)
    named = touches(checked.flat, checked.settings, places)
    return {
        "title": graph.meta.title,
        "description": graph.meta.description,
        "content_hash": graph.content_hash(),
        "nodes": dict(sorted(Counter(node.type for node in checked.flat.nodes.values()).items())),
        "subgraphs": sorted(graph.graphs),
        "inputs": dict(graph.interface.inputs),
        "outputs": dict(graph.interface.outputs),
        "reads": [{"node": item.node, "setting": item.setting, "path": item.value} for item in named.reads],
        "writes": [{"node": item.node, "setting": item.setting, "path": item.value} for item in named.writes],
        "unknown": [
            {"node": item.node, "setting": item.setting, "kind": item.kind, "source": ".".join(item.source)}
            for item in named.unknown
        ],
        "trains": {id: sorted(groups) for id, groups in checked.weights.trains.items()},
        "python_objects": [
            {"node": item.node, "path": item.value, "trusted": trust.check(item.value) is None}
            for item in named.objects
        ],
        "packs": dict(graph.requires.packs),
        "files": {uri: record.sha256 for uri, record in graph.requires.files.items()},
        "problems": [problem.to_json() for problem in checked.problems],
    }


def _say(told: dict[str, Any]) -> None:
    said(f"{told['file']}: {told['kind']}", bold=True)
    if told["kind"] == "weights":
        _list("metadata", [f"{name}: {value[:200]}" for name, value in told["metadata"].items()])
        dtypes = ", ".join(f"{number} {dtype}" for dtype, number in told["dtypes"].items())
        said(f"tensors: {len(told['tensors'])} ({dtypes}), {told['numbers']:,} numbers")
        _list("", [f"{item['name']}  {item['dtype']} {item['shape']}" for item in told["tensors"]])
    graph = told["graph"]
    if graph is None:
        return
    said(f"graph: {graph['title'] or 'without a title'}")
    if graph["description"]:
        said(f"    {graph['description']}")
    _list("nodes", [f"{number} x {kind}" for kind, number in graph["nodes"].items()])
    _list("subgraphs", graph["subgraphs"])
    _list("inputs", [f"{name} -> {', '.join(targets)}" for name, targets in graph["inputs"].items()])
    _list("outputs", [f"{name} <- {source}" for name, source in graph["outputs"].items()])
    _list("reads", [f"{item['path']} ({item['node']}.{item['setting']})" for item in graph["reads"]])
    _list("writes", [f"{item['path']} ({item['node']}.{item['setting']})" for item in graph["writes"]])
    _list(
        "known only in the run",
        [f"{item['node']}.{item['setting']} ({item['kind']}) <- {item['source']}" for item in graph["unknown"]],
    )
    _list("trains", [f"{id}: the weights of {', '.join(groups)}" for id, groups in graph["trains"].items()])
    trusted = {True: "trusted", False: "NOT trusted, will not be imported"}
    _list(
        "Python objects",
        [f"{item['path']} ({item['node']}): {trusted[item['trusted']]}" for item in graph["python_objects"]],
    )
    _list("required packs", [f"{name} {version}" for name, version in graph["packs"].items()])
    _list("required files", [f"{uri} sha256 {digest[:12]}…" for uri, digest in graph["files"].items()])
    errors = sum(problem.get("severity", "error") == "error" for problem in graph["problems"])
    if errors:
        said(f"it has {errors} problems here; see: hcpgraph validate", fg="yellow")


def _list(title: str, lines: list[str]) -> None:
    if lines and title:
        said(f"{title}:")
    for line in lines[:SHOWN]:
        said(f"    {line}")
    if len(lines) > SHOWN:
        said(f"    … and {len(lines) - SHOWN} more (--json shows all)")
