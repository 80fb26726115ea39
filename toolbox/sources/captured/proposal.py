"""From caught requests to what a source's folder is made of, with the evidence for each guess."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from settings.source.model import Authentication
from toolbox.sources.captured.bodies import FORM, body_settings, document_of
from toolbox.sources.captured.details import details_seen
from toolbox.sources.captured.from_headers import TYPE_TEXT, from_headers, kept_headers
from toolbox.sources.captured.handshakes import asked_for, handshake_of
from toolbox.sources.captured.hiding import HiddenBody, hidden
from toolbox.sources.captured.known import known_schemes
from toolbox.sources.captured.places import arrival, may_be_secret
from toolbox.sources.captured.public_keys import find_key_scheme
from toolbox.sources.captured.request import CaptureError
from toolbox.sources.captured.scheme import SchemeFound, find_scheme
from toolbox.sources.captured.token import find_token
from toolbox.sources.captured.told_secrets import told_secrets, values_of
from toolbox.sources.scaffolding_given import Given

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolbox.sources.captured.reading import Captures
    from toolbox.sources.captured.request import CapturedRequest

_AUTHENTICATION: TypeAdapter[Any] = TypeAdapter(Authentication)


@dataclass(frozen=True)
class CapturedProposal:
    """What a folder is made of.

    Parameters
    ----------
    settings : dict[str, Any]
        Of `source.yaml`: what the requests say beside their bodies.
    evidence : tuple[tuple[str, str], ...]
        For each guess: what is guessed, and what for.
    """

    given: tuple[Given, ...]
    settings: dict[str, Any]
    evidence: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def propose(
    captures: Captures, secrets: Sequence[str] = (), *, keep_secret: bool = False
) -> CapturedProposal:
    """Propose a source for the requests of one sender.

    Parameters
    ----------
    secrets : Sequence[str]
        The sender's secret, or several of which one may be it: schemes are tried with it.
    keep_secret : bool
        It is a test secret: write it into the samples, with the requests as they were sent.

    Raises
    ------
    CaptureError
        When no request has a body to learn from, or a body is not what its content type says.
    """
    with_body = [one for one in captures.requests if one.body]
    if not with_body:
        raise CaptureError(f"{captures.requests[0].where}: no request has a body to learn from")
    how = body_settings(with_body[0])
    parsed = [(one, document_of(one, how)) for one in with_body]
    told = told_secrets(captures.requests, parsed)
    asking = [one.request for one in told]
    events = [pair for pair in parsed if not asked_for(*pair) and pair[0] not in asking]
    if not events:
        raise CaptureError(f"{with_body[0].where}: a handshake, and no event; catch one as well")
    requests = [one for one, _ in events]
    evidence: list[tuple[str, str]] = []
    notes = list(captures.notes)
    settings = _proof(requests, secrets, values_of(told), evidence)
    scheme = settings.pop("scheme")
    notes += [one.unproved for one in told if one.request.body and one.value not in _used(scheme)]
    told = [one for one in told if one.value in _used(scheme)]
    notes += [one.untold for one in told if one.is_in(events)]
    told = [one for one in told if not one.is_in(events)]
    settings |= _content(requests, how, evidence)
    settings |= handshake_of(captures.requests, parsed, evidence, told)
    settings |= from_headers(events, evidence)
    proved = scheme is not None and scheme.proved == len(requests)
    settings["headers"] = kept_headers(requests, settings, proved=proved)
    kept = scheme is not None and scheme.proved > 0 and (keep_secret or scheme.is_public)
    if scheme is not None and scheme.proved and not kept:
        notes.append(
            "the requests are not kept as they were sent, since that takes their secret; with a "
            "test secret, --keep-secret does"
        )
    given = []
    for request, document in events:
        try:
            clean = hidden(request.content, document, [*secrets, *_used(scheme)])
        except CaptureError as error:
            raise CaptureError(f"{request.where}: {error}") from None
        # What a public key proves is kept without leave, so it may have no secret in it.
        as_sent = kept and (keep_secret or not (clean.replaced or clean.left))
        notes += _hiding_notes(request, clean, kept=as_sent)
        given.append(_given(request, document, settings, scheme if as_sent else None))
        if not as_sent:
            given[-1] = replace(given[-1], content=clean.content)
    return CapturedProposal(tuple(given), settings, tuple(evidence), tuple(dict.fromkeys(notes)))


def _used(scheme: SchemeFound | None) -> set[str]:
    """Return the secret by which a scheme was proved, if one was."""
    return {scheme.secret} - {""} if scheme else set()


def _proof(
    requests: Sequence[CapturedRequest],
    secrets: Sequence[str],
    told: Sequence[str],
    evidence: list[tuple[str, str]],
) -> dict[str, Any]:
    known = known_schemes(requests[0])
    text = "the signature's header is that of the built-in source"
    evidence.extend(("sender", f"{text} {name}") for name in known)
    if requests[0].header("x-amz-sns-message-type"):
        text = "the headers are those of Amazon SNS: write type: sns, as in "
        evidence.append(("sender", f"{text}docs/source-authentication.md"))
    scheme = find_key_scheme(requests, secrets) if secrets else None
    scheme = scheme or find_scheme(requests, [*secrets, *told], list(known.values()))
    token = find_token(requests, secrets)
    if token is not None and (token.proved or scheme is None):
        evidence.append(("token", token.evidence))
        return {"scheme": None, "authentication": token.settings}
    if scheme is None:
        evidence.append(
            ("proof", ("none found: neither a signature nor a token is in the headers; see "
             "docs/source-authentication.md for what else there is"))
        )  # fmt: skip
        return {"scheme": None, "authentication": {"type": "token"}}
    evidence.append(("signature", scheme.evidence))
    further = details_seen(requests, scheme.settings, evidence)
    scheme = replace(scheme, settings=scheme.settings | further)
    evidence.append(("scheme", _said(scheme, len(requests), given=bool(secrets))))
    try:
        _AUTHENTICATION.validate_python(scheme.settings)
    except ValidationError:
        evidence.append(("scheme", f"source.yaml cannot say {scheme.settings['signed']!r}"))
        return {"scheme": None, "authentication": scheme.settings | {"signed": "{body}"}}
    return {"scheme": scheme, "authentication": scheme.settings}


def _said(scheme: SchemeFound, count: int, *, given: bool) -> str:
    how = scheme.settings
    name = how["algorithm"] if scheme.is_public else f"HMAC-{how['algorithm'].upper()}"
    text = f"{name} over {how['signed']!r}"
    if form := how.get("secret") or how.get("key"):
        text += f", key {form}"
    if scheme.proved:
        return f"{text}: proved by the captured signature ({scheme.proved} of {count})"
    if given:
        return f"{text}: a guess; no scheme that was tried fits the secret that was given"
    return f"{text}: a guess; --secret-file has schemes tried"


def _content(
    requests: Sequence[CapturedRequest], how: dict[str, Any], evidence: list[tuple[str, str]]
) -> dict[str, Any]:
    made = {key: value for key, value in how.items() if key != "split"}
    types = sorted(
        {one.media_type for one in requests} - {""} | ({FORM} if "form_field" in how else set())
    )
    if types and types != ["application/json"]:
        made["content_types"] = types
        evidence.append(("body", f"{', '.join(types)}; {how or 'JSON'}"))
    if coding := requests[0].header("content-encoding"):
        evidence.append(("body", f"{coding}: unpacked by API Gateway before anything sees it"))
    return made


def _given(
    request: CapturedRequest,
    document: Any,
    settings: dict[str, Any],
    kept: SchemeFound | None,
) -> Given:
    name = name_of(request, document, settings)
    keep = {one.lower() for one in settings["headers"]["keep"]}
    how = settings["authentication"]
    proof = {how.get("header", "").lower(), str((how.get("timestamp") or {}).get("header")).lower()}
    headers = {
        one: value
        for one, value in request.headers
        if one.lower() in keep - proof - {"content-type"}
    }
    type_ = request.header("content-type")
    located = settings.get("event_type", {}).get("header", "")
    given = Given(name, request.content, document, headers, type_, kind=request.header(located))
    if kept is None:
        return given
    sent_at = arrival(request, how) or datetime.now(UTC).timestamp()
    return replace(
        given,
        beside=_address(request, how),
        packed=request.body if request.body != request.content else b"",
        as_sent={
            "signed_by": f"capture {request.place}",
            "at": datetime.fromtimestamp(round(sent_at, 3), UTC),
            "secrets": [kept.secret],
            "headers": [
                [one, value]
                for one, value in request.headers
                if one.lower() in proof or not may_be_secret(one)
            ],
        },
    )


def _hiding_notes(request: CapturedRequest, clean: HiddenBody, *, kept: bool) -> list[str]:
    left_out = [one for one, _ in request.headers if may_be_secret(one)]
    notes = [f"header {one} can hold a secret: its value is written nowhere" for one in left_out]
    places = (*clean.replaced, *clean.left)
    if kept:
        why = "it stays, since the request is kept as it was sent"
        return [*notes, *(f"{one} of a body can be a secret: {why}" for one in places)]
    notes += [f"{one} of a body can be a secret: it is replaced" for one in clean.replaced]
    return [*notes, *(f"{one} of a body can be a secret: TAKE IT OUT" for one in clean.left)]


def _address(request: CapturedRequest, how: dict[str, Any]) -> dict[str, str]:
    """Return what of its address a signature covers, and the method: what a sample has of them."""
    signed = str(how.get("signed", ""))
    beside = {"method": request.method} if request.method != "POST" else {}
    if "{url}" in signed or "{path}" in signed:
        beside["url"] = request.address
    if "{query." in signed:
        beside["query"] = request.query
    return beside


def name_of(request: CapturedRequest, document: Any, settings: dict[str, Any]) -> str:
    """Return what an event is called: its type as far as it is known, else that it was caught."""
    locator = settings.get("event_type", {})
    kind = request.header(locator["header"]) if "header" in locator else ""
    if not kind and isinstance(document, dict):
        values = (document.get(key) for key in ("type", "event_type", "event", "action"))
        kind = next(
            (one for one in values if isinstance(one, str) and TYPE_TEXT.fullmatch(one)), ""
        )
    return kind or "no-type"
