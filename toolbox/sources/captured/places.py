"""Where in a caught request a signature, its time, a token and an id can be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.event.encodings import parts_of, strict_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolbox.sources.captured.request import CapturedRequest

_ALGORITHMS = {20: "sha1", 32: "sha256", 48: "sha384", 64: "sha512"}
_HEX = re.compile(r"[0-9A-Fa-f]+")
_PART = re.compile(r"([A-Za-z][\w.-]{0,19}(?:=|: ?|,| ))?([A-Za-z0-9+/_-]{27,2100}={0,2})")
_NAMED = re.compile(r"([A-Za-z][\w.-]{0,15}=)(.*)", re.DOTALL)
_SIGNS = re.compile(r"sign|hmac|digest|hub-", re.IGNORECASE)
_SECRETS = re.compile(
    r"authorization|cookie|token|secret|passw|api-?key|session|jwt|credential|[-_](auth|key)$",
    re.IGNORECASE,
)
_ID = re.compile(r"(^|[-_])(id|uuid|guid)$|delivery|request-?id", re.IGNORECASE)
#: Headers of the way and not of the sender: RFC 9110, proxies, tracing, AWS.
_OF_THE_WAY = re.compile(
    r"(?:host|connection|content-length|content-encoding|transfer-encoding|accept.*|te|trailer|via"
    r"|forwarded|x-forwarded-.*|x-real-ip|x-amz.*|cf-.*|cdn-loop|traceparent|tracestate|baggage"
    r"|x-b3-.*|origin|referer|pragma|cache-control|upgrade.*|sec-.*|priority|dnt|expect|date)",
    re.IGNORECASE,
)
_EARLIEST, _LATEST = 978_307_200, 4_102_444_800  # the years 2001 and 2100


@dataclass(frozen=True)
class SignaturePlace:
    """A text in a header that has the form of a digest.

    Parameters
    ----------
    settings : dict[str, Any]
        What of `authentication` says where it is: header, prefix, separator, position, encoding.
    digest : bytes
        What the text stands for.
    """

    settings: dict[str, Any]
    digest: bytes
    rank: int

    @property
    def header(self) -> str:
        """The header's name, as it was sent."""
        return str(self.settings["header"])

    @property
    def algorithm(self) -> str:
        """The hash function of that size; empty where there is none."""
        return _ALGORITHMS.get(len(self.digest), "")


@dataclass(frozen=True)
class TimePlace:
    """A text that is a time.

    Parameters
    ----------
    settings : dict[str, Any]
        `authentication.timestamp`, but for the tolerance.
    seconds : float
        Since the epoch.
    """

    settings: dict[str, Any]
    text: str
    seconds: float

    def matches(self, wanted: dict[str, Any]) -> bool:
        """Tell whether it is where `authentication.timestamp` says."""
        header = str(wanted.get("header", "")).lower()
        return str(self.settings["header"]).lower() == header and all(
            self.settings.get(key) == (wanted.get(key) or None) for key in ("prefix", "position")
        )


def is_of_the_way(name: str) -> bool:
    """Tell whether a header is that of a client, proxy or network, and not the sender's."""
    return _OF_THE_WAY.fullmatch(name) is not None


def may_be_secret(name: str) -> bool:
    """Tell whether a header can hold a secret, by its name."""
    return _SECRETS.search(name) is not None and not names_signature(name)


def names_signature(name: str) -> bool:
    """Tell whether a header is a signature's by its name."""
    return _SIGNS.search(name) is not None


def of_hmac(size: int) -> bool:
    """Tell whether a digest of so many bytes can be an HMAC."""
    return size in _ALGORITHMS


def signature_places(
    request: CapturedRequest, has_size: Callable[[int], bool] = of_hmac
) -> list[SignaturePlace]:
    """Return what can be a signature, the likeliest first.

    Parameters
    ----------
    has_size : Callable[[int], bool]
        Which numbers of bytes it can have.
    """
    found = [
        place
        for name, value in request.headers
        if not is_of_the_way(name) and len(value) <= 3_000
        for place in _in_header(name, value, has_size)
    ]
    return sorted(found, key=lambda place: place.rank)


def _in_header(name: str, value: str, has_size: Callable[[int], bool]) -> Iterator[SignaturePlace]:
    base = 0 if names_signature(name) else 10 if name.lower() == "authorization" else 20
    if whole := _read(value, has_size):
        prefix, encoding, digest = whole
        settings: dict[str, Any] = {"header": name, "prefix": prefix, "encoding": encoding}
        yield SignaturePlace(settings, digest, base)
        if prefix.endswith(","):  # "v1,…", which lists several with a space (Standard Webhooks)
            yield SignaturePlace({**settings, "separator": " "}, digest, base + 1)
    for separator in (",", ";", " ", "|", ":", "."):
        parts = parts_of(value, separator)
        if len(parts) < 2:
            continue
        for position, part in enumerate(parts, start=1):
            read = _read(part, has_size)
            if read is None:
                continue
            prefix, encoding, digest = read
            settings = {"header": name, "separator": separator, "encoding": encoding}
            place = {"prefix": prefix} if prefix else {"position": position}
            yield SignaturePlace({**settings, **place}, digest, base + 2 + (not prefix))


def _read(text: str, has_size: Callable[[int], bool]) -> tuple[str, str, bytes] | None:
    found = _PART.fullmatch(text.strip())
    if found is None:
        return None
    prefix, written = found[1] or "", found[2]
    for encoding in ("hex", "base64", "base64url"):
        if encoding == "hex" and not _HEX.fullmatch(written):
            continue
        try:
            digest = strict_reader(encoding)(written)
        except ValueError:
            continue
        if has_size(len(digest)):
            return prefix, encoding, digest
    return None


def time_places(request: CapturedRequest, place: SignaturePlace) -> list[TimePlace]:
    """Return the times that a signature can be made with: those in its own header first."""
    found = []
    separator = place.settings.get("separator")
    if separator:
        value = request.header(place.header)
        for position, part in enumerate(parts_of(value, separator), start=1):
            named = _NAMED.fullmatch(part)
            prefix, text = (named[1], named[2]) if named else ("", part)
            where = {"prefix": prefix} if prefix else {"position": position}
            if (read := read_time(text)) and bool(prefix) == ("prefix" in place.settings):
                settings = {"header": place.header, **where, "unit": read[0]}
                found.append(TimePlace(settings, text, read[1]))
    for name, value in request.headers:
        if not is_of_the_way(name) and (read := read_time(value)):
            found.append(TimePlace({"header": name, "unit": read[0]}, value, read[1]))
    return found


def read_time(text: str) -> tuple[str, float] | None:
    """Return the unit of a time, and its seconds since the epoch; None for any other text."""
    if text.isascii() and text.isdigit() and len(text) in {10, 13}:
        seconds = int(text) / (1000 if len(text) == 13 else 1)
        unit = "milliseconds" if len(text) == 13 else "seconds"
        return (unit, seconds) if _EARLIEST < seconds < _LATEST else None
    if not 19 < len(text) < 40 or not text[:4].isdigit():
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return ("iso8601", when.timestamp()) if when.tzinfo else None


def id_headers(request: CapturedRequest) -> list[str]:
    """Return the names of headers that hold an id of the delivery, by their names."""
    return [
        name
        for name, value in request.headers
        if _ID.search(name) and not is_of_the_way(name) and 0 < len(value) <= 200
    ]


def arrival(request: CapturedRequest, proof: dict[str, Any]) -> float | None:
    """Return when a request came, as far as it says so: a signature must not be older than allowed.

    Parameters
    ----------
    proof : dict[str, Any]
        `authentication`, whose time counts where the capture has none, or one that is long after.
    """
    wanted = dict(proof.get("timestamp") or {})
    tolerance = wanted.pop("tolerance_seconds", 300)
    place = SignaturePlace({key: value for key, value in proof.items() if value}, b"", 0)
    times = time_places(request, place) if proof.get("header") else []
    signed = next((time.seconds for time in times if time.matches(wanted)), None)
    if signed is None or (request.at is not None and abs(request.at - signed) <= tolerance):
        return request.at
    return signed
