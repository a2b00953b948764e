"""A notebook: jupyter's kernel reads with workers, is interrupted, starts anew, and leaves nothing behind; its stop
button ends a training well.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.manager import KernelManager

from ..engine.training_graphs import PACK, training

MAKE = """
from tests.nodes.ramps import Ramp
from hcpgraph_nodes.data.bucketing.bucketed import Bucket, Bucketed
from hcpgraph_nodes.data.sources.dataset import Dataset, Sample
from hcpgraph_nodes.data.loader import Loader
from hcpgraph_nodes.data.transforms.transform import Transform

def made(*transforms):
    samples = tuple(Sample(Ramp((20, 20), i), "", str(i), transforms=transforms) for i in range(6))
    return Loader(Bucketed(Dataset("r", samples), (Bucket(20, 20, tuple(range(6))),), "random", "pad_repeat"), 2, workers=2)

loader = made()
print(len(loader.batch(0).images.data), "read")
"""
FOR_EVER = """
print("reading", flush=True)
step = 0
while True:
    step += 1
    loader.batch(step)
"""
OWN_CLASS = """
class Mine(Transform):
    pass

made(Mine()).get_ready()
"""


TRAIN = """
import sys
import hcpgraph
import hcpgraph.running.step as step

real = step.StepModule.forward
def slowly(self, *args, **kwargs):
    import time
    print("step", flush=True)
    time.sleep(0.2)
    return real(self, *args, **kwargs)
step.StepModule.forward = slowly
done = hcpgraph.run("graph.json", packs=[PACK], workspace="ws")
print("status", done.status, len(done.failed))
"""


class Notebook:
    """A kernel, and cells that it runs."""

    def __init__(self, folder: Path) -> None:
        self.manager = KernelManager()
        self.manager.start_kernel(cwd=str(folder))
        self.client: Any = None
        self.connect()

    def connect(self) -> None:
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str, *, until: str | None = None) -> str:
        """What a cell prints, with its error; up to some text, or to its end."""
        asked = self.client.execute(code)
        return self.hear(asked, until)

    def hear(self, asked: str, until: str | None = None) -> str:
        heard = ""
        while until is None or until not in heard:
            message = self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != asked:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                heard += content["text"]
            elif message["msg_type"] == "error":
                heard += f"{content['ename']}: {content['evalue']}"
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return heard
        self.asked = asked
        return heard

    def readers(self) -> list[psutil.Process]:
        """The processes below the kernel."""
        return psutil.Process(self.manager.provisioner.pid).children(recursive=True)


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    made = Notebook(tmp_path)
    yield made
    made.client.stop_channels()
    made.manager.shutdown_kernel(now=True)


def ended(processes: list[psutil.Process]) -> bool:
    return psutil.wait_procs(processes, timeout=60)[1] == []


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="no signals to a group here")
def test_a_notebook_reads_with_workers(notebook: Notebook) -> None:
    assert notebook.run(MAKE) == "2 read\n"
    readers = notebook.readers()
    assert len(readers) >= 4
    assert "reading" in notebook.run(FOR_EVER, until="reading")
    notebook.manager.interrupt_kernel()
    assert "KeyboardInterrupt" in notebook.hear(notebook.asked)
    assert notebook.run("print(len(loader.batch(3).images.data))") == "2\n", "what was interrupted can be read again"

    refused = notebook.run(OWN_CLASS)
    assert "E_PICKLE '__main__.Mine' cannot go to another process" in refused and "script or notebook itself" in refused

    readers = notebook.readers()
    assert len(readers) >= 4
    notebook.client.stop_channels()
    notebook.manager.restart_kernel(now=True)
    assert ended(readers)
    notebook.connect()
    assert notebook.run(MAKE) == "2 read\n"
    readers = notebook.readers()
    os.kill(notebook.manager.provisioner.pid, signal.SIGKILL)
    assert ended(readers)


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="no signals to a group here")
def test_the_stop_button_of_a_notebook_keeps_a_checkpoint(notebook: Notebook, tmp_path: Path) -> None:
    training(60, drift=True).save(tmp_path / "graph.json")
    assert "step" in notebook.run(TRAIN.replace("PACK", repr(str(PACK))), until="step")
    notebook.manager.interrupt_kernel()
    assert notebook.hear(notebook.asked).endswith("status cancelled 0\n")
    assert list((tmp_path / "ws/cache/train").rglob("step-*"))
