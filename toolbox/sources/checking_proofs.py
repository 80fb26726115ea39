"""What nobody but the sender may be able to do: requests as sent, with their proof spoilt."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.event.fields import path_of
from pipeline.event.outcomes import Reason
from pipeline.receiving.answers import Answer
from settings.source.authentication import SignedRequest
from settings.source.json_web_token import JsonWebTokenAuthentication
from settings.source.sns import SnsAuthentication
from toolbox.sources.samples import wrong_secret
from toolbox.sources.wrong_keys import other_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.source.loader import LoadedSource
    from toolbox.sources.rehearsal import Ending, Rehearsal
    from toolbox.sources.samples import LoadedSample

#: A field of the body in the string that is signed.
_PART = re.compile(r"\{body\.([^{}]+)\}")
_REFUSED = (401, 403)


@dataclass(frozen=True)
class SpoiltTrial:
    """A request that somebody else signed, with something changed.

    Parameters
    ----------
    change : str
        `a wrong secret`, or which bit of the body was changed.
    refused : bool
        Whether the proof was what it was turned away for.
    """

    change: str
    refused: bool
    ending: Ending


def spoilt_trials(rehearsal: Rehearsal, sample: LoadedSample) -> Iterator[SpoiltTrial]:
    """Play a sample whose proof fits as it was sent, with what must have it turned away.

    Nothing comes of a sample that is signed here, or whose proof must not fit.
    """
    settings, source = sample.settings, sample.source
    if settings.as_sent is None or not settings.expect.proof_fits:
        return
    if settings.as_sent.secrets and source.settings.authentication is not None:
        wrong = tuple(wrong_secret(source, one) for one in settings.as_sent.secrets)
        yield _trial("a wrong secret", rehearsal.play_as_sent(sample, secrets_instead=wrong))
    if sample.fetched:
        others = {address: other_document(one) for address, one in sample.fetched.items()}
        ending = rehearsal.play_as_sent(sample, fetched_instead=others)
        yield _trial("other keys at the sender's addresses", ending)
    coding = settings.as_sent.header("content-encoding")
    content = sample.content
    for place in covered_places(source, content):
        body = bytearray(content)
        body[place] ^= 1
        change = f"a bit of byte {place:,} of the body changed"
        yield _trial(change, rehearsal.play_as_sent(sample, body=_packed(bytes(body), coding)))


def _packed(content: bytes, coding: str) -> bytes:
    """Pack a body anew: a bit that is changed in a packed one makes it unreadable, not forged."""
    if not coding or coding.strip().lower() == "identity":
        return content
    return zlib.compress(content) if "deflate" in coding.lower() else gzip.compress(content)


def covered_places(source: LoadedSource, content: bytes) -> list[int]:
    """Return bytes of a body that its sender proves: three of the whole, or one of each field.

    Parameters
    ----------
    content : bytes
        The body, unpacked.
    """
    proof = source.settings.authentication
    whole = isinstance(proof, JsonWebTokenAuthentication) and not proof.at_door
    signed = proof.signed if isinstance(proof, SignedRequest) else ""
    if whole or "{body}" in signed or "(body)}" in signed or "{form." in signed:
        size = len(content)
        return sorted({0, size // 2, size - 1}) if size else []
    fields = {path_of(path)[-1] for path in _PART.findall(signed)}
    if isinstance(proof, SnsAuthentication):
        fields = {"Message", "Timestamp"}
    values = (re.search(rf'"{re.escape(name)}"\s*:\s*"?'.encode(), content) for name in fields)
    return sorted(value.end() for value in values if value and value.end() < len(content))


def spoilt_faults(rehearsal: Rehearsal, sample: LoadedSample) -> Iterator[str]:
    """Say what is let in that the sender did not send."""
    for trial in spoilt_trials(rehearsal, sample):
        if not trial.refused:
            yield f"with {trial.change} it is not turned away for its proof"


def _trial(change: str, ending: Ending) -> SpoiltTrial:
    if isinstance(ending.door, Answer):
        return SpoiltTrial(change, ending.door.status in _REFUSED, ending)
    refused = bool(ending.outcomes) and all(
        one.reason is Reason.BAD_SIGNATURE for one in ending.outcomes
    )
    return SpoiltTrial(change, refused, ending)
