"""Connections that are kept open between calls, for as long as they can be trusted."""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

#: Seconds for which an unused connection is kept. A thawed function can have connections that
#: nobody told it the end of, and so can one behind a NAT gateway. The calls of a batch follow each
#: other within a second, and another handshake costs some ten milliseconds.
LONGEST_IDLE = 20.0


def clocks() -> tuple[float, float]:
    """Return the seconds of two clocks; by one of them at least, the time that went by shows.

    While a function is frozen its machine may stand still, and with it every clock that counts from
    the machine's start: CLOCK_MONOTONIC, and CLOCK_BOOTTIME too, as the machine is not told that it
    was suspended. The time of day is set right afterwards. It can be set back as well, which the
    other clock does not know.
    """
    return time.time(), time.monotonic()


class IdleConnections:
    """Keeps connections that are not in use; threads may share it.

    Parameters
    ----------
    clock : Callable[[], tuple[float, float]]
        Seconds by two clocks. The one by which more time went by counts.
    """

    def __init__(self, clock: Callable[[], tuple[float, float]] = clocks) -> None:
        self._clock = clock
        self._kept: deque[tuple[socket.socket, tuple[float, float]]] = deque()

    def put(self, connection: socket.socket) -> None:
        """Keep a connection."""
        self._kept.append((connection, self._clock()))

    def take(self) -> socket.socket | None:
        """Return the connection that was used last, unless that is too long ago."""
        now = self._clock()
        while True:
            try:
                connection, since = self._kept.pop()
            except IndexError:
                return None
            if max(now[0] - since[0], now[1] - since[1]) <= LONGEST_IDLE:
                return connection
            connection.close()

    def close(self) -> None:
        """Close all of them."""
        while self._kept:
            with suppress(IndexError):  # Another thread took the last one.
                self._kept.pop()[0].close()
