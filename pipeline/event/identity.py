r"""What makes two events one: the delivery id that a source's settings find, from the bytes.

The form says what the rest is, so that no two kinds can meet in one key:

    #<text>         an id that is a text, in a header or at a path
    !json:<list>    a number or true, as it was written; or several parts, each after its place
    !long:<hash>    one of those above, of more than 256 characters
    !body:<hash>    the body's hash, where an event has no id; after !json: where a part is missing
    !once:<id>      the event's own id, where copies are not looked for
    !reused:<hash>  before one of those above: another body under a known id

A source's name, or `<source>/<feed>`, stands before it. Neither has a `#` or `!`.
"""

from __future__ import annotations

import hashlib
import json
from binascii import b2a_base64
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.event.exactly import ExactNumber, read_exactly, write_exactly
from pipeline.event.fields import as_text, find
from pipeline.event.json_text import printable_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.event.compiled_source import CompiledSource
    from pipeline.event.events import Event
    from pipeline.event.fields import FieldPath, PathSet

#: An id with more characters is hashed.
LONGEST_KEY = 256
_TEXT, _JSON, _LONG = "#", "!json:", "!long:"
BODY, ONCE, _REUSED = "!body:", "!once:", "!reused:"


class Identity(NamedTuple):
    """What an event is known by.

    Parameters
    ----------
    said : str | Sequence[str | int | float | bool]
        The delivery id as a person reads it, or its parts; empty where there is none.
    key : str
        In the form that is described above; empty where the event has no id.
    complete : bool
        Whether each part that has to be there was. The body's hash completes what is not.
    """

    said: str | Sequence[str | int | float | bool]
    key: str
    complete: bool

    @property
    def text(self) -> str:
        """The delivery id as a person reads it; few ask for one of several parts."""
        if isinstance(self.said, str):
            return self.said
        return printable_text("|".join(map(as_text, self.said)))


_NONE = Identity("", "", complete=False)


def find_identity(
    source: CompiledSource, headers: Mapping[str, str], body: Any, body_json: bytes
) -> Identity:
    """Find what the sender tells its events apart by.

    Parameters
    ----------
    source : CompiledSource
        Whose settings say where it is.
    headers : Mapping[str, str]
        The request's headers by lower-case name.
    body : Any
        The event, parsed.
    body_json : bytes
        The event's bytes.
    """
    if source.delivery_id_header:
        text = headers.get(source.delivery_id_header, "")
        return Identity(text, _bounded(_TEXT, text), complete=True) if text else _NONE
    paths = source.delivery_id_paths
    found = paths.scalars(body) if len(paths) else None
    if not found:
        return _NONE
    if len(paths) == 1:
        return _single(found[0], paths[0], body_json)
    if float in map(type, found.values()):
        found = _with_digits(found, paths, body_json)
    places = sorted(found)
    values = [found[place] for place in places]
    needed = source.delivery_id_needed
    # Those that are needed have the first places.
    complete = not needed or (len(places) >= needed and places[needed - 1] == needed - 1)
    complete = complete and (len(places) > needed or needed == len(paths))
    parts: list[Any] = [None] * (2 * len(places))
    parts[::2], parts[1::2] = places, values
    written = write_exactly(parts) or json.dumps(_marked(parts)).encode()
    return Identity(values, _bounded(_JSON, written.decode()), complete)


def _marked(parts: list[Any]) -> list[Any]:
    """Keep numbers apart from texts where no fragment can be written: half a surrogate pair."""
    return [{"number": str(one)} if isinstance(one, ExactNumber) else one for one in parts]


def _single(value: Any, path: FieldPath, body_json: bytes) -> Identity:
    if type(value) is str:
        if value.isascii() or printable_text(value) == value:
            return Identity(value, _bounded(_TEXT, value), complete=True)
        return Identity(printable_text(value), _bounded(_JSON, json.dumps(value)), complete=True)
    if type(value) is float:
        value = find(read_exactly(body_json), path)
        if value is None:
            return _NONE
    text = as_text(value)
    return Identity(text, _bounded(_JSON, text), complete=True)


def _with_digits(found: dict[int, Any], paths: PathSet, body_json: bytes) -> dict[int, Any]:
    """Return the same values, with the numbers that a double cannot hold as they were written."""
    again: dict[int, Any] = paths.scalars(read_exactly(body_json))
    return again or {place: one for place, one in found.items() if type(one) is not float}


def _bounded(kind: str, text: str) -> str:
    if len(text) <= LONGEST_KEY:
        return kind + text
    return f"{_LONG}{kind}{digest(text.encode(errors='surrogatepass'))}"


def partition_text(identity: Identity, source: CompiledSource, body: bytes) -> str:
    """Return what copies of an event have in common, so that they meet in one shard.

    Other events may share it. API Gateway bounds the length of a header's, and nothing bounds that
    of an id in a body.
    """
    text = identity.text
    if not text or not identity.complete:
        return digest(body)
    too_long = len(text) > LONGEST_KEY and not source.delivery_id_header
    return digest(text.encode(errors="surrogatepass")) if too_long else text


def fingerprint_of(event: Event) -> str:
    """Return what another body does not have, in 32 characters.

    Where the sender's signature is an HMAC of the body alone, it is one already, and was checked.
    """
    signature = event.source.signature
    if signature is not None and signature.of_body_alone and event.source.split is None:
        text = event.envelope.headers.get(signature.header, "")[len(signature.prefix) :][:32]
        # One spelling of what fitted: the bytes are the same in either case, and without padding.
        return text.lower() if signature.encoding == "hex" else text + "=" * (-len(text) % 4)
    content = event.body_json or event.envelope.body
    return b2a_base64(hashlib.sha256(content).digest()[:24], newline=False).decode()


def reused_key(event: Event) -> str:
    """Return the key of an event that has the id of another one, and not its body."""
    name = event.source.name
    rest = event.deduplication_key.removeprefix(name)
    return f"{name}{_REUSED}{event.fingerprint}{rest}"


def digest(content: bytes) -> str:
    """Return what stands for content that is too long, or for an event without an id."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
