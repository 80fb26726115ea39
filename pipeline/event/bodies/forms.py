"""Bodies that are forms: URL-encoded (WHATWG URL, section 5) or multipart (RFC 7578)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import orjson

from pipeline.event.json_text import BodyError

if TYPE_CHECKING:
    from collections.abc import Iterable

Fields = list[tuple[str, str]]
"""Names and values, decoded, in the order of the body."""

#: Twilio's longest have some forty.
MOST_FIELDS = 1_000
#: Bytes of a URL-encoded one. The standard library takes a hundred for each `%41` while it decodes.
LONGEST = 2 * 1_048_576
#: RFC 2046, section 5.1.1. The body names its boundary itself: no signature covers the header.
_BOUNDARY = re.compile(rb"--([0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?])\r\n")


def urlencoded(body: bytes) -> Fields:
    """Return the fields of a URL-encoded form.

    Raises
    ------
    BodyError
        When it is none, has more than `MOST_FIELDS`, or what is no UTF-8.
    """
    if not body:
        raise BodyError("form: no field")
    if len(body) > LONGEST:
        raise BodyError(f"form: more than {LONGEST:,} bytes")
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except UnicodeDecodeError:
        raise BodyError("form: not ASCII, or its escapes are no UTF-8") from None
    except ValueError:
        # Its text would have the field's, which can be a secret, and as long as the body.
        why = f"more than {MOST_FIELDS:,} fields, or one without an equals sign"
        raise BodyError(f"form: {why}") from None


def multipart(body: bytes) -> Fields:
    """Return the fields of a multipart form; files are left out.

    Raises
    ------
    BodyError
        When it is none, has more than `MOST_FIELDS` parts, or a field that is no UTF-8.
    """
    from multipart import MultipartError, MultipartSegment, PushMultipartParser

    first = _BOUNDARY.match(body)
    if first is None:
        raise BodyError("multipart: it does not begin with a boundary")
    parts: list[tuple[MultipartSegment, bytearray]] = []
    try:
        with PushMultipartParser(
            first[1], len(body), max_segment_count=MOST_FIELDS, strict=True
        ) as parser:
            for found in parser.parse(body):
                if isinstance(found, MultipartSegment):
                    parts.append((found, bytearray()))
                elif found:
                    parts[-1][1].extend(found)
        return [
            (part.name or "", content.decode()) for part, content in parts if part.filename is None
        ]
    except (MultipartError, UnicodeDecodeError) as error:
        raise BodyError(f"multipart: {error}") from None


def object_of(fields: Iterable[tuple[str, str]], lists: frozenset[str]) -> bytes:
    """Return the JSON object of a form: texts, and lists of texts where fields may come again.

    Raises
    ------
    BodyError
        When a field comes again that is none of these: which of the two counts is a matter of the
        reader, so neither does.
    """
    found: dict[str, str | list[str]] = {}
    for name, value in fields:
        known = found.get(name)
        if isinstance(known, list):
            known.append(value)
        elif known is not None:
            raise BodyError(f"form: field {name[:60]!r} comes twice; body.lists can name it")
        else:
            found[name] = [value] if name in lists else value
    return orjson.dumps(found)
