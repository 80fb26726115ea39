"""The id of an event: `<envelope>[@<job>][#<element>]`.

API Gateway's extended request ids are base64 text, and the poller's are words with hyphens, so
none of them has a `@` or `#`. Where an envelope's id or job has one all the same, it is escaped
as in a URL: every id reads back as what it was made of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_JOB, _ELEMENT = "@", "#"
_RESERVED = re.compile(r"[%@#]")
_ESCAPED = re.compile(r"%(25|40|23)")
_FORM = re.compile(r"([^@#]*)(?:@([^@#]+))?(?:#(0|[1-9][0-9]{0,17}))?")


@dataclass(frozen=True, slots=True)
class EventId:
    """What an event is called in archive, ledger and deduplication table.

    Parameters
    ----------
    envelope : str
        The envelope's id; the place on the shard of a record that holds no envelope.
    job : str
        The replay job that put it on the stream, else empty. A replay is an attempt of its own:
        its retries must not be taken for the first delivery.
    element : int | None
        Its place in its request, from 0, where a request carries many events.
    """

    envelope: str
    job: str = ""
    element: int | None = None

    def __str__(self) -> str:
        request = request_id(self.envelope, self.job)
        return request if self.element is None else element_id(request, self.element)

    @property
    def request(self) -> str:
        """The id that all events of its request share."""
        return request_id(self.envelope, self.job)

    @classmethod
    def parse(cls, text: str) -> EventId:
        """Read an id. Text of another form is an envelope's id as a whole."""
        if _RESERVED.search(text) is None:
            return cls(text)
        found = _FORM.fullmatch(text)
        if found is None:
            return cls(text)
        element = None if found[3] is None else int(found[3])
        return cls(_unescape(found[1]), _unescape(found[2] or ""), element)


def request_id(envelope: str, job: str = "") -> str:
    """Return the id of an envelope's one event, or of all of its events together."""
    envelope = _escape(envelope)
    return f"{envelope}{_JOB}{_escape(job)}" if job else envelope


def element_id(request: str, element: int) -> str:
    """Return the id of an event that was split out of its request."""
    return f"{request}{_ELEMENT}{element}"


def request_of(event_id: str) -> str:
    """Return the id of an event's request; the id itself where the request is one event."""
    return EventId.parse(event_id).request if _ELEMENT in event_id else event_id


def _escape(text: str) -> str:
    if _RESERVED.search(text) is None:
        return text
    return _RESERVED.sub(lambda found: f"%{ord(found[0]):02X}", text)


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
