"""What a signature covers beside headers and the body as it is: few senders sign such parts.

Each part is put beside the headers under a name that no header can have, as method, address and
query are (`pipeline.event.pseudo_headers`): `:path`, `:form.<name>`, `:form.sorted`,
`:body.<path>`, `:sha256(body)`. What fills in a signed string takes it from there, and so does what
reads a signature that is in the body itself.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.event.elements import ElementsError, find_list, spans_of
from pipeline.event.encodings import parts_of
from pipeline.event.exactly import read_exactly
from pipeline.event.fields import as_text, find, path_of
from pipeline.event.json_text import BodyError, NoJsonError, as_utf8
from pipeline.event.outcomes import Reason
from pipeline.event.parsing import json_in
from pipeline.event.pseudo_headers import PARTS, URL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pipeline.event.bodies.forms import Fields
    from pipeline.event.compiled_source import CompiledSource
    from pipeline.event.fields import FieldPath
    from pipeline.event.parsing import BodyPlace
    from pipeline.event.signature_details import DetailedSignature

    Fault = tuple[Reason, str] | None

#: Each has the body hashed anew, with each secret: a sender that rotates has two.
MOST_SETS = 5
_FORM, _SORTED, _BODY, _DIGEST = ":form.", ":form.sorted", ":body.", re.compile(r":(\w+)\(body\)")


def find_fault(
    source: CompiledSource,
    settings: DetailedSignature,
    headers: Mapping[str, str],
    body: bytes,
    check: Callable[[Mapping[str, str]], Fault],
) -> Fault:
    """Tell why a request's signature is not valid; None where it is.

    Parameters
    ----------
    check : Callable[[Mapping[str, str]], Fault]
        Says it of one signature: of the headers with the parts beside them.
    """
    try:
        if settings.each is not None:
            views = _elements(source, settings, headers, body, settings.each)
            return next(filter(None, map(check, views)), None)
        view = with_parts(source, settings.derived, headers, body)
    except BodyError as error:
        return Reason.BAD_SIGNATURE, str(error)
    if settings.sets is None:
        return check(view)
    faults = [
        check({**view, settings.header: one})
        for one in parts_of(view.get(settings.header, ""), settings.sets)[:MOST_SETS]
    ]
    # A set that fits, and is too old, says more than one of another secret.
    stale = [fault for fault in faults if fault and fault[0] is Reason.STALE_SIGNATURE]
    return None if None in faults else (stale or faults)[0]


def with_parts(
    source: CompiledSource | BodyPlace,
    names: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
) -> dict[str, str]:
    """Return headers with parts of the request beside them; empty texts for what is not there.

    Parameters
    ----------
    names : Sequence[str]
        Of the parts, with the colon that each begins with.

    Raises
    ------
    BodyError
        When a part is of a body that cannot be read, or has a field twice.
    """
    content: Any = None
    if any(name.startswith(_BODY) for name in names):
        content = _read(json_in(source, body))
    fields: Fields = []
    if any(name.startswith(_FORM) for name in names):
        fields = _fields_in(source, body)
    parts = {name: _part(name, headers, body, content, fields) for name in names}
    return {**headers, **parts, PARTS: ""}


def _elements(
    source: CompiledSource,
    settings: DetailedSignature,
    headers: Mapping[str, str],
    body: bytes,
    path: FieldPath,
) -> Iterator[Mapping[str, str]]:
    """Go through the elements that are signed each: all have to fit, and there is one at least."""
    try:
        text = as_utf8(json_in(source, body))
        at = find_list(text, path)
        most = source.split_most + 1
        spans = [] if at is None else list(islice(spans_of(text, at), most))
    except (ElementsError, NoJsonError) as error:
        raise BodyError(str(error)) from None
    if not spans:
        raise BodyError("the body has no list of signed events")
    if len(spans) == most:
        raise BodyError(f"more than {source.split_most:,} signed events in one request")
    for one in [_read(text[start:stop]) for start, stop in spans]:
        parts = {name: _part(name, headers, body, one, []) for name in settings.derived}
        yield {**headers, **parts, PARTS: ""}


def _part(name: str, headers: Mapping[str, str], body: bytes, content: Any, fields: Fields) -> str:
    if name == ":path":
        return urlsplit(headers.get(URL, "")).path
    if name == _SORTED:
        # Twilio, Mandrill and Plivo: names in order, each with its value; equal ones once.
        return "".join(key + value for key, value in sorted(set(fields)))
    if name.startswith(_FORM):
        found = [value for key, value in fields if key == name.removeprefix(_FORM)]
        if len(found) > 1:
            raise BodyError(f"form: field {name.removeprefix(_FORM)!r} comes twice")
        return found[0] if found else ""
    if name.startswith(_BODY):
        return as_text(find(content, path_of(name.removeprefix(_BODY))))
    if digest := _DIGEST.fullmatch(name):
        if digest[1] == "crc32":
            return str(zlib.crc32(body))
        return hashlib.new(digest[1], body).hexdigest()
    raise AssertionError(f"the model lets no {name} through")


def _read(text: bytes) -> Any:
    content = read_exactly(text)
    if content is None:
        raise BodyError("the body is no JSON, of which a part is signed")
    return content


def _fields_in(source: CompiledSource | BodyPlace, body: bytes) -> Fields:
    form = source.body_form
    if form is None or form.format not in {"form", "multipart"}:
        raise BodyError("the body is read as no form, of which a part is signed")
    return form.fields_in(body)
