"""Sends requests at a rate, and keeps what each was told."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtests.soak.requests import Kind, Requests, Sent

_SENDERS = 24
#: Senders of webhooks wait for some seconds, then they hang up.
_PATIENCE_SECONDS = 10.0


@dataclass
class Journal:
    """What was sent, and what the senders were told.

    Parameters
    ----------
    accepted : dict[str, Sent]
        Answered with 2xx, by the id in the answer.
    unanswered : list[Sent]
        Refused by the front door for a fault behind it, or the connection broke: such a request
        may be on the stream, or not.
    denied : list[Sent]
        Answered with 401 or 403: such a request must not be on the stream.
    answers : Counter[str]
        How often each status, or error, was seen.
    faults : list[str]
        Answers that no sender can work with.
    """

    accepted: dict[str, Sent] = field(default_factory=dict)
    unanswered: list[Sent] = field(default_factory=list)
    denied: list[Sent] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def note(self, sent: Sent, status: int, content: bytes) -> None:
        """Keep an answer."""
        self.answers[str(status)] += 1
        if 200 <= status < 300:
            identifier = str(orjson.loads(content).get("id", ""))
            if not identifier or identifier in self.accepted:
                self.faults.append(f"{sent.token}: answered {status} with the id {identifier!r}")
            self.accepted[identifier] = sent
        elif status in {401, 403}:
            self.denied.append(sent)
        else:
            self.unanswered.append(sent)

    def note_broken(self, sent: Sent, error: Exception) -> None:
        """Keep that a connection broke."""
        self.answers[type(error).__name__] += 1
        self.unanswered.append(sent)

    @property
    def sent(self) -> int:
        """How many requests were made."""
        return self.answers.total()


class Senders:
    """Some senders that share a rate.

    Parameters
    ----------
    requests : Requests
        Makes what they send.
    api : Callable[[], str]
        The front door's address now: a restarted one has another.
    rate : float
        Requests a second.
    """

    def __init__(self, requests: Requests, api: Callable[[], str], rate: float) -> None:
        self._requests = requests
        self._api = api
        self._rate = rate
        self._extra: list[Kind] = []
        self.journal = Journal()

    def also(self, kind: Kind) -> None:
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

        timeout = aiohttp.ClientTimeout(total=_PATIENCE_SECONDS)
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
