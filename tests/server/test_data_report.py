"""POST /api/data-report: the report of `hcpgraph check` from a process of its own, told line by line."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import suppress

import numpy as np
import psutil
import pytest
from PIL import Image
from skimage import data as photographs

from hcpgraph import Graph

from .live import Live, definition
from .serving import until


@pytest.fixture(scope="module")
def live(tmp_path_factory, manifests):
    live = Live(tmp_path_factory.mktemp("report") / "workspace")
    folder = live.workspace / "data" / "photos"
    folder.mkdir(parents=True)
    for name in ("astronaut", "coffee", "rocket"):
        Image.fromarray(np.asarray(getattr(photographs, name)())).resize((96, 64)).save(folder / f"{name}.png")
    yield live
    assert live.close() == 0
    assert "Traceback" not in live.said()


def graph(**settings):
    g = Graph()
    g.add("data.folder", "photos", path="data:photos", captions="filename", **settings)
    g.add("data.ratio_bucket", "buckets", target_area=4096)
    g.add("data.loader", "loader", batch_size=2)
    g.connect("photos.out", "buckets.dataset")
    g.connect("buckets.out", "loader.data")
    return json.loads(g.dump())


def lines(reply):
    assert reply.status == 200 and reply.headers["Content-Type"] == "application/x-ndjson"
    found = [json.loads(line) for line in reply.body.splitlines()]
    for line in found:
        definition("DataReportLine").validate(line)
    return found


def checks(live):
    """The processes that make reports."""

    def words(child):
        with suppress(psutil.NoSuchProcess):  # it ends while it is looked at
            return child.cmdline()
        return []

    return [child for child in psutil.Process(live.process.pid).children(recursive=True) if "check" in words(child)]


@pytest.mark.slow
def test_the_last_line_is_the_report(live):
    told = lines(live.request("POST", "/api/data-report", json_body={"graph": graph(), "lang": "zh-CN", "samples": 2}))
    assert {line["kind"] for line in told[:-1]} <= {"progress"}
    report = told[-1]["report"]
    assert report["ok"] and report["lang"] == "zh-CN"
    (loader,) = report["loaders"]
    assert loader["samples"] == 3 and len(loader["sheet"]) >= 2
    assert loader["sheet"][0]["picture"].startswith("data:image/webp;base64,")
    assert checks(live) == [], "its process has ended"


def test_problems_of_the_data_are_in_the_report(live):
    (line,) = lines(
        live.request("POST", "/api/data-report", json_body={"graph": graph(recursive=False, trigger="x" * 300)})
    )[-1:]
    assert not line["report"]["ok"]
    assert {problem["node"] for problem in line["report"]["problems"]} == {"photos"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"graph": 3}, "E_FORMAT"),
        ({"graph": {}}, None),
        ({"graph": graph(), "lang": "fr"}, "E_FIELD"),
        ({"graph": graph(), "samples": 1000}, "E_FIELD"),
        ({"graph": graph(), "of": 3, "decode": "yes"}, "E_FIELD"),
    ],
)
def test_what_is_no_request_is_refused(live, body, code):
    reply = live.request("POST", "/api/data-report", json_body=body)
    assert reply.status == 422
    assert code is None or code in reply.codes()


def test_a_page_that_hangs_up_ends_the_process(live):
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=60)
    headers = {"Authorization": f"Bearer {live.token}", "Content-Type": "application/json"}
    connection.request("POST", "/api/data-report", json.dumps({"graph": graph()}), headers)
    (process,) = until(lambda: checks(live), len)
    connection.close()
    until(lambda: checks(live), lambda found: process not in found)


@pytest.mark.slow
def test_the_next_report_of_a_graph_ends_the_one_before(live):
    replies = []

    def ask():
        replies.append(live.request("POST", "/api/data-report", json_body={"graph": graph(), "of": "tab"}))

    first = threading.Thread(target=ask)
    first.start()
    until(lambda: checks(live), len)
    second = lines(live.request("POST", "/api/data-report", json_body={"graph": graph(), "of": "tab"}))
    first.join(60)
    assert second[-1]["kind"] == "report"
    (line,) = lines(replies[0])[-1:]
    assert line["kind"] == "failed" and line["problems"][0]["code"] == "E_CHECK"
