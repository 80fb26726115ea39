"""What of a source's settings contradicts what else they say."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from pipeline.event.compiled_source import ANY_CONTENT_TYPE
from settings.source.authentication import SignedRequest
from settings.source.base import SECRET_HEADERS
from settings.source.handshake import ECHO, HandshakeSettings
from settings.source.polling import FEED_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.source.model import Source


def source_faults(source: Source) -> Iterator[tuple[str, str]]:
    """Return each contradiction: its key, and what is expected there."""
    proof = source.proof_of_body
    yield from itertools.chain(
        *(check(source) for check in _CHECKS), proof.faults_of(source) if proof else ()
    )


def _ways_in(source: Source) -> Iterator[tuple[str, str]]:
    polls = source.ingest == "poll"
    if polls != (source.poll is not None):
        yield "poll", "is set if and only if ingest is 'poll'"
    if polls == (source.authentication is not None):
        yield "authentication", "is set unless ingest is 'poll'"
    if source.split and polls:
        yield "split", "an API's lists of events are named by its feeds"
    if source.handshake and polls:
        yield "handshake", "nothing asks for one where events are fetched"
    if not polls:
        yield from _handshakes(source)


def _answers(source: Source) -> Iterator[tuple[str, str]]:
    if source.answer and source.ingest == "poll":
        yield "answer", "is what senders that post are answered"
    for value in source.answer.values if source.answer else ():
        if not ECHO.fullmatch(value):
            yield "answer", f"{value!r} is unknown; use $header.<name>"
        elif source.ingest != "receiver":
            yield "answer", f"only the receiver can answer with {value}; ingest: receiver"
    if source.answer and source.ingest == "direct" and source.answer.is_evaluated:
        yield "answer", "API Gateway evaluates '$', '#' and a backslash; ingest: receiver"


def _handshakes(source: Source) -> Iterator[tuple[str, str]]:
    """Return what is wrong with the handshakes; their keys are those of the file."""
    old = isinstance(source.handshake, HandshakeSettings)
    if old and source.version > 1:
        yield "handshake", "is a list of rules in version 2; 'source upgrade' writes it"
    for number, rule in enumerate(source.handshake_rules):
        key = "handshake.post" if old else f"handshake.{number}"
        if rule.when.method == "POST" and source.ingest != "receiver":
            yield key, "only the receiver can answer; ingest: receiver"
        if rule.learn and source.authentication and source.parameter != "signing_secret":
            yield key, "'learn' is for a source that signs"
        if "$hmac" not in rule.answer.values:
            continue
        if not source.hmac:
            yield f"{key}.answer", "$hmac needs authentication by hmac"
        elif rule.proven_by != "signature" and "{body}" not in source.hmac.signed:
            yield f"{key}.answer", "$hmac for whoever asks would sign; {body} must be signed"


def _at_the_door(source: Source) -> Iterator[tuple[str, str]]:
    if source.proof == "network" and not source.allowed_networks:
        yield "allowed_networks", "may not be empty: a sender's address is all that is asked"
    if source.proof == "none" and source.allowed_networks:
        yield "authentication.type", "is 'network' where allowed_networks has some"
    if source.token and f":query.{source.token.query}" in source.pseudo_headers:
        yield "authentication.query", f"{source.token.query} has the token, and is never kept"


def _types(source: Source) -> Iterator[tuple[str, str]]:
    if source.event_type is None:
        if source.ignore_types:
            yield "ignore_types", "set event_type, or no event can have a type"
        if source.schemas.types:
            yield "schemas.types", "set event_type, or no event can have a type"
    if source.schemas.unknown_types == "reject" and not source.schemas.types:
        yield "schemas.unknown_types", "'reject' without types rejects all"


def _headers(source: Source) -> Iterator[tuple[str, str]]:
    kept = {name.lower() for name in source.headers.keep}
    # Authorization of an HMAC holds no secret: who has seen it can sign nothing else.
    signs = {name.lower() for name in source.signing.all_headers} if source.signing else set()
    for name in source.headers.keep:
        if name.lower() in SECRET_HEADERS - signs:
            yield "headers.keep", f"{name} carries a secret and is never kept"
    for key, locator in (("event_type", source.event_type), ("delivery_id", source.delivery_id)):
        if locator and locator.header and locator.header.lower() not in kept:
            yield key, f"header {locator.header} must be listed in headers.keep"
    for name in source.signing.headers if source.signing else ():
        if name.lower() not in kept:
            yield "authentication", f"header {name} must be in headers.keep"
    if source.token is not None and source.token.in_header.lower() in kept:
        yield "headers.keep", f"{source.token.header} carries the token"
    if source.poll is not None and kept - {FEED_HEADER.lower()}:
        yield "headers.keep", f"a fetched event has one header, {FEED_HEADER}"


def _forms(source: Source) -> Iterator[tuple[str, str]]:
    form = "application/x-www-form-urlencoded"
    if ANY_CONTENT_TYPE in source.content_types and source.ingest != "receiver":
        yield "content_types", "'*/*' needs ingest: receiver; API Gateway has a list for others"
    if len(set(source.methods)) < len(source.methods):
        yield "methods", "name each once"
    # What `body` names is read by it, whatever the content type says.
    if (form in source.content_types and source.body is None) != (source.form_field is not None):
        yield "form_field", f"is set if and only if content_types has {form}"
    kept = {name.lower() for name in source.headers.keep}
    if source.form_field is not None and "content-type" not in kept:
        yield "form_field", "header Content-Type must be listed in headers.keep"


def _signed_parts(source: Source) -> Iterator[tuple[str, str]]:
    """Say where a signature would be checked on another reading of the body than the event's.

    JSON can hold what reads as a form's fields: their signature would let in what is beside.
    """
    signs = source.authentication if isinstance(source.authentication, SignedRequest) else None
    fields = signs is not None and any(one.startswith(":form.") for one in signs.derived)
    if fields and (source.body is None or source.body.format not in {"form", "multipart"}):
        yield "body.format", "is form or multipart where a form's fields are signed"


def _bodies(source: Source) -> Iterator[tuple[str, str]]:
    if source.body is not None and source.ingest == "poll":
        yield "body", "events that are fetched are JSON"
    if source.skip and source.ingest == "poll":
        yield "skip", "what is fetched is an event"
    if source.body is not None and source.body.format == "jwt" and source.proof != "jwt":
        yield "body.format", "'jwt' needs authentication by jwt: nobody would verify the claims"
    lines = source.body is not None and source.body.format == "ndjson"
    if lines and (source.split is None or source.split.path != "."):
        yield "split", "lines are a list: set split: {path: .}"
    yield from _signed_parts(source)
    each = source.hmac.each if source.hmac else None
    if each is not None and (source.split is None or source.split.path != each):
        yield "split", f"what is signed each is an event each: set split: {{path: {each}}}"
    kept = {name.lower() for name in source.headers.keep}
    for number, rule in enumerate(source.skip):
        if rule.header is not None and rule.header.lower() not in kept:
            yield f"skip.{number}", f"header {rule.header} must be listed in headers.keep"


_CHECKS = (_ways_in, _at_the_door, _answers, _types, _headers, _forms, _bodies)
