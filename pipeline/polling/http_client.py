"""One HTTP exchange with one origin: bounded in time and size, TLS verified, no redirects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from urllib3.exceptions import HTTPError
from urllib3.util import Timeout, parse_url

from pipeline.polling.errors import ConnectionTroubleError, OutOfTimeError, PollError
from pipeline.polling.sockets import CONNECT_TIMEOUT, READ_TIMEOUT, TimeBound, pool_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3.response import BaseHTTPResponse

    from pipeline.polling.targets import Origin
    from pipeline.runtime.deadline import Deadline

USER_AGENT = "MozDef-Event-Framework"
#: What an answer may have at most, decompressed. A page of 1,000 Okta events has some 3 MiB.
LARGEST_ANSWER = 32 * 1024 * 1024
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
        self._bound = TimeBound()
        self._pool = pool_of(origin, self._bound)
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
            Bounds the exchange as a whole, however slowly the server writes.

        Raises
        ------
        ConnectionTroubleError
            When the exchange broke off.
        OutOfTimeError
            When it did not end in time.
        PollError
            When the answer is too large.
        """
        self._bound.time_left = lambda: deadline.time_left() - deadline.reserve
        left = self._bound.time_left()
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
            body = self._read(answer)
        except HTTPError as error:
            if self._bound.time_left() <= 0:
                raise OutOfTimeError("the answer did not come in time") from None
            # Its text would name the URL with its query.
            raise ConnectionTroubleError(
                f"the connection failed ({type(error).__name__})"
            ) from None
        names = {name.lower() for name in answer.headers}
        merged = {name: ", ".join(answer.headers.getlist(name)) for name in names}
        return HttpResponse(answer.status, merged, body)

    def _read(self, answer: BaseHTTPResponse) -> bytes:
        parts, size = [], 0
        try:
            for part in answer.stream(_CHUNK, decode_content=True):
                size += len(part)
                self._check(size)
                parts.append(part)
        except BaseException:
            answer.close()
            raise
        answer.release_conn()
        return b"".join(parts)

    def _check(self, size: int) -> None:
        if size > self._largest:
            raise PollError(
                f"the answer has more than {self._largest} bytes; let the feed ask for less at once"
            )
        # What came into the reserve is left to the next poll: it has to get onto the stream.
        if self._bound.time_left() < 0:
            raise OutOfTimeError("the answer did not come in time")
