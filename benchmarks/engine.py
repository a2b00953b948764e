"""What the engine itself costs: a chain of trivial nodes through `hcpgraph.run`, and dispatch inside a region.

    python benchmarks/engine.py [--nodes 1000] [--rounds 7]

Prints the median of the rounds, each with validation, plan and events to disk: cold (nothing cached), cached (the same
cache object), and the time a node takes inside of a region, without and with a setting that follows the passes. Every
round runs in this process, after one warm-up.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import hcpgraph
from hcpgraph.testing import FOLDER


def chain(nodes: int) -> hcpgraph.Graph:
    graph = hcpgraph.Graph()
    graph.add("toy.number", "start", value=1.0)
    source = "start.out"
    for index in range(nodes - 1):
        graph.add("toy.add", f"a{index}", plus=float(index))
        graph.connect(source, f"a{index}.a", many=False)
        source = f"a{index}.out"
    return graph


def loop(nodes: int, times: int, *, follows: bool = False) -> hcpgraph.Graph:
    """A chain inside of a region; its first node reads the state, so that nothing is hoisted.

    Args:
        follows: Whether a setting of each comes over a wire, in every pass.
    """
    graph = hcpgraph.Graph()
    graph.add("toy.number", "start")
    graph.add("toy.repeat", "loop", times=times)
    graph.connect("start.out", "loop.state")
    source = "loop.state"
    for index in range(nodes):
        graph.add("toy.add", f"a{index}", inside="loop")
        graph.connect(source, f"a{index}.a", many=False)
        if follows:
            graph.connect("loop.index", f"a{index}.plus")
        source = f"a{index}.out"
    graph.connect(source, "loop.next")
    return graph


def seconds(graph: hcpgraph.Graph, workspace: Path, cache: hcpgraph.Cache | None = None) -> float:
    started = time.perf_counter()
    result = hcpgraph.run(graph, packs=[FOLDER], workspace=workspace, cache=cache)
    assert result.status == "done"
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace, graph = Path(folder), chain(asked.nodes)
        seconds(graph, workspace)
        cold = [seconds(graph, workspace) for _ in range(asked.rounds)]
        cache = hcpgraph.Cache()
        seconds(graph, workspace, cache)
        cached = [seconds(graph, workspace, cache) for _ in range(asked.rounds)]
        inner, passes = 50, 20_000
        bare = [seconds(loop(inner, 1), workspace) for _ in range(asked.rounds)]
        full = [seconds(loop(inner, passes), workspace) for _ in range(asked.rounds)]
        once = [seconds(loop(inner, 1, follows=True), workspace) for _ in range(asked.rounds)]
        often = [seconds(loop(inner, passes, follows=True), workspace) for _ in range(asked.rounds)]
    following = (statistics.median(often) - statistics.median(once)) / (inner * (passes - 1))
    each = (statistics.median(full) - statistics.median(bare)) / (inner * (passes - 1))
    function = hcpgraph.default_registry([FOLDER]).impl("toy.add").target
    started = time.perf_counter()
    for _ in range(100_000):
        function(1.0, 0.0, plus=0.0)
    alone = (time.perf_counter() - started) / 100_000
    for name, rounds, bound in (("cold", cold, 0.15), ("cached", cached, 0.06)):
        middle, allowed = statistics.median(rounds), bound * asked.nodes / 1000
        print(f"chain of {asked.nodes}, {name}: {middle:.3f} s, {middle / allowed:.2f} of the bound")
    dispatch = (each - alone) * 1e6
    print(f"dispatch of a node in a region: {dispatch:.2f} µs, {dispatch / 2:.2f} of the bound")
    more = (following - each) * 1e6
    print(f"a setting of it that follows the passes: {more:.2f} µs more, {more / 5:.2f} of the bound")


if __name__ == "__main__":
    main()
