"""Finds in caught requests those by which a sender asks whether an address is its owner's."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

from pipeline.event.fields import find, path_of, path_text
from toolbox.sources.captured.places import is_of_the_way
from toolbox.sources.inference_values import scalar_paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolbox.sources.captured.request import CapturedRequest
    from toolbox.sources.captured.told_secrets import ToldSecret

_CHALLENGES = frozenset({"challenge", "plainToken"})
_IN_QUERY = re.compile(r"(hub\.)?challenge|validation_?token|echostr", re.IGNORECASE)
#: What it says is the secret of all that follows.
_OF_ASANA = "x-hook-secret"
#: A header with a challenge, which nobody signs, and the answer that its sender documents.
_IN_HEADER: dict[str, dict[str, Any]] = {
    "x-okta-verification-challenge": {"json": {"verification": "$challenge"}},  # Okta
    _OF_ASANA: {"headers": {"X-Hook-Secret": "$challenge"}},
    "validation-token": {"headers": {"Validation-Token": "$challenge"}},  # RingCentral
    "x-adobesign-clientid": {"headers": {"X-AdobeSign-ClientId": "$challenge"}},  # Acrobat Sign
    "smartsheet-hook-challenge": {"headers": {"Smartsheet-Hook-Response": "$challenge"}},
    # CloudEvents, HTTP 1.1 web hooks for event delivery, 4.2
    "webhook-request-origin": {
        "headers": {"WebHook-Allowed-Origin": "$challenge", "WebHook-Allowed-Rate": "*"}
    },
}
#: A header that tells the handshake from an event, where the challenge is, and the answer.
_TOLD_BY_HEADER: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("twitch-eventsub-message-type", "webhook_callback_verification"): (
        "challenge",
        {"text": "$challenge"},
    ),
    ("aeg-event-type", "SubscriptionValidation"): (  # Azure Event Grid
        "0.data.validationCode",
        {"json": {"validationResponse": "$challenge"}},
    ),
}
_KINDS = frozenset({"type", "event", "event_type"})
#: A handshake is short.
_MOST_VALUES = 8
#: Beside a challenge in a header, a body has no more: an event could have the header, too.
_BESIDE_HEADER = 2


class AskedFor(NamedTuple):
    """What a request asks to be given back, in words, and the rule that does so."""

    what: str
    rule: dict[str, Any]


def asked_for(one: CapturedRequest, document: Any) -> AskedFor | None:
    """Return the challenge of a request; None where it has none that is known for one.

    Parameters
    ----------
    document : Any
        What is in its body; None where that cannot be told.
    """
    told = _in_header(one, document) or _told_by_header(one, document)
    return told or (_in_body(document) if one.body else _in_query(one))


def handshake_of(
    requests: Sequence[CapturedRequest],
    parsed: Sequence[tuple[CapturedRequest, Any]],
    evidence: list[tuple[str, str]],
    told: Sequence[ToldSecret] = (),
) -> dict[str, Any]:
    """Return handshake and way in, and add the evidence for both.

    Parameters
    ----------
    parsed : Sequence[tuple[CapturedRequest, Any]]
        Those with a body, and what is in it.
    told : Sequence[ToldSecret]
        What is the secret of other requests.
    """
    rules = [one.rule for one in told if asked_for(one.request, one.document) is None]
    for one, document in [*((one, None) for one in requests if not one.body), *parsed]:
        if asked := asked_for(one, document):
            evidence.append(("handshake", f"{one.place} asks for {asked.what} to be answered"))
            learn = next((one_told.learn for one_told in told if one_told.request is one), None)
            is_open = learn and one.method == "POST" and asked.rule.get("proof") == "none"
            rules.append(asked.rule | ({"learn": learn} if is_open else {}))
        elif not one.body and (rule := _without_body(one, evidence)):
            rules.append(rule)
    evidence.extend(("handshake", one.evidence) for one in told)
    if not rules:
        evidence.append(("way in", "direct: nothing that was caught waits for an answer"))
        return {}
    evidence.append(("way in", "receiver: it alone can answer what was caught"))
    distinct = [rule for number, rule in enumerate(rules) if rule not in rules[:number]]
    return {"ingest": "receiver", "handshake": distinct}


def _in_header(one: CapturedRequest, document: Any) -> AskedFor | None:
    if one.body and not _is_short(document, _BESIDE_HEADER):
        return None
    for name, value in one.headers:
        if (answer := _IN_HEADER.get(name.lower())) and value:
            rule = {
                "when": {"method": one.method, "header": {name: True}},
                "proof": "none",
                "challenge": {"header": name},
                "answer": answer,
            }
            if name.lower() == _OF_ASANA and one.method == "POST":
                rule["learn"] = {"header": name}
            return AskedFor(f"{name} of its headers", rule)
    return None


def _told_by_header(one: CapturedRequest, document: Any) -> AskedFor | None:
    for name, value in one.headers:
        path, answer = _TOLD_BY_HEADER.get((name.lower(), value), ("", {}))
        if path and isinstance(find(document, path_of(path)), str):
            rule = {
                "when": {"header": {name: value}},
                "challenge": {"path": path},
                "answer": answer,
            }
            return AskedFor(f"{path} of its body", rule)
    return None


def _in_query(one: CapturedRequest) -> AskedFor | None:
    for name, value in parse_qsl(one.query[:8_000], max_num_fields=100):
        if _IN_QUERY.fullmatch(name) and value and one.method in {"GET", "POST"}:
            rule: dict[str, Any] = {
                "when": {"method": one.method, "query": {name: True}},
                "challenge": {"query": name},
                "answer": {"text": "$challenge"},
            }
            rule |= {"proof": "none"} if one.method == "POST" else {}
            return AskedFor(f"{name} of its query", rule)
    return None


def _without_body(one: CapturedRequest, evidence: list[tuple[str, str]]) -> dict[str, Any] | None:
    if one.method in {"HEAD", "OPTIONS"}:
        evidence.append(("handshake", f"{one.place} is a {one.method}: it is answered with 200"))
        return {"when": {"method": one.method}}
    names = [name for name, _ in one.headers if not is_of_the_way(name)]
    text = (
        f"{one.place} is a {one.method} without a body, with {', '.join(names[:5]) or 'no header'}"
    )
    evidence.append(("handshake", f"{text}: see in the sender's documentation what it waits for"))
    return None


def _in_body(document: Any) -> AskedFor | None:
    if not isinstance(document, dict) or not _is_short(document, _MOST_VALUES):
        return None
    paths = list(scalar_paths(document))
    path = next((path for path in paths if path[-1] in _CHALLENGES), None)
    if path is None:
        return None
    asked = path_text(path)
    answer = {path[-1]: "$challenge"}
    if path[-1] == "plainToken":  # Zoom's, which wants its HMAC as well
        answer["encryptedToken"] = "$hmac"
    rule = {"challenge": {"path": asked}, "answer": {"json": answer}}
    for kind in paths:
        value = find(document, kind)
        if kind[-1] in _KINDS and isinstance(value, str) and value:
            return AskedFor(
                f"{asked} of its body", {"when": {"body": {path_text(kind): value}}} | rule
            )
    if len(paths) == 1:  # such as monday.com's, which nobody signs
        return AskedFor(
            f"{asked} of its body", {"when": {"body": {asked: True}}, "proof": "none"} | rule
        )
    return None


def _is_short(document: Any, most: int) -> bool:
    return isinstance(document, dict) and len([*islice(scalar_paths(document), most + 1)]) <= most
