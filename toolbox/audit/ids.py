"""Ids that are too many for memory: they are kept in a temporary file, as digests."""

from __future__ import annotations

import sqlite3
from hashlib import blake2b

_WAITING = 1_000
_CACHE_KIB = 16_384


class IdsOnDisk:
    """Ids by kind, in a database that SQLite makes in the folder for temporary files.

    A digest has 16 bytes: that two ids among 10^9 share one happens in fewer than one of 10^20
    audits. What is added is written in the order in which it comes, and sorted once, by SQLite's
    external sort, when the first question is asked.

    Notes
    -----
    A database whose name is empty is private, and removed when it is closed (SQLite, in-memory
    databases, temporary databases).
    """

    def __init__(self) -> None:
        self._database: sqlite3.Connection | None = None
        self._waiting: list[tuple[str, bytes]] = []

    def add(self, kind: str, text: str) -> None:
        """Keep an id."""
        digest = blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
        self._waiting.append((kind, digest))
        if len(self._waiting) >= _WAITING:
            self._write()

    def holds(self, kind: str, text: str) -> bool:
        """Tell whether an id is kept."""
        digest = blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
        asked = "SELECT 1 FROM ids WHERE kind = ? AND id = ?"
        return self._sorted().execute(asked, (kind, digest)).fetchone() is not None

    def in_both(self, one: str, other: str) -> int:
        """Return how many ids are of both kinds."""
        asked = (
            "SELECT count(DISTINCT id) FROM ids AS mine WHERE kind = ? AND EXISTS "
            "(SELECT 1 FROM ids WHERE kind = ? AND id = mine.id)"
        )
        (number,) = self._sorted().execute(asked, (one, other)).fetchone()
        return int(number)

    def _sorted(self) -> sqlite3.Connection:
        database = self._write()
        database.execute("CREATE INDEX IF NOT EXISTS sorted ON ids (kind, id)")
        return database

    def _write(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = sqlite3.connect("", isolation_level=None)
            # Nobody needs it after a crash.
            for setting in ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE"):
                self._database.execute(f"PRAGMA {setting}")
            self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._database.execute("CREATE TABLE ids (kind TEXT, id BLOB)")
        if self._waiting:
            self._database.execute("BEGIN")
            self._database.executemany("INSERT INTO ids VALUES (?, ?)", self._waiting)
            self._database.execute("COMMIT")
            self._waiting.clear()
        return self._database
