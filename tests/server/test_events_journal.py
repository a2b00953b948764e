"""The journal of a run: every event once, in order, wherever it is at the moment."""

import asyncio
import json
import random

import pytest

from hcpgraph.events import EventLog, replay
from hcpgraph.server.queue import journal as module
from hcpgraph.server.queue.hub import thinned
from hcpgraph.server.queue.journal import Journal, last_seq, stored


def write(path, events):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for event in events:
            file.write(json.dumps(event) + "\n")


def metric(seq, length=0):
    return {"run": "r", "seq": seq, "t": 1.0, "kind": "metric", "node": "n", "step": seq, "values": {"x" * length: 1.0}}


@pytest.mark.parametrize("since", [0, 1, 2, 499, 500, 9_998, 9_999, 10_000, 20_000])
def test_what_lies_on_the_disk_is_found_from_any_number(tmp_path, since):
    path = tmp_path / "r" / "events.jsonl"
    chance = random.Random(3)
    write(path, (metric(seq, chance.choice((1, 10, 400))) for seq in range(1, 10_001)))
    assert path.stat().st_size > 10 * module.BLOCK
    assert list(stored(path, since)) == list(replay(path, since))


def test_lines_longer_than_a_block_are_found_too(tmp_path):
    path = tmp_path / "r" / "events.jsonl"
    write(path, (metric(seq, 3 * module.BLOCK if seq % 3 == 0 else 5) for seq in range(1, 20)))
    for since in range(20):
        assert [event["seq"] for event in stored(path, since)] == list(range(since + 1, 20))
    assert last_seq(path) == 19


def test_nothing_is_lost_or_twice_between_disk_and_memory(tmp_path):
    """The disk lags behind what is told; readers ask at any time from any number."""
    chance = random.Random(7)
    path = tmp_path / "r" / "events.jsonl"
    journal, buffered, seq = Journal(path), [], 0
    readers = [0] * 5
    seen = [[] for _ in readers]

    async def read(number):
        events = await journal.after(readers[number], chance.choice((1, 100, 2_000)))
        seen[number] += [event["seq"] for event in events]
        readers[number] = seen[number][-1] if seen[number] else 0

    async def live():
        nonlocal seq
        for _ in range(300):
            for _ in range(chance.randrange(150)):
                seq += 1
                journal.append(metric(seq))
                buffered.append(metric(seq))
            if chance.random() < 0.3:
                flushed = chance.randrange(len(buffered) + 1)
                write(path, buffered[:flushed])
                del buffered[:flushed]
            await read(chance.randrange(len(readers)))
        for number in range(len(readers)):
            while readers[number] < seq:
                await read(number)

    asyncio.run(live())
    assert seq > 3 * module.TRIM
    assert len(journal._tail) < 3 * module.TRIM
    assert all(numbers == list(range(1, seq + 1)) for numbers in seen)


def test_a_journal_is_made_whole_after_its_writer_died(tmp_path):
    path = tmp_path / "r" / "events.jsonl"
    write(path, map(metric, range(1, 4)))
    with path.open("a") as file:
        file.write('{"run":"r","seq":4,"t":1.0,"ki')
    journal = Journal(path)
    for seq in range(1, 7):
        journal.append(metric(seq))
    fresh = journal.conclude([{"kind": "run_done", "status": "failed", "seconds": 1.0}])
    assert [(event["seq"], event["kind"]) for event in fresh] == [(7, "run_done")]
    assert [event["seq"] for event in replay(path)] == list(range(1, 8))


def test_events_that_only_the_disk_has_are_told_at_the_end(tmp_path):
    path = tmp_path / "r" / "events.jsonl"
    journal = Journal(path)
    journal.append(metric(1))
    write(path, map(metric, range(1, 4)))
    fresh = journal.conclude([{"kind": "run_done", "status": "failed", "seconds": 1.0}])
    assert [event["seq"] for event in fresh] == [2, 3, 4]
    for event in fresh:
        journal.append(event)
    assert journal.conclude([{"kind": "run_done", "status": "failed", "seconds": 1.0}]) == []
    assert [event["kind"] for event in replay(path)].count("run_done") == 1


def test_a_damaged_line_does_not_hide_the_others(tmp_path):
    path = tmp_path / "r" / "events.jsonl"
    write(path, [metric(1)])
    with path.open("a") as file:
        file.write("\x00\x00 not json\n[1, 2]\n")
    write(path, [metric(2)])
    assert [event["seq"] for event in stored(path)] == [1, 2]


def test_a_batch_keeps_the_last_progress_of_every_node_and_all_else(tmp_path):
    told = []
    log = EventLog("r", None, told.append)
    for step in range(5):
        log.emit("progress", "a", value=step, total=5)
        log.emit("progress", "b", value=step, total=5)
        log.emit("metric", "a", step=step, values={"loss": 1.0})
    kept = thinned(told)
    assert [event for event in kept if event["kind"] == "metric"] == [e for e in told if e["kind"] == "metric"]
    assert [(event["node"], event["value"]) for event in kept if event["kind"] == "progress"] == [("a", 4), ("b", 4)]
    assert [event["seq"] for event in kept] == sorted(event["seq"] for event in kept)
    assert kept[-1] == told[-1]
