"""The account of a batch: what was read from the stream, by identity, and what became of it.

It is made of the invocation's records before any step sees them, and by other means than the steps:
it counts the user records of an aggregate by its bytes. So a step that loses an event, or makes two
of one, cannot balance its own account.
"""

from __future__ import annotations

import binascii
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pybase64

from pipeline.errors import PipelineError
from pipeline.event.events import Record
from pipeline.stream.kpl import MOST_USER_RECORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.event.events import Event, Outcome

#: The first five characters of an aggregate in base64, and those that can be the sixth: four magic
#: bytes end within it.
_AGGREGATE, _SIXTH = "84maw", frozenset("ghijklmnopqrstuv")
_MAGIC_BYTES, _DIGEST_BYTES = 4, 16
#: Field 3 of the aggregate's message, a length before its bytes: a user record.
_USER_RECORD = 0x1A
_VARINT, _LENGTH, _FIXED, _LONGEST_VARINT = 0, 2, {1: 8, 5: 4}, 10
_NAMED = 5


class UnaccountedError(PipelineError):
    """An event of a batch has no outcome, or an outcome has no event: nothing is acknowledged."""


@dataclass(frozen=True, slots=True)
class _Aggregate:
    records: int
    size: int


class BatchAccount:
    """What a batch holds, and whether it is all there in the end.

    Parameters
    ----------
    records : Sequence[Mapping[str, Any]]
        `Records` of the invocation event of a Kinesis event source mapping.
    """

    def __init__(self, records: Sequence[Mapping[str, Any]]) -> None:
        self._places: set[str] = set()
        self._aggregates: dict[str, _Aggregate] = {}
        for record in records:
            kinesis = record["kinesis"]
            place, data = str(kinesis["sequenceNumber"]), kinesis["data"]
            self._places.add(place)
            if data.startswith(_AGGREGATE) and data[5:6] in _SIXTH:
                self._add_aggregate(place, data)

    def _add_aggregate(self, place: str, encoded: str) -> None:
        try:
            data = pybase64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return
        count = count_user_records(data)
        # More than are taken out are one faulty record.
        count = count if count <= MOST_USER_RECORDS else 1
        self._aggregates[place] = _Aggregate(count, len(data))
        self._places.update(f"{place}.{number}" for number in range(1, count))

    def check(
        self,
        outcomes: Iterable[Outcome],
        parts: Mapping[str, int],
        chosen: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        """See that each event has one outcome, and each outcome is that of an event.

        Parameters
        ----------
        parts : Mapping[str, int]
            How many events were made of one, by its place.
        chosen : Mapping[str, Sequence[int]] | None
            Their numbers, where these do not count from 0.

        Raises
        ------
        UnaccountedError
            When that is not so.
        """
        self.check_places([outcome.event for outcome in outcomes], parts, chosen)

    def check_places(
        self,
        events: Sequence[Record | Event],
        parts: Mapping[str, int] | None = None,
        chosen: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        """See that these are all, each of them once; see `check`."""
        found = {event.place for event in events}
        expected = self._expected(events, parts or {}, chosen or {})
        if found == expected and len(events) == len(found):
            return
        counts = Counter(event.place for event in events)
        raise UnaccountedError(
            f"{len(expected):,} events were read, and there are {len(events):,} outcomes ("
            f"{_name('none for', expected - found)}; {_name('never read', found - expected)}; "
            f"{_name('two for', {one for one, count in counts.items() if count > 1})}"
            "); the batch is not acknowledged. This is a bug: report it with the failed batch"
        )

    def _expected(
        self,
        events: Sequence[Record | Event],
        parts: Mapping[str, int],
        chosen: Mapping[str, Sequence[int]],
    ) -> set[str]:
        if not parts and not self._aggregates:
            return self._places
        expected = set(self._places)
        for place, count in parts.items():
            expected.discard(place)
            expected.update(f"{place}#{number}" for number in chosen.get(place, range(count)))
        for event in events:
            aggregate = self._aggregates.get(event.place)
            if aggregate is not None and _is_whole(event, aggregate):
                expected -= {f"{event.place}.{number}" for number in range(1, aggregate.records)}
        return expected


def _is_whole(event: Record | Event, aggregate: _Aggregate) -> bool:
    """Tell whether an aggregate that cannot be read was kept as one faulty record, all of it."""
    return isinstance(event, Record) and bool(event.fault) and len(event.data) == aggregate.size


def _name(what: str, places: set[str]) -> str:
    more = f" and {len(places) - _NAMED:,} more" if len(places) > _NAMED else ""
    return f"{what} {', '.join(sorted(places)[:_NAMED]) or 'nothing'}{more}"


def count_user_records(data: bytes) -> int:
    """Count the user records of an aggregate by its bytes: 1 where they are no such message.

    The message is a row of fields: a varint of number and kind, and what the kind says: a varint,
    eight bytes, four bytes, or a length and so many bytes (protobuf, "Encoding").
    """
    at, end, count = _MAGIC_BYTES, len(data) - _DIGEST_BYTES, 0
    while at < end:
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == _LENGTH:
            length, at = _varint(data, at)
            count += tag == _USER_RECORD
            at += length
        elif kind == _VARINT:
            _, at = _varint(data, at)
        elif kind in _FIXED:
            at += _FIXED[kind]
        else:
            return 1
    return count if at == end and count else 1


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    for byte in data[at : at + _LONGEST_VARINT]:
        number |= (byte & 0x7F) << shift
        at += 1
        if not byte & 0x80:
            break
        shift += 7
    return number, at
