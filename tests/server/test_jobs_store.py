"""The queue and the history on the disk."""

import asyncio
import random
import sqlite3

import pytest

from hcpgraph.errors import GraphErrors, Problem
from hcpgraph.server.queue.database import Jobs


def scenario(tmp_path, steps):
    """Run a coroutine over a store, which is closed afterwards."""

    async def whole():
        jobs = Jobs(tmp_path / "server" / "jobs.sqlite")
        await jobs.start()
        try:
            return await steps(jobs)
        finally:
            await jobs.stop()

    return asyncio.run(whole())


async def order(jobs):
    return [job.title for job in await jobs.find(("queued",))]


async def add(jobs, *titles, **more):
    return [(await jobs.add("{}", "h", title=title, **more)).id for title in titles]


def code(error):
    return error.value.problems[0].code


def test_the_queue_has_an_order_that_can_be_changed(tmp_path):
    async def steps(jobs):
        a, b, c = await add(jobs, "a", "b", "c")
        await add(jobs, "first", front=True)
        assert await order(jobs) == ["first", "a", "b", "c"]
        assert [job.position for job in await jobs.find(("queued",))] == [1, 2, 3, 4]
        await jobs.move(c, a)
        assert await order(jobs) == ["first", "c", "a", "b"]
        await jobs.move(a, None)
        assert await order(jobs) == ["first", "c", "b", "a"]
        await jobs.move(b, b)
        assert await order(jobs) == ["first", "c", "b", "a"]
        work = await jobs.claim()
        await jobs.move(a, work.job.id)
        assert await order(jobs) == ["a", "c", "b"]
        with pytest.raises(GraphErrors) as error:
            await jobs.move(work.job.id, None)
        assert code(error) == "E_CONFLICT"
        with pytest.raises(GraphErrors) as error:
            await jobs.move(a, "nobody")
        assert code(error) == "E_NOT_FOUND"

    scenario(tmp_path, steps)


def test_any_moves_agree_with_a_list(tmp_path):
    async def steps(jobs):
        chance = random.Random(11)
        model, ids = [], {}
        for number in range(120):
            kind = chance.choice(("add", "front", "move", "claim", "cancel"))
            if kind in ("add", "front"):
                title = str(number)
                ids[title] = (await add(jobs, title, front=kind == "front"))[0]
                model.insert(0 if kind == "front" else len(model), title)
            elif kind == "claim":
                work = await jobs.claim()
                assert (work.job.title if work else None) == (model.pop(0) if model else None)
            elif model:
                title = chance.choice(model)
                if kind == "cancel":
                    assert await jobs.cancel_queued(ids[title])
                    model.remove(title)
                    continue
                before = chance.choice([None, *model])
                await jobs.move(ids[title], before and ids[before])
                if before != title:
                    model.remove(title)
                    model.insert(len(model) if before is None else model.index(before), title)
            assert await order(jobs) == model

    scenario(tmp_path, steps)


def test_a_job_is_claimed_once_and_ends_once(tmp_path):
    async def steps(jobs):
        (a,) = await add(jobs, "a", targets=["x"], force=["train"])
        claims = await asyncio.gather(*(jobs.claim() for _ in range(5)))
        (work,) = [found for found in claims if found]
        assert (work.job.status, work.targets, work.force, work.graph) == ("running", ["x"], ["train"], "{}")
        ends = await asyncio.gather(*(jobs.finish(a, status) for status in ("done", "failed", "cancelled")))
        assert ends.count(True) == 1
        assert (await jobs.get(a)).status == ("done", "failed", "cancelled")[ends.index(True)]
        assert not await jobs.cancel_queued(a)

    scenario(tmp_path, steps)


def test_a_claim_can_be_undone(tmp_path):
    async def steps(jobs):
        a, _ = await add(jobs, "a", "b")
        await jobs.claim()
        await jobs.put_back(a)
        assert await order(jobs) == ["a", "b"]
        job = await jobs.get(a)
        assert (job.status, job.started) == ("queued", None)

    scenario(tmp_path, steps)


def test_all_is_there_again_after_a_restart(tmp_path):
    async def fill(jobs):
        a, b, c, d = await add(jobs, "a", "b", "c", "d")
        await jobs.claim()
        await jobs.finish(a, "failed", Problem("E_RUN", "no", hint="yes"))
        await jobs.claim()
        await jobs.note(b, 3, "out:p.png")
        await jobs.move(d, c)
        await jobs.remember("worker", {"pid": 1})

    async def look(jobs):
        assert await order(jobs) == ["d", "c"]
        assert [work.job.title for work in await jobs.running()] == ["b"]
        (ended,) = await jobs.find(("failed",))
        assert ended.reason == {"code": "E_RUN", "message": "no", "hint": "yes", "severity": "error"}
        assert (await jobs.find(("running",)))[0].artifacts == 3
        assert await jobs.remembered("worker") == {"pid": 1}

    scenario(tmp_path, fill)
    scenario(tmp_path, look)


def test_history_is_newest_first_behind_what_is_open_and_comes_in_pages(tmp_path):
    async def steps(jobs):
        await add(jobs, *"abcdef")
        for status in ("done", "failed", "cancelled"):
            work = await jobs.claim()
            await jobs.finish(work.job.id, status)
        await jobs.claim()
        assert [job.title for job in await jobs.find()] == ["d", "e", "f", "c", "b", "a"]
        ended = await jobs.find(("done", "failed", "cancelled"), limit=2)
        rest = await jobs.find(("done", "failed", "cancelled"), limit=2, before=ended[-1].created)
        assert [job.title for job in (*ended, *rest)] == ["c", "b", "a"]

    scenario(tmp_path, steps)


def test_only_what_has_ended_is_forgotten_and_it_does_not_come_back(tmp_path):
    async def steps(jobs):
        a, b = await add(jobs, "a", "b")
        for id in (a, b):
            with pytest.raises(GraphErrors) as error:
                await jobs.forget(id)
            assert code(error) == "E_CONFLICT"
        await jobs.cancel_queued(a)
        await jobs.forget(a)
        with pytest.raises(GraphErrors) as error:
            await jobs.get(a)
        assert code(error) == "E_NOT_FOUND"
        assert a in await jobs.known()
        assert [job.id for job in await jobs.find()] == [b]

    scenario(tmp_path, steps)


@pytest.mark.slow
def test_two_servers_do_not_share_a_queue(tmp_path):
    async def steps(jobs):
        with pytest.raises(GraphErrors) as error:
            await Jobs(jobs.path).start()
        assert code(error) == "E_DATABASE"
        assert "another `hcpgraph serve`" in str(error.value)
        await add(jobs, "a")

    scenario(tmp_path, steps)


@pytest.mark.parametrize("damage", ["newer", "text"])
def test_a_file_that_cannot_be_used_is_said_so_and_left_alone(tmp_path, damage):
    path = tmp_path / "server" / "jobs.sqlite"
    path.parent.mkdir()
    if damage == "newer":
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
    else:
        path.write_text("not a database, " * 100)
    before = path.read_bytes()
    with pytest.raises(GraphErrors) as error:
        asyncio.run(Jobs(path).start())
    assert code(error) == "E_DATABASE"
    assert path.read_bytes()[100:] == before[100:]
