"""Events whose tickets were dismissed: what `dead-letters dismiss` kept, and their objects."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import orjson

from pipeline.archive.keys import DISMISSED_PREFIX, kind_of, partition_of
from pipeline.archive.objects import ObjectUnreadableError
from pipeline.archive.reading import Unreadable, read_object
from pipeline.event.event_id import EventId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.archive.listing import ArchiveListing
    from pipeline.archive.objects import Objects
    from toolbox.audit.join import AuditReport
    from toolbox.audit.run import AuditSpan

#: Of each some kilobytes are read, and its ticket's object.
MOST_DISMISSED = 10_000
_LARGEST = 256 * 1024


def add_dismissed(
    listing: ArchiveListing, objects: Objects, span: AuditSpan, report: AuditReport
) -> None:
    """Tell a report which events of its span were dismissed.

    What cannot be read is named in the report, and counts as open.

    Raises
    ------
    PipelineError
        When the archive cannot be listed or reached.
    """
    written = (ref for ref, when in listing.written(DISMISSED_PREFIX) if when >= span.start)
    for number, ref in enumerate(islice(written, MOST_DISMISSED + 1)):
        if number == MOST_DISMISSED:
            report.add_unreadable(f"{DISMISSED_PREFIX}: more than {MOST_DISMISSED:,}; not read")
            return
        try:
            content = b"" if ref.size > _LARGEST else b"".join(objects.chunks(ref.key))
            key = str(orjson.loads(content)["ticket"]["key"])
        except (ObjectUnreadableError, orjson.JSONDecodeError, KeyError, TypeError) as error:
            report.add_unreadable(f"{ref.key}: no record of a dismissed ticket ({error!r:.100})")
            continue
        for event in _events(key, objects, span):
            report.add_dismissed(event)


def _events(key: str, objects: Objects, span: AuditSpan) -> Iterator[EventId]:
    place = partition_of(key)
    if kind_of(key) is None or (place is not None and span.source not in {None, place.source}):
        return
    for _, item in read_object(key, objects.chunks(key)):
        if not isinstance(item, Unreadable) and span.holds(item.source, item.arrived):
            yield EventId.parse(item.id)
