"""From objects of the archive to the events in them, and to what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pipeline.archive.failures import read_failure
from pipeline.archive.keys import ArchiveKind, kind_of
from pipeline.archive.line_fields import LineError
from pipeline.archive.lines import ArchivedEvent, LineReader
from pipeline.archive.objects import ObjectGoneError, ObjectUnreadableError
from pipeline.archive.unpacking import UnpackError, split_lines, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Unreadable(NamedTuple):
    """What is wrong with an object, or with one of its lines."""

    explanation: str
    gone: bool = False


Item = tuple[int, "ArchivedEvent | Unreadable"]


def read_object(key: str, chunks: Iterable[bytes], skip: int = 0) -> Iterator[Item]:
    """Return the events of an object, each with the number of its line.

    Parameters
    ----------
    skip : int
        How many lines to leave out at the start.
    """
    kind = kind_of(key)
    if kind is None:
        yield 0, Unreadable("not under a prefix that holds events")
        return
    number = 0
    try:
        for number, item in _items(kind, chunks, skip):
            yield number, item
    except (UnpackError, LineError, ObjectUnreadableError) as error:
        # After the last line that could be read; a resumed job must not skip this.
        yield number + 1, Unreadable(str(error), gone=isinstance(error, ObjectGoneError))


def read_documents(chunks: Iterable[bytes]) -> Iterator[dict[str, Any] | Unreadable]:
    """Return the lines of an object as they were parsed, and what is wrong with it or with one.

    For who needs a field or two of each line: nothing but its being a JSON object is checked.
    """
    try:
        for number, text in split_lines(unpack(chunks)):
            try:
                document = orjson.loads(text) if text is not None else None
            except orjson.JSONDecodeError:
                document = None
            if isinstance(document, dict):
                yield document
            else:
                yield Unreadable(f"line {number}: no JSON object")
    except (UnpackError, ObjectUnreadableError) as error:
        yield Unreadable(str(error), gone=isinstance(error, ObjectGoneError))


def _items(kind: ArchiveKind, chunks: Iterable[bytes], skip: int) -> Iterator[Item]:
    if kind is ArchiveKind.FAILED:
        for number, found in read_failure(chunks):
            if number > skip:
                yield number, Unreadable(str(found)) if isinstance(found, LineError) else found
        return
    lines = LineReader(kind)
    for number, text in split_lines(unpack(chunks)):
        if text == b"":
            continue
        if number <= skip:
            lines.skip(text or b"")
            continue
        if text is None:
            yield number, Unreadable("the line is too long")
            continue
        try:
            event = lines.read(text)
        except LineError as error:
            yield number, Unreadable(str(error))
            continue
        if event is not None:
            yield number, event
