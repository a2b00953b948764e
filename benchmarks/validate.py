"""Wall time of `hcpgraph validate` as a whole process, with a warm manifest and the bytecode that Python keeps.

python benchmarks/validate.py [GRAPH] [--rounds 11]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BOUND = 0.4
QUICKSTART = Path(__file__).resolve().parents[1] / "graphs/quickstart/train_lora.json"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("graph", nargs="?", default=str(QUICKSTART))
    parser.add_argument("--rounds", type=int, default=11)
    asked = parser.parse_args()
    command = [sys.executable, "-m", "hcpgraph.cli", "validate", asked.graph]
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        kept["PYTHONPYCACHEPREFIX"] = folder
        for _ in range(asked.rounds + 1):
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=kept)
            seconds.append(time.perf_counter() - started)
    seconds = seconds[1:]
    middle = statistics.median(seconds)
    print(f"median {middle:.3f} s ({min(seconds):.3f} … {max(seconds):.3f}), {middle / BOUND:.2f} of the bound")


if __name__ == "__main__":
    main()
