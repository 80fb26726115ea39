"""What the headers of caught requests say: the event's type, its id, and which of them to keep."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from toolbox.sources.captured.places import id_headers, is_of_the_way, may_be_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolbox.sources.captured.request import CapturedRequest

_TYPE_HEADER = re.compile(
    r"(event|topic|action|notification|message)([-_]?(type|key|name))?$", re.IGNORECASE
)
TYPE_TEXT = re.compile(r"[A-Za-z][\w.:/-]{0,63}")
_OF_DELIVERY = re.compile(r"deliver|webhook-?id|message|event", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_MOST_KEPT = 20


def from_headers(
    requests: Sequence[CapturedRequest], evidence: list[tuple[str, str]]
) -> dict[str, Any]:
    """Return type and id as far as a header has them, and add the evidence for each."""
    made: dict[str, Any] = {}
    for name, value in requests[0].headers:
        if _TYPE_HEADER.search(name) and TYPE_TEXT.fullmatch(value) and not is_of_the_way(name):
            made["event_type"] = {"header": name}
            values = dict.fromkeys(one.header(name) for one in requests)
            evidence.append(("event type", f"header {name}: {', '.join(list(values)[:4])}"))
            break
    for name in id_headers(requests[0]):
        distinct = {one.header(name) for one in requests} - {""}
        if made.get("event_type", {}).get("header") == name or not _OF_DELIVERY.search(name):
            continue
        if len(requests) > 1 and len(distinct) == len(requests):
            made["delivery_id"] = {"header": name}
            text = f"header {name}: {len(distinct)} requests, each with a value of its own"
            evidence.append(("delivery id", text))
            break
        text = f"header {name} could be; to prove it, give two requests that differ in it"
        evidence.append(("delivery id", text))
    return made


def kept_headers(requests: Sequence[CapturedRequest], settings: dict[str, Any]) -> dict[str, Any]:
    """Return `headers`: what travels with an event, and what its proof cannot do without."""
    how = settings["authentication"]
    proof = [how["header"]] if how["type"] in {"hmac", "public_key"} else []
    if (when := how.get("timestamp")) and when.get("header"):
        proof.append(when["header"])
    proof += re.findall(r"\{header\.([^{}]*)\}", how.get("signed", ""))
    token = how.get("header", "").lower() if how["type"] == "token" else ""
    names = [
        name
        for name, _ in requests[0].headers
        if not is_of_the_way(name) and not may_be_secret(name) and name.lower() != token
        and _NAME.fullmatch(name)
    ][:_MOST_KEPT]  # fmt: skip
    located = [settings[key]["header"] for key in ("event_type", "delivery_id")
               if "header" in settings.get(key, {})]  # fmt: skip
    keep = list({name.lower(): name for name in (*names, *located, *proof)}.values())
    always = list({name.lower(): name for name in proof}.values())
    return {"keep": keep, **({"require": always} if always else {})}
