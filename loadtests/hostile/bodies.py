"""The worst bodies of a size: each asks for much work, memory or archive by its bytes."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A source whose requests carry many events, at this path, and one whose requests are one each.
SPLIT, WHOLE = "okta", "generic"
_HEAD, _TAIL = b'{"data":{"events":[', b"]}}"


class HostileBody(NamedTuple):
    """A body, what is hostile about it, and the source that it is sent to."""

    name: str
    source: str
    body: bytes


def hostile_names() -> list[str]:
    """Name the bodies of the corpus, in its order."""
    return [_GOOD_EVENTS, *_ELEMENTS, _BOMB, *_WHOLE]


def hostile_bodies(size: int) -> Iterator[HostileBody]:
    """Make each body of the corpus, of so many bytes or a few less."""
    return (hostile_body(name, size) for name in hostile_names())


def hostile_body(name: str, size: int) -> HostileBody:
    """Make one body of the corpus, of so many bytes or a few less."""
    if name == _GOOD_EVENTS:
        return HostileBody(name, SPLIT, _good_events(size))
    if name in _ELEMENTS:
        return HostileBody(name, SPLIT, _list_of(_ELEMENTS[name], size))
    if name == _BOMB:
        return HostileBody(name, WHOLE, gzip.compress(bytes(size * 100), mtime=0))
    return HostileBody(name, WHOLE, _filled(*_WHOLE[name], size))


def _list_of(element: bytes, size: int) -> bytes:
    room = size - len(_HEAD) - len(_TAIL)
    return _HEAD + b",".join([element] * max((room + 1) // (len(element) + 1), 1)) + _TAIL


def _good_events(size: int) -> bytes:
    """Return a list of as many as are not too many, with ids of their own."""
    count = min(max((size - len(_HEAD) - len(_TAIL)) // len(_GOOD % 0 + b","), 1), 5_000)
    return _HEAD + b",".join([_GOOD % number for number in range(count)]) + _TAIL


def _filled(head: bytes, part: bytes, tail: bytes, size: int) -> bytes:
    room = size - len(head) - len(tail)
    return head + part * max(room // len(part), 1) + tail


_GOOD_EVENTS, _BOMB = "events that are delivered", "a gzip bomb"
_GOOD = (
    b'{"uuid":"u-%06d","eventType":"x","published":"2026-11-23T20:08:23.123Z","actor":{"id":"a"}}'
)
#: Elements of a list; what they break is in their name.
_ELEMENTS = {
    "bare numbers (R5)": b"0",
    "empty objects (R5)": b"{}",
    "events of another type (R4)": (
        b'{"uuid":7,"published":"2026-11-23T20:08:23.123Z","eventType":["user.session.start"],'
        b'"version":"0","displayMessage":"User login to Okta","severity":"INFO","actor":null,'
        b'"client":{"ipAddress":"192.0.2.1","userAgent":{"rawUserAgent":"Mozilla/5.0"}}}'
    ),
    "long explanations": b'{"uuid":"u","eventType":"' + b"e" * 200 + b'","published":7}',
    "half a surrogate pair (R1)": rb'{"uuid":"\ud83d","eventType":"x","published":"\udc00"}',
    "numbers beyond a double (R1)": b'{"uuid":"u","eventType":"x","n":1e400,"m":[1e999,-1e400]}',
    "elements nested 1,100 deep (R1)": b'{"a":' + b"[" * 1_100 + b"]" * 1_100 + b"}",
    "elements nested 800 deep (R2)": b'{"a":' + b"[" * 800 + b"]" * 800 + b"}",
    "stray bytes (R1)": b'{"uuid":"\xff\xfe"}',
    "ten kilobytes of one element": b'{"uuid":"u","eventType":"x","text":"' + b"x" * 10_000 + b'"}',
}
#: Head, what is repeated, and tail of a body that is one event.
_WHOLE = {
    "one long text": (b'{"a":"', b"x", b'"}'),
    "escapes": (b'{"a":"', rb"\u0001", b'"}'),
    "half pairs": (b'{"a":"', rb"\ud83d", b'"}'),
    "characters that SQS refuses": (b'{"a":"', b"\xef\xbf\xbf", b'"}'),
    "control characters, which are no JSON": (b"", b"\x01", b""),
    "invalid UTF-8": (b"", b"\xff", b""),
    "empty lists": (b'{"a":[[]', b",[]", b"]}"),
    "objects of one member": (b'{"a":[{"":0}', b',{"":0}', b"]}"),
    "one member, again and again": (b'{"a":0', b',"a":0', b"}"),
    "numbers with a point": (b'{"a":[0.1', b",0.1", b"]}"),
    "one number of many digits": (b'{"a":1', b"0", b"}"),
    "a member below a member": (b"", b'{"":', b""),
    "opened brackets": (b"", b"[", b""),
    "opened texts": (b"", b'"', b""),
    "a byte order mark of UTF-16": (b"\xff\xfe{\x00", b" \x00", b"}\x00"),
}
