"""`SampleStore`: nothing half, nothing damaged, nothing twice, whatever happens to the processes that write it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hcpgraph_nodes.data.batches import store as module
from hcpgraph_nodes.data.batches.store import SampleStore

from hcpgraph.errors import GraphError


def digest(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()


def arrays(number: int, size: int = 300) -> dict[str, np.ndarray]:
    drawn = np.random.default_rng(number)
    return {
        "latents": drawn.standard_normal((3, size // 3)).astype(np.float32),
        "sizes": np.arange(6, dtype=np.int64) + number,
        "condition": drawn.integers(0, 256, (5, 7, 3), np.uint8),
    }


def same(found: dict[str, np.ndarray], number: int, size: int = 300) -> bool:
    expected = arrays(number, size)
    return found.keys() == expected.keys() and all(
        np.array_equal(found[name], array) and found[name].dtype == array.dtype for name, array in expected.items()
    )


def verified(store: SampleStore, keys: list[str]) -> list[str]:
    return store.missing(keys, lambda done, total: None)


@pytest.fixture
def store(tmp_path: Path) -> SampleStore:
    return SampleStore(tmp_path / "samples")


def test_what_was_put_is_read_back_by_every_way(store: SampleStore, tmp_path: Path) -> None:
    keys = [digest(i) for i in range(1200)]
    assert store.missing(keys) == keys and store.get(keys) == {}
    for start in range(0, 1200, 100):
        store.put({keys[i]: arrays(i) for i in range(start, start + 100)})
    other = SampleStore(tmp_path / "samples")
    assert verified(other, [*keys, digest(5000)]) == [digest(5000)]
    items = other.open(keys[::-1])
    assert len(items) == 1200 and all(same(items.read(1199 - i), i) for i in range(1200))
    copied = items.in_memory()
    assert copied.nbytes > 1200 * 300 * 4 > items.nbytes
    assert all(same(copied.read(1199 - i), i) for i in range(1200))
    got = other.get(keys[7:9])
    assert same(got[keys[7]], 7) and same(got[keys[8]], 8)
    with pytest.raises(ValueError):
        items.read(0)["latents"][0] = 1


def test_scalars_empty_arrays_and_big_endian(store: SampleStore) -> None:
    odd = {"a": np.float64(0.5).reshape(()), "b": np.empty((0, 3), np.int16), "c": np.array([1, 2], ">i4")}
    store.put({digest(0): odd})
    found = store.get([digest(0)])[digest(0)]
    assert all(np.array_equal(found[name], array) and found[name].shape == array.shape for name, array in odd.items())


def test_a_damaged_item_counts_as_missing_and_is_made_again(store: SampleStore) -> None:
    keys = [digest(i) for i in range(10)]
    store.put({key: arrays(i) for i, key in enumerate(keys)})
    (pack,) = store.folder.glob("*.pack")
    content = bytearray(pack.read_bytes())
    content[700] ^= 1
    pack.write_bytes(content)
    fresh = SampleStore(store.folder)
    (lost,) = verified(fresh, keys)
    assert verified(fresh, keys) == [lost] == fresh.missing(keys), "the row has gone too"
    fresh.put({lost: arrays(keys.index(lost))})
    assert verified(SampleStore(store.folder), keys) == []
    assert all(same(fresh.open(keys).read(i), i) for i in range(10))


@pytest.mark.parametrize("column", ["pack", "start", "size", "crc", "layout"])
@pytest.mark.parametrize("value", [0, -1, 7, 2**40, 1.5, "x", "", "[]", b"\xff\xfe", b"", None])
def test_a_damaged_entry_of_the_index_counts_as_missing_and_is_made_again(
    store: SampleStore, column: str, value: object
) -> None:
    keys = [digest(i) for i in range(3)]
    store.put({key: arrays(i) for i, key in enumerate(keys)})
    with closing(sqlite3.connect(store.folder / "index.sqlite")) as index, index:
        index.executescript(
            "ALTER TABLE items RENAME TO strict; CREATE TABLE items AS SELECT * FROM strict; DROP TABLE strict;"
        )  # whatever a bad disk leaves, constraints or not
        index.execute(f"UPDATE items SET {column} = ? WHERE key = ?", (value, keys[1]))
        index.execute("CREATE UNIQUE INDEX unique_keys ON items (key)")
    again = SampleStore(store.folder)
    assert verified(again, keys) == [keys[1]] and not again.get([keys[1]])
    again.put({keys[1]: arrays(1)})
    assert verified(again, keys) == [] and all(same(again.open(keys).read(i), i) for i in range(3))


def test_a_layout_that_means_other_arrays_of_the_same_bytes_is_damage(store: SampleStore) -> None:
    store.put({digest(0): arrays(0)})
    with closing(sqlite3.connect(store.folder / "index.sqlite")) as index, index:
        index.execute("UPDATE items SET layout = replace(layout, '[3,100]', '[100,3]')")
    assert verified(SampleStore(store.folder), [digest(0)]) == [digest(0)]


def test_an_index_without_a_table_begins_anew(store: SampleStore) -> None:
    store.put({digest(0): arrays(0)})
    with closing(sqlite3.connect(store.folder / "index.sqlite")) as index, index:
        index.execute("DROP TABLE packs")
    again = SampleStore(store.folder)
    assert verified(again, [digest(0)]) == [digest(0)]
    again.put({digest(0): arrays(0)})
    assert verified(again, [digest(0)]) == []


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder on which nothing can be written: mounted so for root, else by its mode."""
    if os.geteuid():
        folder.chmod(0o555)
        try:
            yield
        finally:
            folder.chmod(0o755)
        return
    for command in (["mount", "--bind", folder, folder], ["mount", "-o", "remount,ro,bind", folder]):
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts of Linux")
def test_a_complete_cache_on_a_read_only_disk_is_read_and_nothing_is_added(store: SampleStore) -> None:
    keys = [digest(i) for i in range(3)]
    store.put({key: arrays(i) for i, key in enumerate(keys)})
    with read_only(store.folder):
        closed = SampleStore(store.folder)
        assert verified(closed, [*keys, digest(9)]) == [digest(9)]
        items = closed.open(keys)
        assert all(same(items.read(i), i) for i in range(3)) and same(closed.get(keys)[keys[2]], 2)
        with pytest.raises(GraphError, match="E_DISK"):
            closed.put({digest(9): arrays(9)})
    assert verified(store, [*keys, digest(9)]) == [digest(9)]


def test_what_a_run_claims_is_free_once_it_has_let_go_or_died(store: SampleStore) -> None:
    keys = [digest(i) for i in range(6)]
    with store.claims() as one, SampleStore(store.folder).claims() as other:
        assert one.take(keys[:4]) == keys[:4] == one.take(keys[:4]) and other.take(keys) == keys[4:]
        one.release(keys[:1])
        assert other.take(keys) == [keys[0], *keys[4:]]
    claim = f"from tests.nodes.test_sample_store import *; claims = SampleStore(Path({str(store.folder)!r})).claims()"
    code = f"{claim}; claims.take([digest(i) for i in range(6)]); print('claimed', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == "claimed\n"
        with store.claims() as living:
            assert living.take(keys) == []
            child.kill()
            child.wait()
            assert living.take(keys) == keys
    assert [path.name for path in store.folder.iterdir() if path.suffix == ".making"] == []


def test_a_pack_that_is_cut_off_or_gone(store: SampleStore) -> None:
    keys = [digest(i) for i in range(10)]
    store.put({key: arrays(i) for i, key in enumerate(keys)})
    (pack,) = store.folder.glob("*.pack")
    content = pack.read_bytes()
    pack.write_bytes(content[: len(content) // 2])
    missing = verified(SampleStore(store.folder), keys)
    assert 0 < len(missing) < 10 and missing == keys[-len(missing) :]
    pack.unlink()
    assert verified(SampleStore(store.folder), keys) == keys
    store.put({keys[0]: arrays(0)})
    assert verified(SampleStore(store.folder), keys) == keys[1:]
    with pytest.raises(GraphError, match="E_CACHE 9 of 10"):
        store.open(keys)


def test_a_damaged_index_begins_anew(store: SampleStore) -> None:
    store.put({digest(0): arrays(0)})
    for name in ("index.sqlite-wal", "index.sqlite-shm"):
        (store.folder / name).unlink(missing_ok=True)
    (store.folder / "index.sqlite").write_bytes(b"no database at all" * 500)
    assert SampleStore(store.folder).missing([digest(0)]) == [digest(0)]
    store.put({digest(0): arrays(0)})
    assert same(SampleStore(store.folder).get([digest(0)])[digest(0)], 0)
    store.trim()
    assert len(list(store.folder.glob("*.pack"))) == 1, "the pack that the lost index knew has gone"


def test_items_that_are_mapped_outlive_their_files(store: SampleStore) -> None:
    if sys.platform == "win32":
        pytest.skip("a mapped file cannot be removed there")
    store.put({digest(0): arrays(0)})
    items = store.open([digest(0)])
    for path in store.folder.iterdir():
        path.unlink()
    assert same(items.read(0), 0)


def test_the_least_recently_used_packs_go(tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    size = 30_000
    for number in range(4):
        one = SampleStore(folder, 10**9)
        one._since -= 1000 - number  # as if it had been made so long ago
        one.put({digest(number): arrays(number, size)})
        with sqlite3.connect(folder / "index.sqlite") as connection:
            connection.execute("UPDATE packs SET used = ? WHERE id = ?", (one._since, number + 1))
    small = SampleStore(folder, 2 * 4 * size + 5000)
    assert same(small.get([digest(0)])[digest(0)], 0, size), "reading makes it the last used"
    small.trim()
    assert small.missing([digest(i) for i in range(4)]) == [digest(1), digest(2)]
    assert len(list(folder.glob("*.pack"))) == 2
    with sqlite3.connect(folder / "index.sqlite") as connection:
        connection.execute("UPDATE packs SET used = 5")
    none = SampleStore(folder, 0)
    none.put({digest(9): arrays(9, size)})
    none.trim()
    assert none.missing([digest(0), digest(3), digest(9)]) == [digest(0), digest(3)], "what this run made stays"


def test_a_writer_goes_on_after_its_pack_was_evicted(tmp_path: Path) -> None:
    slow, other = SampleStore(tmp_path / "s"), SampleStore(tmp_path / "s", 0)
    slow.put({digest(0): arrays(0)})
    with sqlite3.connect(tmp_path / "s/index.sqlite") as connection:
        connection.execute("UPDATE packs SET used = 0")
    other.trim()
    slow.put({digest(1): arrays(1)})
    assert verified(SampleStore(tmp_path / "s"), [digest(0), digest(1)]) == [digest(0)]


def test_packs_are_bounded(store: SampleStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACK_BYTES", 5000)
    for number in range(10):
        store.put({digest(number): arrays(number)})
    packs = list(store.folder.glob("*.pack"))
    assert len(packs) == 4 and all(pack.stat().st_size <= 5000 for pack in packs)
    assert verified(store, [digest(i) for i in range(10)]) == []


def test_the_limit_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HCPGRAPH_SAMPLE_CACHE_GB", "0.5")
    assert module.limit() == 2**29
    for wrong in ("much", "-1", "inf", "nan"):
        monkeypatch.setenv("HCPGRAPH_SAMPLE_CACHE_GB", wrong)
        with pytest.raises(GraphError, match="E_SETTING"):
            module.limit()


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from hcpgraph.errors import GraphError
from hcpgraph_nodes.data.batches.store import SampleStore
from tests.nodes.test_sample_store import arrays, digest, verified
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = SampleStore(Path(sys.argv[1]))
store.put({digest(0): arrays(0)})
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    store.put({digest(1): arrays(1, 90_000)})
except GraphError as error:
    print(error.problem.code)
resource.setrlimit(resource.RLIMIT_FSIZE, (10**9, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
store.put({digest(2): arrays(2)})
print([key == digest(1) for key in verified(store, [digest(0), digest(1), digest(2)])])
"""
ROOT = str(Path(__file__).resolve().parents[2])


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes there")
def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "s"), ROOT],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stdout.splitlines() == ["E_DISK", "[True]"], done.stderr


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from hcpgraph_nodes.data.batches.store import SampleStore
from tests.nodes.test_sample_store import arrays, digest
store = SampleStore(Path(sys.argv[1]))
sys.stdin.readline()
for number in range(120):
    store.put({digest(number): arrays(number)})
    print(number, flush=True)
"""


def writer(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), ROOT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_writers_at_once_and_one_of_them_killed(tmp_path: Path) -> None:
    both = [writer(tmp_path / "s") for _ in range(2)]
    try:
        for one in both:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        assert both[0].stdout is not None and both[1].stdout is not None
        while (line := both[0].stdout.readline()) and int(line) < 30:
            pass
        both[0].kill()
        assert both[1].stdout.read().split()[-1] == "119" and both[1].wait(60) == 0
        both[0].wait(60)
    finally:
        for one in both:
            one.kill()
            one.communicate()
    store = SampleStore(tmp_path / "s")
    keys = [digest(i) for i in range(120)]
    assert verified(store, keys) == []
    items = store.open(keys)
    assert all(same(items.read(i), i) for i in range(120))
