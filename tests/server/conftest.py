"""A server with a worker for the tests of jobs, shared by a module."""

import pytest

import hcpgraph.testing
from hcpgraph.declaring.registry import default_registry
from tests.server.serving import PACK, Server


@pytest.fixture(scope="session")
def manifests():
    """Made once and before any server, whose processes would else make them side by side."""
    default_registry([hcpgraph.testing.FOLDER, PACK])


@pytest.fixture(scope="module")
def server(tmp_path_factory, manifests):
    """A server whose worker is ready; it must stop without a complaint."""
    server = Server(tmp_path_factory.mktemp("jobs") / "workspace")
    try:
        server.ready()
        yield server
    finally:
        code = server.close()
    assert (code, server.said()) == (0, "")


@pytest.fixture
def start(tmp_path, manifests):
    """Start servers on one workspace of its own, one after the other."""
    started = []

    def start(**more):
        started.append(Server(tmp_path / "workspace", **more))
        return started[-1]

    yield start
    for one in started:
        one.open("gate")
        one.close()
