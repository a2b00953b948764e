"""The one atomic write: whole or as before, for files and folders, also where the writer is killed."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import threading
import time
from hashlib import sha256
from pathlib import Path

import pytest

from hcpgraph.atomic import replacing, write_bytes, write_text

ROOT = Path(__file__).parents[2]
ELSEWHERE = {
    "hcpgraph/atomic.py": "the one",
    "hcpgraph/events.py": "a log that grows",
    "hcpgraph/running/codec.py": "files of a folder that `replacing` moves",
    "hcpgraph/server/helpers/datacheck.py": "a file for one other process",
    "hcpgraph/server/helpers/graphs.py": "a graph gets another name",
    "hcpgraph/server/helpers/pool.py": "a pipe",
    "hcpgraph/server/http/uploads.py": "what arrives, and its way into its place once it is whole",
    "hcpgraph/server/queue/journal.py": "a log that grows",
    "hcpgraph/server/queue/process.py": "a log that grows",
    "hcpgraph/server/queue/worker.py": "a pipe",
    "hcpgraph/processes/readers.py": "a pipe",
    "hcpgraph/testing/toys.py": "a toy",
    "nodes/hcpgraph_nodes/data/batches/store.py": "a store with a commit of its own",
    "nodes/hcpgraph_nodes/families/weights.py": "files of a folder that `replacing` moves",
}
"""What writes files or renames them by itself, and why."""
RENAMES = {("os", "replace"), ("os", "rename"), ("shutil", "move")}
WRITES = {"write_text", "write_bytes", "rename"}


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_file_is_written_and_replaced(tmp_path: Path):
    path = tmp_path / "a.txt"
    for text in ("one", "zwei, 二"):
        write_text(path, text)
        assert content(path.parent) == {"a.txt": text}
    write_bytes(path, memoryview(b"three"))
    assert path.read_bytes() == b"three"


def test_a_name_may_be_as_long_as_the_system_lets_it(tmp_path: Path):
    path = tmp_path / ("n" * 255)
    write_text(path, "x")
    assert path.read_text() == "x"


def test_a_writer_that_fails_leaves_what_was_there(tmp_path: Path):
    file, folder = tmp_path / "a", tmp_path / "b"
    write_text(file, "old")
    with replacing(folder) as fresh:
        fresh.mkdir()
        (fresh / "x").write_text("old")
    for path in (file, folder):
        with pytest.raises(ZeroDivisionError), replacing(path) as fresh:
            if path is folder:
                fresh.mkdir()
                (fresh / "x").write_text("half")
            else:
                fresh.write_text("half")
            raise ZeroDivisionError
    assert file.read_text() == "old" and content(folder) == {"x": "old"}
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_a_folder_is_replaced_as_a_whole_or_kept(tmp_path: Path):
    path = tmp_path / "model"
    for name, keep in (("first", False), ("second", False), ("third", True)):
        with replacing(path, keep=keep) as fresh:
            fresh.mkdir()
            (fresh / name).write_text(name)
    assert content(path) == {"second": "second"} and [each.name for each in tmp_path.iterdir()] == ["model"]


def test_a_link_is_written_through_and_a_pipe_is_spoken_to(tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path / "there")
    write_text(tmp_path / "link", "x")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "there").read_text() == "x"
    os.mkfifo(tmp_path / "pipe")
    heard: list[str] = []
    listener = threading.Thread(target=lambda: heard.append((tmp_path / "pipe").read_text()))
    listener.start()
    write_text(tmp_path / "pipe", "hello")
    listener.join(10)
    assert heard == ["hello"] and (tmp_path / "pipe").is_fifo()


WRITER = """
import itertools, sys
from pathlib import Path
from hcpgraph.atomic import replacing, write_text
place = Path(sys.argv[1])
for number in itertools.count():
    write_text(place / "file", f"{number}" * 5000)
    with replacing(place / "folder") as fresh:
        fresh.mkdir()
        for name in "abc":
            (fresh / name).write_text(f"{number}" * 5000)
    print(number, flush=True)
"""


def test_a_killed_writer_leaves_whole_files_and_whole_folders(tmp_path: Path):
    """SIGKILL at some moment; a folder may wait under its other name, whole, and the next writer puts it back."""
    for turn in range(6):
        place = tmp_path / str(turn)
        place.mkdir()
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(place)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None and writer.stdout.readline() == "0\n"
        time.sleep(0.002 * turn)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        assert len(set((place / "file").read_text())) >= 1 and len((place / "file").read_text()) % 5000 == 0
        folder = place / "folder"
        with replacing(folder, keep=True) as fresh:
            assert folder.is_dir()
            fresh.mkdir()
        found = content(folder)
        assert set(found) == set("abc") and len(set(found.values())) == 1


def test_the_folder_that_waits_alone_is_put_back(tmp_path: Path):
    """The moment between the two renames, made by hand."""
    waiting = tmp_path / f".{sha256(b'model').hexdigest()[:16]}.old"
    waiting.mkdir()
    (waiting / "x").write_text("whole")
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "model"):
        raise ZeroDivisionError
    assert content(tmp_path / "model") == {"x": "whole"} and not waiting.exists()


def writing(tree: ast.AST) -> set[str]:
    """What in a source file writes files or renames them."""
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        call = node.func
        if isinstance(call, ast.Attribute):
            owner = call.value.id if isinstance(call.value, ast.Name) else ""
            if (owner, call.attr) in RENAMES or (call.attr in WRITES and owner != "atomic"):
                found.add(call.attr)
        modes = [word.value for word in node.keywords if word.arg == "mode"] + node.args[:2]
        opens = isinstance(call, ast.Name) and call.id == "open"
        opens = opens or (isinstance(call, ast.Attribute) and call.attr in ("open", "fdopen"))
        texts = [mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
        if opens and any(set(text) & set("wxa+") and len(text) <= 3 and set(text) <= set("rwxabt+") for text in texts):
            found.add("open")
    return found


def test_nothing_else_writes_files():
    found = {}
    for base in ("hcpgraph", "nodes"):
        for path in (ROOT / base).rglob("*.py"):
            if uses := writing(ast.parse(path.read_bytes())):
                found[path.relative_to(ROOT).as_posix()] = uses
    assert set(found) == set(ELSEWHERE), {name: uses for name, uses in found.items() if name not in ELSEWHERE}


@pytest.mark.parametrize(
    "line", ["os.replace(a, b)", "path.write_text(x)", "open(path, 'wb')", "path.open('xb')", "open(path, mode='a')"]
)
def test_what_writes_is_seen(line: str):
    assert writing(ast.parse(line))
    assert not writing(ast.parse("path.open('rb'); text.replace('a', 'b'); replace(x, y=1); open(path)"))
