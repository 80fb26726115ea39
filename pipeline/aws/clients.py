"""The calls of the hot path, with the names, parameters and answers of boto3's clients.

What takes the time in boto3 is not the network: each call validates its parameters against the
service's model, serializes them in several passes, fires a dozen hooks, resolves the endpoint and
checks MD5 sums. The four services here speak JSON, so a call is one `orjson.dumps`, one signature
and one `orjson.loads`. Errors are botocore's own, so that callers know them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
from botocore.exceptions import ClientError, HTTPClientError

from pipeline.aws.connections import Connections
from pipeline.aws.signing import Signer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.aws.account import Account

_AGENT = "mozdef-ef"
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
    """

    def __init__(self, account: Account, service: str, target: str, version: str) -> None:
        self._connections = Connections(account.endpoint(service))
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
        body = orjson.dumps(parameters)
        headers = self._signer.headers(
            "POST",
            self._connections.host,
            "/",
            body,
            {"content-type": self._type, "x-amz-target": f"{self._target}.{operation}"},
        )
        headers["user-agent"] = _AGENT
        answer = self._connections.send("POST", "/", body, headers)
        document = _object(answer.body)
        if answer.status != 200:
            raise _json_error(operation, answer.status, document or {})
        if document is None:
            raise HTTPClientError(error=f"{operation}: the answer is no JSON object")
        return document


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


class DynamoDb:
    """Amazon DynamoDB."""

    def __init__(self, account: Account) -> None:
        self._service = JsonService(account, "dynamodb", "DynamoDB_20120810", "1.0")

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        """Read up to 100 items."""
        return self._service.call("BatchGetItem", {"RequestItems": RequestItems})

    def batch_write_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        """Write up to 25 items."""
        return self._service.call("BatchWriteItem", {"RequestItems": RequestItems})


class Ssm:
    """AWS Systems Manager Parameter Store."""

    def __init__(self, account: Account) -> None:
        self._service = JsonService(account, "ssm", "AmazonSSM", "1.1")

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, Any]:
        """Read one parameter."""
        return self._service.call("GetParameter", {"Name": Name, "WithDecryption": WithDecryption})


class S3:
    """Amazon S3: what the processors write.

    Parameters
    ----------
    account : Account
        Who calls, and where. With an endpoint of its own the bucket stands in the path, else in
        the host's name.
    bucket : str
        The one bucket that is written to. Its name has no dots, which TLS would not take.
    """

    def __init__(self, account: Account, bucket: str) -> None:
        endpoint, in_path = account.endpoint("s3"), bool(account.endpoint_url)
        self._bucket = bucket
        self._prefix = f"/{bucket}" if in_path else ""
        self._connections = Connections(
            endpoint if in_path else endpoint.replace("https://", f"https://{bucket}.", 1)
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
