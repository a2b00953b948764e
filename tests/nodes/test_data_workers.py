"""Reading ahead in processes of their own: what goes there, what comes back when that fails, and what is left alone."""

from __future__ import annotations

import gc
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from hcpgraph_nodes.data.bucketing.bucketed import Bucket, Bucketed
from hcpgraph_nodes.data.loader import Loader, loader
from hcpgraph_nodes.data.sources.dataset import Dataset, Sample
from hcpgraph_nodes.data.transforms.transform import Transform, Views

import hcpgraph
from hcpgraph import GraphError
from hcpgraph.testing import context

from .ramps import Ramp

PACK = Path(__file__).resolve().parents[1] / "packs/loader_pack"


def bucketed(*transforms: Transform) -> Bucketed:
    samples = tuple(Sample(Ramp((20, 20), i), "", str(i), transforms=transforms) for i in range(6))
    return Bucketed(Dataset("ramps", samples), (Bucket(20, 20, tuple(range(6))),), "random", "pad_repeat")


def painted(**settings: Any) -> hcpgraph.Graph:
    """Pictures, and a transform, of a pack folder."""
    g = hcpgraph.Graph()
    g.add("loader_pack.paint", "paint", **settings)
    g.add("data.fixed_bucket", "buckets", width=16, height=16)
    g.add("data.loader", "loader", batch_size=3, workers=2)
    g.connect("paint.out", "buckets.dataset")
    g.connect("buckets.out", "loader.data")
    return g


@pytest.mark.parametrize("workers", [0, 2])
def test_no_global_generator_is_asked(workers: int, tmp_path: Path) -> None:
    before = (torch.get_rng_state(), np.random.get_state()[1], random.getstate())
    made = loader(context(tmp_path), bucketed(), batch_size=2, workers=workers)
    for step in (0, 1, 7, 0):
        made.batch(step)
    made.close()
    made.batch(3)
    made.close()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1]) and random.getstate() == before[2]


class Dying(Transform):
    """Ends the process that reads it."""

    def apply(self, views: Views, draw: int) -> Views:
        os.kill(os.getpid(), signal.SIGKILL)
        return views


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL here")
def test_a_worker_that_dies_is_an_error_with_a_name() -> None:
    made = Loader(bucketed(Dying()), 2, workers=1)
    with pytest.raises(GraphError, match=r"E_WORKER .*was killed by signal 9 \(SIGKILL\)"):
        made.batch(0)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["closed", "forgotten", "forgotten in a cycle"])
def test_workers_end_with_their_loader(how: str) -> None:
    gc.collect()
    made = Loader(bucketed(), 2, workers=2)
    made.batch(0)
    loading = made.get_ready()._loader
    workers = list(made.get_ready()._readers._started)
    assert len(workers) == 2 and all(worker.is_alive() for worker in workers) and loading is not None
    ended = loading._iterator._workers_done_event
    del loading
    if how == "closed":
        made.close()
        assert len(made.batch(1).images.data) == 2
        made.close()
    elif how == "forgotten":
        del made
    else:
        made.itself = made  # type: ignore[attr-defined]
        del made
        gc.collect()
    assert ended.is_set()
    assert [worker.exitcode for worker in workers] == [0, 0], "they were asked to end, not killed after waiting in vain"


@pytest.mark.slow
def test_pictures_and_transforms_of_a_pack_folder(tmp_path: Path) -> None:
    result = hcpgraph.run(painted(), targets=["loader.out"], workspace=tmp_path, packs=[PACK])
    assert result.status == "done", result.failed
    made = result.outputs["loader.out"]
    for step in range(3):
        got = made.batch(step)
        levels = [20 * int(text.split()[1]) for text in got.captions.texts]
        assert [round(float(picture.mean()) * 255) for picture in got.images.data] == levels
    made.close()


def test_what_no_other_process_can_have_is_named(tmp_path: Path) -> None:
    result = hcpgraph.run(painted(locked=True), targets=["loader.out"], workspace=tmp_path, packs=[PACK])
    problem = result.failed["loader"].problem
    assert (problem.code, problem.node) == ("E_PICKLE", "loader")
    assert "a '_thread.lock' cannot go to another process" in problem.message
    assert "_painted.Locked' as data.dataset.samples[" in problem.message
    assert "].transforms[1].lock" in problem.message and "workers to 0" in str(problem.hint)


def test_a_class_that_readers_cannot_import_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    ghost = ModuleType("ghost")
    monkeypatch.setitem(sys.modules, "ghost", ghost)
    ghost.Ghost = type("Ghost", (Transform,), {"__module__": "ghost"})  # type: ignore[attr-defined]
    made = Loader(bucketed(ghost.Ghost()), 2, workers=1)
    with pytest.raises(GraphError, match=r"E_PICKLE .*ModuleNotFoundError: No module named 'ghost'"):
        made.batch(0)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no forkserver here")
def test_a_forkserver_that_was_killed_is_started_again() -> None:
    from hcpgraph.processes.readers import _server

    made, pids = Loader(bucketed(), 2, workers=1), []
    for _ in range(2):
        assert len(made.batch(0).images.data) == 2
        made.close()
        pids.append(_server._forkserver_pid)
        os.kill(pids[-1], signal.SIGKILL)
        while psutil.Process(pids[-1]).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        made._last = None
    assert pids[0] != pids[1]


def test_a_function_without_a_name_is_named_by_its_place() -> None:
    with pytest.raises(GraphError, match=r"E_PICKLE .*<lambda>' cannot go .*held by .*Bucketed' as data\.fit"):
        Loader(replace(bucketed(), fit=lambda: "cover"), 2, workers=1).get_ready()  # type: ignore[arg-type]


SCRIPT = """
import sys
from dataclasses import dataclass
from pathlib import Path
from hcpgraph import GraphError
from hcpgraph.testing import context
from hcpgraph_nodes.data.bucketing.bucketed import Bucket, Bucketed
from hcpgraph_nodes.data.sources.dataset import Dataset, Sample
from hcpgraph_nodes.data.loader import Loader
from hcpgraph_nodes.data.transforms.transform import Transform
from tests.nodes.ramps import Ramp

class Mine(Transform):
    pass

def made(*transforms):
    samples = tuple(Sample(Ramp((20, 20), i), "", str(i), transforms=transforms) for i in range(6))
    return Loader(Bucketed(Dataset("r", samples), (Bucket(20, 20, tuple(range(6))),), "random", "pad_repeat"), 2, workers=2)

print("script", flush=True)
loader = made()
print([float(loader.batch(step).images.data.mean()) for step in range(4)], flush=True)
try:
    made(Mine()).batch(0)
except GraphError as error:
    print(error, flush=True)
"""


@pytest.mark.slow
def test_a_script_without_a_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    (tmp_path / "torch.py").write_text("print('what lies around is not imported')")
    command = [sys.executable, "-P", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    first, means, refused, hint = done.stdout.splitlines()
    alone = Loader(bucketed(), 2)
    assert (first, means) == ("script", str([float(alone.batch(step).images.data.mean()) for step in range(4)]))
    assert refused.startswith("E_PICKLE '__main__.Mine' cannot go to another process")
    assert "defined in the script or notebook itself" in refused and ".py file of a pack" in hint
    assert done.stderr == ""
