"""The keys that older versions gave events, for the time in which the table still has them.

They were made from a rendering of the body, so different events could share one. They are looked up
while a deployment moves (`former_keys_until` of a stage), and never written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from pipeline.event.event_id import EventId
from pipeline.event.fields import as_text, find
from pipeline.event.identity import LONGEST_KEY, ONCE, digest

if TYPE_CHECKING:
    from pipeline.event.events import Event


def former_key(event: Event) -> str:
    """Return the key that the event had; its present one where it had none that counts.

    So it is where copies of the event are not looked for, and where an older version could not
    read it: half a surrogate pair, or deeper than it could write.
    """
    if not event.source.body_hash_seconds and event.deduplication_key.endswith(ONCE + event.id):
        return event.deduplication_key
    try:
        former = f"{event.source.name}#{_former_id(event)}"
        former.encode()
    except (TypeError, UnicodeEncodeError):
        return event.deduplication_key
    return former


def _former_id(event: Event) -> str:
    source = event.source
    if source.delivery_id_header:
        key = event.envelope.headers.get(source.delivery_id_header, "")
    else:
        paths = source.delivery_id_paths
        parts = [as_text(find(event.body, paths[place])) for place in range(len(paths))]
        key = "|".join(parts) if any(parts) else ""
    if not key:
        # An element of a request was written anew from what was parsed.
        return digest(event.body_json if source.split is None else orjson.dumps(event.body))
    if len(key) > LONGEST_KEY:
        return digest(key.encode(errors="replace"))
    if source.split is not None and source.delivery_id_header:
        return f"{key}#{EventId.parse(event.id).element}"
    return key
