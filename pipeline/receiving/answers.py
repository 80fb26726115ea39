"""What the receiver answers, in the form that API Gateway's own answers have."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.event.outcomes import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.event.compiled_handshake import AnswerForm

RETRY_AFTER_SECONDS = 1
_ECHO = "$header."
#: What of a stranger's is given back in a header, or of one: no spaces, and short.
IN_HEADER = re.compile(r"[A-Za-z0-9._~:/+=-]{1,256}")


@dataclass(frozen=True)
class Answer:
    """The answer to one request.

    Parameters
    ----------
    body : Mapping[str, Any] | str
        The JSON object, or the text, that the sender gets.
    reason : str
        The word for it, where the request was not taken.
    explanation : str
        For the log alone: what an operator wants to know and a forger must not.
    headers : Mapping[str, str]
        Further ones, or another content type.
    """

    status: int
    body: Mapping[str, Any] | str
    verdict: Verdict
    reason: str = ""
    explanation: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def told(self) -> dict[str, Any]:
        """What it says, by name: the fields, or the text; and the headers."""
        body = {"text": self.body} if isinstance(self.body, str) else dict(self.body)
        return {**self.headers, **body}

    def response(self) -> dict[str, Any]:
        """Return the response of a Lambda proxy integration."""
        headers = {"Content-Type": "application/json", **self.headers}
        if self.verdict is Verdict.UNAVAILABLE:
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return {
            "statusCode": self.status,
            "headers": headers,
            "body": self.body if isinstance(self.body, str) else orjson.dumps(self.body).decode(),
            "isBase64Encoded": False,
        }


def accepted(request_id: str) -> Answer:
    """Say that the request is on the stream."""
    return Answer(200, {"status": "accepted", "id": request_id}, Verdict.ACCEPTED)


def filled(
    form: AnswerForm,
    values: Mapping[str, Callable[[], str]],
    verdict: Verdict = Verdict.ACCEPTED,
) -> Answer:
    """Make an answer of its form, with what stands for `$…` in it.

    A value is asked for only where the form has it. One that nothing gives is left out.
    """

    def of(text: Any) -> Any:
        if not (isinstance(text, str) and text.startswith("$")):
            return text
        return values[text]() if text in values else None

    headers = {name: of(text) for name, text in form.headers.items()}
    body: Mapping[str, Any] | str = ""
    if form.text is not None:
        body = of(form.text) or ""
    elif form.object is not None:
        body = {
            name: value for name, text in form.object.items() if (value := of(text)) is not None
        }
    media = {"Content-Type": form.media_type, "X-Content-Type-Options": "nosniff"}
    given = {name: value for name, value in headers.items() if value is not None}
    return Answer(form.status, body, verdict, headers={**media, **given})


def without_body(form: AnswerForm | None, answer: Answer) -> Answer:
    """Leave the body out, of a refusal too, where the source's own answer is an empty text.

    Xero takes no answer that has one (developer.xero.com, "Configuring your server").
    """
    bare = form is not None and form.text == "" and answer.verdict is not Verdict.HANDSHAKE
    return replace(answer, body="") if bare else answer


def echoes(form: AnswerForm, headers: Mapping[str, str]) -> dict[str, Callable[[], str]]:
    """Return the request's headers that an answer may give back, by their `$header.…`."""
    names = [*form.headers.values(), *(form.object or {}).values(), form.text]
    found: dict[str, Callable[[], str]] = {}
    for name in names:
        if isinstance(name, str) and name.startswith(_ECHO):
            value = headers.get(name.removeprefix(_ECHO).lower(), "")
            if IN_HEADER.fullmatch(value):
                found[name] = partial(str, value)
    return found


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
