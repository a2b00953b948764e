"""What it costs to know what a run would do: keys of a training graph and of a long chain, in a warm process.

python benchmarks/plan.py [--rounds 15]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import hcpgraph

LORA = Path(__file__).resolve().parents[1] / "graphs/train/lora.json"
CHAIN = 3000


def chain() -> hcpgraph.Graph:
    g = hcpgraph.Graph()
    g.add("value.float", "n0", value=1.0)
    for number in range(1, CHAIN):
        g.add("value.math", f"n{number}", operation="add")
        g.connect(f"n{number - 1}.out", f"n{number}.a")
    return g


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as workspace:
        (Path(workspace) / "data" / "cats").mkdir(parents=True)
        settings = {"model": "builtin:emoji", "pictures": "data:cats"}
        cases = {"graphs/train/lora.json": (hcpgraph.load(LORA), settings), f"a chain of {CHAIN}": (chain(), {})}
        for name, (graph, given) in cases.items():
            seconds = []
            for _ in range(rounds + 1):
                started = time.perf_counter()
                hcpgraph.plan(graph, settings=given, workspace=workspace)
                seconds.append(time.perf_counter() - started)
            print(
                f"{name}: median {statistics.median(seconds[1:]) * 1e3:.1f} ms ({min(seconds[1:]) * 1e3:.1f} at best)"
            )


if __name__ == "__main__":
    main()
