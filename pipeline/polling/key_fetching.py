"""Fetches one small document from the internet: by TLS, without redirects, bounded."""

from __future__ import annotations

import time

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from pipeline.event.secrets import SecretError, SecretUnavailableError
from pipeline.polling.errors import PollError
from pipeline.polling.http_client import HttpClient, HttpRequest
from pipeline.polling.targets import origin_of
from pipeline.runtime.deadline import Deadline

#: A set of twenty keys with their certificates has some 40 KiB.
LARGEST_BYTES = 64 * 1024
#: A receiver's sender waits three seconds or more.
SECONDS = 2.5
_GONE = range(400, 500)
_ASK_AGAIN = {408, 425, 429}


def fetch_key(address: str) -> bytes | None:
    """Return what is at an address; None where its host says that there is nothing.

    Parameters
    ----------
    address : str
        `https://`; the settings name or pin it.

    Raises
    ------
    SecretUnavailableError
        When it is no such address, or leads to another one.
    SecretError
        When the host does not answer in time, or not with 64 KiB at the most.
    """
    try:
        origin = origin_of(parse_url(address))
    except (LocationParseError, PollError):
        raise SecretUnavailableError(f"{address[:100]}: no address of keys") from None
    if origin.scheme != "https":
        raise SecretUnavailableError(f"{address[:100]}: keys come by https alone")
    until = time.monotonic() + SECONDS
    deadline = Deadline(lambda: until - time.monotonic(), reserve=0.0)
    try:
        answer = HttpClient(origin, LARGEST_BYTES).send(HttpRequest("GET", address), {}, deadline)
    except PollError as error:
        raise SecretError(f"{address}: {error}") from None
    if answer.status == 200:
        return answer.body
    if answer.status in _GONE and answer.status not in _ASK_AGAIN:
        return None
    if 300 <= answer.status < 400:
        raise SecretUnavailableError(f"{address}: leads elsewhere ({answer.status})")
    raise SecretError(f"{address}: answered with status {answer.status}")
