"""Public keys and certificates at the addresses that settings name or pin, kept for a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from pipeline.event.secrets import SecretError, SecretUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

#: How long what was found serves, in seconds. Senders keep a former key for a day at least.
MAX_AGE_SECONDS = 900.0
#: While its host does not answer, it serves for longer.
WITHOUT_ANSWER_SECONDS = 86_400.0
#: Where a signature did not fit, its key may be a new one; a forger must not make us ask each time.
REFRESH_AFTER_SECONDS = 15.0
#: A batch of many events must not ask a host that does not answer once for each of them.
FAILURE_SECONDS = 5.0
#: What lasts longer is this one source's trouble, and no other source may wait for it. An address
#: that a request names is waited for not at all: with new ones anyone could hold up a shard.
PATIENCE_SECONDS = 30.0
#: So many addresses are kept; a request can name any that its source pins.
MOST_ADDRESSES = 64
#: In that time so many addresses of one host may lead to nothing, and then no new one is tried.
MOST_MISSES, MISSES_SECONDS = 4, 15.0


class _Found(NamedTuple):
    at: float
    values: tuple[bytes, ...]


class _Failure(NamedTuple):
    since: float
    at: float
    text: str


class FetchedKeys:
    """Finds keys at addresses.

    Parameters
    ----------
    fetch : Callable[[str], bytes | None] | None
        Returns what is at an address, None where nothing is, and raises `SecretError` where that
        cannot be told. None asks the internet.
    clock : Callable[[], float]
        Seconds, monotonic.
    """

    def __init__(
        self,
        fetch: Callable[[str], bytes | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch or lookup
        self._clock = clock
        self._found: dict[str, _Found] = {}
        self._failures: dict[str, _Failure] = {}
        self._misses: dict[str, list[float]] = {}

    def at(self, address: str, *, refresh: bool = False, named: bool = True) -> tuple[bytes, ...]:
        """Return what is at an address: one value, or none where there is nothing.

        Parameters
        ----------
        refresh : bool
            Look again, unless that was done within 15 seconds.
        named : bool
            Whether a request names the address, and no settings do.

        Raises
        ------
        SecretUnavailableError
            When its host does not answer, where a request names it, or has not for half a minute;
            or has nothing at too many addresses that requests named.
        SecretError
            When its host does not answer now.
        """
        found, now = self._found.get(address), self._clock()
        if found is not None:
            soon = refresh or not found.values
            if now - found.at < (REFRESH_AFTER_SECONDS if soon else MAX_AGE_SECONDS):
                return found.values
        try:
            values = self._asked(address, now, known=found is not None)
        except SecretError as error:
            if named and not isinstance(error, SecretUnavailableError):
                error = SecretUnavailableError(str(error))
            if found and found.values and now - found.at < WITHOUT_ANSWER_SECONDS:
                return found.values
            raise error from None
        self._found.pop(address, None)
        self._found[address] = _Found(now, values)
        while len(self._found) > MOST_ADDRESSES:
            # Addresses that lead to nothing go first: a stranger can name as many as he likes.
            nothing = (one for one, has in self._found.items() if not has.values)
            del self._found[next(nothing, next(iter(self._found)))]
        return values

    def _asked(self, address: str, now: float, *, known: bool) -> tuple[bytes, ...]:
        failure = self._failures.get(address)
        if failure is not None and now - failure.at < FAILURE_SECONDS:
            raise _error(failure, now)
        host = address.split("/", 3)[2]
        misses = [one for one in self._misses.get(host, ()) if now - one < MISSES_SECONDS]
        if not known and len(misses) >= MOST_MISSES:
            raise SecretUnavailableError(
                f"{host}: {len(misses)} addresses led to nothing; no other is tried for "
                f"{MISSES_SECONDS:.0f} s"
            )
        try:
            document = self._fetch(address)
        except SecretError as error:
            self._misses[host] = [*misses, now]
            failure = _Failure(failure.since if failure else now, self._clock(), str(error))
            self._failures = dict([*self._failures.items()][-MOST_ADDRESSES:])
            self._failures[address] = failure
            raise _error(failure, self._clock()) from None
        self._failures.pop(address, None)
        if document is None and not known:
            self._misses[host] = [*misses, now]
        return () if document is None else (document,)


def lookup(address: str) -> bytes | None:
    """Return what is at an address on the internet; see `pipeline.polling.key_fetching`."""
    from pipeline.polling.key_fetching import fetch_key  # few functions ever need it

    return fetch_key(address)


def _error(failure: _Failure, now: float) -> SecretError:
    lasting = now - failure.since >= PATIENCE_SECONDS
    return (SecretUnavailableError if lasting else SecretError)(failure.text)
