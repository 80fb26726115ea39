"""Sends requests to a front door, many at a time, at a given rate."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import aiohttp

    from toolbox.sources.samples import SampleRequest


#: What requests are called that are no events of their own.
COPY, SPOILT = "duplicate", "corrupt"


class SendError(PipelineError):
    """The front door could not be reached."""


@dataclass(frozen=True)
class Outgoing:
    """A request on its way to a source's route."""

    source: str
    label: str
    request: SampleRequest


@dataclass(frozen=True)
class FrontDoorAnswer:
    """What the front door answered.

    Parameters
    ----------
    error : str
        The word for a refusal.
    message : str
        What it says beside that.
    """

    outgoing: Outgoing
    status: int
    id: str
    error: str
    seconds: float
    message: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the sender was told that its event is taken."""
        return 200 <= self.status < 300


async def send_all(
    api: str,
    outgoing: Iterable[Outgoing],
    *,
    rate: float | None = None,
    concurrency: int = 64,
    on_answer: Callable[[FrontDoorAnswer], None],
) -> None:
    """Send requests, and hand over each answer as it comes.

    Parameters
    ----------
    outgoing : Iterable[Outgoing]
        May be endless; it is read as requests are sent.
    rate : float | None
        Requests a second; as fast as possible when None.
    concurrency : int
        How many requests may be in flight.

    Raises
    ------
    SendError
        When the front door cannot be reached.
    """
    import aiohttp  # a third of a second, which no help needs

    requests = _paced(iter(outgoing), rate)
    connector = aiohttp.TCPConnector(limit=concurrency)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def work() -> None:
            for wait, one in requests:
                if wait > 0:
                    await asyncio.sleep(wait)
                on_answer(await _send(session, api, one))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(work())
        except ExceptionGroup as group_error:
            for error in group_error.exceptions:
                if isinstance(error, aiohttp.ClientError | TimeoutError):
                    raise SendError(f"{api}: cannot be reached ({error}); is it up?") from None
            raise


def _paced(outgoing: Iterator[Outgoing], rate: float | None) -> Iterator[tuple[float, Outgoing]]:
    """Return each request with how long to wait for its turn; shared by all workers."""
    start = time.monotonic()
    for number, one in enumerate(outgoing):
        due = start + number / rate if rate else 0.0
        yield due - time.monotonic(), one


async def _send(session: aiohttp.ClientSession, api: str, one: Outgoing) -> FrontDoorAnswer:
    start = time.monotonic()
    sent = one.request
    url = f"{api}/{one.source}"
    if sent.path_token:
        url += f"/{quote(sent.path_token, safe='')}"
    if sent.query:
        url += f"?{sent.query}"
    async with session.request(sent.method, url, data=sent.body, headers=sent.headers) as answer:
        content = await answer.read()
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        document = {}
    if not isinstance(document, dict):
        document = {}
    message = str(document.get("message") or "")
    return FrontDoorAnswer(
        one,
        answer.status,
        str(document.get("id", "")),
        str(document.get("error") or message),
        time.monotonic() - start,
        message,
    )
