"""What the drawn training step costs over the same loop written by hand, on a tiny UNet.

    python benchmarks/step_cost.py [--pairs 150] [--chunk 3] [--control]

Both train the model of tests/graphs/hand_written.py in one process, in turn: a few steps drawn, as many by hand, and so
on, each in its own thread, with one thread of torch and the processor time of that thread, which other programs on the
machine disturb least. Every pair gives one ratio; printed are their median and quartiles, and, for a noisy machine, the
ratio of the undisturbed turns: the tenth percentile of the one over that of the other.
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import torch

import hcpgraph

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.graphs.hand_written import by_hand, drawn


class Turns:
    """Two threads that work in turn; each notes the processor time of its turns."""

    def __init__(self) -> None:
        self._mine = [threading.Semaphore(1), threading.Semaphore(0)]
        self._started = [0.0, 0.0]
        self.seconds: list[list[float]] = [[], []]

    def begin(self, who: int) -> None:
        self._mine[who].acquire()
        self._started[who] = time.thread_time()

    def over(self, who: int) -> None:
        """End a turn, let the other one work, and begin the next."""
        self.seconds[who].append(time.thread_time() - self._started[who])
        self._mine[1 - who].release()
        self.begin(who)


def draw(turns: Turns, who: int, steps: int, chunk: int, workspace: Path) -> None:
    turns.begin(who)

    def listen(event: dict) -> None:
        if event["kind"] == "metric" and event["step"] % chunk == 0:
            turns.over(who)

    graph = drawn(steps, log_every=chunk)
    hcpgraph.run(graph, workspace=workspace, targets=["train"], on_event=listen, record=False)


def write_by_hand(turns: Turns, who: int, steps: int, chunk: int, workspace: Path) -> None:
    turns.begin(who)
    parts = hcpgraph.run(drawn(steps), workspace=workspace, targets=["new", "loader"], record=False).outputs
    modules = [parts[f"new.{name}"].root.module for name in ("denoiser", "vae", "text_encoder")]
    tokenizer, alphas = parts["new.text_encoder"].clips[0].tokens.tokenizer, parts["new.schedule"].alphas_cumprod
    losses = []
    for loss in by_hand(*modules, tokenizer, alphas, parts["loader.out"], steps):
        losses.append(loss)
        if len(losses) == chunk:
            torch.stack(losses).tolist()
            losses.clear()
            turns.over(who)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=150)
    parser.add_argument("--chunk", type=int, default=3)
    parser.add_argument("--control", action="store_true", help="by hand on both sides: what the machine makes of 1.000")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    turns, steps = Turns(), (asked.pairs + 2) * asked.chunk
    with tempfile.TemporaryDirectory() as folder:
        for who, work in enumerate((write_by_hand if asked.control else draw, write_by_hand)):
            arguments = (turns, who, steps, asked.chunk, Path(folder))
            threading.Thread(target=work, args=arguments, daemon=True).start()
        while min(map(len, turns.seconds)) < asked.pairs + 1:
            time.sleep(0.1)
        pairs = list(zip(*(seconds[1 : asked.pairs + 1] for seconds in turns.seconds), strict=True))
    low, middle, high = statistics.quantiles([one / other for one, other in pairs], n=4)
    quick, other = (statistics.quantiles(seconds, n=10)[0] for seconds in zip(*pairs, strict=True))
    print(f"drawn / by hand: median {middle:.3f}, quartiles {low:.3f} … {high:.3f}")
    print(f"ratio of the tenth percentiles {quick / other:.3f}; a drawn step takes {quick / asked.chunk * 1e3:.1f} ms")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
