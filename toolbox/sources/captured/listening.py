"""Takes requests of a sender as they are on the wire, one of a connection, and answers each.

Whoever finds the address can send: time, connections and bytes are bounded before a request is one.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

import h11

from pipeline.errors import PipelineError
from toolbox.sources.captured.request import LARGEST_BODY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The head of a request, in bytes: API Gateway takes 10,240 of headers, and a line of 8,192.
_LARGEST_HEAD = 20_000
#: A request with its head and the lengths of its chunks, in bytes.
_LARGEST_RAW = LARGEST_BODY + 2_000_000
_MOST_CONNECTIONS = 16
#: How long a request and its answer may take. API Gateway gives up after 29.
_SECONDS = 30.0
_LINGER_SECONDS = 1.0


class ListenError(PipelineError):
    """The address cannot be listened on."""


@dataclass(frozen=True)
class WireAnswer:
    """What a sender gets."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class UnfitRequestError(PipelineError):
    """What came is no request that can be kept."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.answer = WireAnswer(status, f"{what}\n".encode(), {"Content-Type": "text/plain"})


class RequestServer:
    """Listens, and gives each request's bytes to what answers it.

    Parameters
    ----------
    handle : Callable[[bytes], WireAnswer]
        Is given a request as it came, from its first line to the last byte of its body.
    refused : Callable[[str], None]
        Is told what was turned away before it was a request.
    seconds : float
        How long a request may take.
    """

    def __init__(
        self,
        handle: Callable[[bytes], WireAnswer],
        refused: Callable[[str], None],
        *,
        seconds: float = _SECONDS,
    ) -> None:
        self._handle = handle
        self._refused = refused
        self._seconds = seconds
        self._open: set[asyncio.Task[None] | None] = set()

    async def start(self, address: str, port: int) -> asyncio.Server:
        """Begin to listen.

        Raises
        ------
        ListenError
            When the address is another's, or none of this machine.
        """
        try:
            return await asyncio.start_server(self._serve, address, port)
        except OSError as error:
            what = error.strerror or error
            raise ListenError(f"{address}:{port}: {what}; choose another with --port") from None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(task := asyncio.current_task())
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._exchange(reader, writer)
                if answer is not None:
                    await _write(writer, answer)
                    await _read_rest(reader)
        except TimeoutError:
            self._refused(f"a request that took more than {self._seconds:g} seconds")
        except ConnectionError:
            self._refused("a connection that was cut")
        finally:
            self._open.discard(task)
            writer.close()

    async def finish(self) -> None:
        """Wait a moment for the answers that are under way."""
        if under_way := [task for task in self._open if task]:
            await asyncio.wait(under_way, timeout=1.0)

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> WireAnswer | None:
        if len(self._open) > _MOST_CONNECTIONS:
            self._refused(f"more than {_MOST_CONNECTIONS} connections at once (503)")
            return WireAnswer(503)
        try:
            raw = await read_request(reader, writer)
            return self._handle(raw) if raw else None
        except UnfitRequestError as error:
            self._refused(f"{error} ({error.answer.status})")
            return error.answer


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Return the bytes of one request; nothing where the connection was closed before it.

    Raises
    ------
    UnfitRequestError
        When it is none, or too large.
    """
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD)
    raw, size = bytearray(), 0
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            raise UnfitRequestError(error.error_status_hint, f"not HTTP/1.1: {error}") from None
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                writer.write(connection.send(go_on) or b"")
            data = await reader.read(65_536)
            raw += data
            connection.receive_data(data)
        elif isinstance(event, h11.Data):
            size += len(event.data)
        elif isinstance(event, h11.EndOfMessage):
            left, _ = connection.trailing_data
            return bytes(raw[: len(raw) - len(left)])
        elif isinstance(event, h11.ConnectionClosed):
            return b""
        if size > LARGEST_BODY or len(raw) > _LARGEST_RAW:
            raise UnfitRequestError(413, f"a body of more than {LARGEST_BODY:,} bytes")


async def _read_rest(reader: asyncio.StreamReader) -> None:
    """Read what nobody wants: closing before would cut off the answer, too (RFC 9112, 9.6)."""
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while await reader.read(65_536):
                pass


async def _write(writer: asyncio.StreamWriter, answer: WireAnswer) -> None:
    lines = {**answer.headers, "Content-Length": len(answer.body), "Connection": "close"}
    known = HTTPStatus(answer.status) if answer.status in set(HTTPStatus) else None
    head = [f"HTTP/1.1 {answer.status} {known.phrase if known else ''}".rstrip()]
    head += [f"{name}: {value}" for name, value in lines.items()]
    writer.write("\r\n".join([*head, "", ""]).encode("latin-1", "replace") + answer.body)
    await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
