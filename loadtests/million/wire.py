"""Sends requests over plain connections, and keeps what each was told.

HTTP/1.1 as RFC 9112 has it: one request after the other on a connection, answers with a length.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtests.million.traffic import EventCounts, MillionTraffic
    from loadtests.soak.requests import RequestKind, SoakRequest
    from loadtests.soak.senders import SendersJournal

#: Connections: each may wait for a third of a second, and the rate is kept all the same.
_LEAST_SENDERS, _MOST_SENDERS = 4, 32
#: Senders of webhooks wait for some seconds, then they hang up.
_TIMEOUT_SECONDS = 10.0
_PAUSE_SECONDS = 0.1


class BrokenAnswerError(Exception):
    """The answer is none of HTTP, or has no length."""


class _Connection:
    """One connection, made again when it broke or the address has changed."""

    def __init__(self) -> None:
        self._address = ""
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, address: str, sent: SoakRequest) -> tuple[int, bytes]:
        """Send a request; return status and content of the answer."""
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            reader, writer = await self._opened(address)
            writer.write(_head(address, sent) + sent.body)
            return await _answer(reader)

    async def _opened(self, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._open is None or self._address != address:
            self.close()
            host, _, port = address.partition(":")
            self._address, self._open = address, await asyncio.open_connection(host, int(port))
        return self._open

    def close(self) -> None:
        if self._open:
            self._open[1].close()
            self._open = None


def _head(address: str, sent: SoakRequest) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.headers.items())
    return (
        f"POST /{sent.source} HTTP/1.1\r\nHost: {address}\r\n"
        f"Content-Length: {len(sent.body)}\r\n{lines}\r\n"
    ).encode()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    place = head.find(b"\r\ncontent-length:")
    if place < 0 or not head.startswith(b"http/1.1 "):
        raise BrokenAnswerError(repr(head[:80]))
    length = int(head[place + 17 : head.index(b"\r\n", place + 2)])
    return int(head[9:12]), await reader.readexactly(length)


class WireSenders:
    """Some senders that share a rate.

    Parameters
    ----------
    api : Callable[[], str]
        The front door's address now: a restarted one has another.
    rate : float
        Requests a second.
    enough : Callable[[], bool]
        Whether enough was accepted; they go on until then, but not beyond the limit.
    """

    def __init__(
        self,
        traffic: MillionTraffic,
        api: Callable[[], str],
        *,
        rate: float,
        journal: SendersJournal,
        counts: EventCounts,
        enough: Callable[[], bool],
        most_seconds: float,
    ) -> None:
        self._traffic = traffic
        self._api = api
        self._rate = rate
        self._journal = journal
        self._counts = counts
        self._enough = enough
        self._most_seconds = most_seconds
        self._extra: list[RequestKind] = []
        self._over: Callable[[], bool] = lambda: True
        self.seconds = 0.0

    def also(self, kind: RequestKind) -> None:
        """Send one of a kind in place of the next request of the mix."""
        self._extra.append(kind)

    async def run(self, seconds: float) -> None:
        """Send for some seconds, and then for as long as it is not enough."""
        start, number = time.monotonic(), 0

        def over() -> bool:
            passed = time.monotonic() - start
            return passed >= self._most_seconds or (passed >= seconds and self._enough())

        self._over = over

        async def send() -> None:
            nonlocal number
            connection = _Connection()
            while not over():
                due = start + number / self._rate
                number += 1
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                await self._send(connection)
            connection.close()

        async with asyncio.TaskGroup() as group:
            for _ in range(max(_LEAST_SENDERS, min(_MOST_SENDERS, round(self._rate / 3)))):
                group.create_task(send())
        self.seconds = time.monotonic() - start

    async def _post(self, connection: _Connection, sent: SoakRequest) -> tuple[int, bytes]:
        """Send a request; where nothing listens, which is sure, again after a moment."""
        while True:
            try:
                return await connection.post(urlsplit(self._api()).netloc, sent)
            except ConnectionRefusedError:
                connection.close()
                if self._over():
                    raise
                self._journal.answers[ConnectionRefusedError.__name__] += 1
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _send(self, connection: _Connection) -> None:
        extra = self._extra.pop() if self._extra else None
        sent = self._traffic.make(extra) if extra else self._traffic.next()
        try:
            status, content = await self._post(connection, sent)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, BrokenAnswerError) as error:
            connection.close()
            self._journal.note_broken(sent, error)
            # Nothing listens for a while: no need to ask a thousand times a second.
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            self._journal.note(sent, status, content)
            if 200 <= status < 300:
                self._counts.add(sent)
        self._traffic.may_be_copied(sent)
