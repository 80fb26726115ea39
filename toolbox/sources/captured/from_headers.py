"""What the headers of caught requests say: the event's type, its id, and which of them to keep."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from toolbox.sources.captured.places import (
    id_headers,
    is_of_the_way,
    may_be_secret,
    names_signature,
)
from toolbox.sources.inference_values import scalar_paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolbox.sources.captured.request import CapturedRequest

_NAMES_TYPE = re.compile(
    r"(event|topic|action|notification|message|resource|kind|trigger)([-_]?(type|key|name))?$",
    re.IGNORECASE,
)
TYPE_TEXT = re.compile(r"[A-Za-z][\w.:/-]{0,63}")
_OF_DELIVERY = re.compile(r"deliver|webhook-?id|message|event", re.IGNORECASE)
_OF_REQUEST = re.compile(r"(?<!^x-)request-?id$", re.IGNORECASE)
#: Which program sends, and how it writes bodies: never what happened.
_OF_CLIENT = frozenset({"user-agent", "content-type", "from", "server"})
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_MOST_KEPT = 20

Parsed = tuple["CapturedRequest", Any]


def from_headers(events: Sequence[Parsed], evidence: list[tuple[str, str]]) -> dict[str, Any]:
    """Return type and id as far as a header has them, and add the evidence for each.

    Parameters
    ----------
    events : Sequence[Parsed]
        Requests, each with what is in its body.
    """
    made: dict[str, Any] = {}
    requests = [one for one, _ in events]
    if header := _type_header(events):
        made["event_type"] = {"header": header}
        values = list(dict.fromkeys(one.header(header) for one in requests))
        more = f" and {len(values) - 4} more" if values[4:] else ""
        evidence.append(("event type", f"header {header}: {', '.join(values[:4])}{more}"))
    if header := _id_header(requests, made, evidence):
        made["delivery_id"] = {"header": header}
    return made


def _id_header(
    requests: Sequence[CapturedRequest], made: dict[str, Any], evidence: list[tuple[str, str]]
) -> str:
    """Return the header of the delivery's id, else of the request's, and say why it is or is not.

    An id that a retry does not keep loses nothing: the retry is an event of its own.
    """
    names = [name for name in id_headers(requests[0]) if {"header": name} not in made.values()]
    named = [name for name in names if _OF_DELIVERY.search(name)]
    for name in (*named, *filter(is_of_request, names)):
        if _tells_apart(name, requests):
            text = f"header {name}: {len(requests)} requests, each with a value of its own"
            retried = "; see that a retry has the same, else it is delivered twice"
            evidence.append(("delivery id", text + (retried if is_of_request(name) else "")))
            return name
        text = f"header {name} could be; to prove it, give two requests that differ in it"
        evidence.append(("delivery id", text))
    return ""


def is_of_request(header: str) -> bool:
    """Tell whether an id is that of a request, by its name: a retry can have another.

    `X-Request-Id` alone is none: proxies write it.
    """
    return _OF_REQUEST.search(header) is not None


def _tells_apart(name: str, requests: Sequence[CapturedRequest]) -> bool:
    """Tell whether each event has its own value: what was sent again is the same event."""
    sent = {(one.header(name), one.content) for one in requests}
    values = {value for value, _ in sent} - {""}
    return 1 < len(sent) == len(values)


def _type_header(events: Sequence[Parsed]) -> str:
    """Return the header of the type: by its name, or since bodies of one value have one shape."""
    found = []
    for name, _ in events[0][0].headers:
        values = [one.header(name) for one, _ in events]
        if (
            is_of_the_way(name) or may_be_secret(name) or names_signature(name)
            or name.lower() in _OF_CLIENT or not all(map(TYPE_TEXT.fullmatch, values))
        ):  # fmt: skip
            continue
        if _NAMES_TYPE.search(name) or _parts_shapes(values, [document for _, document in events]):
            found.append((name, len(set(values))))
    return max(found, key=lambda one: one[1])[0] if found else ""


def _parts_shapes(values: Sequence[str], documents: Sequence[Any]) -> bool:
    """Tell whether no two values have a shape in common, and one of them has come twice."""
    shapes: dict[str, set[frozenset[Any]]] = {}
    for value, document in zip(values, documents, strict=True):
        shapes.setdefault(value, set()).add(frozenset(scalar_paths(document)))
    every = [shape for seen in shapes.values() for shape in seen]
    return 1 < len(shapes) < len(values) and len(every) == len(set(every))


def kept_headers(
    requests: Sequence[CapturedRequest], settings: dict[str, Any], *, proved: bool
) -> dict[str, Any]:
    """Return `headers`: what travels with an event, and what is asked for at the door.

    A header that is required and missing is answered with 400, and nothing is kept of the request.
    So it is required only where the request could never be proved without it, and where the scheme
    is proved: with a guess, events of which the guess is wrong would be lost, and not lie in
    quarantine until it is put right. A receiver says 401 by itself.

    Parameters
    ----------
    proved : bool
        Whether a captured signature fits.
    """
    how = settings["authentication"]
    proof = [how["header"]] if how["type"] in {"hmac", "public_key"} else []
    if (when := how.get("timestamp")) and when.get("header"):
        proof.append(when["header"])
    proof += re.findall(r"\{header\.([^{}]*)\}", how.get("signed", ""))
    token = how.get("header", "").lower() if how["type"] == "token" else ""
    seen = {name.lower(): name for one in requests for name, _ in one.headers}
    names = [
        name
        for name in seen.values()
        if not is_of_the_way(name) and not may_be_secret(name) and name.lower() != token
        and _NAME.fullmatch(name)
    ][:_MOST_KEPT]  # fmt: skip
    located = [settings[key]["header"] for key in ("event_type", "delivery_id")
               if "header" in settings.get(key, {})]  # fmt: skip
    keep = list({name.lower(): name for name in (*names, *located, *proof)}.values())
    always = list({name.lower(): name for name in proof}.values())
    asked = proved and always and "further_headers" not in how and "ingest" not in settings
    return {"keep": keep, **({"require": always} if asked else {})}
