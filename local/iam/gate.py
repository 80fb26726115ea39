"""Where each call of a role passes: it is written down, and refused where policies do not allow it.

In the emulator's process, behind the check of signatures: the one place that functions, mappings
and the front door all go through.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from local.iam.actions import calls_of
from local.iam.calls import CALLS_FILE, MODEL_FILE, CallLog
from local.iam.model import IamModel
from local.iam.review import explanation
from local.iam.simulator import Judge

if TYPE_CHECKING:
    from pathlib import Path

    from local.iam.simulator import IamVerdict
    from local.iam.wire import WireRequest

#: What a service calls its own error where it may not use a key; the others say AccessDenied.
_KEY_ERRORS = {"kinesis": "KMSAccessDeniedException", "sqs": "com.amazonaws.sqs#KmsAccessDenied"}
_CORAL = "com.amazon.coral.service#AccessDeniedException"
_TYPES = {"dynamodb": _CORAL, "sqs": _CORAL}


@dataclass(frozen=True)
class RefusedAnswer:
    """What the service answers in AWS's place."""

    status: int
    headers: dict[str, str]
    body: bytes


class CallGate:
    """Sees the calls of roles.

    Parameters
    ----------
    state : Path
        The state directory: the model is there before the first call of a role, and the calls are
        written there.
    enforce : bool
        Whether to refuse what is not allowed, else only to write it down.
    """

    def __init__(self, state: Path, *, enforce: bool) -> None:
        self._state = state
        self._enforce = enforce
        self._log = CallLog(state / CALLS_FILE)
        self._read: tuple[tuple[int, int], IamModel, Judge] | None = None

    async def _current(self) -> tuple[IamModel, Judge]:
        """Return the model and who judges by it; another one once another was written."""
        file = self._state / MODEL_FILE
        found = file.stat()
        written = found.st_ino, found.st_mtime_ns
        if self._read is None or self._read[0] != written:
            model, before = IamModel.from_json(file.read_bytes()), self._read
            self._read = written, model, Judge(model)
            if before:
                await before[2].close()
        return self._read[1:]

    async def refusal(self, role: str, request: WireRequest) -> RefusedAnswer | None:
        """Write a request's calls down; return the answer to one that is not allowed.

        Parameters
        ----------
        role : str
            The logical id of the caller's role.

        Raises
        ------
        SimulatorError
            Where policies are enforced and the simulator does not run.
        """
        model, judge = await self._current()
        calls = model.with_keys(calls_of(request, model.roles[role], model.place))
        self._log.add(calls)
        for call in calls if self._enforce else ():
            verdict = await judge.verdict(call)
            if not verdict.allowed:
                return answer(model, verdict, request)
        return None


def answer(model: IamModel, verdict: IamVerdict, request: WireRequest) -> RefusedAnswer:
    """Return how a service says that a call is not allowed.

    AWS's words, with what is missing behind them. SQS and S3 have status 403, the other JSON
    services 400. Sources: botocore's models of the errors; Amazon DynamoDB Developer Guide, error
    handling; Amazon SQS Developer Guide, AWS JSON protocol (`x-amzn-query-error`); Amazon S3 API
    reference, error responses.
    """
    call = verdict.call
    where, why = call.principal.rpartition("/")[2], explanation(model, verdict)
    user = f"arn:aws:sts::{model.place.account}:assumed-role/{where}/{where}"
    reason = "with an explicit deny" if verdict.deny else "because no policy allows it"
    text = f"User: {user} is not authorized to perform: {call.action} on resource: {call.resource}"
    text = f"{text} {reason}. {why}"
    of_key = call.action.startswith("kms:")
    if not request.is_json:
        return _xml(text, request)
    service = request.service
    named = _KEY_ERRORS.get(service) if of_key else None
    kind = named or _TYPES.get(service, "AccessDeniedException")
    member = "message" if service in {"kinesis", "sqs"} else "Message"
    headers = {"content-type": request.headers.get("content-type", "application/x-amz-json-1.1")}
    if service == "sqs":
        code = "KMS.AccessDeniedException" if of_key else "AccessDenied"
        headers["x-amzn-query-error"] = f"{code};Sender"
    status = 403 if service == "sqs" and not of_key else 400
    return RefusedAnswer(status, headers, json.dumps({"__type": kind, member: text}).encode())


def _xml(text: str, request: WireRequest) -> RefusedAnswer:
    error = f"<Code>AccessDenied</Code><Message>{escape(text)}</Message>"
    if request.service == "s3":
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{error}</Error>'
    else:
        inside = f"<Error><Type>Sender</Type>{error}</Error>"
        body = f"<ErrorResponse>{inside}<RequestId>local</RequestId></ErrorResponse>"
    sent = b"" if request.method == "HEAD" else body.encode()
    return RefusedAnswer(403, {"content-type": "application/xml"}, sent)
