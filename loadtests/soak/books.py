"""The books of a soak run: what was sent and what became of it, in a database on disk.

A run of minutes makes some 150,000 events, and each is met on the stream, in the ledger, in `raw/`,
on a queue and in the deduplication table. Here memory does not grow with them: bodies are hashes,
and the judge reads row by row.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

#: In the state directory.
FILE_NAME = "books.sqlite"
#: What a request is found by again everywhere; with a dot and a number, an element of one.
TOKEN = re.compile(rb"soak-\d+-\d+(?:\.\d+)?")


# For each file. A key is found by a search in its tree, which is slow where that is on the disk.
_CACHE_KIB = 48 * 1024


class _Table(NamedTuple):
    key: tuple[str, ...]
    others: tuple[str, ...] = ()
    counts: bool = False  # how often a key was met, in `times`
    looked_up_by: tuple[str, ...] = ()

    def create(self, name: str) -> str:
        columns = ", ".join([*self.key, *self.others, *["times DEFAULT 1"] * self.counts])
        key = ", ".join(self.key)
        return f"CREATE TABLE {name} ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID"

    def insert(self, name: str) -> str:
        columns = (*self.key, *self.others)
        changes = [f"{column} = excluded.{column}" for column in self.others]
        changes += ["times = times + 1"] * self.counts
        then = f"UPDATE SET {', '.join(changes)}" if changes else "NOTHING"
        marks = ", ".join("?" * len(columns))
        into = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - ours
        return f"{into} ON CONFLICT ({', '.join(self.key)}) DO {then}"


# A body is its hash; a place is that of a record on the stream: `<shard>:<sequence number>`. An
# event's id is that of its request, and `#` with its number where a request carries many.
_TABLES = {
    # Answered with 2xx, by the id in the answer; and what may be on the stream or not.
    "accepted": _Table(
        ("id",), ("token", "kind", "body", "events"), counts=True, looked_up_by=("token",)
    ),
    "unanswered": _Table(("token",), counts=True),
    # Given out by an API that is polled, and the jobs that put archived requests on the stream.
    "published": _Table(("token",), ("body",)),
    "jobs": _Table(("job",)),
    # From the stream itself: its user records, by their number in the record; and the events that
    # must come of them. `id` is the envelope's, `whole` with the replay job.
    "stream": _Table(
        ("place", "number"),
        ("id", "whole", "source", "job", "body", "token"),
        looked_up_by=("id",),
    ),
    "expected": _Table(("place", "event", "number"), ("whole", "token"), looked_up_by=("token",)),
    # From `ledger/`; the label is the outcome, and of a rejected event after a colon the reason.
    "ledger": _Table(("id", "place", "label"), ("request", "reason"), counts=True),
    # From `raw/`: where an event is on the stream, and the token in its body.
    "places": _Table(("id", "place")),
    "tokens": _Table(("id",), ("token",), looked_up_by=("token",)),
    # From `rejected/` and `quarantine/`, and from the failure records of the fan-out.
    "kept": _Table(("id",), ("reason", "body")),
    "failed": _Table(("id", "place"), ("body",)),
    # In the deduplication table.
    "remembered": _Table(("id",)),
    # On the queues; without a token where the message has not the one of one event.
    "messages": _Table(("id",), ("token", "request"), looked_up_by=("token", "request")),
    # Keys of the archive that need a ticket, and those that have one.
    "work": _Table(("key",)),
    "tickets": _Table(("key",)),
    # Of records of a call that was cut off, or that reported a failure.
    "retried": _Table(("place",)),
}


def token_in(body: bytes) -> str:
    """Return the first token in a body; empty where there is none."""
    found = TOKEN.search(body)
    return found[0].decode() if found else ""


def token_of_request(token: str) -> str:
    """Return the token of the request that an element belongs to."""
    return token.partition(".")[0]


def digest(body: bytes) -> bytes:
    """Return what stands for a body in the books: its SHA-256."""
    return hashlib.sha256(body).digest()


class Books:
    """The database of one run, or a part of it; a context manager. For the thread that opened it.

    Parameters
    ----------
    file : Path
        A file that is not there yet.
    tables : Iterable[str]
        Those that are kept there; by default all.
    """

    def __init__(self, file: Path, tables: Iterable[str] = tuple(_TABLES)) -> None:
        self._database = sqlite3.connect(file)
        # What a crash would leave is of no use to anybody.
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        for name in tables:
            table = _TABLES[name]
            self._database.execute(table.create(name))
            for column in table.looked_up_by:
                self._database.execute(f"CREATE INDEX {name}_by_{column} ON {name} ({column})")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def attach(self, file: Path) -> None:
        """Have the tables of another file, whose writer has ended, among those of this one."""
        name = file.stem.replace("-", "_")
        self._database.execute(f"ATTACH ? AS {name}", (str(file),))
        self._database.execute(f"PRAGMA {name}.cache_size = -{_CACHE_KIB}")

    def add(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Enter rows of a table; what has the key of an earlier row replaces it."""
        with self._database:
            self._database.executemany(_TABLES[table].insert(table), rows)

    def rows(self, select: str) -> Iterator[tuple[Any, ...]]:
        """Return the rows of a query, one after the other."""
        return iter(self._database.execute(select))

    def number(self, select: str) -> int:
        """Return the one number of a query; 0 for a sum of nothing."""
        return int(self._database.execute(select).fetchone()[0] or 0)

    def change(self, statement: str, values: tuple[Any, ...] = ()) -> None:
        """Carry out a statement."""
        with self._database:
            self._database.execute(statement, values)
