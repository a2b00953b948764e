"""The tables of the queue and the history, and how older ones become those of today."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiosqlite

from ...errors import GraphErrors

VERSION = 2
SCHEMA = """
CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  status TEXT NOT NULL,
  title TEXT NOT NULL,
  graph TEXT,
  graph_hash TEXT NOT NULL,
  targets TEXT NOT NULL,
  force TEXT NOT NULL DEFAULT '[]',
  allow_write TEXT NOT NULL DEFAULT '[]',
  resume INTEGER NOT NULL DEFAULT 0,
  place REAL,
  created REAL NOT NULL,
  started REAL,
  ended REAL,
  reason TEXT,
  artifacts INTEGER NOT NULL DEFAULT 0,
  picture TEXT,
  hidden INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX jobs_by_status ON jobs (status, place);
CREATE INDEX jobs_by_age ON jobs (created);
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
"""`graph` is what was sent, NULL for a run of somewhere else, whose folder has it. `hidden` rows were deleted from the
history; they stay, so that a look at the folder of runs does not bring them back."""


async def upgrade(db: aiosqlite.Connection, path: Path) -> None:
    """Make the tables, or add what an older version did not have.

    Raises:
        GraphErrors: E_DATABASE, they are of a newer version.
    """
    row = await one(db, "PRAGMA user_version")
    version = row[0] if row else 0
    if version > VERSION:
        message = f"'{path}' was written by a newer hcpgraph (version {version} of its tables)"
        raise GraphErrors.one("E_DATABASE", message, hint="update hcpgraph, or use another workspace")
    if version == 0:
        for statement in filter(str.strip, SCHEMA.split(";")):
            await db.execute(statement)
    elif version == 1:
        await db.execute("ALTER TABLE jobs ADD COLUMN allow_write TEXT NOT NULL DEFAULT '[]'")
        await db.execute("ALTER TABLE jobs ADD COLUMN resume INTEGER NOT NULL DEFAULT 0")
    if version < VERSION:
        await db.execute(f"PRAGMA user_version = {VERSION}")


async def one(db: aiosqlite.Connection, query: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
    """The first row of a query, None if there is none."""
    async with db.execute(query, values) as cursor:
        return await cursor.fetchone()


def unusable(path: Path, error: Exception) -> GraphErrors:
    """The error of a database that cannot be opened."""
    if "locked" in str(error):
        message = f"another `hcpgraph serve` uses this workspace ('{path}' is locked)"
        return GraphErrors.one("E_DATABASE", message, hint="use that one, stop it, or give another --workspace")
    message = f"the queue and history in '{path}' cannot be opened: {error}"
    return GraphErrors.one("E_DATABASE", message, hint="move the file away to begin with an empty history")
