"""Finds in caught requests those by which a sender asks whether an address is its owner's."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from pipeline.event.fields import find, path_text
from toolbox.sources.captured.places import is_of_the_way
from toolbox.sources.inference_values import scalar_paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolbox.sources.captured.request import CapturedRequest

_CHALLENGES = frozenset({"challenge", "plainToken"})
_IN_QUERY = re.compile(r"(hub\.)?challenge|validation_?token|echostr", re.IGNORECASE)
_KINDS = frozenset({"type", "event", "event_type"})
#: A handshake is short.
_MOST_VALUES = 8


def handshake_of(
    requests: Sequence[CapturedRequest],
    parsed: Sequence[tuple[CapturedRequest, Any]],
    evidence: list[tuple[str, str]],
) -> dict[str, Any]:
    """Return handshake and way in, and add the evidence for both.

    Parameters
    ----------
    parsed : Sequence[tuple[CapturedRequest, Any]]
        Those with a body, and what is in it.
    """
    asked = [_without_body(one, evidence) for one in requests if not one.body]
    rules = [rule for rule in asked if rule is not None]
    for one, document in parsed:
        if found := challenge_of(document):
            path, key, (kind, value) = found
            answer = {key: "$challenge"}
            if key == "plainToken":  # Zoom's, which wants its HMAC as well
                answer["encryptedToken"] = "$hmac"
            rules.append(
                {
                    "when": {"body": {kind: value}},
                    "challenge": {"path": path},
                    "answer": {"json": answer},
                }
            )
            evidence.append(
                ("handshake", f"{one.place} asks for {path} of its body to be answered")
            )
    if not rules:
        evidence.append(("way in", "direct: nothing that was caught waits for an answer"))
        return {}
    evidence.append(("way in", "receiver: it alone can answer what was caught"))
    distinct = [rule for number, rule in enumerate(rules) if rule not in rules[:number]]
    return {"ingest": "receiver", "handshake": distinct}


def _without_body(one: CapturedRequest, evidence: list[tuple[str, str]]) -> dict[str, Any] | None:
    for name, value in parse_qsl(one.query[:8_000], max_num_fields=100):
        if _IN_QUERY.fullmatch(name) and value and one.method in {"GET", "POST"}:
            evidence.append(
                ("handshake", f"{one.place} asks for {name} of its query to be answered")
            )
            rule: dict[str, Any] = {
                "when": {"method": one.method, "query": {name: True}},
                "challenge": {"query": name},
                "answer": {"text": "$challenge"},
            }
            return rule | ({"proof": "none"} if one.method == "POST" else {})
    if one.method in {"HEAD", "OPTIONS"}:
        evidence.append(("handshake", f"{one.place} is a {one.method}: it is answered with 200"))
        return {"when": {"method": one.method}}
    names = [name for name, _ in one.headers if not is_of_the_way(name)]
    text = (
        f"{one.place} is a {one.method} without a body, with {', '.join(names[:5]) or 'no header'}"
    )
    evidence.append(("handshake", f"{text}: see in the sender's documentation what it waits for"))
    return None


def challenge_of(document: Any) -> tuple[str, str, tuple[str, str]] | None:
    """Return the path of a challenge, its name, and what tells the handshake from an event."""
    if not isinstance(document, dict):
        return None
    paths = list(islice(scalar_paths(document), _MOST_VALUES + 1))
    asked = next((path for path in paths if path[-1] in _CHALLENGES), None)
    if asked is None or len(paths) > _MOST_VALUES:
        return None
    for path in paths:
        value = find(document, path)
        if path[-1] in _KINDS and isinstance(value, str) and value:
            return path_text(asked), asked[-1], (path_text(path), value)
    return None
