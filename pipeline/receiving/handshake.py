"""Answers a sender that asks whether this address is its owner's."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from pipeline.event.fields import as_text, find
from pipeline.event.secrets import SecretError, only
from pipeline.event.signatures import find_fault, key_of
from pipeline.receiving.answers import Answer, denied, shaken

if TYPE_CHECKING:
    from pipeline.receiving.request import Request
    from pipeline.runtime.secret_store import SecretStore

LONGEST_CHALLENGE = 200


def answer_handshake(request: Request, secrets: SecretStore) -> Answer | None:
    """Answer a handshake; None where the request is an event.

    Parameters
    ----------
    request : Request
        A request whose signature was checked: an HMAC for anyone who asks would sign forgeries.
    secrets : SecretStore
        Where the signing secrets are.

    Raises
    ------
    SecretError
        When no secret can be read.
    """
    settings = request.source.challenge
    if settings is None or as_text(find(request.content, settings.path)) != settings.equals:
        return None
    challenge = find(request.content, settings.challenge)
    if not _harmless(challenge):
        return denied(
            400,
            "bad_challenge",
            f"A challenge is 1 to {LONGEST_CHALLENGE} characters without a colon.",
        )
    values = {"$challenge": challenge}
    if "$hmac" in settings.answer.values():
        values["$hmac"] = _hmac(request, secrets, challenge)
    return shaken({name: values[value] for name, value in settings.answer.items()})


def _harmless(challenge: object) -> bool:
    """Tell a random token from what could be a string to sign, such as `v0:1700000000:{}`."""
    return (
        isinstance(challenge, str)
        and 1 <= len(challenge) <= LONGEST_CHALLENGE
        and ":" not in challenge
    )


def _hmac(request: Request, secrets: SecretStore, challenge: str) -> str:
    settings = request.source.signature
    if settings is None:
        raise AssertionError("the model lets only signed sources answer with an HMAC")
    key = key_of(settings, _secret_of(request, secrets), request.kept)
    return hmac.digest(key, challenge.encode(), "sha256").hex()


def _secret_of(request: Request, secrets: SecretStore) -> bytes:
    """Return the secret of the request's signature: while it rotates, the sender has but one."""
    source = request.source
    # Each is tried, so that the time taken does not tell which one it was.
    fitting = [
        secret
        for secret in secrets.secrets(source.name, source.secret_kind)
        if find_fault(source, only(secret), request.kept, request.body, request.arrived_ms) is None
    ]
    if fitting:
        return fitting[0]
    raise SecretError(f"{source.name}: the signing secret changed while a handshake was answered")
