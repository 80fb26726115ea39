"""Makes a source's samples into requests that are each an event of their own."""

from __future__ import annotations

import itertools
import random
import re
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.event.fields import find, path_of
from settings.source.loader import SourceError
from toolbox.sources.samples import (
    SampleRequest,
    authenticate,
    dated,
    load_samples,
    make_distinct,
)

if TYPE_CHECKING:
    from settings.source.loader import LoadedSource
    from toolbox.sources.samples import LoadedSample

#: How the ids begin that are made here, so that they can be found in a message, and in a log.
_MARK = 0x10AD7E57
TOKEN = re.compile(rb"10ad7e57-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}")
_MONTH_MS = 30 * 24 * 3_600 * 1_000


def new_token() -> uuid.UUID:
    """Make an id that no other event has: a UUID of version 4 whose first half is the same."""
    # No secret, and asking the kernel for each would cost more than the rest of a request.
    return uuid.UUID(int=_MARK << 96 | random.getrandbits(96), version=4)


@dataclass(frozen=True)
class Fresh:
    """A signed request.

    Parameters
    ----------
    renewed : bool
        Whether it differs from every earlier one where the source tells events apart.
    events : int
        How many events are in it.
    token : str
        The id that tells its event apart, 32 hex digits; empty where there is none, or several.
    """

    request: SampleRequest
    renewed: bool
    events: int
    token: str = ""


def deliverable(source: LoadedSource) -> list[LoadedSample]:
    """Return the samples that reach the queue.

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
    """Make a request of a sample, with a delivery id that was not there before."""
    source = sample.source
    headers = sample.headers
    body = dated(source, sample.content, now=time.time())
    renewed, token, told = True, new_token(), True
    locator = source.settings.delivery_id
    if locator is not None and locator.header is not None:
        kept = {name: value for name, value in headers.items() if not _same(name, locator.header)}
        headers = {**kept, locator.header: str(token)}
        body = make_distinct(body) if source.settings.id_is_unsigned else body
    else:
        body, renewed = _renew_body(source, body, token)
        told = token.hex.encode() in body or str(token).encode() in body
    proof = authenticate(
        source, f"not {secret}" if forged else secret, body, now=time.time(), headers=headers
    )
    events = sample.settings.expect.events
    told = told and events == 1
    return Fresh(
        SampleRequest({**headers, **proof}, body), renewed, events, token.hex if told else ""
    )


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _renew_body(source: LoadedSource, body: bytes, token: uuid.UUID) -> tuple[bytes, bool]:
    """Change what tells events apart; a body that is no JSON stays as it is."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body, False
    split = source.settings.split
    elements = find(document, path_of(split.path)) if split else [document]
    if not isinstance(elements, list) or not elements:
        return body, False
    tokens = [token, *(new_token() for _ in elements[1:])]
    if not all(map(_renew, itertools.repeat(source), elements, tokens)):
        return body, False
    return orjson.dumps(document), True


def _renew(source: LoadedSource, element: Any, token: uuid.UUID) -> bool:
    locator = source.settings.delivery_id
    if locator is None:
        if isinstance(element, dict):
            element["sent"] = str(token)
        return isinstance(element, dict)
    typed_by = source.settings.event_type
    for path in locator.all_paths:
        if typed_by is not None and path == typed_by.path:
            continue
        *parents, last = path_of(path)
        parent = find(element, tuple(parents))
        if isinstance(parent, dict) and (new := _other(parent.get(last), token)) is not None:
            parent[last] = new
            return True
    return False


def _other(value: Any, token: uuid.UUID) -> Any:
    if isinstance(value, str) and value:
        return f"{value[:60]}-{token.hex}"
    if isinstance(value, int) and not isinstance(value, bool):
        return int(time.time() * 1_000) - random.randrange(_MONTH_MS)  # noqa: S311 - no secret
    return None
