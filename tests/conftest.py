"""Fixtures of all tests."""

import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hcpgraph.testing
from hcpgraph.generators import VARIABLE


def pytest_configure(config: pytest.Config) -> None:
    """Manifests are made once a session, in a folder that parallel workers share; who moves a generator fails.

    Ctrl-C means what it means in a terminal, also to what tests start, where a shell in the background ignores it.
    torch computes with one thread, also in what tests start: tests that run side by side do not fight for cores.
    Variables that our nodes or torch set when they are first used stand from the beginning.
    """
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NO_ALBUMENTATIONS_UPDATE": "1"}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        os.environ["HCPGRAPH_CACHE"] = tempfile.mkdtemp(prefix="hcpgraph-tests-")
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.environ["HCPGRAPH_CACHE"]
        os.environ[VARIABLE] = "1"


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ["HCPGRAPH_CACHE"], ignore_errors=True)


def process_state() -> dict[str, Any]:
    """What all tests of a process share."""
    found: dict[str, Any] = {f"${name}": value for name, value in os.environ.items()}
    for changed_by_others in ("$PYTEST_CURRENT_TEST", "$LD_LIBRARY_PATH"):  # pytest at every test, cv2 when imported
        found.pop(changed_by_others, None)
    found |= {"the working folder": os.getcwd(), "sys.path": list(sys.path)}
    found |= {number.name: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    if torch := sys.modules.get("torch"):
        found |= {
            "torch's threads": torch.get_num_threads(),
            "torch's default dtype": torch.get_default_dtype(),
            "torch's gradients": torch.is_grad_enabled(),
            "torch's deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        }
    return found


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    """A test leaves the process as it found it: who changes it for others fails; global generators are put back."""
    before, torch = process_state(), sys.modules.get("torch")
    generators = random.getstate(), np.random.get_state(), torch and torch.get_rng_state()
    yield
    random.setstate(generators[0])
    np.random.set_state(generators[1])
    if torch is not None:
        torch.set_rng_state(generators[2])
    after = process_state()
    names = [name for name in before | after if torch is not None or not name.startswith("torch's")]
    changed = {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}
    assert changed == {}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty workspace."""
    return tmp_path / "workspace"


@pytest.fixture(scope="session")
def toys() -> list[Path]:
    """The packs argument for the toy nodes."""
    return [hcpgraph.testing.FOLDER]
