"""Compares the user records of one shard, object by object, in memory for those that overlap."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Sequence number of the outer record, and id of the request: a KPL aggregate is one outer record
#: with many requests, so that a request which is lost of it shows too.
UserRecord = tuple[int, str]

#: Records that are held before those are looked at which no further object can hold. Some 250
#: bytes each.
SETTLE_AT: Final = 50_000


class StreamReader(StrEnum):
    """Who reads the stream, by the name that alarms and metrics have for it."""

    FAN_OUT = "fan-out"
    ARCHIVER = "archiver"


class ShardComparison:
    """Finds the user records of a shard that one reader accounts for and the other does not.

    Objects are taken in the order of their first sequence numbers. A record below that of the
    next object can be in no object to come, whoever wrote it: then it must be with both. A record
    can be in several objects of a reader, when a batch was tried again in other parts.

    Parameters
    ----------
    on_unmatched : Callable[[StreamReader, UserRecord], None]
        Is told of each difference: the reader that lacks it, and the record.
    """

    def __init__(
        self,
        on_unmatched: Callable[[StreamReader, UserRecord], None],
        settle_at: int = SETTLE_AT,
    ) -> None:
        self._on_unmatched = on_unmatched
        self._held: dict[StreamReader, set[UserRecord]] = {one: set() for one in StreamReader}
        self._settle_at = self._due = settle_at
        self.compared = 0

    def add(self, reader: StreamReader, records: Iterable[UserRecord]) -> None:
        """Take what a reader accounts for."""
        self._held[reader].update(records)

    def settle(self, before: int) -> None:
        """Compare the records below a sequence number, once enough are held to be worth it."""
        if self.held < self._due:
            return
        self._compare(
            {
                reader: {record for record in held if record[0] < before}
                for reader, held in self._held.items()
            }
        )
        # Where most of it overlaps, to look again at each object would be quadratic.
        self._due = max(self._settle_at, 2 * self.held)

    def finish(self) -> None:
        """Compare what is left."""
        self._compare({reader: set(held) for reader, held in self._held.items()})

    @property
    def held(self) -> int:
        """How many records are in memory; a record that both have counts twice."""
        return sum(map(len, self._held.values()))

    def _compare(self, settled: dict[StreamReader, set[UserRecord]]) -> None:
        everywhere = set[UserRecord]().union(*settled.values())
        self.compared += len(everywhere)
        for reader, records in settled.items():
            for record in sorted(everywhere - records):
                self._on_unmatched(reader, record)
            self._held[reader] -= records
