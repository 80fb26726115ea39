"""Calls to the services that speak AWS's JSON protocol.

What takes the time in boto3 is not the network: each call validates its parameters against the
service's model, serializes them in several passes, fires a dozen hooks, resolves the endpoint and
checks MD5 sums. Here a call is one `orjson.dumps`, one signature and one `orjson.loads`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from pipeline.aws.connections import DEFAULT_CONFIG, ClientConfig, Connections
from pipeline.aws.errors import is_throttled, may_pass, read_error
from pipeline.aws.retries import RetryPolicy
from pipeline.aws.signing import Signer
from pipeline.aws.wire import request_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipeline.aws.account import Account
    from pipeline.aws.seams import Failure
    from pipeline.aws.wire import RawResponse

T = TypeVar("T")
AGENT = "mozdef-ef"
#: Of a single call: somebody waits for it.
RETRIES = RetryPolicy(first_backoff=0.1, longest_backoff=0.4)


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
        self._config = config
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
        return call_again(lambda: self._call(operation, parameters), self._config)

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
        body, path = orjson.dumps(parameters), self._connections.path
        headers = self._signer.headers(
            "POST",
            self._connections.host,
            path,
            body,
            {"content-type": self._type, "x-amz-target": f"{self._target}.{operation}"},
        )
        headers["user-agent"] = AGENT
        return "POST", path, body, headers


def call_again(call: Callable[[], T], config: ClientConfig) -> T:
    """Make a single call, and make it again where that may help.

    What is throttled is tried for as long as the client is patient, anything else that may pass as
    often as it is told to.

    Raises
    ------
    ClientError, BotoCoreError
        What the last attempt raised.
    """
    begun, failures = time.monotonic(), 0
    for backoff in RETRIES.backoffs():
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            failures += 1
            left = begun + config.patience - time.monotonic() - backoff
            again = failures < config.attempts and may_pass(error)
            if not again and not (is_throttled(error) and left > 0):
                raise
        time.sleep(backoff)
    raise AssertionError("there is always another backoff")


def _document(operation: str, answer: RawResponse) -> dict[str, Any]:
    if answer.status != 200:
        raise read_error(operation, answer)
    document = _object(answer.body)
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
