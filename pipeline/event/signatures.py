"""Checks the signature of a request, over the bytes that the sender signed."""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import TYPE_CHECKING

from pipeline.event import encodings
from pipeline.event.events import Event, Outcome, rejected, unsettled
from pipeline.event.outcomes import Reason
from pipeline.event.secrets import SecretError, SecretUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.event.compiled_source import CompiledSource, Signature
    from pipeline.event.secrets import SecretsOf

_HEADER = "header."
#: Standard Webhooks and Stripe start their secrets so. Alone it is a key that everyone knows.
_BARE_PREFIX = b"whsec_"
#: Every text has bytes of its own: two header values must not become the same bytes.
_EXACT = "surrogatepass"
#: The white space that HTTP allows around the values of a list (RFC 9110, section 5.6.1).
_OPTIONAL_SPACE = " \t"
#: How many parts of a header are looked at. API Gateway's headers have 10,240 bytes together, and
#: senders that rotate their secrets list two or three signatures.
MOST_PARTS = 50


def signing_key(settings: Signature, secret: bytes) -> bytes:
    """Make the key from the secret as the sender shows it.

    Raises
    ------
    SecretUnavailableError
        When it is not in the form that the source names, or leaves an empty key.
    """
    key = secret.strip()
    if key == _BARE_PREFIX:
        key = b""
    elif settings.key_prefix:
        key = key.removeprefix(settings.key_prefix.encode())
    if settings.key_encoding != "text":
        try:
            key = encodings.read(key.decode(), settings.key_encoding)
        except ValueError:
            raise SecretUnavailableError(
                f"the signing secret is not {settings.key_encoding}; write it as the sender shows "
                "it"
            ) from None
    if not key:
        raise SecretUnavailableError("the signing secret is empty; write it as the sender shows it")
    return key


def sign(
    settings: Signature, secret: bytes, body: bytes, headers: Mapping[str, str] | None = None
) -> str:
    """Return the value of the signature header, as the sender would make it.

    Parameters
    ----------
    secret : bytes
        The shared secret, as the sender shows it.
    body : bytes
        The body, byte for byte.
    headers : Mapping[str, str] | None
        The request's headers by lower-case name, where more than the body is signed. A time that
        is in the signature's own header stands there already, with its prefix.

    Raises
    ------
    SecretUnavailableError
        When no key can be made from the secret.
    """
    headers = headers or {}
    digest = _digest(settings, signing_key(settings, secret), body, headers)
    value = settings.prefix + encodings.write(digest, settings.encoding)
    return f"{headers[settings.header]}{settings.separator}{value}" if _shared(settings) else value


def verify(event: Event, secrets_of: SecretsOf) -> Outcome | None:
    """Check the signature of an event; a source without one was checked at the door.

    Age is the time from signing to arrival at the door, so a backlog or a replay makes nothing
    stale. Where the source's own secret is at fault, the event is set aside and others go on; where
    Parameter Store is, every source waits.
    """
    source, envelope = event.source, event.envelope
    try:
        fault = find_fault(
            source, secrets_of(source), envelope.headers, envelope.body, envelope.arrived_ms
        )
    except SecretUnavailableError as error:
        return rejected(event, Reason.SECRET_UNAVAILABLE, str(error))
    except SecretError as error:
        return unsettled(event, str(error))
    return rejected(event, *fault) if fault else None


def find_fault(
    source: CompiledSource,
    secrets: Iterable[Sequence[bytes]],
    headers: Mapping[str, str],
    body: bytes,
    arrived_ms: int,
) -> tuple[Reason, str] | None:
    """Tell why a request's signature is not valid; None where it is, or the source has none.

    Parameters
    ----------
    secrets : Iterable[Sequence[bytes]]
        What may fit: all secrets of the source as they are known, then as they are now. The next
        are taken only where none of these fits.
    headers : Mapping[str, str]
        By lower-case name.
    body : bytes
        Byte for byte.
    arrived_ms : int
        When the request came to the door, in milliseconds since the epoch.

    Raises
    ------
    SecretUnavailableError
        When there is no secret for this source, or it makes no key.
    SecretError
        When none can be read now: nothing is decided.
    """
    settings = source.signature
    if settings is None:
        return None
    given = _given(settings, headers)
    if not given:
        return Reason.BAD_SIGNATURE, _none_given(settings, headers)
    broken: SecretUnavailableError | None = None
    for known in secrets:
        try:
            keys = [signing_key(settings, secret) for secret in known]
        except SecretUnavailableError as error:
            broken = SecretUnavailableError(f"source {source.name}: {error}")
            continue  # it may have been mended since it was read
        broken = None
        if _matches(settings, keys, body, headers, given):
            if settings.timestamp_header is None:
                return None
            stale = _stale(settings, headers, arrived_ms)
            return (Reason.STALE_SIGNATURE, stale) if stale else None
    if broken:
        raise broken
    return (
        Reason.BAD_SIGNATURE,
        f"header {settings.header} fits none of the source's secrets",
    )


def _given(settings: Signature, headers: Mapping[str, str]) -> list[bytes]:
    """Return the signatures in the header; there are several while a sender rotates its secret.

    What cannot be one, by its length or its letters, fits nothing and is left out.
    """
    value = headers.get(settings.header, "")
    if settings.separator is None:
        values = [value]
    else:
        parts = value.split(settings.separator, MOST_PARTS)[:MOST_PARTS]
        values = [part.strip(_OPTIONAL_SPACE) for part in parts]
    prefix, longest, given = settings.prefix, settings.longest, []
    for text in values:
        if text and len(text) <= longest and text.startswith(prefix):
            try:
                given.append(settings.read(text[len(prefix) :]))
            except ValueError:
                continue
    return given


def _none_given(settings: Signature, headers: Mapping[str, str]) -> str:
    """Say what is missing of a header without a signature."""
    if not headers.get(settings.header, ""):
        return f"header {settings.header} is missing"
    mark = f" that starts with {settings.prefix}" if settings.prefix else ""
    wanted = f"{settings.digest_size} bytes in {settings.encoding}"
    return f"header {settings.header} has no signature{mark}: no {wanted}"


def _matches(
    settings: Signature,
    keys: Sequence[bytes],
    body: bytes,
    headers: Mapping[str, str],
    given: Sequence[bytes],
) -> bool:
    # No early return: the time taken must not tell which secret it was.
    matched = False
    for key in keys:
        expected = _digest(settings, key, body, headers)
        for value in given:
            matched |= hmac.compare_digest(expected, value)
    return matched


def _digest(settings: Signature, key: bytes, body: bytes, headers: Mapping[str, str]) -> bytes:
    if settings.signed == "{body}":
        signed = body
    else:
        literals = settings.literals
        pieces = [literals[0]]
        for name, literal in zip(settings.parts[1::2], literals[1:], strict=True):
            pieces += (_filled_in(settings, name, body, headers), literal)
        signed = b"".join(pieces)
    return hmac.digest(key, signed, settings.algorithm)


def _filled_in(settings: Signature, name: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    if name == "body":
        return body
    if name == "timestamp":
        return _timestamp(settings, headers).encode(errors=_EXACT)
    return headers.get(name.removeprefix(_HEADER).lower(), "").encode(errors=_EXACT)


def _shared(settings: Signature) -> bool:
    return settings.timestamp_header == settings.header


def _timestamp(settings: Signature, headers: Mapping[str, str]) -> str:
    value = headers.get(settings.timestamp_header or "", "")
    if not _shared(settings):
        return value
    for part in value.split(settings.separator):
        text = part.strip(_OPTIONAL_SPACE)
        if text.startswith(settings.timestamp_prefix):
            return text.removeprefix(settings.timestamp_prefix)
    return ""


def _stale(settings: Signature, headers: Mapping[str, str], arrived_ms: int) -> str:
    signed_at = _epoch_seconds(_timestamp(settings, headers), settings.timestamp_unit)
    if signed_at is None:
        unit = settings.timestamp_unit
        what = "ISO 8601 time with an offset" if unit == "iso8601" else f"time in {unit}"
        return f"header {settings.timestamp_header} is no {what}"
    age = arrived_ms / 1000 - signed_at
    if abs(age) > settings.tolerance_seconds:
        return f"signed {age:.0f} s before it arrived; {settings.tolerance_seconds} s are allowed"
    return ""


def _epoch_seconds(text: str, unit: str) -> float | None:
    if unit == "iso8601":
        try:
            when = datetime.fromisoformat(text)
            return when.timestamp() if when.tzinfo else None
        except (ValueError, OverflowError):
            return None
    if not (text.isascii() and text.isdigit() and len(text) <= 14):
        return None
    return int(text) / 1000 if unit == "milliseconds" else int(text)
