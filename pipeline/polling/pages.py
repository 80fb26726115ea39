"""The events of an answer, each as the very bytes that the sender wrote.

The list is gone through by bytes: how an event is nested, or whether it is JSON at all, is its own
affair, and is told behind the stream. What is around the list is parsed, with numbers as text: a
cursor can be a number that a double cannot hold.
"""

from __future__ import annotations

import codecs
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.event.elements import ElementsError, find_list, frame_around, spans_of
from pipeline.event.fields import path_text
from pipeline.polling.emptiness import PageMarks, nothing_new
from pipeline.polling.errors import PollError

if TYPE_CHECKING:
    from pipeline.event.fields import FieldPath

#: How many events of one answer are put on the stream. The APIs of the catalogue give 1,000 at
#: most; 32 MiB have room for eleven million of `{}`.
MOST_EVENTS = 50_000
#: What is beyond them is set aside in pieces of so many bytes, of which the archive holds any.
PIECE_BYTES = 1_000_000
#: And of so many events, as a request has at most: a replay delivers each of them.
PIECE_EVENTS = 5_000
#: What may be around the list. Parsed, 4 MiB of `{}` take 100 MB.
LARGEST_FRAME = 4 * 1024 * 1024
_HASH_BYTES = 32
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, strict=False)


@dataclass(frozen=True)
class Page:
    """What an answer holds.

    Parameters
    ----------
    events : list[bytes]
        As they were listed.
    document : Any
        What is around them, with numbers as text and the list empty.
    copies : int
        How many further times one of them was listed, where the same bytes are the same event.
    beyond : tuple[bytes, ...]
        Lists of those that are beyond `MOST_EVENTS`.
    """

    events: list[bytes]
    document: Any
    copies: int = 0
    beyond: tuple[bytes, ...] = ()


def read_page(
    body: bytes, path: FieldPath, marks: PageMarks | None = None, *, once: bool = True
) -> Page:
    """Read an answer.

    Parameters
    ----------
    body : bytes
        The answer's body. Bytes that are no UTF-8 stay as they are.
    path : FieldPath
        Where the list of events is.
    marks : PageMarks | None
        What tells an answer without events from one that is no page.
    once : bool
        Whether the same bytes are the same event.

    Raises
    ------
    PollError
        When it is no JSON, or there is no list at the path. The message holds nothing of it.
    """
    text = body.removeprefix(codecs.BOM_UTF8)
    if not text.strip():
        # 204, or 200 without a body.
        return Page([], {})
    try:
        at = find_list(text, path)
        page = None if at is None else _read_list(text, at, once=once)
    except ElementsError as error:
        raise PollError(f"the answer is no JSON: {error}") from None
    if page is not None and page.events:
        return page
    document = _parse(text) if page is None else page.document
    if not nothing_new(document, path, marks or PageMarks()):
        where = path_text(path) if path else "the answer itself"
        raise PollError(f"the answer has no list of events at {where}")
    return Page([], document)


def _read_list(text: bytes, at: int, *, once: bool) -> Page:
    seen: set[bytes] = set()
    events: list[bytes] = []
    beyond = _Pieces()
    copies, last = 0, at + 1
    for start, stop in spans_of(text, at):
        last = stop
        event = text[start:stop]
        mark = event if len(event) <= _HASH_BYTES else hashlib.sha256(event).digest()
        if once and mark in seen:
            copies += 1
        elif len(events) < MOST_EVENTS:
            seen.add(mark)
            events.append(event)
        else:
            beyond.add(event)
    document = _parse(frame_around(text, at, last))
    return Page(events, document, copies, beyond.close())


class _Pieces:
    """Joins events to lists of a bounded size."""

    def __init__(self) -> None:
        self._made: list[bytes] = []
        self._open = bytearray()
        self._count = 0

    def add(self, event: bytes) -> None:
        if len(self._open) + len(event) > PIECE_BYTES or self._count == PIECE_EVENTS:
            self.close()
        self._open += b"," + event if self._open else event
        self._count += 1

    def close(self) -> tuple[bytes, ...]:
        if self._open:
            self._made.append(b"[" + bytes(self._open) + b"]")
            self._open.clear()
            self._count = 0
        return tuple(self._made)


def _parse(frame: bytes) -> Any:
    if len(frame) > LARGEST_FRAME:
        raise PollError(f"the answer has {len(frame)} bytes around its list of events")
    try:
        return _DECODER.decode(frame.decode("utf-8", errors="surrogateescape"))
    except json.JSONDecodeError as error:
        raise PollError(f"the answer is no JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise PollError("the answer is nested too deeply around its list of events") from None
