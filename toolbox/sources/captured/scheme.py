"""Tries schemes against a caught signature: one that fits it is proved, all others are guesses."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from pipeline.event import encodings
from toolbox.sources.captured.places import (
    SignaturePlace,
    TimePlace,
    id_headers,
    of_hmac,
    signature_places,
    time_places,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from toolbox.sources.captured.request import CapturedRequest

#: So many bytes are hashed at most, which takes some seconds.
_MOST_HASHED = 1_000_000_000
#: What a try takes beside, as if so many were hashed: a request can have tries without end.
_BYTES_OF_A_TRY = 3_000
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_WITH_TIME = (
    "{timestamp}.{body}",
    "{timestamp}{body}",
    "{timestamp}:{body}",
    "v0:{timestamp}:{body}",
    "v1:{timestamp}:{body}",
    "{timestamp},{body}",
    "{timestamp}-{body}",
    "{timestamp}\n{body}",
    "{body}{timestamp}",
    "{body}.{timestamp}",
    "{body}:{timestamp}",
    "{method}{url}{body}{timestamp}",
    "{timestamp}.{url}.{body}",
    "{timestamp}{method}{path}{body}",
)
_WITHOUT_TIME = (
    "{body}",
    "{url}{body}",
    "{url}{form.sorted}",
    "{method}{url}{body}",
    "{body}{url}",
)
_WITH_ID = ("{id}.{timestamp}.{body}", "{id}{timestamp}{body}", "{timestamp}.{id}.{body}",
            "{timestamp}{id}{body}", "{id}.{body}", "{id}:{timestamp}:{body}")  # fmt: skip


@dataclass(frozen=True)
class SchemeFound:
    """How requests are signed.

    Parameters
    ----------
    settings : dict[str, Any]
        `authentication`.
    evidence : str
        Where it was seen, and what it was tried with.
    proved : int
        How many caught signatures it fits, with a secret that was given; 0 for a guess.
    secret : str
        With which of the secrets; empty for a guess. Never shown.
    """

    settings: dict[str, Any]
    evidence: str
    proved: int = 0
    secret: str = field(default="", repr=False)

    @property
    def is_public(self) -> bool:
        """Whether it was proved by a public key, which may be known to all."""
        return bool(self.settings["type"] == "public_key")


def find_scheme(
    requests: Sequence[CapturedRequest], secrets: Sequence[str], known: Sequence[dict[str, Any]]
) -> SchemeFound | None:
    """Return how requests are signed; None where nothing in them has the form of a signature.

    Parameters
    ----------
    requests : Sequence[CapturedRequest]
        One or more of one sender.
    secrets : Sequence[str]
        Of which one may be the sender's; none makes the answer a guess.
    known : Sequence[dict[str, Any]]
        The `authentication` of built-in sources whose header is there: tried and proposed first.
    """
    first, *others = requests
    budget = [_MOST_HASHED]
    for candidate in candidates_of(first, known):
        for secret in secrets:
            for form, key in _keys(secret, candidate):
                if budget[0] < 0:
                    return _guess(first, known)
                if not _fits(first, candidate, key, budget):
                    continue
                settings = candidate.settings | form
                proved = 1 + sum(fits(one, settings, secret, known) for one in others)
                return SchemeFound(settings, candidate.evidence(first), proved, secret)
    return _guess(first, known)


def _guess(request: CapturedRequest, known: Sequence[dict[str, Any]]) -> SchemeFound | None:
    for candidate in candidates_of(request, known):
        if candidate.place.rank < 10:
            return SchemeFound(candidate.settings, candidate.evidence(request))
    return None


@dataclass(frozen=True)
class Candidate:
    """A signature, a time or none, and the string that can be signed."""

    place: SignaturePlace
    time: TimePlace | None
    signed: str

    @property
    def time_in_key(self) -> bool:
        """Whether the time is not in the string that is signed: then it can be in the key."""
        return self.time is not None and "{timestamp}" not in self.signed

    @property
    def time_text(self) -> str:
        """The time as it was sent; empty where there is none."""
        return self.time.text if self.time else ""

    @property
    def settings(self) -> dict[str, Any]:
        """What says so in `authentication`, but for the form of the key."""
        made = {"type": "hmac", **self.place.settings, "algorithm": self.place.algorithm}
        made["signed"] = self.signed
        if self.time is not None:
            made["timestamp"] = {**self.time.settings, "tolerance_seconds": 300}
        return {key: value for key, value in made.items() if value != ""}

    def evidence(self, request: CapturedRequest) -> str:
        """Say where it was seen."""
        place = self.place.settings
        what = f"{len(self.place.digest)} bytes in {place['encoding']}"
        if place.get("prefix"):
            what += f" after {place['prefix']!r}"
        if place.get("position"):
            what += f", part {place['position']} of those that {place['separator']!r} parts"
        text = f"header {self.place.header} of {request.place} has {what}"
        if self.time is not None:
            where = self.time.settings
            name = where["header"] + (f", after {where['prefix']!r}" if "prefix" in where else "")
            text += f"; a time in {where['unit']} is in {name}"
        return text


def candidates_of(
    request: CapturedRequest,
    known: Sequence[dict[str, Any]],
    has_size: Callable[[int], bool] = of_hmac,
) -> Iterator[Candidate]:
    """Return what can be signed, where and with which time: the likeliest first."""
    places = signature_places(request, has_size)
    for settings in known:
        for place in places:
            if place.header.lower() == str(settings.get("header")).lower():
                yield from _as_known(request, place, settings)
    for place in places:
        times = time_places(request, place)
        # Where a time is sent beside a signature, it is signed, or it would be of no use.
        for time in times:
            for signed in _strings(request, with_time=True):
                yield Candidate(place, time, signed)
            yield Candidate(place, time, "{body}")
        for signed in _strings(request, with_time=False):
            yield Candidate(place, None, signed)


def _as_known(
    request: CapturedRequest, place: SignaturePlace, known: dict[str, Any]
) -> Iterator[Candidate]:
    same = ("prefix", "separator", "position")
    if any((place.settings.get(key) or None) != (known.get(key) or None) for key in same):
        return
    wanted = known.get("timestamp") or {}
    signed = known.get("signed", "{body}")
    if not wanted:
        yield Candidate(place, None, signed)
    for time in time_places(request, place):
        if str(time.settings["header"]).lower() == str(wanted.get("header", "")).lower():
            yield Candidate(place, time, signed)


def _strings(request: CapturedRequest, *, with_time: bool) -> Iterator[str]:
    yield from _WITH_TIME if with_time else _WITHOUT_TIME
    for name in id_headers(request)[:6]:
        for form in _WITH_ID:
            if ("{timestamp}" in form) == with_time:
                yield form.replace("{id}", f"{{header.{name}}}")


def _keys(secret: str, candidate: Candidate) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Return what a key can be made of a secret, with the settings that say so."""
    raw = secret.strip().encode()
    if candidate.time_in_key:
        yield {"key": "{timestamp}{secret}"}, (candidate.time_text + secret.strip()).encode()
        return
    yield {}, raw
    prefix, mark, _ = secret.strip().partition("_")
    shown = f"{prefix}_" if mark and len(prefix) < 10 else ""
    for start in dict.fromkeys(("", shown)):
        text = secret.strip().removeprefix(start)
        form: dict[str, Any] = {"prefix": start} if start else {}
        if start:
            yield {"secret": form}, text.encode()
        for encoding in ("base64", "hex", "base64url"):
            try:
                key = encodings.read(text, encoding)
            except ValueError:
                continue
            if key:
                yield {"secret": {**form, "encoding": encoding}}, key
    for digest in ("sha256", "sha512", "sha1"):
        yield {"secret": {"digest": digest}}, hashlib.new(digest, raw).digest()


def _fits(request: CapturedRequest, candidate: Candidate, key: bytes, budget: list[int]) -> bool:
    signed = signed_bytes(request, candidate)
    budget[0] -= len(signed) + _BYTES_OF_A_TRY
    if budget[0] < 0:
        return False
    made = hmac.digest(key, signed, candidate.place.algorithm)
    return hmac.compare_digest(made, candidate.place.digest)


def fits(
    request: CapturedRequest,
    settings: dict[str, Any],
    secret: str,
    known: Sequence[dict[str, Any]] = (),
) -> bool:
    """Tell whether a request is signed by a scheme with a secret."""
    form = {key: settings[key] for key in ("secret", "key") if key in settings}
    wanted = settings.get("timestamp")
    return any(
        found == form and _fits(request, candidate, key, [_MOST_HASHED])
        for candidate in candidates_of(request, known)
        if candidate.settings | form == settings
        and (candidate.time is not None) == (wanted is not None)
        for found, key in _keys(secret, candidate)
    )


def signed_bytes(request: CapturedRequest, candidate: Candidate) -> bytes:
    """Return what is signed."""
    return _filled(request, candidate.signed, candidate.time_text)


def _filled(request: CapturedRequest, signed: str, time: str) -> bytes:
    pieces = _PLACEHOLDER.split(signed)
    return b"".join(
        _value(request, piece, time) if number % 2 else piece.encode()
        for number, piece in enumerate(pieces)
    )


def _value(request: CapturedRequest, name: str, time: str) -> bytes:
    if name == "body":
        return request.content
    if name == "form.sorted":
        fields = set(parse_qsl(request.content.decode("utf-8", "replace"), keep_blank_values=True))
        return "".join(f"{key}{value}" for key, value in sorted(fields)).encode()
    known = {
        "timestamp": time,
        "method": request.method,
        "url": request.address,
        "path": urlsplit(request.address).path,
    }
    text = known.get(name, request.header(name.removeprefix("header.")))
    return text.encode(errors="surrogatepass")
