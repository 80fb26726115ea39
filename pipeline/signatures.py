"""Checks the signature of a request, over the bytes that the sender signed."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING

from pipeline.events import Event, Outcome, Reason, rejected, unsettled
from pipeline.secret_store import SecretError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.secret_store import SecretStore
    from pipeline.sources.compiled import Signature


def sign(
    settings: Signature, secret: bytes, body: bytes, headers: Mapping[str, str] | None = None
) -> str:
    """Give the value of the signature header, as the sender would make it.

    Parameters
    ----------
    settings : Signature
        How the source signs.
    secret : bytes
        The shared secret.
    body : bytes
        The body, byte for byte.
    headers : Mapping[str, str] | None
        The request's headers by lower-case name, where a timestamp is signed too.
    """
    timestamp = (headers or {}).get(settings.timestamp_header or "", "")
    before, _, after = settings.signed.partition("{body}")
    signed = (
        before.replace("{timestamp}", timestamp).encode()
        + body
        + after.replace("{timestamp}", timestamp).encode()
    )
    digest = hmac.digest(secret, signed, settings.algorithm)
    text = digest.hex() if settings.encoding == "hex" else base64.b64encode(digest).decode()
    return settings.prefix + text


def verify(event: Event, store: SecretStore) -> Outcome | None:
    """Check the signature of an event; a source without one was checked by the authorizer.

    Age is the time from signing to arrival at the door, so a backlog or a replay makes nothing
    stale.
    """
    source = event.known_source
    settings = source.signature
    if settings is None:
        return None
    envelope = event.known_envelope
    given = envelope.headers.get(settings.header, "")
    if not given:
        return rejected(event, Reason.BAD_SIGNATURE, f"header {settings.header} is missing")
    matched = False
    try:
        for refresh in (False, True):
            secrets = store.secrets(source.name, source.secret_kind, refresh=refresh)
            matched = _matches(settings, secrets, envelope.body, envelope.headers, given)
            if matched:
                break
    except SecretError as error:
        return unsettled(event, str(error))
    if not matched:
        return rejected(
            event,
            Reason.BAD_SIGNATURE,
            f"header {settings.header} fits neither the current nor the previous secret",
        )
    stale = _stale(settings, envelope.headers, envelope.arrived_ms)
    return rejected(event, Reason.STALE_SIGNATURE, stale) if stale else None


def _matches(
    settings: Signature,
    secrets: Iterable[bytes],
    body: bytes,
    headers: Mapping[str, str],
    given: str,
) -> bool:
    # No early return: the time taken must not tell which secret it was.
    matched = False
    value = given.encode(errors="replace")
    for secret in secrets:
        matched |= hmac.compare_digest(sign(settings, secret, body, headers).encode(), value)
    return matched


def _stale(settings: Signature, headers: Mapping[str, str], arrived_ms: int) -> str:
    if settings.timestamp_header is None:
        return ""
    text = headers.get(settings.timestamp_header, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 14):
        return f"header {settings.timestamp_header} is no time in seconds"
    age = arrived_ms / 1000 - int(text)
    if abs(age) > settings.tolerance_seconds:
        return f"signed {age:.0f} s before it arrived; {settings.tolerance_seconds} s are allowed"
    return ""
