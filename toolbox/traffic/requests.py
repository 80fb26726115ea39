"""Makes the requests that `mozdef-ef send` sends: samples or files, signed."""

from __future__ import annotations

import time
import uuid
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.event.fields import find, path_of
from settings.source.loader import LoadedSource, SourceError
from toolbox.sources.samples import (
    SampleRequest,
    addressed,
    authenticate,
    dated,
    load_samples,
    make_distinct,
)
from toolbox.traffic.sender import Outgoing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from settings.source.event_parts import DeliveryId


def payloads(
    source: LoadedSource, files: Sequence[Path], headers: dict[str, str]
) -> list[tuple[str, bytes, dict[str, str]]]:
    """Return name, body and headers of each payload: the files, else the source's good samples.

    Raises
    ------
    SourceError
        When a file cannot be read, or the source has no sample that can be delivered.
    """
    if source.settings.ingest == "poll":
        raise SourceError(f"{source.name}: its events are fetched, so there is nothing to send")
    if not files:
        found = [
            (
                sample.name,
                sample.content,
                {**sample.headers, **headers},
            )
            for sample in load_samples(source)
            if sample.settings.expect.outcome == "delivered"
        ]
        if not found:
            raise SourceError(f"{source.folder}: no sample that can be delivered; name a file")
        return found
    result = []
    for file in files:
        try:
            body = file.read_bytes()
        except OSError as error:
            raise SourceError(f"{file}: cannot be read: {error.strerror}") from None
        result.append((file.name, body, {"Content-Type": "application/json", **headers}))
    return result


def make_requests(
    source: LoadedSource,
    files: Sequence[Path],
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
    files : Sequence[Path]
        Payloads; none means the source's samples.
    count : int | None
        How many; once through the payloads when None.
    duplicate_every : int
        Send the one before again instead of each K-th.
    corrupt_every : int
        Spoil the proof of each K-th.
    """
    available = payloads(source, files, headers or {})
    last: Outgoing | None = None
    for number, (name, body, base) in enumerate(
        islice(cycle(available), count if count is not None else len(available)), start=1
    ):
        if duplicate_every and last is not None and number % duplicate_every == 0:
            yield Outgoing(source.name, "duplicate", last.request)
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
            "corrupt" if corrupt else name,
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
