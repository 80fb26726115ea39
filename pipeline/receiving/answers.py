"""What the receiver answers, in the form that API Gateway's own answers have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.event.outcomes import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

RETRY_AFTER_SECONDS = 1


@dataclass(frozen=True)
class Answer:
    """The answer to one request.

    Parameters
    ----------
    body : Mapping[str, str]
        The JSON object that the sender gets.
    reason : str
        The word for it, where the request was not taken.
    explanation : str
        For the log alone: what an operator wants to know and a forger must not.
    headers : Mapping[str, str]
        Further ones, beside the content type.
    """

    status: int
    body: Mapping[str, str]
    verdict: Verdict
    reason: str = ""
    explanation: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> dict[str, Any]:
        """Return the response of a Lambda proxy integration."""
        headers = {"Content-Type": "application/json", **self.headers}
        if self.verdict is Verdict.UNAVAILABLE:
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return {
            "statusCode": self.status,
            "headers": headers,
            "body": orjson.dumps(self.body).decode(),
            "isBase64Encoded": False,
        }


def accepted(request_id: str) -> Answer:
    """Say that the request is on the stream."""
    return Answer(200, {"status": "accepted", "id": request_id}, Verdict.ACCEPTED)


def shaken(body: Mapping[str, str]) -> Answer:
    """Answer a handshake."""
    return Answer(200, body, Verdict.HANDSHAKE)


def denied(status: int, error: str, message: str, explanation: str = "") -> Answer:
    """Turn a request away: the same request will not be taken later either.

    Parameters
    ----------
    status : int
        The HTTP status, 400 to 499.
    """
    return Answer(status, _error(error, message), Verdict.DENIED, error, explanation)


def unavailable(explanation: str) -> Answer:
    """Say that the fault is on this side; never with 4xx, after which some senders give up."""
    message = "The event was not taken. Send it again."
    body = _error("unavailable", message)
    return Answer(503, body, Verdict.UNAVAILABLE, "unavailable", explanation)


def _error(error: str, message: str) -> dict[str, str]:
    return {"status": "error", "error": error, "message": message}
