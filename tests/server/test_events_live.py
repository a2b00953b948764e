"""Events of a real run as pages get them: in order, once, whenever they come and however often they leave."""

import asyncio
import json

from hcpgraph.events import replay
from hcpgraph.server.queue.progress import Curves, Fold
from tests.server.serving import graph


def on_disk(server, id):
    return list(replay(server.workspace / "runs" / id / "events.jsonl"))


def without_old_progress(events):
    return [event for event in events if event["kind"] != "progress"]


def test_a_run_is_told_in_order_and_replayed_from_any_number(server):
    id = server.run(graph(n=("toy.number", {"value": 2}), c=("lively.count", {"steps": 300})))
    assert server.wait(id)["status"] == "done"
    events = server.events(id)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["kind"], events[-1]["kind"]) == ("run_started", "run_done")
    assert events == on_disk(server, id)
    kinds = [event["kind"] for event in events if event.get("node") == "c" and event["kind"].startswith("node_")]
    assert kinds == ["node_started", "node_done"]
    for since in (1, 150, len(events) - 1, len(events), 10**9):
        assert server.events(id, since) == events[since:]


def test_pages_that_come_and_go_miss_nothing_and_get_nothing_twice(server):
    """Three pages follow one run; two of them lose their connection again and again and go on where they were."""
    id = server.run(graph(c=("lively.count", {"steps": 4_000, "pause": 2_000, "gate": "comings"})))

    async def steady():
        async with server.page() as page:
            await page.follow(id)
            await page.until(lambda page: page.ended(id))
        return page.events(id)

    async def restless(size):
        events = []
        while not any(event["kind"] == "run_done" for event in events):
            async with server.page() as page:
                await page.follow(id, events[-1]["seq"] if events else 0)
                await page.until(lambda page: len(page.events(id)) >= size or page.ended(id))
            events += page.events(id)
            if len(events) > 1_000:
                server.open("comings")
        return events

    async def all_of_them():
        return await asyncio.gather(steady(), restless(1), restless(700))

    told = asyncio.run(all_of_them())
    whole = on_disk(server, id)
    assert sum(event["kind"] == "metric" for event in whole) == 4_000
    for events in told:
        assert without_old_progress(events) == without_old_progress(whole)
        assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})


def test_a_snapshot_is_what_all_events_say_in_mid_run_and_after_it(server):
    id = server.run(graph(c=("lively.count", {"steps": 3_000, "pause": 1_500, "gate": "snapshot"})))
    server.wait_for_event(id, lambda event: event["kind"] == "metric" and event["step"] == 1_500)

    def check():
        snapshot, series = server.get(f"/api/jobs/{id}", "Snapshot"), server.get(f"/api/jobs/{id}/series", "Series")
        events = server.events(id)
        assert snapshot["seq"] == series["seq"] == events[-1]["seq"]
        fold, curves = Fold(), Curves()
        for event in events:
            fold.take(event)
            curves.take(event)
        del snapshot["job"], snapshot["pictures"]
        assert snapshot == json.loads(json.dumps(fold.to_json()))
        assert series == json.loads(json.dumps(curves.to_json()))
        return snapshot, series

    snapshot, _ = check()
    assert snapshot["nodes"]["c"]["state"] == "running"
    server.open("snapshot")
    server.wait(id)
    snapshot, series = check()
    assert snapshot["nodes"]["c"]["state"] == "done"
    assert snapshot["log"][-1]["message"] == "counted to 3000"
    square = series["series"]["c"]["square"]
    assert len(square) <= 2_000
    assert (square[0], square[-1]) == ([1, 0.0], [3_000, 2_999.0**2])
    table = server.request("GET", f"/api/jobs/{id}/series.csv")
    assert table.headers["Content-Disposition"] == f'attachment; filename="{id}.csv"'
    assert table.body.decode().count("\r\n") == 1 + 2 * 3_000


def test_a_page_is_greeted_and_told_of_every_change(server):
    async def steps():
        async with server.page() as page:
            await page.until(lambda page: {"hello", "worker", "queue", "meter"} <= {m["type"] for m in page.messages})
            assert page.messages[0]["type"] == "hello"
            id = await asyncio.to_thread(server.run, graph(p=("lively.paint", {"seed": 7})))
            await page.follow(id)
            await page.until(lambda page: page.ended(id) and page.frames)

            def statuses(page):
                return [
                    job["status"] for m in page.messages if m["type"] == "queue" for job in m["jobs"] if job["id"] == id
                ]

            await page.until(lambda page: "done" in statuses(page))
            states = [m["worker"]["state"] for m in page.messages if m["type"] == "worker"]
            assert "busy" in states
            (job,) = [m["job"] for m in page.messages if m["type"] == "job"][-1:]
            assert (job["id"], job["artifacts"], job["picture"]) == (id, 1, "out:paint.png")
            meter = next(m["meter"] for m in page.messages if m["type"] == "meter")
            assert 0 < meter["worker_memory"] < meter["memory_total"]
            return id, page.frames

    id, frames = asyncio.run(steps())
    frame = frames[-1]
    assert (frame["job"], frame["node"], frame["port"], frame["step"]) == (id, "p", "out", None)
    assert (frame["format"], frame["width"], frame["height"]) == ("image/webp", 256, 64)
    assert frame["data"][:4] == b"RIFF"

    async def later():
        async with server.page() as page:
            await page.follow(id)
            await page.until(lambda page: page.frames)
        return page.frames

    assert asyncio.run(later()) == [frame], "a page that comes later sees the picture too"


def test_pages_that_say_nonsense_are_not_answered_and_stay(server):
    async def steps():
        async with server.page() as page:
            for text in ("", "{", "[]", "null", '{"type": "follow"}', '{"type": "follow", "job": 1, "since": 0}',
                         '{"type": "follow", "job": "../../x", "since": 0}', '{"type": "follow", "job": "x", "since": "y"}',
                         '{"type": "unfollow", "job": []}', "[" * 5_000):  # fmt: skip
                await page.socket.send_str(text)
            for number in range(100):
                await page.follow(f"nobody-{number}")
            id = await asyncio.to_thread(server.run, graph(n=("toy.number", {})))
            for number in range(100):
                await page.say(type="unfollow", job=f"nobody-{number}")
            await page.follow(id)
            await page.until(lambda page: page.ended(id))
            assert {m["job"] for m in page.messages if m["type"] == "events"} == {id}

    asyncio.run(steps())
