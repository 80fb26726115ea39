"""The archive: gzip JSON lines in S3, under `raw/`, `rejected/`, `quarantine/` and `ledger/`.

Keys follow from the records, so a batch that is tried again overwrites its own objects.
"""

from __future__ import annotations

import gzip
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
from pipeline.archive.lines import describe, describe_rejection
from pipeline.archive.rejections import RejectionFolders
from pipeline.event.events import Event, Outcome, Record, unsettled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.aws.seams import Bucket
    from pipeline.runtime.deadline import Deadline


T = TypeVar("T")


class ArchiveWriter:
    """Writes events into the archive."""

    def __init__(self, s3: Bucket, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._rejections = RejectionFolders()

    def write_rejected(self, outcomes: Sequence[Outcome], deadline: Deadline) -> list[Outcome]:
        """Write rejected events, one object for each source, hour and prefix.

        Returns
        -------
        list[Outcome]
            An unsettled outcome for each event that could not be written.
        """
        failed: list[Outcome] = []
        folder_of = self._rejections.of(outcomes)
        for folder, group in _groups(outcomes, folder_of, _place_of_outcome):
            key = _key(folder, group[0].event)
            if not self._put(key, (describe_rejection(outcome) for outcome in group), deadline):
                failed += [
                    unsettled(outcome.event, f"{key}: the archive could not be written")
                    for outcome in group
                ]
        return failed

    def write_raw(self, events: Sequence[Record | Event], deadline: Deadline) -> bool:
        """Write all of a batch as it came, one object for each source and hour.

        Returns
        -------
        bool
            Whether all of it was written.
        """
        groups = _groups(events, lambda event: _folder(RAW_PREFIX, event), _place)
        return all(
            self._put(_key(folder, group[0]), map(describe, group), deadline)
            for folder, group in groups
        )

    def write_ledger(self, outcomes: Sequence[Outcome], deadline: Deadline) -> bool:
        """Write what became of each event of a batch.

        Returns
        -------
        bool
            Whether all of it was written.
        """
        groups = _groups(outcomes, _folder_of_entry, _place_of_outcome)
        return all(
            self._put(_key(folder, group[0].event), map(describe_outcome, group), deadline)
            for folder, group in groups
        )

    def _put(self, key: str, lines: Iterable[dict[str, Any]], deadline: Deadline) -> bool:
        text = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        # No time of writing inside: the same lines give the same bytes.
        content = gzip.compress(text, compresslevel=6, mtime=0)
        for _ in deadline.attempts():
            try:
                self._s3.put_object(
                    Bucket=self._bucket, Key=key, Body=content, ContentType="application/gzip"
                )
            except (BotoCoreError, ClientError):
                continue
            return True
        return False


def _groups(
    items: Iterable[T], folder: Callable[[T], str], place: Callable[[T], tuple[int, str]]
) -> list[tuple[str, list[T]]]:
    groups: dict[str, list[T]] = {}
    for item in sorted(items, key=place):
        groups.setdefault(folder(item), []).append(item)
    return list(groups.items())


def _key(folder: str, first: Record | Event) -> str:
    return folder + object_name(first.shard_id, first.sequence_number)


def _place(event: Record | Event) -> tuple[int, str]:
    return int(event.sequence_number), event.id


def _place_of_outcome(outcome: Outcome) -> tuple[int, str]:
    return _place(outcome.event)


def _folder_of_entry(outcome: Outcome) -> str:
    return LEDGER_PREFIX + hour_folder(outcome.event.arrived)


def _folder(prefix: str, event: Record | Event) -> str:
    return f"{prefix}{source_folder(event.source_name)}{hour_folder(event.arrived)}"
