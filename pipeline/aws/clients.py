"""The calls of the hot path, with the names, parameters and answers of boto3's clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pybase64

from pipeline.aws.connections import DEFAULT_CONFIG, ClientConfig, Connections
from pipeline.aws.errors import read_error
from pipeline.aws.json_service import AGENT, JsonService
from pipeline.aws.signing import Signer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.aws.account import Account
    from pipeline.aws.seams import Failure


class Sqs:
    """Amazon SQS."""

    def __init__(self, account: Account, config: ClientConfig = DEFAULT_CONFIG) -> None:
        self._service = JsonService(account, "sqs", "AmazonSQS", "1.0", config)

    def send_message_batches(
        self, calls: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any] | Failure]:
        """Make several SendMessageBatch calls at once; an error is in the place of its answer."""
        return self._service.call_each("SendMessageBatch", calls)


class DynamoDb:
    """Amazon DynamoDB."""

    def __init__(self, account: Account, config: ClientConfig = DEFAULT_CONFIG) -> None:
        self._service = JsonService(account, "dynamodb", "DynamoDB_20120810", "1.0", config)

    def batch_get_items(self, calls: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | Failure]:
        """Make several BatchGetItem calls at once; an error is in the place of its answer."""
        return self._service.call_each("BatchGetItem", calls)

    def batch_write_items(
        self, calls: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any] | Failure]:
        """Make several BatchWriteItem calls at once; an error is in the place of its answer."""
        return self._service.call_each("BatchWriteItem", calls)


class Ssm:
    """AWS Systems Manager Parameter Store."""

    def __init__(self, account: Account, config: ClientConfig = DEFAULT_CONFIG) -> None:
        self._service = JsonService(account, "ssm", "AmazonSSM", "1.1", config)

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, Any]:
        """Read one parameter."""
        return self._service.call("GetParameter", {"Name": Name, "WithDecryption": WithDecryption})


class Kinesis:
    """Amazon Kinesis Data Streams."""

    def __init__(self, account: Account, config: ClientConfig = DEFAULT_CONFIG) -> None:
        self._service = JsonService(account, "kinesis", "Kinesis_20131202", "1.1", config)

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
    config : ClientConfig
        Its timeouts. A call is made once: who writes has a deadline, and attempts of his own.
    """

    def __init__(
        self, account: Account, bucket: str, config: ClientConfig = DEFAULT_CONFIG
    ) -> None:
        endpoint, in_path = account.endpoint("s3"), bool(account.own_endpoint("s3"))
        self._bucket = bucket
        self._prefix = f"/{bucket}" if in_path else ""
        self._connections = Connections(
            endpoint if in_path else endpoint.replace("https://", f"https://{bucket}.", 1),
            config,
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
        path = f"{self._connections.path.rstrip('/')}{self._prefix}/{quote(Key, safe='/-_.~')}"
        headers = self._signer.headers(
            "PUT", self._connections.host, path, Body, {"content-type": ContentType}
        )
        headers["user-agent"] = AGENT
        answer = self._connections.send("PUT", path, Body, headers)
        if answer.status != 200:
            raise read_error("PutObject", answer)
        return {}
