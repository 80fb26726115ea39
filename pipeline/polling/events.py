"""From a fetched event to its envelope on the stream."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from pipeline.aws.limits import PARTITION_KEY_CHARACTERS
from pipeline.event.compiled_poll import FEED_HEADER
from pipeline.event.envelope import Envelope, encode_envelope, partition_key
from pipeline.event.events import Event, rejected
from pipeline.event.fields import find
from pipeline.event.identity import digest, find_identity, partition_text
from pipeline.event.outcomes import Reason
from pipeline.polling.errors import PollError
from pipeline.runtime import metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.archive.writer import ArchiveWriter
    from pipeline.event.compiled_source import CompiledSource
    from pipeline.polling.pages import PageEvent
    from pipeline.runtime.deadline import Deadline
    from pipeline.stream.sending import StreamWriter

_HEADER = FEED_HEADER.lower()


class EventWriter:
    """Puts the events of pages on the stream.

    Parameters
    ----------
    archive : ArchiveWriter
        For what the stream cannot take.
    deadline : Deadline
        Bounds the archive's retries.
    """

    def __init__(
        self,
        source: CompiledSource,
        feed: str,
        stream: StreamWriter,
        archive: ArchiveWriter,
        deadline: Deadline,
    ) -> None:
        self._source = source
        self._feed = feed
        self._stream = stream
        self._archive = archive
        self._deadline = deadline

    def write(self, events: Sequence[PageEvent], now_ms: int) -> int:
        """Put a page on the stream and return when all of it is there.

        Parameters
        ----------
        now_ms : int
            When they were fetched.

        Returns
        -------
        int
            How many were too large for a record, and are in the archive.

        Raises
        ------
        PipelineError
            When some of it may not be there.
        """
        fetch = f"poll-{uuid.uuid4().hex}"
        too_large = 0
        for number, event in enumerate(events):
            envelope = self._envelope(event, f"{fetch}-{number}", now_ms)
            if not self._stream.add(partition_key(envelope), encode_envelope(envelope)):
                self._reject(envelope)
                too_large += 1
        self._stream.flush()
        return too_large

    def _envelope(self, event: PageEvent, identifier: str, now_ms: int) -> Envelope:
        headers = {_HEADER: self._feed}
        found = find_identity(self._source, headers, event.value, event.data)
        key = partition_text(found, self._source, event.data)
        if len(quote_plus(key, errors="replace")) > PARTITION_KEY_CHARACTERS:
            # Else two copies would be in two shards.
            key = digest(key.encode(errors="replace"))
        return Envelope(identifier, now_ms, self._source.name, "", event.data, key, headers)

    def _reject(self, envelope: Envelope) -> None:
        """Write an event to the archive, in an object of its own that another fetch overwrites."""
        number = int(hashlib.sha256(envelope.body).hexdigest()[:16], 16)
        event = Event(
            sequence_number=str(number),
            place=str(number),
            shard_id=f"poll-{self._feed}",
            arrived=envelope.arrived_ms / 1000,
            envelope=envelope,
            source=self._source,
            id=envelope.id,
        )
        size = len(envelope.body)
        outcome = rejected(event, Reason.TOO_LARGE, f"{size} bytes: no record can hold it")
        if self._archive.write_rejected([outcome], self._deadline):
            raise PollError("an event is too large for a record, and the archive is out of reach")
        metrics.emit(metrics.count([outcome]), Counter({self._source.name: 1}))


def newest_time(events: Sequence[PageEvent], source: CompiledSource) -> int:
    """Return the newest time of a page's events in milliseconds since the epoch; 0 for none."""
    times = (
        _milliseconds(find(event.value, path))
        for event in events
        for path in source.mozdef.timestamps
    )
    return max(times, default=0)


def _milliseconds(value: Any) -> int:
    """Read an ISO 8601 time, or an epoch in seconds or milliseconds; 0 for anything else."""
    text = value if isinstance(value, str) else ""
    if text.isascii() and text.isdigit() and len(text) <= 13:
        return int(text) if len(text) >= 12 else int(text) * 1000
    try:
        when = datetime.fromisoformat(text)
        return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0
