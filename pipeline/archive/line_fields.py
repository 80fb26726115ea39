"""Fields of the archive's lines. Lines are not trusted: each field that is read is checked."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_ID = 2048
#: Sequence numbers have 56 digits so far.
_LONGEST_SEQUENCE_NUMBER = 128


class LineError(PipelineError):
    """A line of the archive is not what the archive's writers write."""


def text_of(
    line: Mapping[str, Any], name: str, longest: int | None = None, default: str | None = None
) -> str:
    """Read text of so many characters at most; LineError when it is none."""
    value = line.get(name, default)
    if not isinstance(value, str):
        raise LineError(f"'{name}' is missing or is no text")
    if longest is not None and len(value) > longest:
        raise LineError(f"'{name}' has {len(value):,} characters, at most {longest:,} can be")
    return value


def number_of(line: Mapping[str, Any], name: str, end: int, default: int | None = None) -> int:
    """Read a whole number below `end`; LineError when it is none."""
    value = line.get(name, default)
    if type(value) is not int or not 0 <= value < end:
        raise LineError(f"'{name}' is missing or is no whole number below {end:,}")
    return value


def base64_of(line: Mapping[str, Any], name: str) -> bytes:
    """Read bytes; LineError when they are no base64."""
    try:
        return base64.b64decode(text_of(line, name), validate=True)
    except (binascii.Error, ValueError):
        raise LineError(f"'{name}' is not base64") from None


def headers_of(line: Mapping[str, Any]) -> dict[str, str]:
    """Read the headers; LineError when they are no text by name."""
    headers = line.get("headers")
    if not isinstance(headers, dict) or not all(isinstance(one, str) for one in headers.values()):
        raise LineError("'headers' is no object of text")
    return headers


def arrived_of(line: Mapping[str, Any]) -> float:
    """Read when the event reached the stream, in epoch seconds; LineError when that is no time."""
    try:
        at = datetime.fromisoformat(text_of(line, "arrived", 64))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise LineError("'arrived' is no ISO 8601 time") from None


def sequence_of(line: Mapping[str, Any]) -> int:
    """Read the sequence number; LineError when it is none."""
    text = text_of(line, "sequence_number", _LONGEST_SEQUENCE_NUMBER)
    if not (text.isascii() and text.isdigit()):
        raise LineError("'sequence_number' is no number")
    return int(text)
