"""Checks the signature of a request, over the bytes that the sender signed."""

from __future__ import annotations

import hmac
import re
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from pipeline.event import encodings
from pipeline.event.events import Event, Outcome, rejected, unsettled
from pipeline.event.fields import as_text, find
from pipeline.event.keyed_hash import mac_with
from pipeline.event.outcomes import Reason
from pipeline.event.pseudo_headers import PARTS
from pipeline.event.secrets import SecretError, SecretUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.event.compiled_source import CompiledSource, Mac, Signature
    from pipeline.event.secrets import SecretsOf
    from pipeline.event.signature_details import DetailedSignature

_HEADER = "header."
#: What `fromisoformat` does not look at: behind six digits of a fraction it takes anything.
_ISO_TIME = re.compile(r"[\dTtW :+-]{8,30}(?:[.,]\d{1,9})?(?:Z|[+-][\d:]{2,8})?", re.ASCII)
#: Standard Webhooks and Stripe start their secrets so. Alone it is a key that everyone knows.
_BARE_PREFIX = b"whsec_"
#: Every text has bytes of its own: two header values must not become the same bytes.
_EXACT = "surrogatepass"


class ShownSecret(Protocol):
    """How a sender shows a secret."""

    @property
    def key_prefix(self) -> str:
        """What stands before it, and is no part of it."""
        ...

    @property
    def key_encoding(self) -> str:
        """`text`, or what `encodings.read` takes."""
        ...


def signing_key(settings: ShownSecret, secret: bytes) -> bytes:
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


def key_of(settings: Signature, secret: bytes, headers: Mapping[str, str]) -> bytes:
    """Make the key of a request, which few senders make of more than the secret.

    Raises
    ------
    SecretUnavailableError
        As `signing_key` does.
    """
    key = signing_key(settings, secret)
    if not settings.detailed:
        return key
    time = _timestamp(settings, headers) if settings.timestamp_header else ""
    return cast("DetailedSignature", settings).key_of(key, headers, time)


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
    return laid_out(settings, [sign_alone(settings, secret, body, headers)], headers)


def sign_alone(settings: Signature, secret: bytes, body: bytes, headers: Mapping[str, str]) -> str:
    """Return a signature with its prefix, and without what else its header holds."""
    key = key_of(settings, secret, headers)
    digest = hmac.digest(key, string_to_sign(settings, body, headers), settings.algorithm)
    return settings.prefix + encodings.write(digest, settings.encoding)


def laid_out(settings: Signature, values: Sequence[str], headers: Mapping[str, str]) -> str:
    """Return a header with signatures in it, and with the time that stands there already."""
    if settings.detailed:
        details = cast("DetailedSignature", settings)
        if details.position or details.timestamp_position:
            time = _timestamp(settings, headers) if details.timestamp_position else ""
            return details.laid_out(time, values)
    known = [headers[settings.header]] if _shared(settings) else []
    return (settings.separator or "").join([*known, *values])


def verify(event: Event, secrets_of: SecretsOf) -> Outcome | None:
    """Check the signature of an event; one whose proof may not travel was checked at the door.

    Age is the time from signing to arrival at the door, so a backlog or a replay makes nothing
    stale. Where the source's own secret is at fault, the event is set aside and others go on; where
    Parameter Store is, every source waits.
    """
    source, envelope = event.source, event.envelope
    if source.signature is None:
        proof = source.proof_of_body
        if proof is None or proof.door_header:
            return None
    try:
        fault = find_fault(source, secrets_of, envelope.headers, envelope.body, envelope.arrived_ms)
    except SecretUnavailableError as error:
        return rejected(event, Reason.SECRET_UNAVAILABLE, str(error))
    except SecretError as error:
        return unsettled(event, str(error))
    return rejected(event, *fault) if fault else None


def find_fault(
    source: CompiledSource,
    secrets_of: SecretsOf,
    headers: Mapping[str, str],
    body: bytes,
    arrived_ms: int,
) -> tuple[Reason, str] | None:
    """Tell why a request's proof is not valid; None where it is, or the source signs nothing.

    Parameters
    ----------
    headers : Mapping[str, str]
        By lower-case name; of a proof that is a credential, that one too.
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
        proof = source.proof_of_body
        if proof is None:
            return None
        return proof.find_fault(source, secrets_of, headers, body, arrived_ms)
    if settings.detailed and PARTS not in headers and cast("DetailedSignature", settings).of_parts:
        return _find_in_parts(source, secrets_of, headers, body, arrived_ms)
    given = given_in(settings, headers)
    if not given:
        return Reason.BAD_SIGNATURE, none_given(settings, headers)
    broken: SecretUnavailableError | None = None
    for known in secrets_of(source):
        try:
            macs = _macs(settings, known, headers)
        except SecretUnavailableError as error:
            broken = SecretUnavailableError(f"source {source.name}: {error}")
            continue  # it may have been mended since it was read
        broken = None
        if _matches(settings, macs, body, headers, given):
            if settings.timestamp_header is None and not settings.detailed:
                return None
            fault = stale(source, settings, headers, body, arrived_ms)
            return (Reason.STALE_SIGNATURE, fault) if fault else None
    if broken:
        raise broken
    return (
        Reason.BAD_SIGNATURE,
        f"{settings.where} fits none of the source's secrets",
    )


def _find_in_parts(
    source: CompiledSource,
    secrets_of: SecretsOf,
    headers: Mapping[str, str],
    body: bytes,
    arrived_ms: int,
) -> tuple[Reason, str] | None:
    from pipeline.event import signed_parts  # few sign more than headers and the body

    def check(view: Mapping[str, str]) -> tuple[Reason, str] | None:
        return find_fault(source, secrets_of, view, body, arrived_ms)

    details = cast("DetailedSignature", source.signature)
    return signed_parts.find_fault(source, details, headers, body, check)


def _macs(settings: Signature, known: Sequence[bytes], headers: Mapping[str, str]) -> Sequence[Mac]:
    """Return what makes the signatures of a request, for each of the secrets."""
    algorithm = settings.algorithm
    if settings.detailed:
        keys = [key_of(settings, secret, headers) for secret in known]
        return [partial(hmac.digest, key, digest=algorithm) for key in keys]
    last = settings.last_keys
    if last and last[0][0] is known:
        return last[0][1]  # the store gives the same tuple while a value serves
    macs = [mac_with(signing_key(settings, secret), algorithm) for secret in known]
    if type(known) is tuple:
        last[:] = [(known, macs)]
    return macs


def given_in(settings: Signature, headers: Mapping[str, str]) -> list[bytes]:
    """Return the signatures in the header; there are several while a sender rotates its secret.

    What cannot be one, by its length or its letters, fits nothing and is left out.
    """
    if settings.detailed:
        values = cast("DetailedSignature", settings).values(headers)
    elif settings.separator is None:
        values = [headers.get(settings.header, "")]
    else:
        values = encodings.parts_of(headers.get(settings.header, ""), settings.separator)
    prefix, longest, given = settings.prefix, settings.longest, []
    for text in values:
        if text and len(text) <= longest and text.startswith(prefix):
            try:
                given.append(settings.read(text[len(prefix) :]))
            except ValueError:
                continue
    return given


def none_given(settings: Signature, headers: Mapping[str, str]) -> str:
    """Say what is missing of a header without a signature."""
    names = [settings.header]
    if settings.detailed:
        names += cast("DetailedSignature", settings).further_headers
    if not any(headers.get(name, "") for name in names):
        further = "".join(f" and {name}" for name in names[1:])
        return f"{settings.where}{further} is missing"
    mark = f" that starts with {settings.prefix}" if settings.prefix else ""
    wanted = f"{settings.digest_size} bytes in {settings.encoding}"
    return f"{settings.where} has no signature{mark}: no {wanted}"


def _matches(
    settings: Signature,
    macs: Sequence[Mac],
    body: bytes,
    headers: Mapping[str, str],
    given: Sequence[bytes],
) -> bool:
    # No early return: the time taken must not tell which secret it was.
    matched = False
    signed = body if settings.signed == "{body}" else string_to_sign(settings, body, headers)
    for mac in macs:
        expected = mac(signed)
        for value in given:
            matched |= hmac.compare_digest(expected, value)
    return matched


def string_to_sign(settings: Signature, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return what a request's signature is made over."""
    pieces = [settings.literals[0]]
    for name, literal in settings.filled_in:
        pieces += (_filled_in(settings, name, body, headers), literal)
    return b"".join(pieces)


def _filled_in(settings: Signature, name: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    if name == "body":
        return body
    if name == "timestamp":
        return _timestamp(settings, headers).encode(errors=_EXACT)
    if name.startswith(_HEADER):
        return headers.get(name.removeprefix(_HEADER).lower(), "").encode(errors=_EXACT)
    return headers.get(f":{name}", "").encode(errors=_EXACT)


def _shared(settings: Signature) -> bool:
    return settings.timestamp_header == settings.header


def _timestamp(settings: Signature, headers: Mapping[str, str]) -> str:
    value = headers.get(settings.timestamp_header or "", "")
    if not _shared(settings):
        return value
    if settings.detailed:
        details = cast("DetailedSignature", settings)
        if details.timestamp_position is not None:
            return details.part(value, details.timestamp_position)
    for part in value.split(settings.separator, encodings.MOST_PARTS - 1):
        text = part.strip(encodings.OPTIONAL_SPACE)
        if text.startswith(settings.timestamp_prefix):
            return text.removeprefix(settings.timestamp_prefix)
    return ""


def stale(
    source: CompiledSource,
    settings: Signature,
    headers: Mapping[str, str],
    body: bytes,
    arrived_ms: int,
) -> str:
    """Say that a request was signed too long before it arrived, or when no one can tell."""
    if settings.timestamp_header is not None:
        text = _timestamp(settings, headers)
    elif (in_body := _time_in(source, settings, body)) is not None:
        text = in_body
    else:
        return ""
    signed_at = _epoch_seconds(text, settings.timestamp_unit)
    if signed_at is None:
        unit = settings.timestamp_unit
        what = "ISO 8601 time with an offset" if unit == "iso8601" else f"time in {unit}"
        header = settings.timestamp_header
        return f"header {header} is no {what}" if header else f"the body has no {what}"
    age = arrived_ms / 1000 - signed_at
    if abs(age) > settings.tolerance_seconds:
        return f"signed {age:.0f} s before it arrived; {settings.tolerance_seconds} s are allowed"
    return ""


def _time_in(source: CompiledSource, settings: Signature, body: bytes) -> str | None:
    """Return the time that a body holds; None where the source has none there.

    The body is read once its signature fits. What is no JSON is rejected as that, later.
    """
    path = cast("DetailedSignature", settings).timestamp_path
    if path is None:
        return None
    from pipeline.event.json_text import BodyError  # few have their time in the body
    from pipeline.event.parsing import read_body

    try:
        return as_text(find(read_body(source, body)[1], path))
    except BodyError:
        return None


def _epoch_seconds(text: str, unit: str) -> float | None:
    if unit == "iso8601":
        if not _ISO_TIME.fullmatch(text):
            return None
        try:
            when = datetime.fromisoformat(text)
            return when.timestamp() if when.tzinfo else None
        except (ValueError, OverflowError):
            return None
    if not (text.isascii() and text.isdigit() and len(text) <= 14):
        return None
    return int(text) / 1000 if unit == "milliseconds" else int(text)
