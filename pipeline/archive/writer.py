"""The archive: gzip JSON lines in S3, under `raw/`, `rejected/`, `quarantine/` and `ledger/`.

Keys follow from the records, so a batch that is tried again overwrites its own objects.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.archive.keys import (
    LEDGER_PREFIX,
    RAW_PREFIX,
    hour_folder,
    object_name,
    source_folder,
)
from pipeline.archive.ledger import describe_outcome
from pipeline.archive.lines import describe, describe_rejection, describe_request
from pipeline.archive.packing import pack
from pipeline.archive.rejections import RejectionFolders
from pipeline.event.event_id import EventId
from pipeline.event.events import Event, Outcome, Record, unsettled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pipeline.archive.packing import LinesOf
    from pipeline.aws.seams import Bucket
    from pipeline.runtime.deadline import Deadline


T = TypeVar("T", bound=Record | Event | Outcome)


class ArchiveWriter:
    """Writes events into the archive."""

    def __init__(self, s3: Bucket, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._rejections = RejectionFolders()

    def write_rejected(self, outcomes: Sequence[Outcome], deadline: Deadline) -> list[Outcome]:
        """Write rejected events, into objects of one source, hour and prefix each.

        Where several events came in one request, the request is there once, and then its events.

        Returns
        -------
        list[Outcome]
            An unsettled outcome for each event that could not be written.
        """
        failed: list[Outcome] = []
        folder_of = self._rejections.of(outcomes)
        for folder, group in _groups(outcomes, folder_of, _place_of_rejection):
            for key, left_out in self._put(folder, group, _RejectionLines(), deadline):
                failed += [
                    unsettled(outcome.event, f"{key}: the archive could not be written")
                    for outcome in left_out
                ]
        return failed

    def write_raw(self, events: Sequence[Record | Event], deadline: Deadline) -> bool:
        """Write all of a batch as it came, into objects of one source and hour each.

        Returns
        -------
        bool
            Whether all of it was written.
        """
        groups = _groups(events, lambda event: _folder(RAW_PREFIX, event), _place)
        return not any(
            left_out
            for folder, group in groups
            for _, left_out in self._put(folder, group, _line_of_event, deadline)
        )

    def write_ledger(self, outcomes: Sequence[Outcome], deadline: Deadline) -> bool:
        """Write what became of each event of a batch.

        Returns
        -------
        bool
            Whether all of it was written.
        """
        groups = _groups(outcomes, _folder_of_entry, _place_of_outcome)
        return not any(
            left_out
            for folder, group in groups
            for _, left_out in self._put(folder, group, _line_of_entry, deadline)
        )

    def _put(
        self, folder: str, items: Sequence[T], lines_of: LinesOf[T], deadline: Deadline
    ) -> Iterator[tuple[str, list[T]]]:
        """Write items; return each object's key, and what of its items could not be written."""
        names: Counter[tuple[str, str]] = Counter()
        for packed in pack(items, lines_of):
            first = _event_of(packed.items[0])
            place = (first.shard_id, first.sequence_number)
            key = folder + object_name(*place, part=names[place])
            names[place] += 1
            written = self._put_object(key, packed.content(), deadline)
            yield key, [] if written else packed.items

    def _put_object(self, key: str, content: bytes, deadline: Deadline) -> bool:
        for _ in deadline.attempts():
            try:
                self._s3.put_object(
                    Bucket=self._bucket, Key=key, Body=content, ContentType="application/gzip"
                )
            except (BotoCoreError, ClientError):
                continue
            return True
        return False


class _RejectionLines:
    """Lines of rejected events; the first of a request, and of an object, has its request's."""

    def __init__(self) -> None:
        self._request = ""

    def __call__(self, outcome: Outcome, *, begins: bool) -> list[bytes]:
        event, lines = outcome.event, [_dump(describe_rejection(outcome))]
        if not event.elements:
            return lines
        assert isinstance(event, Event)  # noqa: S101 - a record that is no event has no elements
        request = EventId.parse(event.id).request
        if begins or request != self._request:
            lines.insert(0, _dump(describe_request(event)))
        self._request = request
        return lines


def _line_of_event(event: Record | Event, *, begins: bool) -> list[bytes]:  # noqa: ARG001
    return [_dump(describe(event))]


def _line_of_entry(outcome: Outcome, *, begins: bool) -> list[bytes]:  # noqa: ARG001
    return [_dump(describe_outcome(outcome))]


def _dump(line: dict[str, Any]) -> bytes:
    return orjson.dumps(line)


def _event_of(item: Record | Event | Outcome) -> Record | Event:
    return item.event if isinstance(item, Outcome) else item


def _groups(
    items: Iterable[T], folder: Callable[[T], str], place: Callable[[T], tuple[Any, ...]]
) -> list[tuple[str, list[T]]]:
    groups: dict[str, list[T]] = {}
    for item in sorted(items, key=place):
        groups.setdefault(folder(item), []).append(item)
    return list(groups.items())


def _place(event: Record | Event) -> tuple[int, str]:
    return int(event.sequence_number), event.id


def _place_of_outcome(outcome: Outcome) -> tuple[int, str]:
    return _place(outcome.event)


def _place_of_rejection(outcome: Outcome) -> tuple[int, str, int]:
    event = outcome.event
    found = EventId.parse(event.id) if event.elements else None
    if found is None or found.element is None:
        return int(event.sequence_number), event.id, 0
    # The elements of a request one after the other, in their order.
    return int(event.sequence_number), found.request, found.element


def _folder_of_entry(outcome: Outcome) -> str:
    return LEDGER_PREFIX + hour_folder(outcome.event.arrived)


def _folder(prefix: str, event: Record | Event) -> str:
    return f"{prefix}{source_folder(event.source_name)}{hour_folder(event.arrived)}"
