"""From a request to a good answer: credentials, redirects, rate limits, faults."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from urllib3.util import parse_url

from pipeline.aws.retries import RetryPolicy
from pipeline.polling.errors import ConnectionTroubleError, PauseError, PollError
from pipeline.polling.limits import asked_pause, pause_ahead
from pipeline.polling.targets import follow

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.event.compiled_poll import RateLimitSettings
    from pipeline.polling.credentials import Credentials
    from pipeline.polling.http_client import HttpClient, HttpRequest, HttpResponse
    from pipeline.runtime.deadline import Deadline

RETRIES = RetryPolicy(attempts=4, first_backoff=1.0, longest_backoff=4.0, jitter=0.5)
MAX_REDIRECTS = 3
_REDIRECTS = {301, 302, 303, 307, 308}


class Session:
    """Asks one API on behalf of one poll.

    Parameters
    ----------
    client : HttpClient
        Bound to the API's origin.
    clock : Callable[[], float]
        Epoch seconds.
    """

    def __init__(
        self,
        client: HttpClient,
        credentials: Credentials,
        rate_limit: RateLimitSettings | None,
        deadline: Deadline,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._rate_limit = rate_limit
        self._deadline = deadline
        self._clock = clock
        #: When the next request may be made so that the sender's reserve stays, in epoch seconds.
        self.resume_at = 0.0

    def fetch(self, request: HttpRequest) -> tuple[HttpResponse, str]:
        """Get a good answer, and the URL that gave it.

        Raises
        ------
        PauseError
            When the sender asks for a pause that is longer than the invocation.
        OutOfTimeError
            When the invocation's time is up.
        PollError
            When there is no good answer; the message has no query, no body and no credential.
        SecretError
            When the credential cannot be read.
        """
        self._pause(self.resume_at - self._clock())
        redirects = 0
        while True:
            proof = self._credentials.headers(request, self._exchange)
            answer = self._exchange(request, proof)
            if 200 <= answer.status < 300:
                self._credentials.accepted()
                now = self._clock()
                pause = pause_ahead(answer, self._rate_limit, now)
                self.resume_at = now + pause if pause else 0.0
                return answer, request.url
            if answer.status in _REDIRECTS:
                redirects += 1
                request = self._redirected(request, answer, redirects)
            elif answer.status not in {401, 403}:
                raise PollError(_said(request, answer))
            elif not self._credentials.refused():
                raise PollError(
                    f"{_said(request, answer)}: no value of the parameter api_credential is "
                    "accepted; see that it is right and has the permissions of docs/polling.md"
                )

    def _exchange(self, request: HttpRequest, proof: dict[str, str]) -> HttpResponse:
        """Send a request until it is answered with something other than a refusal or a fault."""
        refusals, backoffs = 0, RETRIES.backoffs()
        while True:
            trouble = ""
            try:
                answer = self._client.send(request, proof, self._deadline)
            except ConnectionTroubleError as error:
                trouble = f"{_place(request)}: {error}"
            else:
                pause = asked_pause(answer, self._rate_limit, self._clock(), refusals)
                if pause is not None:
                    refusals += 1
                    self._pause(pause)
                    continue
                if answer.status < 500:
                    return answer
                trouble = _said(request, answer)
            backoff = next(backoffs, None)
            if backoff is None:
                raise ConnectionTroubleError(f"{trouble}, {RETRIES.attempts} times")
            self._wait(backoff, trouble)

    def _redirected(
        self, request: HttpRequest, answer: HttpResponse, redirects: int
    ) -> HttpRequest:
        location = answer.headers.get("location", "")
        if redirects > MAX_REDIRECTS or not location:
            raise PollError(f"{_said(request, answer)}: a redirect too many, or to nowhere")
        if request.method != "GET" and answer.status not in {307, 308}:
            raise PollError(f"{_said(request, answer)}: a redirect that would drop the body")
        url = follow(request.url, location, self._client.origin, f"{_place(request)}: a redirect")
        return replace(request, url=url)

    def _pause(self, seconds: float) -> None:
        if seconds <= 0:
            return
        if seconds > self._left():
            raise PauseError(seconds)
        self._deadline.sleep(seconds)

    def _wait(self, seconds: float, trouble: str) -> None:
        if seconds > self._left():
            raise ConnectionTroubleError(f"{trouble}; no time is left for another try")
        self._deadline.sleep(seconds)

    def _left(self) -> float:
        return self._deadline.time_left() - self._deadline.reserve


def _place(request: HttpRequest) -> str:
    return f"{request.method} {parse_url(request.url).path or '/'}"


def _said(request: HttpRequest, answer: HttpResponse) -> str:
    return f"{_place(request)}: status {answer.status}"
