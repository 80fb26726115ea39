"""Persistent HTTP connections to one endpoint, shared by threads."""

from __future__ import annotations

import socket
import ssl
import time
from collections import deque
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import httptools
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from pipeline.aws.idle import IdleConnections, clocks
from pipeline.aws.wire import RawResponse, ResponseReader, request_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: No answer of the calls that are made here comes near it; a peer must not fill the memory.
LARGEST_ANSWER = 64 * 1024 * 1024
#: More calls at once would only fill the socket buffers sooner.
MAX_IN_FLIGHT = 8
#: Seconds, for each call whose time was up while another one was waited for: what was answered is
#: there by now.
SHORT_READ_TIMEOUT = 0.025
_NOT_ANSWERED = (ReadTimeoutError, EndpointConnectionError)
_CHUNK = 256 * 1024


class ClientConfig(NamedTuple):
    """How long a client waits, and how often it calls: terms and meaning as in botocore's Config.

    Parameters
    ----------
    connect_timeout, read_timeout : float
        Seconds, for a connection and for each part of an answer.
    attempts : int
        How often a single call is made, as long as another one may help.
    patience : float
        Seconds for which a single call that is throttled is made again, however often: a throttle
        is answered within milliseconds, and counts by the second.
    """

    connect_timeout: float = 2.0
    read_timeout: float = 5.0
    attempts: int = 1
    patience: float = 1.5


DEFAULT_CONFIG = ClientConfig()


class _Call(NamedTuple):
    """A request that was written at some time, to no connection where that one was closed."""

    request: bytes
    connection: socket.socket | None
    sent: float


@cache
def _tls() -> ssl.SSLContext:
    # It reads the machine's certificates, which takes some 10 ms: once for all services.
    return ssl.create_default_context()


class Connections:
    """Keeps connections to an endpoint open, and opens another when all are in use.

    A connection that was idle for long is not used again. Where one that was kept turns out to be
    dead, all that are kept are given up: whatever ended the one has likely ended the others, and to
    find that out for each of them could cost a time-out each.

    Parameters
    ----------
    clock : Callable[[], tuple[float, float]]
        Seconds by two clocks; the one by which more time went by counts.
    """

    def __init__(
        self,
        endpoint: str,
        config: ClientConfig = DEFAULT_CONFIG,
        clock: Callable[[], tuple[float, float]] = clocks,
    ) -> None:
        parts = urlsplit(endpoint)
        self.endpoint = endpoint
        self.host = parts.netloc
        self.path = parts.path or "/"
        self._secure = parts.scheme == "https"
        self._address = (parts.hostname or "", parts.port or (443 if self._secure else 80))
        self._connect_timeout = config.connect_timeout
        self._read_timeout = config.read_timeout
        self._idle = IdleConnections(clock)

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> RawResponse:
        """Send a request and read its answer.

        A connection that was kept open may have been closed by the other side in the meantime;
        then the request is sent once more, on a fresh one.

        Parameters
        ----------
        headers : Mapping[str, str]
            All but the length of the body; none may hold a line break.

        Raises
        ------
        EndpointConnectionError, ConnectionClosedError, ReadTimeoutError
            Subclasses of botocore's BotoCoreError, as its own clients raise them.
        """
        return self._send(request_bytes(method, path, body, headers))

    def send_each(self, requests: Iterable[bytes]) -> list[RawResponse | BotoCoreError]:
        """Send several requests, of which a few are in flight at the same time.

        One thread does it: it writes a request to the next connection, and reads the answer before
        it uses that connection again. Threads would take as long again as the calls themselves.

        Parameters
        ----------
        requests : Iterable[bytes]
            Made by `request_bytes`.

        Returns
        -------
        list[RawResponse | BotoCoreError]
            For each request its answer, or what went wrong with it, in their order.
        """
        answers: list[RawResponse | BotoCoreError] = []
        in_flight: deque[_Call | BotoCoreError] = deque()
        trouble: BotoCoreError | None = None

        def finish() -> None:
            nonlocal trouble
            answer = self._finish(in_flight.popleft(), trouble)
            if isinstance(answer, _NOT_ANSWERED):
                trouble = answer
            answers.append(answer)

        for request in requests:
            if len(in_flight) == MAX_IN_FLIGHT:
                finish()
            # Where nobody answers, waiting again for each of many calls would use up the time.
            call = trouble or self._begin(request)
            if isinstance(call, BotoCoreError):
                trouble = call
            in_flight.append(call)
        while in_flight:
            finish()
        return answers

    def _send(self, request: bytes) -> RawResponse:
        kept = self._take()
        if kept is not None:
            try:
                return self._exchange(kept, request)
            except ConnectionClosedError:
                pass  # All that were kept are given up: the next one is fresh.
        return self._exchange(self._connect(), request)

    def _take(self) -> socket.socket | None:
        connection = self._idle.take()
        if connection is not None and connection.gettimeout() != self._read_timeout:
            connection.settimeout(self._read_timeout)
        return connection

    def _give_up(self, connection: socket.socket) -> None:
        """Close a connection that is dead, and with it all that are kept."""
        connection.close()
        self._idle.close()

    def _begin(self, request: bytes) -> _Call | BotoCoreError:
        """Write a request to a connection."""
        try:
            connection = self._take() or self._connect()
        except BotoCoreError as error:
            return error
        try:
            connection.sendall(request)
        except TimeoutError as error:
            self._give_up(connection)
            return ReadTimeoutError(endpoint_url=self.endpoint, error=error)
        except OSError:
            self._give_up(connection)
            return _Call(request, None, time.monotonic())
        return _Call(request, connection, time.monotonic())

    def _finish(
        self, call: _Call | BotoCoreError, trouble: BotoCoreError | None
    ) -> RawResponse | BotoCoreError:
        """Read the answer; a request whose connection was closed is sent once more, by itself."""
        if isinstance(call, BotoCoreError):
            return call
        try:
            if call.connection is None:
                return trouble or self._send(call.request)
            seconds = self._read_timeout
            if trouble is not None:
                # As long as others are answered, a busy service is waited for in full.
                left = call.sent + seconds - time.monotonic()
                seconds = max(left, SHORT_READ_TIMEOUT)
            try:
                return self._read(call.connection, seconds)
            except ConnectionClosedError:
                return trouble or self._send(call.request)
        except BotoCoreError as error:
            return error

    def close(self) -> None:
        """Close the idle connections."""
        self._idle.close()

    def _connect(self) -> socket.socket:
        try:
            connection = socket.create_connection(self._address, self._connect_timeout)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._secure:
                connection = _tls().wrap_socket(connection, server_hostname=self._address[0])
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=self.endpoint, error=error) from error
        connection.settimeout(self._read_timeout)
        return connection

    def _exchange(self, connection: socket.socket, request: bytes) -> RawResponse:
        try:
            connection.sendall(request)
        except TimeoutError as error:
            self._give_up(connection)
            raise ReadTimeoutError(endpoint_url=self.endpoint, error=error) from error
        except OSError as error:
            self._give_up(connection)
            raise ConnectionClosedError(endpoint_url=self.endpoint, error=error) from error
        return self._read(connection, self._read_timeout)

    def _read(self, connection: socket.socket, seconds: float) -> RawResponse:
        reader = ResponseReader()
        if connection.gettimeout() != seconds:
            connection.settimeout(seconds)
        try:
            while not reader.complete:
                part = connection.recv(_CHUNK)
                if not part or reader.size > LARGEST_ANSWER:
                    raise ConnectionResetError("closed before the answer was complete")
                reader.parser.feed_data(part)
        except TimeoutError as error:
            self._give_up(connection)
            raise ReadTimeoutError(endpoint_url=self.endpoint, error=error) from error
        except (OSError, httptools.HttpParserError) as error:
            self._give_up(connection)
            raise ConnectionClosedError(endpoint_url=self.endpoint, error=error) from error
        if reader.kept:
            self._idle.put(connection)
        else:
            connection.close()
        return RawResponse(reader.status, b"".join(reader.parts), reader.headers)
