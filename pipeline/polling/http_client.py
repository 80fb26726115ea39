"""One HTTP exchange with one origin: bounded in time and size, TLS verified, no redirects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout, parse_url

from pipeline.polling.errors import ConnectionTroubleError, OutOfTimeError, PollError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3.response import BaseHTTPResponse

    from pipeline.polling.targets import Origin
    from pipeline.runtime.deadline import Deadline

USER_AGENT = "MozDef-Event-Framework"
#: What an answer may have at most, decompressed. A page of 1,000 Okta events has some 3 MiB.
LARGEST_ANSWER = 32 * 1024 * 1024
CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 45.0
_CHUNK = 65_536


@dataclass(frozen=True)
class HttpRequest:
    """What is asked for.

    Parameters
    ----------
    headers : Mapping[str, str]
        Without those that prove who asks.
    """

    method: str
    url: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HttpResponse:
    """What came back; header names are in lower case, and equal ones are joined with commas."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """Talks to one origin and, by its making, to no other.

    Parameters
    ----------
    largest_answer : int
        Bytes of a body at most.
    """

    def __init__(self, origin: Origin, largest_answer: int = LARGEST_ANSWER) -> None:
        self._pool = _pool(origin)
        self._largest = largest_answer
        self.origin = origin

    def send(
        self, request: HttpRequest, headers: Mapping[str, str], deadline: Deadline
    ) -> HttpResponse:
        """Exchange a request for its answer.

        Parameters
        ----------
        request : HttpRequest
            Its URL's origin was compared by the caller; only its path and query are used.
        deadline : Deadline
            Bounds every wait.

        Raises
        ------
        ConnectionTroubleError
            When the exchange broke off.
        PollError
            When the answer is too large.
        """
        left = deadline.time_left() - deadline.reserve
        if left <= 0:
            raise OutOfTimeError("no time is left for a request")
        try:
            answer = self._pool.urlopen(
                request.method,
                parse_url(request.url).request_uri,
                body=request.body,
                headers={
                    "User-Agent": USER_AGENT,
                    "Accept": "application/json",
                    "Accept-Encoding": "gzip",
                    **request.headers,
                    **headers,
                },
                redirect=False,
                retries=False,
                timeout=Timeout(connect=min(CONNECT_TIMEOUT, left), read=min(READ_TIMEOUT, left)),
                preload_content=False,
            )
            body = self._read(answer, deadline)
        except HTTPError as error:
            # Its text would name the URL with its query.
            raise ConnectionTroubleError(
                f"the connection failed ({type(error).__name__})"
            ) from None
        names = {name.lower() for name in answer.headers}
        merged = {name: ", ".join(answer.headers.getlist(name)) for name in names}
        return HttpResponse(answer.status, merged, body)

    def _read(self, answer: BaseHTTPResponse, deadline: Deadline) -> bytes:
        parts, size = [], 0
        try:
            for part in answer.stream(_CHUNK, decode_content=True):
                size += len(part)
                self._check(size, deadline)
                parts.append(part)
        except BaseException:
            answer.close()
            raise
        answer.release_conn()
        return b"".join(parts)

    def _check(self, size: int, deadline: Deadline) -> None:
        if size > self._largest:
            raise PollError(f"the answer has more than {self._largest} bytes")
        # A server that sends a byte now and then would never meet the read timeout.
        if deadline.time_left() < deadline.reserve:
            raise OutOfTimeError("the answer did not come in time")


def _pool(origin: Origin) -> urllib3.HTTPConnectionPool:
    if origin.scheme == "http":
        return urllib3.HTTPConnectionPool(origin.host, origin.port, retries=False)
    return urllib3.HTTPSConnectionPool(
        origin.host, origin.port, retries=False, cert_reqs="CERT_REQUIRED"
    )
