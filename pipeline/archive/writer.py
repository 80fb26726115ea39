"""The archive: gzip JSON lines in S3, under `raw/`, `rejected/`, `quarantine/` and `ledger/`.

Keys follow from the records, so a batch that is tried again overwrites its own objects.
"""

from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.event.events import Event, Outcome, Record, unsettled
from pipeline.event.outcomes import QUARANTINED
from pipeline.event.times import hour_folder, iso_milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.runtime.deadline import Deadline


T = TypeVar("T")


class Archive:
    """Writes events into the archive.

    Parameters
    ----------
    s3 : Any
        A boto3 S3 client.
    bucket : str
        The archive's bucket.
    """

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def write_rejected(self, outcomes: Sequence[Outcome], deadline: Deadline) -> list[Outcome]:
        """Write rejected events, one object for each source, hour and prefix.

        Parameters
        ----------
        outcomes : Sequence[Outcome]
            Rejections of one batch.
        deadline : Deadline
            Bounds the retries.

        Returns
        -------
        list[Outcome]
            An unsettled outcome for each event that could not be written.
        """
        failed: list[Outcome] = []
        for folder, group in _groups(outcomes, _folder_of_rejection, _place_of_outcome):
            key = _key(folder, group[0].event)
            if not self._put(key, (describe_rejection(outcome) for outcome in group), deadline):
                failed += [
                    unsettled(outcome.event, f"{key}: the archive could not be written")
                    for outcome in group
                ]
        return failed

    def write_raw(self, events: Sequence[Record | Event], deadline: Deadline) -> bool:
        """Write all of a batch as it came, one object for each source and hour.

        Parameters
        ----------
        events : Sequence[Record | Event]
            All of one batch.
        deadline : Deadline
            Bounds the retries.

        Returns
        -------
        bool
            Whether all of it was written.
        """
        groups = _groups(events, lambda event: _folder("raw", event), _place)
        return all(
            self._put(_key(folder, group[0]), map(describe, group), deadline)
            for folder, group in groups
        )

    def write_ledger(self, outcomes: Sequence[Outcome], deadline: Deadline) -> bool:
        """Write what became of each event of a batch.

        Parameters
        ----------
        outcomes : Sequence[Outcome]
            The outcomes that stand.
        deadline : Deadline
            Bounds the retries.

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


def describe_rejection(outcome: Outcome) -> dict[str, Any]:
    """Give the line of a rejected event: why, and all that is needed to send it again."""
    return {
        "reason": outcome.reason,
        "explanation": outcome.explanation,
        **describe(outcome.event),
    }


def describe_outcome(outcome: Outcome) -> dict[str, Any]:
    """Give the ledger's line of an event: what became of it, and no more of it than that."""
    event = outcome.event
    return {
        "id": event.id,
        "source": event.source_name,
        "outcome": outcome.kind,
        "reason": outcome.reason,
        "shard_id": event.shard_id,
        "sequence_number": event.sequence_number,
        "arrived": iso_milliseconds(event.arrived),
    }


def describe(event: Record | Event) -> dict[str, Any]:
    """Give the line of an event: where it was on the stream, and the envelope in full."""
    line: dict[str, Any] = {
        "id": event.id,
        "source": event.source_name,
        "event_type": event.event_type,
        "shard_id": event.shard_id,
        "sequence_number": event.sequence_number,
        "arrived": iso_milliseconds(event.arrived),
    }
    if event.envelope is None:
        line["record_base64"] = base64.b64encode(event.data).decode()
        return line
    envelope = event.envelope
    line |= {
        "envelope_id": envelope.id,
        "envelope_source": envelope.source,
        "envelope_ts": envelope.arrived_ms,
        "key": envelope.key,
        "ip": envelope.ip,
        "headers": dict(envelope.headers),
        "replay": envelope.replay,
        "replays": envelope.replays,
    }
    try:
        line["body"] = envelope.body.decode()
    except UnicodeDecodeError:
        line["body_base64"] = base64.b64encode(envelope.body).decode()
    return line


def _groups(
    items: Iterable[T], folder: Callable[[T], str], place: Callable[[T], tuple[int, str]]
) -> list[tuple[str, list[T]]]:
    groups: dict[str, list[T]] = {}
    for item in sorted(items, key=place):
        groups.setdefault(folder(item), []).append(item)
    return list(groups.items())


def _key(folder: str, first: Record | Event) -> str:
    return f"{folder}/{first.shard_id}-{first.sequence_number}.jsonl.gz"


def _place(event: Record | Event) -> tuple[int, str]:
    return int(event.sequence_number), event.id


def _place_of_outcome(outcome: Outcome) -> tuple[int, str]:
    return _place(outcome.event)


def _folder_of_rejection(outcome: Outcome) -> str:
    return _folder("quarantine" if outcome.reason in QUARANTINED else "rejected", outcome.event)


def _folder_of_entry(outcome: Outcome) -> str:
    return f"ledger/{hour_folder(outcome.event.arrived)}"


def _folder(prefix: str, event: Record | Event) -> str:
    return f"{prefix}/source={event.source_name}/{hour_folder(event.arrived)}"
