"""The archive of rejected events: gzip JSON lines in S3, under `rejected/` and `quarantine/`.

Keys follow from the records, so a batch that is tried again overwrites its own objects.
"""

from __future__ import annotations

import base64
import gzip
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.events import QUARANTINED, Outcome, unsettled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.retrying import Deadline


class RejectedArchive:
    """Writes rejected events.

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

    def write(self, outcomes: Sequence[Outcome], deadline: Deadline) -> list[Outcome]:
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
        groups: dict[str, list[Outcome]] = {}
        for outcome in sorted(outcomes, key=_place):
            groups.setdefault(_folder(outcome), []).append(outcome)
        failed: list[Outcome] = []
        for folder, group in groups.items():
            first = group[0].event
            key = f"{folder}/{first.shard_id}-{first.sequence_number}.jsonl.gz"
            if not self._put(key, group, deadline):
                failed += [
                    unsettled(outcome.event, f"{key}: the archive could not be written")
                    for outcome in group
                ]
        return failed

    def _put(self, key: str, group: Sequence[Outcome], deadline: Deadline) -> bool:
        lines = b"".join(orjson.dumps(describe(outcome)) + b"\n" for outcome in group)
        # No time of writing inside: the same rejections give the same bytes.
        content = gzip.compress(lines, compresslevel=6, mtime=0)
        for _ in deadline.attempts():
            try:
                self._s3.put_object(
                    Bucket=self._bucket, Key=key, Body=content, ContentType="application/gzip"
                )
            except (BotoCoreError, ClientError):
                continue
            return True
        return False


def describe(outcome: Outcome) -> dict[str, Any]:
    """Give the line of a rejected event: why, and everything that is needed to send it again."""
    event, envelope = outcome.event, outcome.event.envelope
    line: dict[str, Any] = {
        "reason": outcome.reason,
        "explanation": outcome.explanation,
        "id": event.id,
        "source": event.source_name,
        "event_type": event.event_type,
        "shard_id": event.shard_id,
        "sequence_number": event.sequence_number,
        "arrived": datetime.fromtimestamp(event.arrived, UTC).isoformat(timespec="milliseconds"),
    }
    if envelope is None:
        line["record_base64"] = base64.b64encode(event.data).decode()
        return line
    line |= {
        "envelope_id": envelope.id,
        "envelope_source": envelope.source,
        "envelope_ts": envelope.arrived_ms,
        "key": envelope.key,
        "ip": envelope.ip,
        "headers": dict(envelope.headers),
        "replay": envelope.replay,
    }
    try:
        line["body"] = envelope.body.decode()
    except UnicodeDecodeError:
        line["body_base64"] = base64.b64encode(envelope.body).decode()
    return line


def _place(outcome: Outcome) -> tuple[int, str]:
    return int(outcome.event.sequence_number), outcome.event.id


def _folder(outcome: Outcome) -> str:
    event = outcome.event
    prefix = "quarantine" if outcome.reason in QUARANTINED else "rejected"
    hour = datetime.fromtimestamp(event.arrived, UTC)
    return f"{prefix}/source={event.source_name}/dt={hour:%Y-%m-%d}/hr={hour:%H}"
