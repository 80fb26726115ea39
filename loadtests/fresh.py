"""Makes a source's samples into requests that are each an event of their own."""

from __future__ import annotations

import random
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.fields import find, path_of
from pipeline.sources.loader import SourceError
from pipeline.sources.samples import Request, authenticate, load_samples

if TYPE_CHECKING:
    from pipeline.sources.loader import LoadedSource
    from pipeline.sources.samples import LoadedSample

_MONTH_MS = 30 * 24 * 3_600 * 1_000


@dataclass(frozen=True)
class Fresh:
    """A signed request.

    Parameters
    ----------
    request : Request
        What is sent.
    renewed : bool
        Whether it differs from every earlier one where the source tells events apart.
    events : int
        How many events are in it.
    """

    request: Request
    renewed: bool
    events: int


def deliverable(source: LoadedSource) -> list[LoadedSample]:
    """Give the samples that reach the queue.

    Raises
    ------
    SourceError
        When the source has none.
    """
    found = [
        sample
        for sample in load_samples(source)
        if sample.settings.expect.outcome == "delivered"
        and sample.settings.sign == "current"
        and sample.settings.method == "POST"
    ]
    if not found:
        raise SourceError(f"{source.folder}/samples: no sample that can be delivered; add one")
    return found


def fresh_request(sample: LoadedSample, secret: str, *, forged: bool = False) -> Fresh:
    """Make a request of a sample, with a delivery id that was not there before.

    Parameters
    ----------
    sample : LoadedSample
        A sample that can be delivered.
    secret : str
        The source's current secret or token.
    forged : bool
        Sign with another secret.
    """
    source = sample.source
    headers = {"Content-Type": sample.settings.content_type, **sample.settings.headers}
    body, renewed = sample.body, True
    locator = source.settings.delivery_id
    if locator is not None and locator.header is not None:
        kept = {name: value for name, value in headers.items() if not _same(name, locator.header)}
        headers = {**kept, locator.header: str(uuid.uuid4())}
    else:
        body, renewed = _renew_body(source, body)
    proof = authenticate(
        source, f"not {secret}" if forged else secret, body, now=time.time(), headers=headers
    )
    return Fresh(Request({**headers, **proof}, body), renewed, sample.settings.expect.events)


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _renew_body(source: LoadedSource, body: bytes) -> tuple[bytes, bool]:
    """Change what tells events apart; a body that is no JSON stays as it is."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body, False
    split = source.settings.split
    elements = find(document, path_of(split.path)) if split else [document]
    if not isinstance(elements, list) or not elements:
        return body, False
    if not all(_renew(source, element) for element in elements):
        return body, False
    return orjson.dumps(document), True


def _renew(source: LoadedSource, element: Any) -> bool:
    locator = source.settings.delivery_id
    if locator is None:
        if isinstance(element, dict):
            element["sent"] = str(uuid.uuid4())
        return isinstance(element, dict)
    typed_by = source.settings.event_type
    for path in locator.all_paths:
        if typed_by is not None and path == typed_by.path:
            continue
        *parents, last = path_of(path)
        parent = find(element, tuple(parents))
        if isinstance(parent, dict) and (new := _other(parent.get(last))) is not None:
            parent[last] = new
            return True
    return False


def _other(value: Any) -> Any:
    if isinstance(value, str) and value:
        return f"{value[:60]}-{uuid.uuid4().hex}"
    if isinstance(value, int) and not isinstance(value, bool):
        return int(time.time() * 1_000) - random.randrange(_MONTH_MS)  # noqa: S311 - no secret
    return None
