"""Trainings of random make, stopped from outside after a checkpoint and resumed: equal bit for bit to those left alone."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import hcpgraph
from hcpgraph import Graph
from hcpgraph.cli import main

from ..engine.training_graphs import SLOWLY

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")]
STEPS, EVERY = 6, 2
LONGEST = 240
OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("AdamW", {"amsgrad": True}),
    ("RAdam", {}),
    ("NAdam", {"momentum_decay": 0.01}),
    ("Adamax", {}),
    ("Adagrad", {}),
    ("RMSprop", {"momentum": 0.5}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
]
SCHEDULES = ["none", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial"]
CHOICES: dict[str, list[Any]] = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "ema": [False, True],
    "accumulate": [1, 2, 3],
    "dropout": [0.0, 0.25],
    "workers": [0, 1, 2],
    "data sets": [1, 2],
    "encoder": [False, True],
    "word": [False, True],
    "signal": [signal.SIGINT, signal.SIGTERM, signal.SIGKILL],
}
SUITE = (0, 10)
"""All that can be switched on is on in one of the two; the other 27 seeds run in `make slow`."""


def drawn(made: dict[str, Any]) -> Graph:
    """A LoRA on the denoiser, and what else was drawn."""
    g = Graph()
    g.add("model.new", "new", resolution=16, channels=[8, 16], text_width=16, text_layers=1, vocab_size=600)
    g.add("plugin.lora", "lora", layers=[r"re:.*to_[qk]$"], rank=2, dropout=made["dropout"])
    g.connect("new.denoiser", "lora.model")
    params, text = ["lora.params"], "new.text_encoder"
    if made["word"]:
        g.add("word.new", "word", name="zzz", noise=0.5)
        g.connect(text, "word.model")
        params, text = [*params, "word.params"], "word.model"
    if made["encoder"]:
        g.add("plugin.lora", "text_lora", layers=[r"re:.*_proj$"], rank=2, dropout=made["dropout"])
        g.connect(text, "text_lora.model")
        params, text = [*params, "text_lora.params"], "text_lora.model"
    name, args = made["optimizer"]
    g.add("python.object", "kind", path=f"torch.optim:{name}", args=args)
    g.add("optim.custom", "opt", lr=0.01)
    g.connect("kind.out", "opt.kind")
    for source in params:
        g.connect(source, "opt.params")
    optimizer = "opt.out"
    if made["schedule"] != "none":
        g.add("optim.schedule", "schedule", kind=made["schedule"], warmup_steps=2, total_steps=STEPS)
        g.connect(optimizer, "schedule.optimizer")
        optimizer = "schedule.out"
    if made["ema"]:
        g.add("optim.ema", "ema", decay=0.9)
        g.connect(optimizer, "ema.optimizer")
        optimizer = "ema.out"
    g.add(
        "train.loop", "train", steps=STEPS, seed=3, accumulate=made["accumulate"], checkpoint_every=EVERY, log_every=1
    )
    g.connect(optimizer, "train.optimizer")
    for number in range(made["data sets"]):
        branch(g, number, made["workers"], text)
    return g


def branch(g: Graph, number: int, workers: int, text: str) -> None:
    """A data set whose last batch is smaller, and its loss."""

    def id(name: str) -> str:
        return f"{name}{number}"

    emoji = [["panda", "frog", "lion", "fox", "cow"], ["pizza", "banana", "bread"]][number]
    g.add("data.openmoji", id("data"), size=20, include=[f"re:^{each}$" for each in emoji], template="a zzz {name}")
    g.add("data.ratio_bucket", id("bucket"), target_area=256, leftover="partial")
    g.add("data.loader", id("loader"), batch_size=2, flip=0.5, workers=workers, seed=number)
    for type_id, name, settings in [
        ("data.batch", "batch", {}),
        ("data.caption_dropout", "caption", {"probability": 0.2}),
        ("diffusion.encode_image", "latents", {}),
        ("text.encode", "text", {}),
        ("noise.gaussian", "noise", {}),
        ("diffusion.timesteps", "t", {}),
        ("diffusion.add_noise", "noisy", {}),
        ("diffusion.predict", "predict", {}),
        ("diffusion.target", "target", {}),
        ("loss.mse", "mse", {}),
        ("loss.mean", "mean", {}),
    ]:
        g.add(type_id, id(name), inside="train", settings=settings)
    for source, target in [
        (f"{id('data')}.out", f"{id('bucket')}.dataset"),
        (f"{id('bucket')}.out", f"{id('loader')}.data"),
        (f"{id('loader')}.out", f"{id('batch')}.loader"),
        (f"{id('batch')}.captions", f"{id('caption')}.captions"),
        (f"{id('batch')}.images", f"{id('latents')}.images"),
        ("new.vae", f"{id('latents')}.vae"),
        (text, f"{id('text')}.text_encoder"),
        (f"{id('caption')}.out", f"{id('text')}.captions"),
        (f"{id('latents')}.out", f"{id('noise')}.latents"),
        (f"{id('latents')}.out", f"{id('t')}.latents"),
        ("new.schedule", f"{id('t')}.schedule"),
        (f"{id('latents')}.out", f"{id('noisy')}.latents"),
        (f"{id('noise')}.out", f"{id('noisy')}.noise"),
        (f"{id('t')}.out", f"{id('noisy')}.timesteps"),
        ("new.schedule", f"{id('noisy')}.schedule"),
        ("lora.model", f"{id('predict')}.denoiser"),
        (f"{id('noisy')}.out", f"{id('predict')}.noisy"),
        (f"{id('t')}.out", f"{id('predict')}.timesteps"),
        (f"{id('text')}.out", f"{id('predict')}.conditioning"),
        (f"{id('latents')}.out", f"{id('target')}.latents"),
        (f"{id('noise')}.out", f"{id('target')}.noise"),
        (f"{id('t')}.out", f"{id('target')}.timesteps"),
        ("new.schedule", f"{id('target')}.schedule"),
        (f"{id('predict')}.out", f"{id('mse')}.prediction"),
        (f"{id('target')}.out", f"{id('mse')}.target"),
        (f"{id('mse')}.out", f"{id('mean')}.loss"),
        (f"{id('mean')}.out", "train.loss"),
    ]:
        g.connect(source, target)


def checkpoints(workspace: Path) -> list[Path]:
    return sorted((workspace / "cache/train").glob("*/step-*"))


def stop(arguments: list[str], workspace: Path, number: signal.Signals) -> None:
    """Run and stop it once the first checkpoint is there."""
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + LONGEST
    while not checkpoints(workspace):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(number)
    _, told = process.communicate(timeout=LONGEST)
    assert process.returncode not in (0, 1, 2), told


def content(workspace: Path) -> dict[str, bytes]:
    """The last checkpoint: weights, averages, the state of optimizers and schedules, the curve."""
    last = checkpoints(workspace)[-1]
    assert last.name == f"step-{STEPS:08d}"
    return {str(file.relative_to(last.parent.parent)): file.read_bytes() for file in last.rglob("*") if file.is_file()}


@pytest.mark.parametrize("seed", [pytest.param(n, marks=() if n in SUITE else pytest.mark.long) for n in range(29)])
def test_resumed_equals_uninterrupted_bit_for_bit(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    made = {name: draw.choice(options) for name, options in CHOICES.items()}
    print(f"seed {seed}: {made}")
    graph, script = tmp_path / "graph.json", tmp_path / "slowly.py"
    drawn(made).save(graph)
    script.write_text(SLOWLY)
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    stop([sys.executable, str(script), "run", str(graph), "--workspace", str(stopped)], stopped, made["signal"])
    kept = [int(path.name.removeprefix("step-")) for path in checkpoints(stopped)]
    assert kept and 0 < kept[-1] < STEPS
    resumed = CliRunner().invoke(main, ["run", "--resume", "last", "--workspace", str(stopped)])
    assert resumed.exit_code == 0, resumed.stderr
    assert f"going on: checkpoint of step {kept[-1]} of {STEPS}" in resumed.stderr
    alone = hcpgraph.run(graph, workspace=whole)
    assert alone.status == "done", alone.failed
    assert content(stopped) == content(whole), f"seed {seed}: {made}"
