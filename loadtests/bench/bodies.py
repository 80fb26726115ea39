"""What a body costs that is no JSON text, and a signature over more than headers and body."""

from __future__ import annotations

import base64
import gzip
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

import orjson
import urllib3

from loadtests.bench.measuring import Contender, WorkError, compare
from pipeline.event.bodies.body_form import BodyForm, Unwrapping
from pipeline.event.secrets import only
from pipeline.event.signatures import find_fault, sign
from pipeline.event.signed_parts import with_parts
from settings.source.authentication import HmacAuthentication
from settings.source.filling import compiled_as

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.event.compiled_source import CompiledSource

_TIMES, _MANY, _SECRET = 100, 100, b"a-secret"
_EVENT = {
    "RayID": "8a1", "ClientIP": "192.0.2.7", "ClientRequestHost": "www.example.com",
    "ClientRequestURI": "/login?next=%2F", "EdgeEndTimestamp": "2026-11-24T19:28:20Z",
    "EdgeResponseStatus": 403, "UserAgent": "Mozilla/5.0 (X11; Linux x86_64)",
    "SecurityAction": "block", "WAFAttackScore": 12, "ZoneName": "example.com",
}  # fmt: skip
_TEXT = orjson.dumps(_EVENT)
_FIELDS = {key: str(value) for key, value in _EVENT.items()}
_XML = b"<e:Body xmlns:e='urn:e'>%s</e:Body>" % b"".join(
    b"<%s>%s</%s>" % (key.encode(), value.replace("&", "").encode(), key.encode())
    for key, value in _FIELDS.items()
)
_SIGNED = {"body": "{body}", "address and body": "{url}{body}",
           "address and sorted fields": "{url}{form.sorted}"}  # fmt: skip


def run(rounds: int) -> dict[str, dict[str, float]]:
    """Measure each kind of body, and signatures over the parts of one.

    Returns
    -------
    dict[str, dict[str, float]]
        Microseconds of CPU for an event, by kind.
    """
    work = {**_bodies(), **_signatures()}
    contenders = {
        name: Contender(partial(_repeat, one, events)) for name, (one, events) in work.items()
    }
    found = compare(contenders, rounds)
    return {"bodies_us": {name: round(one.median, 1) for name, one in found.items()}}


def _bodies() -> dict[str, tuple[Callable[[], object], int]]:
    form = urlencode(_FIELDS).encode()
    parts, _ = urllib3.encode_multipart_formdata(_FIELDS)
    lines = b"\n".join([_TEXT] * _MANY)
    packed = orjson.dumps({"data": base64.b64encode(_TEXT).decode()})
    unwrap = Unwrapping(path=("data",), encoding="base64", format="json", keeps=False)
    return {
        "for comparison: parsing it": (partial(orjson.loads, _TEXT), 1),
        "lines": (partial(_form("ndjson").json_in, lines), _MANY),
        "lines, gzip": (partial(_form("ndjson").json_in, gzip.compress(lines)), _MANY),
        "form": (partial(_form("form").json_in, form), 1),
        "multipart": (partial(_form("multipart").json_in, parts), 1),
        "XML": (partial(_form("xml").json_in, _XML), 1),
        "JSON in base64 in JSON": (partial(_form("json", unwrap).json_in, packed), 1),
    }


def _form(kind: str, *unwrap: Unwrapping) -> BodyForm:
    return BodyForm(format=kind, lists=(), unwrap=unwrap, event=None)


def _signatures() -> dict[str, tuple[Callable[[], object], int]]:
    body, form = urlencode(_FIELDS).encode(), _form("form")
    work: dict[str, tuple[Callable[[], object], int]] = {}
    for name, signed in _SIGNED.items():
        settings = HmacAuthentication.model_validate(
            {"type": "hmac", "header": "X-Sig", "signed": signed}
        )
        signature = compiled_as(settings.compiled_kind, settings)
        values: dict[str, Any] = {"signature": signature, "body_form": form, "name": name}
        source = cast("CompiledSource", SimpleNamespace(**values, proof_of_body=None))
        headers = {":url": "https://hooks.example.com/sender"}
        view = with_parts(source, settings.derived, headers, body)
        headers["x-sig"] = sign(signature, _SECRET, body, view)
        check = partial(find_fault, source, only(_SECRET), headers, body, 0)
        if check() is not None:
            raise WorkError(f"{name}: the signature does not fit")
        work[f"signature over {name}"] = (check, 1)
    return work


def _repeat(work: Callable[[], object], events: int) -> int:
    for _ in range(_TIMES):
        work()
    return _TIMES * events
