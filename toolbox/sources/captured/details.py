"""Details of a signature that no trial shows: more headers that hold one, a time in the body."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.event.fields import find, path_text
from toolbox.sources.captured.places import names_signature, read_time, signature_places
from toolbox.sources.inference_values import scalar_paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolbox.sources.captured.request import CapturedRequest

#: Names of the time of sending. The time of what happened stays when a sender sends again, and
#: would make each later try stale.
_OF_SENDING = re.compile(
    r"(webhook|delivery|sent|sending|request)_?(timestamp|time|at)", re.IGNORECASE
)
_MOST_FURTHER = 9


def details_seen(
    requests: Sequence[CapturedRequest], how: dict[str, Any], evidence: list[tuple[str, str]]
) -> dict[str, Any]:
    """Return what else of `authentication` the requests show, and add the evidence for it."""
    made: dict[str, Any] = {}
    if "separator" not in how:
        size = {len(one.digest) for one in signature_places(requests[0])
                if one.header == how["header"]}  # fmt: skip
        others = [
            one.header
            for one in signature_places(requests[0])
            if one.header.lower() != how["header"].lower()
            and len(one.digest) in size
            and one.settings.get("prefix", "") == how.get("prefix", "")
            and "separator" not in one.settings
            and names_signature(one.header)
        ]
        if others:
            made["further_headers"] = list(dict.fromkeys(others))[:_MOST_FURTHER]
            text = f"{', '.join(made['further_headers'])}: of the same form, so one of all must fit"
            evidence.append(("signature", text))
    if "timestamp" not in how and how.get("key") is None and (when := _time_in_body(requests[0])):
        made["timestamp"] = when
        evidence.append(("signature", f"a time of sending is at {when['path']} of the body"))
    return made


def _time_in_body(request: CapturedRequest) -> dict[str, Any] | None:
    try:
        document = orjson.loads(request.content)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict):
        return None
    for path in scalar_paths(document):
        read = read_time(str(find(document, path)))
        if read and _OF_SENDING.fullmatch(path[-1]):
            return {"path": path_text(path), "unit": read[0], "tolerance_seconds": 300}
    return None
