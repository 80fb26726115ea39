"""Sends requests at a rate, and keeps what each was told."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

import aiohttp
import orjson

from loadtests.soak.books import digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtests.soak.books import Books
    from loadtests.soak.requests import RequestKind, Requests, SoakRequest

_SENDERS = 24
#: Senders of webhooks wait for some seconds, then they hang up.
_TIMEOUT_SECONDS = 10.0
_MOST_UNWRITTEN = 500


class SendersJournal:
    """What was sent, and what the senders were told.

    An answer with 2xx goes into the books by the id in it. What was refused by the front door for a
    fault behind it, and what broke, may be on the stream or not: that goes there by its token.

    Parameters
    ----------
    books : Books
        Entered into every few hundred requests: see `flush`.

    Attributes
    ----------
    answers : Counter[str]
        How often each status, or error, was seen.
    denied : int
        How many requests were answered with 401 or 403.
    nameless : Counter[str]
        By status: how many answers with 2xx had no id.
    """

    def __init__(self, books: Books) -> None:
        self.books = books
        self.answers: Counter[str] = Counter()
        self.denied = 0
        self.nameless: Counter[str] = Counter()
        self._accepted: list[tuple[str, str, str, bytes, int]] = []
        self._unanswered: list[tuple[str]] = []

    def note(self, sent: SoakRequest, status: int, content: bytes) -> None:
        """Keep an answer."""
        self.answers[str(status)] += 1
        if 200 <= status < 300:
            identifier = str(orjson.loads(content).get("id", ""))
            self.nameless[str(status)] += not identifier
            row = (identifier, sent.token, str(sent.kind), digest(sent.body), sent.events)
            self._accepted.append(row)
        elif status in {401, 403}:
            self.denied += 1
        else:
            self._unanswered.append((sent.token,))
        if len(self._accepted) + len(self._unanswered) >= _MOST_UNWRITTEN:
            self.flush()

    def note_broken(self, sent: SoakRequest, error: Exception) -> None:
        """Keep that a connection broke."""
        self.answers[type(error).__name__] += 1
        self._unanswered.append((sent.token,))

    def flush(self) -> None:
        """Enter what is not yet in the books; to be called before they are read."""
        self.books.add("accepted", self._accepted)
        self.books.add("unanswered", self._unanswered)
        self._accepted, self._unanswered = [], []

    @property
    def sent(self) -> int:
        """How many requests were made."""
        return self.answers.total()

    def accepted(self) -> Counter[str]:
        """How many were accepted, by kind."""
        self.flush()
        return Counter(dict(self.books.rows("SELECT kind, COUNT(*) FROM accepted GROUP BY kind")))

    def unanswered(self) -> int:
        """How many may be on the stream, or not."""
        self.flush()
        return self.books.number("SELECT SUM(times) FROM unanswered")


class Senders:
    """Some senders that share a rate.

    Parameters
    ----------
    api : Callable[[], str]
        The front door's address now: a restarted one has another.
    rate : float
        Requests a second.
    journal : SendersJournal
        Keeps what each was told.
    """

    def __init__(
        self, requests: Requests, api: Callable[[], str], rate: float, journal: SendersJournal
    ) -> None:
        self._requests = requests
        self._api = api
        self._rate = rate
        self._extra: list[RequestKind] = []
        self.journal = journal

    def also(self, kind: RequestKind) -> None:
        """Send one of a kind in place of the next request of the mix."""
        self._extra.append(kind)

    async def run(self, seconds: float) -> None:
        """Send for some seconds."""
        start, number = time.monotonic(), 0

        async def send() -> None:
            nonlocal number
            while (due := start + number / self._rate) < start + seconds:
                number += 1
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if time.monotonic() > start + seconds:
                    return
                await self._send(session)

        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
            for _ in range(_SENDERS):
                group.create_task(send())

    async def _send(self, session: aiohttp.ClientSession) -> None:
        sent = self._requests.make(self._extra.pop()) if self._extra else self._requests.next()
        url = f"{self._api()}/{sent.source}"
        try:
            async with session.post(url, data=sent.body, headers=sent.headers) as answer:
                content = await answer.read()
            self.journal.note(sent, answer.status, content)
        except (aiohttp.ClientError, TimeoutError) as error:
            self.journal.note_broken(sent, error)
            # Nothing listens for a while: no need to ask a thousand times a second.
            await asyncio.sleep(0.1)
        self._requests.may_be_copied(sent)
