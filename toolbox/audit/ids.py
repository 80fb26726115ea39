"""Ids that are too many for memory: they are kept in a temporary file, as digests."""

from __future__ import annotations

import sqlite3
from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_WAITING = 1_000
_CACHE_KIB = 16_384
#: It sorts after every text.
_LAST = "\U0010ffff"


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

    def count(
        self, prefix: str, *, also: str | None = None, without: Iterable[str] = ()
    ) -> Counter[str]:
        """Return how many ids there are of the kinds that begin so.

        Parameters
        ----------
        also : str | None
            Only those that are of this kind too.
        without : Iterable[str]
            None that is of one of these kinds.

        Returns
        -------
        Counter[str]
            By what comes after the prefix. An id of several kinds counts once, as the last of them.
        """
        known = "EXISTS (SELECT 1 FROM ids WHERE kind = ? AND id = mine.id)"
        others = tuple(without)
        told = [known] * (also is not None) + [f"NOT {known}"] * len(others)
        where = "".join(f" AND {one}" for one in told)
        asked = (
            "SELECT substr(kind, ?), count(*) FROM (SELECT max(kind) AS kind FROM ids AS mine "  # noqa: S608
            f"WHERE kind >= ? AND kind < ?{where} GROUP BY id) GROUP BY kind"
        )
        bounds = (len(prefix) + 1, prefix, prefix + _LAST)
        values = (*bounds, *([] if also is None else [also]), *others)
        return Counter(dict(self._sorted().execute(asked, values)))

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
