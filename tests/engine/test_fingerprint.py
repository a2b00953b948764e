"""Hashes of files and folders, remembered until something about the file changes (DESIGN §7)."""

import hashlib
import os
import sqlite3

import pytest

from hcpgraph import fingerprint
from hcpgraph.fingerprint import Fingerprints, files_below


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "folder"
    (place / "sub").mkdir(parents=True)
    (place / "a").write_text("A")
    (place / "sub" / "b").write_text("B")
    (place / ".hidden").write_text("H")
    (place / "broken").symlink_to(place / "nothing")
    return place


@pytest.fixture
def reads(monkeypatch):
    """Paths of files that are really read."""
    seen = []
    real = fingerprint.sha256_file
    monkeypatch.setattr(fingerprint, "sha256_file", lambda path: (seen.append(path.name), real(path))[1])
    return seen


def test_a_file_is_its_sha256(folder):
    assert Fingerprints().of(folder / "a") == hashlib.sha256(b"A").hexdigest()


def test_a_linked_folder_counts_and_one_around_it_is_not_entered(folder, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "c").write_text("C")
    (tmp_path / "far" / "back").symlink_to(folder)
    (folder / "ring").symlink_to(folder)
    (folder / "sub" / "up").symlink_to(folder)
    before = Fingerprints().of(folder)
    (folder / "linked").symlink_to(tmp_path / "far")
    assert [path.relative_to(folder).as_posix() for path in files_below(folder)] == ["a", "linked/c", "sub/b"]
    first = Fingerprints().of(folder)
    (tmp_path / "far" / "c").write_text("other")
    assert len({before, first, Fingerprints().of(folder)}) == 3


def test_a_folder_depends_on_names_and_contents(folder):
    assert [path.name for path in files_below(folder)] == ["a", "b"]
    first = Fingerprints().of(folder)
    (folder / ".hidden").write_text("other")
    assert Fingerprints().of(folder) == first
    for change in (
        lambda: (folder / "a").write_text("X"),
        lambda: (folder / "a").rename(folder / "c"),
        lambda: (folder / "sub" / "b").rename(folder / "b"),
        lambda: (folder / "new").write_text(""),
        lambda: (folder / "new").unlink() or (folder / "b").unlink(),
    ):
        before = Fingerprints().of(folder)
        change()
        assert Fingerprints().of(folder) != before


def test_an_empty_folder_has_a_fingerprint(tmp_path):
    assert len(Fingerprints().of(tmp_path)) == 64


def test_hashes_are_remembered(folder, tmp_path, reads):
    prints = Fingerprints(tmp_path / "db" / "f.sqlite")
    assert prints.of(folder, known_only=True) is None and not (tmp_path / "db").exists()
    first = prints.of(folder)
    assert sorted(reads) == ["a", "b"]
    assert Fingerprints(tmp_path / "db" / "f.sqlite").of(folder, known_only=True) == first and len(reads) == 2


def test_same_size_and_same_time_but_other_content(folder, tmp_path, reads):
    prints = Fingerprints(tmp_path / "f.sqlite")
    first, stat = prints.of(folder / "a"), (folder / "a").stat()
    (folder / "a").write_text("Z")
    os.utime(folder / "a", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert prints.of(folder / "a") != first and reads == ["a", "a"]


def test_without_a_database_everything_is_read(folder, reads):
    prints = Fingerprints()
    prints.of(folder)
    prints.of(folder)
    assert len(reads) == 4 and prints.of(folder, known_only=True) is None


def test_a_damaged_or_locked_database_is_no_obstacle(folder, tmp_path, monkeypatch):
    (tmp_path / "bad.sqlite").write_bytes(b"this is not a database, but long enough to be looked at" * 10)
    assert Fingerprints(tmp_path / "bad.sqlite").of(folder) == Fingerprints().of(folder)
    prints = Fingerprints(tmp_path / "locked.sqlite")
    prints.of(folder / "a")
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout: real(path, timeout=0))
    holder = real(tmp_path / "locked.sqlite")
    holder.execute("BEGIN EXCLUSIVE")
    assert prints.of(folder) == Fingerprints().of(folder)
    holder.close()
