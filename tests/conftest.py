"""Fixtures of all tests."""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

import hcpgraph.testing
from hcpgraph.generators import VARIABLE


def pytest_configure(config: pytest.Config) -> None:
    """Manifests are made once a session, in a folder that parallel workers share; who moves a generator fails.

    Ctrl-C means what it means in a terminal, also to what tests start, where a shell in the background ignores it.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        os.environ["HCPGRAPH_CACHE"] = tempfile.mkdtemp(prefix="hcpgraph-tests-")
        os.environ[VARIABLE] = "1"


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ["HCPGRAPH_CACHE"], ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Tests that run side by side do not fight for cores."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty workspace."""
    return tmp_path / "workspace"


@pytest.fixture(scope="session")
def toys() -> list[Path]:
    """The packs argument for the toy nodes."""
    return [hcpgraph.testing.FOLDER]
