"""Calls to the services that speak AWS's JSON protocol, and the errors that they end with.

What takes the time in boto3 is not the network: each call validates its parameters against the
service's model, serializes them in several passes, fires a dozen hooks, resolves the endpoint and
checks MD5 sums. Here a call is one `orjson.dumps`, one signature and one `orjson.loads`. Errors are
botocore's own, so that callers know them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from pipeline.aws.connections import DEFAULT_CONFIG, ClientConfig, Connections
from pipeline.aws.limits import THROTTLING_ERRORS
from pipeline.aws.retries import RetryPolicy
from pipeline.aws.signing import Signer
from pipeline.aws.wire import request_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.aws.account import Account
    from pipeline.aws.seams import Failure
    from pipeline.aws.wire import RawResponse

AGENT = "mozdef-ef"
LONGEST_BACKOFF = 0.2
"""Seconds before a call is made again."""


class JsonService:
    """Calls a service that speaks AWS's JSON protocol.

    Parameters
    ----------
    version : str
        Of the protocol, `1.0` or `1.1`.
    """

    def __init__(
        self,
        account: Account,
        service: str,
        target: str,
        version: str,
        config: ClientConfig = DEFAULT_CONFIG,
    ) -> None:
        self._connections = Connections(account.endpoint(service), config)
        self._retries = RetryPolicy(config.attempts, LONGEST_BACKOFF, LONGEST_BACKOFF)
        self._signer = Signer(account, service)
        self._target = target
        self._type = f"application/x-amz-json-{version}"

    def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Call an operation.

        Raises
        ------
        ClientError
            When the service answers with an error.
        BotoCoreError
            When it does not answer.
        """
        for backoff in self._retries.backoffs():
            try:
                return self._call(operation, parameters)
            except (ClientError, BotoCoreError) as error:
                if not may_pass(error):
                    raise
            time.sleep(backoff)
        return self._call(operation, parameters)

    def _call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._connections.send(*self._signed(operation, parameters))
        return _document(operation, answer)

    def call_each(
        self, operation: str, calls: Iterable[Mapping[str, Any]]
    ) -> list[dict[str, Any] | Failure]:
        """Call an operation several times, with a few calls in flight at once.

        Returns
        -------
        list[dict[str, Any] | Failure]
            For each call its answer, or the error that `call` would raise, in their order.
        """
        # Made one by one as they are sent: the bodies of a batch need not be held all at once.
        requests = (request_bytes(*self._signed(operation, call)) for call in calls)
        return [
            one if isinstance(one, BotoCoreError) else _outcome(operation, one)
            for one in self._connections.send_each(requests)
        ]

    def _signed(
        self, operation: str, parameters: Mapping[str, Any]
    ) -> tuple[str, str, bytes, dict[str, str]]:
        body = orjson.dumps(parameters)
        headers = self._signer.headers(
            "POST",
            self._connections.host,
            "/",
            body,
            {"content-type": self._type, "x-amz-target": f"{self._target}.{operation}"},
        )
        headers["user-agent"] = AGENT
        return "POST", "/", body, headers


def may_pass(error: Failure) -> bool:
    """Tell whether the same call may work a moment later."""
    if isinstance(error, ClientError):
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status >= 500 or error.response["Error"]["Code"] in THROTTLING_ERRORS
    return True


def _document(operation: str, answer: RawResponse) -> dict[str, Any]:
    document = _object(answer.body)
    if answer.status != 200:
        raise _json_error(operation, answer.status, document or {})
    if document is None:
        raise HTTPClientError(error=f"{operation}: the answer is no JSON object")
    return document


def _outcome(operation: str, answer: RawResponse) -> dict[str, Any] | Failure:
    try:
        return _document(operation, answer)
    except (ClientError, BotoCoreError) as error:
        return error


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _json_error(operation: str, status: int, document: Mapping[str, Any]) -> ClientError:
    # `com.amazonaws.sqs#QueueDoesNotExist`, or the name alone.
    code = str(document.get("__type") or status).rpartition("#")[2]
    message = str(document.get("message") or document.get("Message") or "")
    return client_error(operation, status, code, message)


def client_error(operation: str, status: int, code: str, message: str) -> ClientError:
    """Return an error as botocore raises it."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "RequestId": "",
                "HostId": "",
                "HTTPStatusCode": status,
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        operation,
    )
