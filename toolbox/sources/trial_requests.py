"""What a trial takes: a body, or caught requests, with the proof that they have."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from pipeline.event.compiled_source import ANY_CONTENT_TYPE
from settings.bounded import UnfitFileError, read_bounded
from settings.source.loader import SourceError
from settings.source.polling import FEED_HEADER
from toolbox.sources.captured.places import arrival
from toolbox.sources.captured.reading import read_captures
from toolbox.sources.rehearsal import make_secret
from toolbox.sources.samples import SampleRequest, addressed, authenticate, dated
from toolbox.sources.samples_as_sent import proof_headers, signs, without

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from settings.source.loader import LoadedSource
    from toolbox.sources.captured.request import CapturedRequest

_LARGEST = 20_000_000


@dataclass(frozen=True)
class TriedRequest:
    """A request to try.

    Parameters
    ----------
    secrets : tuple[str, ...]
        Those that its proof is checked with.
    proof : str
        What is said of its proof.
    is_checked : bool
        Whether its proof is checked; else its body alone is judged.
    at : float
        When it comes, in epoch seconds.
    label : str
        What it is called where there are several.
    """

    request: SampleRequest
    secrets: tuple[str, ...] = field(repr=False)
    proof: str
    is_checked: bool
    at: float
    label: str = ""


def read_body(file: Path) -> bytes:
    """Return the body in a file.

    Raises
    ------
    SourceError
        When the file cannot be read.
    """
    try:
        return read_bounded(file, _LARGEST)
    except UnfitFileError as error:
        raise SourceError(f"{file}: {error}") from None


def request_of_body(
    source: LoadedSource,
    body: bytes,
    headers: dict[str, str],
    secrets: Sequence[str],
    *,
    sign: bool,
) -> TriedRequest:
    """Make a request of a body and of headers.

    Parameters
    ----------
    headers : dict[str, str]
        The sender's proof among them, where it was given.
    secrets : Sequence[str]
        The sender's own; none has its proof unchecked.
    sign : bool
        Sign it here: with the first of them, else with a secret that is made up.
    """
    usual = [one for one in source.settings.content_types if one != ANY_CONTENT_TYPE]
    sent = {"Content-Type": (*usual, "application/json")[0], **headers}
    if source.settings.poll is not None:
        sent.setdefault(FEED_HEADER, next(iter(source.settings.poll.feeds)))
        text = "fetched, not signed"
        return TriedRequest(
            SampleRequest(sent, body), (make_secret(),), text, is_checked=True, at=time.time()
        )
    request = SampleRequest(sent, body, source.settings.methods[0])
    return _signed(source, request, secrets) if sign else _as_given(source, request, secrets)


def requests_captured(
    source: LoadedSource, paths: Sequence[Path], host: str, secrets: Sequence[str], *, sign: bool
) -> list[TriedRequest]:
    """Return caught requests to try, each at the time at which it came.

    Raises
    ------
    CaptureError
        When there is none in the files.
    """
    tried = []
    for one in read_captures(paths, host).requests:
        request = _request(source, one)
        made = _signed if sign else _as_given
        proof = source.settings.authentication
        at = arrival(one, proof.model_dump(mode="json")) if proof and not sign else None
        found = made(source, request, secrets, label=one.where)
        tried.append(found if at is None else _at(found, at))
    return tried


def _at(found: TriedRequest, at: float) -> TriedRequest:
    return TriedRequest(
        found.request, found.secrets, found.proof, found.is_checked, at, found.label
    )


def _request(source: LoadedSource, one: CapturedRequest) -> SampleRequest:
    headers = dict({name.lower(): (name, value) for name, value in one.headers}.values())
    token = source.settings.token
    in_path = one.address.rpartition("/")[2] if token and token.path else ""
    return SampleRequest(headers, one.body, one.method, one.query, one.address, in_path)


def _as_given(
    source: LoadedSource, request: SampleRequest, secrets: Sequence[str], label: str = ""
) -> TriedRequest:
    what = "signature" if signs(source.settings) else "token"
    given = _has_proof(source, request)
    if secrets:
        text = f"with the {what} that was given" if given else f"no {what} was given"
        checked = True
    elif given:
        text = f"a {what} was given, and no secret to check it with (--secret-file, --ask-secret)"
        checked = False
    else:
        text = f"no {what} was given: the body alone is judged"
        checked = False
    known = tuple(secrets) or (make_secret(),)
    return TriedRequest(request, known, text, is_checked=checked, at=time.time(), label=label)


def _signed(
    source: LoadedSource, request: SampleRequest, secrets: Sequence[str], label: str = ""
) -> TriedRequest:
    now = time.time()
    key = secrets[0] if secrets else make_secret()
    body = dated(source, request.body, now=now)
    headers = without(request.headers, proof_headers(source.settings))
    made = authenticate(source, key, body, now=now, headers=headers)
    which = "the secret that was given" if secrets else "a throw-away secret"
    how = "signed" if signs(source.settings) else "given a token"
    text = f"{how} here with {which}, which shows nothing of the sender's"
    plain = SampleRequest(headers | made, body, request.method, request.query, request.url)
    sent = addressed(source, key, plain)
    return TriedRequest(sent, (key,), text, is_checked=True, at=now, label=label)


def _has_proof(source: LoadedSource, request: SampleRequest) -> bool:
    token = source.settings.token
    if token and token.query:
        return token.query in parse_qs(request.query)
    if token and token.path:
        return bool(request.path_token)
    return bool(proof_headers(source.settings) & {name.lower() for name in request.headers})
