"""From a request to a good answer: credentials, redirects, rate limits, faults."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from urllib3.util import parse_url

from pipeline.aws.retries import RetryPolicy
from pipeline.polling.credentials import CredentialError
from pipeline.polling.errors import ConnectionTroubleError, PauseError, PollError
from pipeline.polling.excerpts import excerpt, parts_of
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
    refusals : int
        How many requests in a row were refused for their rate, those of earlier polls included.
    """

    def __init__(
        self,
        client: HttpClient,
        credentials: Credentials,
        rate_limit: RateLimitSettings | None,
        deadline: Deadline,
        clock: Callable[[], float],
        *,
        refusals: int = 0,
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._rate_limit = rate_limit
        self._deadline = deadline
        self._clock = clock
        self._proofs: set[str] = set()
        self._refused = ""
        self.refusals = refusals
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
            proof = self._proof(request)
            answer = self._exchange(request, proof)
            if 200 <= answer.status < 300:
                self._credentials.accepted()
                self.refusals = 0
                now = self._clock()
                pause = pause_ahead(answer, self._rate_limit, now)
                self.resume_at = now + pause if pause else 0.0
                return answer, request.url
            if answer.status in _REDIRECTS:
                redirects += 1
                request = self._redirected(request, answer, redirects)
            elif answer.status not in {401, 403}:
                raise self.complaint(_said(request, answer), answer)
            elif not self._credentials.refused():
                raise self.complaint(
                    f"{_said(request, answer)}: no value of the parameter api_credential is "
                    "accepted; see that it is right and has the permissions of docs/polling.md",
                    answer,
                )

    def complaint(self, message: str, answer: HttpResponse) -> PollError:
        """Return an error that holds how the answer begins, for the log."""
        error = PollError(message)
        error.answer = self._excerpt(answer)
        return error

    def _excerpt(self, answer: HttpResponse) -> str:
        return excerpt(answer.body, {*self._proofs, *self._credentials.secrets()})

    def _proof(self, request: HttpRequest) -> dict[str, str]:
        self._refused = ""
        try:
            proof = self._credentials.headers(request, self._exchange)
        except CredentialError as error:
            error.answer = self._refused
            raise
        return proof

    def _exchange(self, request: HttpRequest, proof: dict[str, str]) -> HttpResponse:
        """Send a request until it is answered with something other than a refusal or a fault."""
        backoffs = RETRIES.backoffs()
        self._proofs.update(part for value in proof.values() for part in parts_of(value))
        while True:
            trouble = begins = ""
            try:
                answer = self._client.send(request, proof, self._deadline)
            except ConnectionTroubleError as error:
                trouble = f"{_place(request)}: {error}"
            else:
                pause = asked_pause(answer, self._rate_limit, self._clock(), self.refusals)
                if pause is not None:
                    self.refusals += 1
                    self._pause(pause)
                    continue
                if answer.status < 400:
                    return answer
                self._refused = begins = self._excerpt(answer)
                if answer.status < 500:
                    return answer
                trouble = _said(request, answer)
            backoff = next(backoffs, None)
            if backoff is None:
                raise _trouble(f"{trouble}, {RETRIES.attempts} times", begins)
            if backoff > self._left():
                raise _trouble(f"{trouble}; no time is left for another try", begins)
            self._deadline.sleep(backoff)

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

    def _left(self) -> float:
        return self._deadline.time_left() - self._deadline.reserve


def _trouble(message: str, begins: str) -> ConnectionTroubleError:
    error = ConnectionTroubleError(message)
    error.answer = begins
    return error


def _place(request: HttpRequest) -> str:
    return f"{request.method} {parse_url(request.url).path or '/'}"


def _said(request: HttpRequest, answer: HttpResponse) -> str:
    return f"{_place(request)}: status {answer.status}"
