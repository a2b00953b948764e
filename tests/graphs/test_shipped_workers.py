"""Training graphs through the real server with the loader workers that they ship with: a thread of the worker listens
to the server meanwhile, and nothing may be left of any process when the server has ended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import hcpgraph
from hcpgraph.declaring.registry import default_registry
from hcpgraph.document.overrides import with_settings
from hcpgraph.document.shipped import names
from tests.server.serving import ENDED, Server, until

from .small import furnish, small

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"
SOON = ("train/controlnet", "data/two_data_sets")


def ahead(graph: hcpgraph.Graph) -> int:
    """The most workers that a loader of a graph has."""
    return max((int(node.settings.get("workers", 0)) for node in graph.nodes.values()), default=0)


NAMES = [name for name, path in names(GRAPHS).items() if ahead(hcpgraph.load(path))]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path, tiny_sdxl_folder: Path) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("shipped")
    furnish(root, tiny_folder, tiny_sdxl_folder)
    default_registry()
    server = Server(root, packs=())
    try:
        yield server
        family = psutil.Process(server.process.pid).children(recursive=True)
    finally:
        code = server.close()
    assert (code, server.said()) == (0, "")
    assert psutil.wait_procs(family, timeout=30)[1] == []
    shutil.rmtree(root)


def test_most_training_graphs_read_ahead() -> None:
    assert len(NAMES) >= 16 and set(SOON) <= set(NAMES)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in SOON else pytest.mark.long) for n in NAMES]
)
def test_a_graph_trains_in_the_server(name: str, server: Server) -> None:
    graph = hcpgraph.load(GRAPHS / f"{name}.json")
    assert ahead(graph) == 2
    settings = small(graph)
    if "preview_condition" in graph.interface.inputs:
        settings |= {"preview_condition": "data:conditions/0.png"}
    changed = with_settings(graph, settings, default_registry())
    id = server.run(json.loads(changed.dump()))
    job = until(lambda: server.job(id), lambda job: job["status"] in ENDED, seconds=600)
    assert job["status"] == "done", job["reason"]
    done = {event["node"] for event in server.events(id) if event["kind"] == "node_done"}
    assert {"train", *(source.partition(".")[0] for source in graph.interface.outputs.values())} <= done
