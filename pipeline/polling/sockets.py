"""Connections of which no exchange outlasts its time.

A timeout of a socket is that of one call. A server that sends a byte now and then meets none: not
in a header, not in 1xx answers without end, not in a body whose length it named. So each call gets
what is left of the exchange. (A TLS handshake is one call: OpenSSL's retries share its timeout.)
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.connection import HTTPConnection

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.polling.targets import Origin

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 45.0


@dataclass
class TimeBound:
    """What is under way on the connections of a client.

    Parameters
    ----------
    time_left : Callable[[], float]
        Seconds until it has to be over.
    """

    time_left: Callable[[], float] = field(default=lambda: READ_TIMEOUT)

    def timeout(self) -> float:
        """Return the timeout of the next call.

        Raises
        ------
        TimeoutError
            When the exchange has to be over.
        """
        left = self.time_left()
        if left <= 0:
            raise TimeoutError("the time of the exchange is up")
        return min(left, READ_TIMEOUT)


def pool_of(origin: Origin, exchange: TimeBound) -> urllib3.HTTPConnectionPool:
    """Return a pool of connections to one origin, with certificates verified."""
    plain, tls = _socket_kinds(exchange)
    if origin.scheme == "https":
        context = ssl.create_default_context()
        context.sslsocket_class = tls
        return urllib3.HTTPSConnectionPool(
            origin.host,
            origin.port,
            retries=False,
            cert_reqs="CERT_REQUIRED",
            ssl_context=context,
        )

    class PlainConnection(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            made = self.sock
            timeout = made.gettimeout()
            self.sock = plain(made.family, made.type, made.proto, fileno=made.detach())
            self.sock.settimeout(timeout)

    pool = urllib3.HTTPConnectionPool(origin.host, origin.port, retries=False)
    pool.ConnectionCls = PlainConnection
    return pool


def _socket_kinds(exchange: TimeBound) -> tuple[type[socket.socket], type[ssl.SSLSocket]]:
    """Return the kinds of sockets of a client; all that is read goes through `recv_into`."""

    class PlainSocket(socket.socket):
        def recv_into(self, *arguments: Any, **options: Any) -> int:
            self.settimeout(exchange.timeout())
            return super().recv_into(*arguments, **options)

    class TlsSocket(ssl.SSLSocket):
        def recv_into(self, *arguments: Any, **options: Any) -> int:
            self.settimeout(exchange.timeout())
            return super().recv_into(*arguments, **options)

    return PlainSocket, TlsSocket
