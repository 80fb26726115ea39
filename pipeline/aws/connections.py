"""Persistent HTTP connections to one endpoint, shared by threads."""

from __future__ import annotations

import http.client
import ssl
from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0
#: What a peer that closed an idle connection looks like to the next request on it.
_CLOSED = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


@cache
def _tls() -> ssl.SSLContext:
    # It reads the machine's certificates, which takes some 10 ms: once for all services.
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request."""

    status: int
    body: bytes


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
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._idle: deque[http.client.HTTPConnection] = deque()

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a request and read its answer.

        A connection that was kept open may have been closed by the other side in the meantime;
        then the request is sent once more, on a new one.

        Raises
        ------
        EndpointConnectionError, ConnectionClosedError, ReadTimeoutError
            Subclasses of botocore's BotoCoreError, as its own clients raise them.
        """
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._exchange(self._connect(), method, path, body, headers)
            try:
                return self._exchange(connection, method, path, body, headers)
            except ConnectionClosedError:
                # It may be the last of many that the other side closed: try the next.
                continue

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _connect(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection
        if self._secure:
            connection = http.client.HTTPSConnection(
                self.host, timeout=self._connect_seconds, context=_tls()
            )
        else:
            connection = http.client.HTTPConnection(self.host, timeout=self._connect_seconds)
        try:
            connection.connect()
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=self.endpoint, error=error) from error
        connection.sock.settimeout(self._read_seconds)
        return connection

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
    ) -> Answer:
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            answer = Answer(response.status, response.read())
        except TimeoutError as error:
            connection.close()
            raise ReadTimeoutError(endpoint_url=self.endpoint, error=error) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ConnectionClosedError(endpoint_url=self.endpoint, error=error) from error
        if not response.will_close:
            self._idle.append(connection)
        return answer
