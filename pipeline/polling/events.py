"""From a fetched event to its envelope on the stream."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from pipeline.aws.limits import PARTITION_KEY_CHARACTERS
from pipeline.event.compiled_poll import BEYOND, FEED_HEADER
from pipeline.event.envelope import Envelope, encode_envelope, partition_key
from pipeline.event.events import Event, rejected
from pipeline.event.fields import find
from pipeline.event.identity import digest, find_identity, partition_text
from pipeline.event.json_text import NoJsonError, TooDeepError, read_json
from pipeline.event.outcomes import Reason
from pipeline.event.times import read_time
from pipeline.polling.errors import PollError
from pipeline.polling.pages import MOST_EVENTS
from pipeline.runtime import metrics

if TYPE_CHECKING:
    from pipeline.archive.writer import ArchiveWriter
    from pipeline.event.compiled_source import CompiledSource
    from pipeline.polling.pages import Page
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
        #: The newest time of the events of the last page, in milliseconds; 0 for none.
        self.newest_ms = 0

    def write(self, page: Page, now_ms: int) -> int:
        """Put a page on the stream and return when all of it is there.

        Parameters
        ----------
        now_ms : int
            When it was fetched.

        Returns
        -------
        int
            How many events were too large for a record, and are in the archive.

        Raises
        ------
        PipelineError
            When some of it may not be there.
        """
        fetch = f"poll-{uuid.uuid4().hex}"
        too_large = 0
        self.newest_ms = 0
        for number, event in enumerate(page.events):
            envelope = self._envelope(event, f"{fetch}-{number}", now_ms)
            if not self._stream.add(partition_key(envelope), encode_envelope(envelope)):
                size = f"{len(event)} bytes: no record can hold it"
                self._reject(envelope, Reason.TOO_LARGE, size)
                too_large += 1
        self._stream.flush()
        for number, events in enumerate(page.beyond):
            name, headers = self._source.name, {_HEADER: self._feed}
            envelope = Envelope(f"{fetch}{BEYOND}{number}", now_ms, name, "", events, "", headers)
            many = f"a list of what is beyond the first {MOST_EVENTS} events of an answer"
            self._reject(envelope, Reason.TOO_MANY_EVENTS, many)
        return too_large

    def _envelope(self, event: bytes, identifier: str, now_ms: int) -> Envelope:
        headers, value = {_HEADER: self._feed}, _parsed(event)
        self.newest_ms = max(self.newest_ms, _newest_time(value, self._source))
        found = find_identity(self._source, headers, value, event)
        key = partition_text(found, self._source, event)
        if len(quote_plus(key, errors="replace")) > PARTITION_KEY_CHARACTERS:
            # Else two copies would be in two shards.
            key = digest(key.encode(errors="replace"))
        return Envelope(identifier, now_ms, self._source.name, "", event, key, headers)

    def _reject(self, envelope: Envelope, reason: Reason, why: str) -> None:
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
        outcome = rejected(event, reason, why)
        if self._archive.write_rejected([outcome], self._deadline):
            raise PollError(
                "what the stream cannot take has to be set aside, and the archive is out of reach"
            )
        metrics.emit(metrics.count([outcome]), Counter({self._source.name: 1}))


def _parsed(event: bytes) -> Any:
    """Return the value of an event; None where it has none: it is rejected behind the stream."""
    try:
        return read_json(event)[1]
    except (NoJsonError, TooDeepError):
        return None


def _newest_time(value: Any, source: CompiledSource) -> int:
    """Return the newest time of an event in milliseconds since the epoch; 0 for none."""
    settings = source.mozdef
    times = (read_time(find(value, path), settings.zone) for path in settings.timestamps)
    return max((int(when.timestamp() * 1000) for when in times if when), default=0)
