"""A request as API Gateway hands it to the receiver, and the checks that it must pass."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipeline.event import pseudo_headers
from pipeline.event.compiled_source import ANY_CONTENT_TYPE
from pipeline.event.door_words import BASIC_CHALLENGE, TOKEN_PARAMETER
from pipeline.event.json_text import BodyError
from pipeline.event.outcomes import Reason
from pipeline.event.parsing import read_body
from pipeline.event.signatures import find_fault
from pipeline.receiving.admission import (
    from_allowed_network,
    has_token,
    header_of,
    shows_secret,
)
from pipeline.receiving.answers import Answer, denied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.event.compiled_source import CompiledSource
    from pipeline.runtime.secret_store import SecretStore

_DEFAULT_TYPE = "application/json"
_MESSAGES = {
    Reason.BAD_SIGNATURE: "The signature is missing or does not fit.",
    Reason.STALE_SIGNATURE: "The signature is too old, or its time is not.",
}


@dataclass(frozen=True)
class Request:
    """One request to a source.

    Parameters
    ----------
    arrived_ms : int
        When it came, in milliseconds since the epoch.
    headers : Mapping[str, str]
        All of them by lower-case name, the token included: never printed.
    body : bytes
        The body, byte for byte.
    path_token : str
        What follows the source in the path, where that is a token: never printed.
    query : Mapping[str, str]
        The parameters of the query, decoded; of two with one name the last, as API Gateway has it.
        Never printed: a token may be among them.
    repeated : frozenset[str]
        Names of parameters that the query has more than once.
    url : str
        The address that the sender was given.
    """

    source: CompiledSource = field(repr=False)
    id: str
    arrived_ms: int
    ip: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    method: str = "POST"
    path_token: str = field(default="", repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    repeated: frozenset[str] = frozenset()
    url: str = ""

    @cached_property
    def kept(self) -> dict[str, str]:
        """The headers and pseudo-headers that travel in the envelope: also what a signature covers.

        Of `Authorization` a signature does. What begins otherwise may be somebody's secret, and
        the envelope has only that it was there, as the mapping template has it.
        """
        source = self.source
        names, signature = source.kept_headers, source.signature or source.proof_of_body
        kept = {name: value for name, value in self.headers.items() if name in names}
        given = kept.get("authorization")
        if given and signature and not given.startswith(signature.scheme):
            kept["authorization"] = ""
        for name in source.pseudo_headers:
            if (value := self._beside_headers(name)) is not None:
                kept[name] = value
        return kept

    def _beside_headers(self, name: str) -> str | None:
        if name == pseudo_headers.METHOD:
            return self.method
        if name == pseudo_headers.URL:
            return self.url
        return self.query.get(name.removeprefix(pseudo_headers.QUERY))

    @property
    def shown_secret(self) -> str:
        """The token or the credentials as they came; empty where there are none."""
        source = self.source
        if source.token_in_path:
            return self.path_token
        if source.token_query:
            return self.query.get(source.token_query, "")
        return self.headers.get(header_of(source), "")

    @cached_property
    def content(self) -> Any:
        """The parsed body; None where there is no JSON in it, which is the fan-out's to reject."""
        try:
            return read_body(self.source, self.body)[1]
        except BodyError:
            return None


def read_request(event: Mapping[str, Any], source: CompiledSource, public_url: str = "") -> Request:
    """Read the event of a Lambda proxy integration.

    Parameters
    ----------
    public_url : str
        The address of the stage, without a slash at its end.
    """
    context = event["requestContext"]
    return Request(
        source=source,
        id=context["extendedRequestId"],
        arrived_ms=int(context["requestTimeEpoch"]),
        ip=context["identity"]["sourceIp"],
        headers=_lower_case(event.get("headers") or {}),
        body=_body(event),
        method=event["httpMethod"],
        path_token=(event.get("pathParameters") or {}).get(TOKEN_PARAMETER, ""),
        query={
            name: _encodable(value)
            for name, value in (event.get("queryStringParameters") or {}).items()
        },
        repeated=frozenset(
            name
            for name, values in (event.get("multiValueQueryStringParameters") or {}).items()
            if len(values) > 1
        ),
        url=f"{public_url}/{source.name}",
    )


def _lower_case(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers by lower-case name; the first of two that differ in case alone is taken.

    The mapping template takes the first as well: otherwise the choice of the way in would say
    which of two signatures counts.
    """
    found: dict[str, str] = {}
    for name, value in headers.items():
        found.setdefault(name.lower(), _encodable(value))
    return found


def _encodable(value: str) -> str:
    # What no UTF-8 can hold becomes a question mark, as in the template's URL-encoding.
    return value.encode("utf-8", "replace").decode()


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    return (
        base64.b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8", "replace")
    )


def refuse_stranger(request: Request) -> Answer | None:
    """Check what needs no secret: address, content type, and that each required header is there.

    Returns
    -------
    Answer | None
        The refusal; None where all is as it must be. A header's name counts in any case, and an
        empty header as missing.
    """
    source = request.source
    if not from_allowed_network(source, request.ip):
        return denied(403, "forbidden", "The sender is not let in.", "address not allowed")
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower() or _DEFAULT_TYPE
    if media_type not in source.content_types and ANY_CONTENT_TYPE not in source.content_types:
        message = "The source does not send this Content-Type."
        return denied(415, "unsupported_media_type", message)
    # What of `Authorization` is no signature is not kept, and so not there.
    headers = {**request.headers, **request.kept}
    given = {name for name, value in headers.items() if value.strip()}
    missing = [name for name in source.required_headers if name.lower() not in given]
    if missing:
        message = f"Required headers are missing: {', '.join(missing)}."
        return denied(400, "bad_request", message, message)
    return None


def refuse_forgery(request: Request, secrets: SecretStore) -> Answer | None:
    """Check token or signature; None where it is right.

    Parameters
    ----------
    secrets : SecretStore
        Where token and signing secret are.

    Raises
    ------
    SecretError
        When no secret can be read: nothing is decided.
    """
    source = request.source
    if shows_secret(source):
        given = request.shown_secret
        if not given:
            missing = denied(401, "unauthorized", "The token is missing.")
            basic = source.authentication == "basic"
            return replace(missing, headers={"WWW-Authenticate": BASIC_CHALLENGE} if basic else {})
        right = has_token(source, secrets, given)
        return None if right else denied(403, "forbidden", "The sender is not let in.", "token")
    headers, proof = request.kept, source.proof_of_body
    if proof is not None and proof.door_header in request.headers:
        headers = {**headers, proof.door_header: request.headers[proof.door_header]}
    fault = find_fault(source, secrets.of, headers, request.body, request.arrived_ms)
    if fault is None:
        return None
    reason, explanation = fault
    return denied(401, reason, _MESSAGES[reason], explanation)
