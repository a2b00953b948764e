"""The event stream on disk and its replay (DESIGN §7)."""

import json

from hcpgraph.events import KINDS, EventLog, replay


def test_lines_in_order_with_numbers(tmp_path):
    heard = []
    log = EventLog("r1", tmp_path / "deep" / "events.jsonl", heard.append)
    log.emit("run_started", nodes=2)
    log.emit("log", "n", message="grüße\nzwei")
    log.emit("metric", "n", step=1, values={"loss": float("nan")})
    log.emit("run_done", status="done")
    log.close()
    log.close()
    lines = (tmp_path / "deep" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3, 4]
    assert [event["kind"] for event in heard] == ["run_started", "log", "metric", "run_done"]
    assert heard[1]["node"] == "n" and "node" not in heard[0] and {event["run"] for event in heard} == {"r1"}
    assert [event["t"] for event in heard] == sorted(event["t"] for event in heard)
    assert {event["kind"] for event in heard} <= KINDS


def test_urgent_events_are_on_disk_at_once(tmp_path):
    log = EventLog("r", tmp_path / "e.jsonl")
    log.emit("run_started")
    assert len(list(replay(tmp_path / "e.jsonl"))) == 1
    log.close()


def test_replay_since(tmp_path):
    log = EventLog("r", tmp_path / "e.jsonl")
    for number in range(5):
        log.emit("log", message=str(number))
    log.close()
    assert [event["seq"] for event in replay(tmp_path / "e.jsonl")] == [1, 2, 3, 4, 5]
    assert [event["message"] for event in replay(tmp_path / "e.jsonl", since=3)] == ["3", "4"]
    assert list(replay(tmp_path / "e.jsonl", since=5)) == []


def test_a_half_written_last_line_is_left_out_wherever_it_was_cut(tmp_path):
    log = EventLog("r", tmp_path / "e.jsonl")
    log.emit("log", message="ganz")
    log.emit("log", message="größer")
    log.close()
    data = (tmp_path / "e.jsonl").read_bytes()
    first = data.index(b"\n") + 1
    for end in range(first, len(data)):
        (tmp_path / "cut.jsonl").write_bytes(data[:end])
        assert [event["message"] for event in replay(tmp_path / "cut.jsonl")] == ["ganz"]


def test_without_a_file_only_the_listener_hears():
    heard = []
    EventLog("r", listener=heard.append).emit("log", message="x")
    EventLog("r").emit("log", message="nobody")
    assert len(heard) == 1
