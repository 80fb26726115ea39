"""A source's samples: requests, each with the outcome that it must have."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

import orjson

from pipeline.event import encodings
from pipeline.event.fields import path_of
from pipeline.event.pseudo_headers import METHOD, QUERY, URL
from pipeline.event.secrets import SecretError
from pipeline.event.signatures import laid_out, sign_alone, signing_key
from pipeline.event.signed_parts import with_parts
from settings.bounded import UnfitFileError, read_own
from settings.faults import Fault
from settings.reading import checked, read_mapping
from settings.source.admission import BasicAuthentication
from settings.source.compiler import body_place_of, signature_of
from settings.source.loader import LoadedSource, SourceError
from settings.source.model import HmacAuthentication, TokenAuthentication
from toolbox.sources.captured.request import unpacked
from toolbox.sources.sample_file import SampleFile, address_of
from toolbox.sources.samples_as_sent import proof_headers, read_fetched, without
from toolbox.sources.wrong_keys import other_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.event.compiled_source import Signature

_SPACE = b" \t\r\n"


@dataclass(frozen=True)
class SampleRequest:
    """A request as a sender would make it.

    Parameters
    ----------
    query : str
        As it is written, without the question mark.
    url : str
        The address that the sender was given, without a query; empty where none is known.
    path_token : str
        What follows the source in the path, where that is a token.
    """

    headers: dict[str, str]
    body: bytes
    method: str = "POST"
    query: str = ""
    url: str = ""
    path_token: str = ""


@dataclass(frozen=True)
class LoadedSample:
    """A sample with its body's bytes.

    Parameters
    ----------
    fetched : Mapping[str, bytes]
        What pinned addresses answered, where somebody else signed it.
    """

    name: str
    source: LoadedSource
    settings: SampleFile
    body: bytes
    fetched: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        """What it has beside the sender's proof."""
        settings = self.settings
        if settings.as_sent is None:
            return {"Content-Type": settings.content_type, **settings.headers}
        left_out = {*proof_headers(self.source.settings), "content-encoding"}
        return without(settings.as_sent.by_name, left_out)

    @property
    def content(self) -> bytes:
        """Its body unpacked, to go with `headers`."""
        sent = self.settings.as_sent
        return unpacked(self.body, sent.header("content-encoding")) if sent else self.body

    def as_sent(self, body: bytes | None = None) -> SampleRequest:
        """Return the request as somebody else signed it, with its own or with another body."""
        settings = self.settings
        headers = settings.as_sent.by_name if settings.as_sent else self.headers
        body = self.body if body is None else body
        request = SampleRequest(headers, body, settings.method, settings.query, settings.url or "")
        token = self.source.settings.token
        if settings.as_sent and settings.as_sent.secrets and token and token.path:
            return addressed(self.source, settings.as_sent.secrets[0], request)
        return request

    def request(self, secrets: tuple[str, ...], now: float) -> SampleRequest:
        """Make the request, signed by us as the sample says.

        Parameters
        ----------
        now : float
            Epoch seconds, for schemes that sign the time.
        """
        headers = self.headers
        stale = self.settings.sign == "stale"
        body = dated(self.source, self.content, now=now, stale=stale)
        secret = secrets[-1] if self.settings.sign == "previous" else secrets[0]
        if self.settings.sign == "wrong":
            secret = f"not {secret}"
        if self.settings.sign != "missing":
            headers |= authenticate(
                self.source,
                secret,
                body,
                now=now,
                stale=stale,
                headers={**headers, **self._beside},
                also=f"not {secret}" if self.settings.sign == "several" else None,
            )
        settings = self.settings
        request = SampleRequest(headers, body, settings.method, settings.query, settings.url or "")
        return request if settings.sign == "missing" else addressed(self.source, secret, request)

    @property
    def _beside(self) -> dict[str, str]:
        """What of the request travels beside its headers."""
        query = {f"{QUERY}{name}": text for name, text in parse_qsl(self.settings.query)}
        url = self.settings.url or address_of(self.source.name)
        return {**query, METHOD: self.settings.method, URL: url}


def make_distinct(body: bytes) -> bytes:
    """Return the same JSON in bytes that no other call gives: white space follows it.

    For what is sent again as an event of its own. Real senders have no two events with one body,
    and where a delivery id is not signed, the same body under another id is taken for a copy.
    """
    number = uuid.uuid4().int
    return body + bytes(_SPACE[number >> shift & 3] for shift in range(0, 64, 2))


def addressed(source: LoadedSource, secret: str, request: SampleRequest) -> SampleRequest:
    """Return a request with the secret in its address, where the sender has it there."""
    token = source.settings.token
    if token and token.path:
        return replace(request, path_token=secret)
    if token and token.query:
        given = urlencode({token.query: secret})
        return replace(request, query=f"{request.query}&{given}" if request.query else given)
    return request


def authenticate(
    source: LoadedSource,
    secret: str,
    body: bytes,
    *,
    now: float,
    stale: bool = False,
    headers: Mapping[str, str] | None = None,
    also: str | None = None,
) -> dict[str, str]:
    """Return the headers with which a sender proves who it is.

    Parameters
    ----------
    now : float
        Epoch seconds.
    stale : bool
        Sign a time that is older than the source allows.
    headers : Mapping[str, str] | None
        The request's other headers, of which a scheme may sign some.
    also : str | None
        Another secret to sign with, as a sender does that rotates its own.
    """
    settings = source.settings.authentication
    if isinstance(settings, TokenAuthentication):
        name = settings.in_header
        return {name: settings.prefix + secret} if name else {}
    if isinstance(settings, BasicAuthentication):
        return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
    if not isinstance(settings, HmacAuthentication):
        return {}
    proof: dict[str, str] = {}
    when = settings.timestamp
    signature = signature_of(settings)
    if signature is None:
        raise AssertionError("an HMAC source always has a signature")
    if when is not None and when.header is not None:
        time = when.prefix + _written(
            _signed_at(when.tolerance_seconds, now, stale=stale), when.unit
        )
        between = (settings.separator or "") * ((when.position or 1) - 1)
        proof[when.header] = between + time
    if settings.header is None:
        where = settings.place[1:]
        what = f"only a signature in a header is made here, and not in {where}; give as_sent"
        raise SourceError(Fault(f"{source.name}/samples", "sign", what))
    lower = {name.lower(): value for name, value in {**(headers or {}), **proof}.items()}
    lower = with_parts(body_place_of(source.settings), settings.derived, lower, body)
    values = [sign_alone(signature, _shaped(signature, secret), body, lower)]
    others = {name: text for name, text in proof.items() if name.lower() != signature.header}
    if also is not None:
        other = sign_alone(signature, _shaped(signature, also), body, lower)
        if settings.separator is None and settings.further_headers:
            others[settings.further_headers[0]] = laid_out(signature, values, lower)
            values = [other]
        elif settings.separator is not None:
            values.insert(0, other)
    return {**others, settings.header: laid_out(signature, values, lower)}


def dated(source: LoadedSource, body: bytes, *, now: float, stale: bool = False) -> bytes:
    """Return a body with the time in it that its sender would write; the same where it has none.

    Parameters
    ----------
    now : float
        Epoch seconds.
    stale : bool
        Write a time that is older than the source allows.
    """
    settings = source.settings.hmac
    when = settings.timestamp if settings else None
    if when is None or when.path is None:
        return body
    try:
        document = orjson.loads(body)
    except ValueError:
        return body
    *way, last = path_of(when.path)
    node = document
    for key in way:
        node = node.get(key) if isinstance(node, dict) else None
    if not isinstance(node, dict) or last not in node:
        return body
    text = _written(_signed_at(when.tolerance_seconds, now, stale=stale), when.unit)
    node[last] = text if isinstance(node[last], str) else int(text)
    return orjson.dumps(document)


def _signed_at(tolerance_seconds: int, now: float, *, stale: bool) -> float:
    return now - (tolerance_seconds + 60 if stale else 0)


def _written(seconds: float, unit: str) -> str:
    if unit == "iso8601":
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    return str(int(seconds * 1000 if unit == "milliseconds" else seconds))


def _shaped(signature: Signature, secret: str) -> bytes:
    """Return a secret in the form of the source: a wrong one must be wrong by its value alone."""
    raw = secret.encode()
    if signature.key_encoding != "text":
        try:
            signing_key(signature, raw)
        except SecretError:
            written = encodings.write(raw, signature.key_encoding)
            return (signature.key_prefix + written).encode()
    return raw


def wrong_secret(source: LoadedSource, secret: str) -> str:
    """Return another secret that a source could have: it is wrong by its value alone."""
    proof = source.settings.proof_of_body
    if proof is not None and proof.key_algorithm:
        return other_key(secret, proof.key_algorithm)
    signature = signature_of(source.settings.hmac) if source.settings.hmac else None
    other = f"not {secret}"
    return _shaped(signature, other).decode() if signature else other


def load_samples(source: LoadedSource) -> Iterator[LoadedSample]:
    """Read the samples of a source, in the order of their names.

    Raises
    ------
    SourceError
        When a file is wrong; the message names the file, the key and what was expected.
    """
    for path in sorted((source.folder / "samples").glob("*.yaml")):
        example = "'description', 'body', 'expect', …"
        document = read_mapping(path, example, SourceError, folder=source.folder)
        settings = checked(SampleFile, document, path, SourceError)
        _check_signing(source, settings, path)
        body = _body(settings, path, source.folder)
        sent = settings.as_sent
        fetched = read_fetched(sent, path, source.folder) if sent else {}
        yield LoadedSample(path.stem, source, settings, body, fetched)


def _check_signing(source: LoadedSource, settings: SampleFile, path: Path) -> None:
    # It would be signed as 'current', and the sample would show nothing of what it is there for.
    scheme = source.settings.authentication
    hmac = scheme if isinstance(scheme, HmacAuthentication) else None
    if settings.sign == "stale" and (hmac is None or hmac.timestamp is None):
        raise _error(path, "sign", "'stale' needs authentication.timestamp in source.yaml")
    if settings.sign == "several" and not (hmac and (hmac.separator or hmac.further_headers)):
        expected = "'several' needs authentication.separator or further_headers in source.yaml"
        raise _error(path, "sign", expected)


def _body(settings: SampleFile, path: Path, folder: Path) -> bytes:
    if settings.body is not None:
        return settings.body.encode()
    if settings.body_base64 is not None:
        try:
            return base64.b64decode(settings.body_base64, validate=True)
        except ValueError as error:
            raise _error(path, "body_base64", f"not base64: {error}") from None
    file = path.parent / (settings.body_file or "")
    try:
        return read_own(folder, file)
    except UnfitFileError as error:
        said = Fault(str(settings.body_file), "", str(error), error.found)
        raise _error(path, "body_file", str(said)) from None


def _error(path: Path, key: str, expected: str) -> SourceError:
    return SourceError(Fault(str(path), key, expected))
