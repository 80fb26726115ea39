"""Makes the requests that `mozdef-ef send` sends: samples or files, signed."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.event.fields import find, path_of
from settings.bounded import UnfitFileError, read_bounded
from settings.source.loader import LoadedSource, SourceError
from toolbox.sources.rehearsal import Rehearsal, compiled, make_secret
from toolbox.sources.samples import (
    LoadedSample,
    SampleRequest,
    addressed,
    authenticate,
    dated,
    load_samples,
    make_distinct,
)
from toolbox.terminal.nearest import unknown
from toolbox.traffic.sender import COPY, SPOILT, Outgoing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from settings.source.event_parts import DeliveryId


Payload = tuple[str, bytes, dict[str, str]]


def payloads(
    source: LoadedSource, words: Sequence[str], headers: Mapping[str, str]
) -> list[Payload]:
    """Return name, body and headers of each payload.

    Parameters
    ----------
    words : Sequence[str]
        Each a sample, a type of which there are samples, or a file; none: the source's good
        samples.

    Raises
    ------
    NotFoundError
        When a word is none of them.
    SourceError
        When a file cannot be read, or the source has no sample that can be delivered.
    """
    if source.settings.ingest == "poll":
        raise SourceError(f"{source.name}: its events are fetched, so there is nothing to send")
    samples = list(load_samples(source))
    if not words:
        found = [one for one in samples if one.settings.expect.outcome == "delivered"]
        if not found:
            raise SourceError(f"{source.folder}: no sample that can be delivered; name a file")
        return [_of_sample(one, headers) for one in found]
    # What a wrong proof is to show cannot be sent: each request is signed rightly.
    sendable = {one.name: one for one in samples if one.settings.expect.proof_fits}
    result: list[Payload] = []
    for word in words:
        if word in sendable:
            result.append(_of_sample(sendable[word], headers))
        elif typed := _of_type(source, list(sendable.values()), word):
            result += [_of_sample(one, headers) for one in typed]
        elif Path(word).is_file():
            result.append((Path(word).name, _read(Path(word)), {**_JSON, **headers}))
        else:
            named, kinds = known_words(source)
            raise unknown(f"sample, type or file of {source.name}", word, named | kinds)
    return result


def known_words(source: LoadedSource) -> tuple[set[str], set[str]]:
    """Return the samples that can be sent, and the types of those that are delivered."""
    samples = [one for one in load_samples(source) if one.settings.expect.proof_fits]
    types = _types(source, samples)
    good = (one.name for one in samples if one.settings.expect.outcome == "delivered")
    return {one.name for one in samples}, {types[name] for name in good} - {""}


_JSON = {"Content-Type": "application/json"}
_LARGEST = 20_000_000


def _of_sample(sample: LoadedSample, headers: Mapping[str, str]) -> Payload:
    return sample.name, sample.content, {**sample.headers, **headers}


def _read(file: Path) -> bytes:
    try:
        return read_bounded(file, _LARGEST)
    except UnfitFileError as error:
        raise SourceError(f"{file}: {error}") from None


def _of_type(
    source: LoadedSource, samples: Sequence[LoadedSample], wanted: str
) -> list[LoadedSample]:
    types = _types(source, samples)
    good = [one for one in samples if one.settings.expect.outcome == "delivered"]
    return [one for one in good if types[one.name] == wanted]


def _types(source: LoadedSource, samples: Sequence[LoadedSample]) -> dict[str, str]:
    """Return the type of each sample's first event, as the pipeline finds it."""
    plain = {source.name: replace(source, compiled={})}
    with compiled(plain) as catalog:
        rehearsal = Rehearsal(plain, catalog, (make_secret(), make_secret()))
        endings = {one.name: rehearsal.play(one).outcomes for one in samples}
    return {name: found[0].event.event_type if found else "" for name, found in endings.items()}


def make_requests(
    source: LoadedSource,
    words: Sequence[str],
    *,
    secret: str,
    count: int | None = None,
    headers: dict[str, str] | None = None,
    duplicate_every: int = 0,
    corrupt_every: int = 0,
) -> Iterator[Outgoing]:
    """Return signed requests, each with a delivery of its own.

    Parameters
    ----------
    words : Sequence[str]
        Which payloads; none means the source's samples.
    count : int | None
        How many; once through the payloads when None.
    duplicate_every : int
        Send the one before again instead of each K-th.
    corrupt_every : int
        Spoil the proof of each K-th.
    """
    available = payloads(source, words, headers or {})
    last: Outgoing | None = None
    for number, (name, body, base) in enumerate(
        islice(cycle(available), count if count is not None else len(available)), start=1
    ):
        if duplicate_every and last is not None and number % duplicate_every == 0:
            yield Outgoing(source.name, COPY, last.request)
            continue
        corrupt = bool(corrupt_every) and number % corrupt_every == 0
        fresh = _make_fresh(source, dated(source, body, now=time.time()), base, number)
        proof = authenticate(
            source,
            f"not {secret}" if corrupt else secret,
            fresh.body,
            now=time.time(),
            headers=fresh.headers,
        )
        request = SampleRequest({**fresh.headers, **proof}, fresh.body, source.settings.methods[0])
        shown = f"not {secret}" if corrupt else secret
        outgoing = Outgoing(
            source.name,
            SPOILT if corrupt else name,
            addressed(source, shown, request),
        )
        if not corrupt:
            last = outgoing
        yield outgoing


def _make_fresh(
    source: LoadedSource, body: bytes, headers: dict[str, str], number: int
) -> SampleRequest:
    """Make a payload an event of its own, where the source tells events apart."""
    locator = source.settings.delivery_id
    if locator is not None and locator.header is not None:
        body = make_distinct(body) if source.settings.id_is_unsigned else body
        return SampleRequest({**headers, locator.header: str(uuid.uuid4())}, body)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return SampleRequest(headers, body)
    changed = False
    for event in _events(source, document):
        changed |= _mark(event, locator, f"{number}-{uuid.uuid4()}")
    return SampleRequest(headers, orjson.dumps(document) if changed else body)


def _events(source: LoadedSource, document: Any) -> list[dict[str, Any]]:
    """Return the events in a body: itself, or the elements that the source splits it into."""
    split = source.settings.split
    found = [document] if split is None else find(document, path_of(split.path))
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _mark(event: dict[str, Any], locator: DeliveryId | None, mark: str) -> bool:
    """Make one event unlike any other: by the text that is its id, or by its hash."""
    if locator is None:
        event["sent"] = mark
        return True
    if locator.path is None:
        return False
    *parents, last = path_of(locator.path)
    holder = find(event, tuple(parents))
    if not isinstance(holder, dict) or not isinstance(holder.get(last), str):
        return False
    holder[last] = mark
    return True
