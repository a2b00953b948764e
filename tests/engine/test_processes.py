"""Processes: started by one package, apart from the terminal, and never longer there than who started them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from hcpgraph.processes import commands

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / "hcpgraph/processes"
SOURCES = [path for top in ("hcpgraph", "nodes") for path in sorted((ROOT / top).rglob("*.py"))]
MODULES = ("subprocess", "multiprocessing", "pty", "concurrent.futures.process", "torch.multiprocessing", "joblib")
OF_OS = ("fork", "forkpty", "system", "popen", "startfile", "spawn", "posix_spawn", "exec")
OTHERS = ("create_subprocess_", "subprocess_exec", "subprocess_shell", "ProcessPoolExecutor")


def starts_processes(source: str) -> list[str]:
    """Names in a source by which it could start a process."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            names = []
        found += [name for name in names if any(name == one or name.startswith(f"{one}.") for one in MODULES)]
        for name in (*names, ast.unparse(node) if isinstance(node, ast.Attribute) else ""):
            if name.startswith(tuple(f"os.{one}" for one in OF_OS)) or name.rpartition(".")[2].startswith(OTHERS):
                found.append(name)
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "DataLoader":
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if given.get("multiprocessing_context") != "self._readers" or "generator" not in given:
                found.append("DataLoader")
    return found


def buffered_stdin(source: str) -> list[str]:
    """Reads of stdin that hold a lock, on which a forked child would wait for ever."""
    names = [ast.unparse(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)]
    return [name for name in names if name.startswith("sys.stdin.")]


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess",
        "from subprocess import run",
        "import multiprocessing.pool",
        "from concurrent.futures import ProcessPoolExecutor",
        "from torch import multiprocessing",
        "import os\nos.fork()",
        "from os import system",
        "import asyncio\nasyncio.create_subprocess_exec('true')",
        "from torch.utils.data import DataLoader\nDataLoader([], num_workers=2)",
    ],
)
def test_a_start_of_a_process_is_seen(source: str) -> None:
    assert starts_processes(source)


def test_one_package_starts_all_processes() -> None:
    found = {str(path.relative_to(ROOT)): starts_processes(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert len(found) > 300
    assert {path: names for path, names in found.items() if names and not (ROOT / path).is_relative_to(OWN)} == {}


def test_nobody_reads_stdin_with_a_lock() -> None:
    assert buffered_stdin("import sys\nsys.stdin.buffer.read()") == ["sys.stdin.buffer.read", "sys.stdin.buffer"]
    found = {str(path.relative_to(ROOT)): buffered_stdin(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {path: names for path, names in found.items() if names} == {}


def test_lines_that_come_in_pieces() -> None:
    inward, outward = os.pipe()
    long = b"x" * 300_000

    def write() -> None:
        for part in (b"a\nb", b"", b"c\n\n", long, b"\n", b"never whole"):
            os.write(outward, part)
        os.close(outward)

    writer = threading.Thread(target=write)
    writer.start()
    assert list(commands.lines(inward)) == [b"a", b"bc", b"", long]
    writer.join()
    os.close(inward)


def test_a_command_is_run_apart_and_its_folder_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('imported what lies around')")
    monkeypatch.chdir(tmp_path)
    done = commands.run("-c", "import json, os, sys; print(os.getsid(0)); sys.stderr.write('said'); sys.exit(3)")
    assert (done.code, done.said) == (3, b"said") and int(done.out) != os.getsid(0)


PARENT = """
import sys
from hcpgraph.processes import commands
commands.run("-c", "from hcpgraph.processes.commands import end_with_stdin; import os, sys, time; end_with_stdin();"
    "sys.stderr.close(); open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(300)", sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "interrupt"])
def test_a_command_ends_with_its_parent(how: str, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(told)], stderr=subprocess.DEVNULL)
    while not (told.exists() and told.read_text()):
        assert parent.poll() is None
        time.sleep(0.02)
    child = psutil.Process(int(told.read_text()))
    parent.kill() if how == "kill" else parent.send_signal(2)
    parent.wait(30)
    child.wait(30)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not hold to it here")
def test_memory_has_a_limit() -> None:
    code = (
        "from hcpgraph.processes.commands import limit_memory; limit_memory(1 << 30)\n"
        "try: bytearray(2 << 30)\nexcept MemoryError: print('refused')"
    )
    done = commands.run("-c", code)
    assert done.out.split() == [b"refused"]
