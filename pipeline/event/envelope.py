r"""The envelope: one line of URL-encoded metadata, a newline, and the body's bytes untouched."""

from __future__ import annotations

import re
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote_plus, unquote_to_bytes

from pipeline.aws.limits import PARTITION_KEY_CHARACTERS
from pipeline.errors import PipelineError
from pipeline.event.line_layouts import LineLayouts
from pipeline.event.ranges import are_ranges

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "1"
_HEADER = "h."
_PSEUDO = "p."
#: Bytes that every envelope has for what a replay writes into it. The door fills them with spaces,
#: so what it takes has room for the longest mark, and a replay makes no record longer.
REPLAY_ROOM = len(
    "&replay=replay-20261124T000000-0001&force=1&replays=9999&only=123456789-123456789"
)
#: What stands before the delivery id in a partition key that API Gateway makes: the UUID of the
#: stack's id, and a hyphen.
KEY_PREFIX_CHARACTERS = 37
# Java's URLEncoder, which the mapping template has, leaves the asterisk too: what is written anew
# must not grow.
_ESCAPED = re.compile(r"[^A-Za-z0-9_.~*-]")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.*-]+")
_ESCAPES = {chr(code): quote_plus(chr(code)) for code in range(128)}
_UNESCAPED = {f"{code:02X}": chr(code) for code in range(128)}
#: API Gateway takes 10,240 bytes of header values; URL-encoding makes each byte three at most.
_LONGEST_METADATA = 64 * 1024
_layouts = LineLayouts()


class EnvelopeError(PipelineError):
    """A record on the stream is no envelope."""


class Envelope(NamedTuple):
    """One request as it was accepted at the door.

    Parameters
    ----------
    arrived_ms : int
        When it was accepted, in milliseconds since the epoch.
    source : str
        The route that it came to.
    body : bytes
        The body, byte for byte.
    key : str
        The sender's delivery id where a header has it, else empty.
    headers : Mapping[str, str]
        The headers that the source keeps, by lower-case name, and its pseudo-headers.
    replay : str
        The replay job that put it on the stream, else empty.
    force : bool
        Whether the replay wants duplicates delivered.
    replays : int
        How often it was replayed.
    only : str
        Which of its events the replay wants, as ranges of their numbers; empty for all.
    """

    id: str
    arrived_ms: int
    source: str
    ip: str
    body: bytes
    key: str = ""
    headers: Mapping[str, str] = MappingProxyType({})
    replay: str = ""
    force: bool = False
    replays: int = 0
    only: str = ""


def encode_envelope(envelope: Envelope) -> bytes:
    """Return the record of an envelope; the mapping template of the front door writes the same.

    It has the same length with a replay's mark and without, as long as the mark fits its room.
    """
    fields = {
        "v": VERSION,
        "id": envelope.id,
        "ts": str(envelope.arrived_ms),
        "source": envelope.source,
        "ip": envelope.ip,
    }
    if envelope.key:
        fields["key"] = envelope.key
    fields |= {_field_of(name): value for name, value in envelope.headers.items()}
    line, mark = _join(fields), _join(_mark(envelope))
    if mark:
        mark = f"&{mark}"
    room = " " * (REPLAY_ROOM - len(mark))
    padding = " " * (-(len(line) + len(mark) + len(room) + 1) % 3)
    return f"{line}{mark}{room}{padding}\n".encode("ascii") + envelope.body


def _field_of(header: str) -> str:
    return _PSEUDO + header[1:] if header[:1] == ":" else _HEADER + header


def _mark(envelope: Envelope) -> dict[str, str]:
    """Return what a replay adds."""
    fields: dict[str, str] = {}
    if envelope.replay:
        fields["replay"] = envelope.replay
    if envelope.force:
        fields["force"] = "1"
    if envelope.replays:
        fields["replays"] = str(envelope.replays)
    if envelope.only:
        fields["only"] = envelope.only
    return fields


def _join(fields: Mapping[str, str]) -> str:
    return "&".join([f"{_quote_name(name)}={_quote(value)}" for name, value in fields.items()])


def _quote(text: str) -> str:
    # As urllib's quote_plus, which goes through the text byte by byte in Python. Most values have
    # nothing to escape, and the others a character or two.
    if not text.isascii():
        # An id in JSON can be half a surrogate pair, which no UTF-8 holds: a question mark, as in
        # the template's and the partition key's.
        return quote_plus(text, safe="*", errors="replace")
    return _ESCAPED.sub(_escape, text)


@lru_cache(maxsize=256)  # The same few, all the time.
def _quote_name(text: str) -> str:
    # Names are read as they stand, so an escape in one stays what it is.
    return _quote(text).replace("%25", "%")


def _escape(found: re.Match[str]) -> str:
    return _ESCAPES[found[0]]


def decode_envelope(data: bytes) -> Envelope:
    """Read an envelope from a record.

    Raises
    ------
    EnvelopeError
        When the record is no envelope of version 1.
    """
    end = data.find(b"\n", 0, _LONGEST_METADATA)
    if end < 0:
        raise EnvelopeError("no metadata line at the start of the record")
    try:
        line = data[:end].decode("ascii").rstrip(" ")
    except UnicodeDecodeError:
        raise EnvelopeError("the metadata line is not ASCII") from None
    known, body = _layouts.values_in(line), data[end + 1 :]
    if known is None:
        return _by_names(line, body)
    names, texts = known
    identifier, arrived, source, ip, key, *values = [
        _unquote(text) if "%" in text or "+" in text else text for text in texts
    ]
    headers = dict(zip(names, values, strict=True))
    return Envelope(identifier, int(arrived), source, ip, body, key, headers)


def _by_names(line: str, body: bytes) -> Envelope:
    pairs = [pair.partition("=") for pair in line.split("&")]
    fields = {
        name: _unquote(value) if "%" in value or "+" in value else value for name, _, value in pairs
    }
    # No name of a field of ours begins so.
    kept = [name for name in fields if name[:2] == _HEADER or name[:2] == _PSEUDO]
    headers = {
        name[2:] if name[:2] == _HEADER else f":{name[2:]}": fields.pop(name) for name in kept
    }
    if len(fields) + len(headers) != len(pairs) or "" in {between for _, between, _ in pairs}:
        raise EnvelopeError("the metadata line is no list of distinct fields")
    envelope = _from_fields(fields, headers, body)
    _layouts.learn(line, [name for name, _, _ in pairs], tuple(headers))
    return envelope


def _unquote(value: str) -> str:
    # As urllib's unquote_plus for ASCII, which this line is; without its search for other text.
    # Most values have no other escape than one of these two, and none is left then.
    plain = value.replace("+", " ").replace("%3D", "=").replace("%2F", "/")
    if "%" not in plain:
        return plain
    first, *parts = value.replace("+", " ").split("%")
    try:
        return first + "".join([_UNESCAPED[part[:2]] + part[2:] for part in parts])
    except KeyError:
        # Bytes that are no UTF-8 stay apart from one another: a delivery id can be among them.
        return unquote_to_bytes(value.replace("+", " ")).decode(errors="backslashreplace")


def partition_key(envelope: Envelope) -> str:
    """Return the partition key of an envelope that was verified: its delivery id, if it has one.

    The front door's key for a `direct` source has a part of the stack's id before it. A copy in
    another shard is known by the table.
    """
    key = envelope.key
    if not _PLAIN_KEY.fullmatch(key):
        key = quote_plus(key, safe="*", errors="replace").replace("~", "%7E")
    fits = 1 <= len(key) <= PARTITION_KEY_CHARACTERS
    return key if fits else envelope.id[:PARTITION_KEY_CHARACTERS]


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise EnvelopeError("replays is no number")
    return int(text)


def _ranges(text: str) -> str:
    if text and not are_ranges(text):
        raise EnvelopeError("only is no list of numbers and ranges")
    return text


def _from_fields(fields: dict[str, str], headers: dict[str, str], body: bytes) -> Envelope:
    if fields.get("v") != VERSION:
        raise EnvelopeError(f"envelope version {fields.get('v', 'missing')!r:.20}, expected '1'")
    found = fields.get
    event_id, arrived, source = found("id"), found("ts"), found("source")
    if not (event_id and arrived and source):
        missing = [name for name in ("id", "ts", "source") if not found(name)]
        raise EnvelopeError(f"the metadata line lacks {', '.join(missing)}")
    if not (arrived.isascii() and arrived.isdigit() and len(arrived) <= 14):
        raise EnvelopeError("ts is no time in milliseconds")
    return Envelope(
        event_id,
        int(arrived),
        source,
        found("ip", ""),
        body,
        found("key", ""),
        headers,
        found("replay", ""),
        found("force") == "1",
        _count(fields["replays"]) if "replays" in fields else 0,
        _ranges(found("only", "")),
    )
