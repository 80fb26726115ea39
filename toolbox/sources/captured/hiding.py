"""Takes values that can be secrets out of caught bodies."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import orjson

from pipeline.event.fields import path_text
from toolbox.sources.captured.request import CaptureError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SECRETS = re.compile(
    r"(token|secret|password|passwd|passcode|api_?key|authorization|client_?state)$", re.IGNORECASE
)
_REPLACED = b"EXAMPLE-NOT-A-SECRET"
_SHORTEST = 8
#: How many different ones are taken out of a body, and how much of a place's name is said.
_MOST, _LONGEST = 100, 200
_Place = tuple["_Place", str] | None


@dataclass(frozen=True)
class HiddenBody:
    """A body without what can be a secret.

    Parameters
    ----------
    replaced : tuple[str, ...]
        The places of what is no more in it.
    left : tuple[str, ...]
        The places of what is, since it is written in a way that is not known here.
    """

    content: bytes
    replaced: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def hidden(content: bytes, document: Any, secrets: Sequence[str] = ()) -> HiddenBody:
    """Replace what can be a secret by its name, or is one that was given; other bytes stay.

    Parameters
    ----------
    document : Any
        What is in the body, parsed: JSON, or what is made of a form or of XML.

    Raises
    ------
    CaptureError
        When there are too many: each is looked for in all of the body.
    """
    replaced: list[str] = []
    left: list[str] = []
    done: set[str] = set()
    tried: set[str] = set()
    for place, value in _secrets(document, secrets):
        if value in done:
            replaced.append(place)
            continue
        tried.add(value)
        if len(tried) > _MOST:
            raise CaptureError(f"more than {_MOST} values of a body can be secrets; leave it out")
        without = content
        for spelling in _spellings(value):
            without = spelling.sub(_REPLACED, without)
        if without != content:
            done.add(value)  # at each of its places
        (replaced if value in done else left).append(place)
        content = without
    return HiddenBody(content, tuple(dict.fromkeys(replaced)), tuple(dict.fromkeys(left)))


def _spellings(value: str) -> Iterator[re.Pattern[bytes]]:
    """Return how a text is written in JSON, in a form, in a part of one, and in XML."""
    ascii_text = json.dumps(value)[1:-1]
    texts = {orjson.dumps(value)[1:-1], ascii_text.encode()}
    texts |= {text.replace(b"/", rb"\/") for text in texts}
    for text in texts:
        yield re.compile(rb'(?<=")' + re.escape(text) + rb'(?=")')
    for form in {quote_plus(value), quote(value, safe="")}:
        yield re.compile(rb"(?i:(?<==)" + re.escape(form.encode()) + rb")(?=&|\Z)")
    yield re.compile(rb"(?<=>)\s*" + re.escape(escape(value).encode()) + rb"\s*(?=<)")
    yield re.compile(rb"(?<=\r\n\r\n)" + re.escape(value.encode()) + rb"(?=\r\n--)")


def _secrets(document: Any, secrets: Sequence[str]) -> Iterator[tuple[str, str]]:
    # Not by calls, as it may be deep; and a place is its key and the place that it is in.
    waiting: list[tuple[_Place, str, Any]] = [(None, "", document)]
    while waiting:
        place, name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((place, key), key, one) for key, one in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [((place, "*"), name, one) for one in reversed(value)]
        elif not isinstance(value, str) or len(value) < _SHORTEST:
            continue
        elif value in secrets or _SECRETS.search(name):
            yield _text_of(place), value


def _text_of(place: _Place) -> str:
    parts: list[str] = []
    while place is not None:
        place, part = place
        parts.append(part)
    return path_text(tuple(reversed(parts)))[:_LONGEST]
