"""Persistent HTTP connections to one endpoint, shared by threads."""

from __future__ import annotations

import socket
import ssl
from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httptools
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0
#: No answer of the calls that are made here comes near it; a peer must not fill the memory.
LARGEST_ANSWER = 64 * 1024 * 1024
_CHUNK = 256 * 1024


@cache
def _tls() -> ssl.SSLContext:
    # It reads the machine's certificates, which takes some 10 ms: once for all services.
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request."""

    status: int
    body: bytes


class _Reader:
    """Takes one answer from the parser, piece by piece."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.parts: list[bytes] = []
        self.size = 0
        self.status = 0
        self.kept = False
        self.complete = False

    def on_headers_complete(self) -> None:
        # Asked here, because the parser forgets it with the end of the message.
        self.status = self.parser.get_status_code()
        self.kept = self.parser.should_keep_alive()

    def on_body(self, part: bytes) -> None:
        self.parts.append(part)
        self.size += len(part)

    def on_message_complete(self) -> None:
        self.complete = True


class Connections:
    """Keeps connections to an endpoint open, and opens another when all are in use.

    Parameters
    ----------
    endpoint : str
        Scheme, host and port.
    connect_seconds, read_seconds : float
        How long to wait for a connection, and for each part of an answer.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        parts = urlsplit(endpoint)
        self.endpoint = endpoint
        self.host = parts.netloc
        self._secure = parts.scheme == "https"
        self._address = (parts.hostname or "", parts.port or (443 if self._secure else 80))
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._idle: deque[socket.socket] = deque()

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a request and read its answer.

        A connection that was kept open may have been closed by the other side in the meantime;
        then the request is sent once more, on another one.

        Parameters
        ----------
        method : str
            Such as `POST`.
        path : str
            URL-encoded.
        body : bytes
            What is sent.
        headers : Mapping[str, str]
            All but the length of the body; none may hold a line break.

        Raises
        ------
        EndpointConnectionError, ConnectionClosedError, ReadTimeoutError
            Subclasses of botocore's BotoCoreError, as its own clients raise them.
        """
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {path} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n"
        request = head.encode() + body
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._exchange(self._connect(), request)
            try:
                return self._exchange(connection, request)
            except ConnectionClosedError:
                # It may be one of many that the other side closed: try the next.
                continue

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _connect(self) -> socket.socket:
        try:
            connection = socket.create_connection(self._address, self._connect_seconds)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._secure:
                connection = _tls().wrap_socket(connection, server_hostname=self._address[0])
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=self.endpoint, error=error) from error
        connection.settimeout(self._read_seconds)
        return connection

    def _exchange(self, connection: socket.socket, request: bytes) -> Answer:
        reader = _Reader()
        try:
            connection.sendall(request)
            while not reader.complete:
                part = connection.recv(_CHUNK)
                if not part or reader.size > LARGEST_ANSWER:
                    raise ConnectionResetError("closed before the answer was complete")
                reader.parser.feed_data(part)
        except TimeoutError as error:
            connection.close()
            raise ReadTimeoutError(endpoint_url=self.endpoint, error=error) from error
        except (OSError, httptools.HttpParserError) as error:
            connection.close()
            raise ConnectionClosedError(endpoint_url=self.endpoint, error=error) from error
        if reader.kept:
            self._idle.append(connection)
        else:
            connection.close()
        return Answer(reader.status, b"".join(reader.parts))
