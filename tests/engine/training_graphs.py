"""The toy training graph that several tests of the loop share."""

from pathlib import Path

from hcpgraph import Graph

PACK = Path(__file__).resolve().parents[1] / "packs" / "torch_pack"

SLOWLY = """
import time
import hcpgraph.running.step
real = hcpgraph.running.step.StepModule.forward
def forward(self, *args, **kwargs):
    time.sleep(0.1)
    return real(self, *args, **kwargs)
hcpgraph.running.step.StepModule.forward = forward
from hcpgraph.cli import main
if __name__ == "__main__":
    main()
"""
"""`hcpgraph` with steps that take long enough to be interrupted between two of them."""


def training(steps=6, *, noises=1, dropout=0.2, drift=False, lr=0.01, second=None, **loop):
    """net.make -> AdamW -> train.loop over batch -> noise -> net vs frozen net, with `after` and `w` behind it."""
    g = Graph()
    g.add("net.make", "made", dropout=dropout)
    g.add("optim.adamw", "adamw", lr=lr)
    g.add("train.loop", "train", steps=steps, seed=5, **loop)
    g.connect("made.params", "adamw.params", many=True)
    g.connect("adamw.out", "train.optimizer", many=True)
    g.add("net.batch", "batch", inside="train")
    rows = "batch.out"
    for index in range(noises):
        g.add("net.noise", f"noise{index}", inside="train")
        g.connect(rows, f"noise{index}.rows")
        rows = f"noise{index}.out"
    if drift:
        g.add("net.state", "drift", inside="train")
        g.connect(rows, "drift.rows")
        rows = "drift.out"
    g.add("net.run", "pred", inside="train")
    g.connect("made.net", "pred.net")
    g.connect(rows, "pred.rows")
    g.add("net.run", "target", inside="train")
    g.connect("made.frozen", "target.net")
    g.connect("batch.out", "target.rows")
    g.add("net.mse", "mse", inside="train")
    g.connect("pred.out", "mse.a")
    g.connect("target.out", "mse.b")
    g.connect("mse.out", "train.loss", many=True)
    if second == "shared":
        g.add("net.mse", "mse2", inside="train", weight=0.5)
        g.connect("pred.out", "mse2.a")
        g.connect("batch.out", "mse2.b")
        g.connect("mse2.out", "train.loss", many=True)
    elif second == "separate":
        g.add("net.run", "pred2", inside="train")
        g.connect("made.net", "pred2.net")
        g.connect("batch.out", "pred2.rows")
        g.add("net.mse", "mse2", inside="train", weight=0.5)
        g.connect("pred2.out", "mse2.a")
        g.connect("target.out", "mse2.b")
        g.connect("mse2.out", "train.loss", many=True)
    g.add("flow.after", "after")
    g.connect("made.net", "after.value")
    g.connect("train.trained", "after.trained")
    g.add("net.weights", "w")
    g.connect("after.out", "w.net")
    return g


def preview(g, every=2, path="out:log.txt"):
    """Log what the net makes of a fixed batch every few steps."""
    g.add("train.every", "every", inside="train", steps=every)
    g.add("net.batch", "fixed", inside="every")
    g.add("net.noise", "shake", inside="every")
    g.connect("fixed.out", "shake.rows")
    g.add("net.run", "look", inside="every")
    g.connect("made.net", "look.net")
    g.connect("shake.out", "look.rows")
    g.add("net.log", "log", inside="every", path=path)
    g.connect("look.out", "log.rows")
    return g
