"""The calls of the hot path, with the names, parameters and answers of boto3's clients.

What takes the time in boto3 is not the network: each call validates its parameters against the
service's model, serializes them in several passes, fires a dozen hooks, resolves the endpoint and
checks MD5 sums. All services here but S3 speak JSON, so a call is one `orjson.dumps`, one signature
and one `orjson.loads`. Errors are botocore's own, so that callers know them.
"""

from __future__ import annotations

import random
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
import pybase64
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from pipeline.aws.connections import DEFAULT_PATIENCE, Connections, Patience
from pipeline.aws.signing import Signer
from pipeline.aws.wire import request_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.aws.account import Account
    from pipeline.aws.wire import Answer

    #: What a call that did not work gives in the place of an answer.
    Failure = ClientError | BotoCoreError

_AGENT = "mozdef-ef"
LONGEST_PAUSE = 0.2
"""Seconds before a call is made again."""
_THROTTLED = frozenset(
    {
        "KMSThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
    }
)
_CODE = re.compile(rb"<Code>([^<]{1,100})</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]{1,500})</Message>")


class JsonService:
    """Calls a service that speaks AWS's JSON protocol.

    Parameters
    ----------
    account : Account
        Who calls, and where.
    service : str
        Endpoint prefix and signing name.
    target : str
        What stands before the operation's name in X-Amz-Target.
    version : str
        Of the protocol, `1.0` or `1.1`.
    patience : Patience
        How long to wait, and how often to try.
    """

    def __init__(
        self,
        account: Account,
        service: str,
        target: str,
        version: str,
        patience: Patience = DEFAULT_PATIENCE,
    ) -> None:
        self._connections = Connections(account.endpoint(service), patience)
        self._attempts = patience.attempts
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
        for _ in range(1, self._attempts):
            try:
                return self._call(operation, parameters)
            except (ClientError, BotoCoreError) as error:
                if not may_pass(error):
                    raise
            time.sleep(random.uniform(0, LONGEST_PAUSE))  # noqa: S311 - jitter, no secret
        return self._call(operation, parameters)

    def _call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._connections.send(*self._signed(operation, parameters))
        return _document(operation, answer)

    def call_each(
        self, operation: str, calls: Iterable[Mapping[str, Any]]
    ) -> list[dict[str, Any] | Failure]:
        """Call an operation several times, with a few calls under way at once.

        Parameters
        ----------
        operation : str
            Its name.
        calls : Iterable[Mapping[str, Any]]
            The parameters of each.

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
        headers["user-agent"] = _AGENT
        return "POST", "/", body, headers


class Sqs:
    """Amazon SQS."""

    def __init__(self, account: Account) -> None:
        self._service = JsonService(account, "sqs", "AmazonSQS", "1.0")

    def send_message_batch(
        self,
        *,
        QueueUrl: str,
        Entries: Sequence[Mapping[str, str]],
    ) -> dict[str, Any]:
        """Send up to ten messages."""
        return self._service.call("SendMessageBatch", {"QueueUrl": QueueUrl, "Entries": Entries})

    def send_message_batches(
        self, calls: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any] | Failure]:
        """Make several such calls at once; an error stands in the place of its answer."""
        return self._service.call_each("SendMessageBatch", calls)


class DynamoDb:
    """Amazon DynamoDB."""

    def __init__(self, account: Account) -> None:
        self._service = JsonService(account, "dynamodb", "DynamoDB_20120810", "1.0")

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        """Read up to 100 items."""
        return self._service.call("BatchGetItem", {"RequestItems": RequestItems})

    def batch_get_items(self, calls: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | Failure]:
        """Make several such calls at once; an error stands in the place of its answer."""
        return self._service.call_each("BatchGetItem", calls)

    def batch_write_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        """Write up to 25 items."""
        return self._service.call("BatchWriteItem", {"RequestItems": RequestItems})

    def batch_write_items(
        self, calls: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any] | Failure]:
        """Make several such calls at once; an error stands in the place of its answer."""
        return self._service.call_each("BatchWriteItem", calls)


class Ssm:
    """AWS Systems Manager Parameter Store."""

    def __init__(self, account: Account, patience: Patience = DEFAULT_PATIENCE) -> None:
        self._service = JsonService(account, "ssm", "AmazonSSM", "1.1", patience)

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, Any]:
        """Read one parameter."""
        return self._service.call("GetParameter", {"Name": Name, "WithDecryption": WithDecryption})


class Kinesis:
    """Amazon Kinesis Data Streams."""

    def __init__(self, account: Account, patience: Patience = DEFAULT_PATIENCE) -> None:
        self._service = JsonService(account, "kinesis", "Kinesis_20131202", "1.1", patience)

    def put_record(self, *, StreamName: str, PartitionKey: str, Data: bytes) -> dict[str, Any]:
        """Put one record on the stream."""
        return self._service.call(
            "PutRecord",
            {
                "StreamName": StreamName,
                "PartitionKey": PartitionKey,
                "Data": pybase64.b64encode_as_string(Data),
            },
        )


class S3:
    """Amazon S3: what the processors write.

    Parameters
    ----------
    account : Account
        Who calls, and where. With an endpoint of its own the bucket stands in the path, else in
        the host's name.
    bucket : str
        The one bucket that is written to. Its name has no dots, which TLS would not take.
    patience : Patience
        How long to wait. A call is made once: who writes has a deadline, and attempts of his own.
    """

    def __init__(
        self, account: Account, bucket: str, patience: Patience = DEFAULT_PATIENCE
    ) -> None:
        endpoint, in_path = account.endpoint("s3"), bool(account.endpoint_url)
        self._bucket = bucket
        self._prefix = f"/{bucket}" if in_path else ""
        self._connections = Connections(
            endpoint if in_path else endpoint.replace("https://", f"https://{bucket}.", 1),
            patience,
        )
        self._signer = Signer(account, "s3")

    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: bytes,
        ContentType: str,
    ) -> dict[str, Any]:
        """Write an object.

        Raises
        ------
        ClientError
            When S3 answers with an error.
        BotoCoreError
            When it does not answer.
        ValueError
            When it is another bucket than this client's.
        """
        if Bucket != self._bucket:
            raise ValueError(f"bucket {Bucket}: this client writes to {self._bucket} alone")
        path = f"{self._prefix}/{quote(Key, safe='/-_.~')}"
        headers = self._signer.headers(
            "PUT", self._connections.host, path, Body, {"content-type": ContentType}
        )
        headers["user-agent"] = _AGENT
        answer = self._connections.send("PUT", path, Body, headers)
        if answer.status != 200:
            raise _xml_error("PutObject", answer.status, answer.body)
        return {}


def may_pass(error: Failure) -> bool:
    """Tell whether the same call may work a moment later.

    Parameters
    ----------
    error : ClientError | BotoCoreError
        What a call ended with.
    """
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        return error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500 or code in _THROTTLED
    return True


def _document(operation: str, answer: Answer) -> dict[str, Any]:
    document = _object(answer.body)
    if answer.status != 200:
        raise _json_error(operation, answer.status, document or {})
    if document is None:
        raise HTTPClientError(error=f"{operation}: the answer is no JSON object")
    return document


def _outcome(operation: str, answer: Answer) -> dict[str, Any] | Failure:
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
    return _error(operation, status, code, message)


def _xml_error(operation: str, status: int, body: bytes) -> ClientError:
    code, message = _CODE.search(body), _MESSAGE.search(body)
    return _error(
        operation,
        status,
        code.group(1).decode(errors="replace") if code else str(status),
        message.group(1).decode(errors="replace") if message else "",
    )


def _error(operation: str, status: int, code: str, message: str) -> ClientError:
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
