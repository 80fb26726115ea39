"""The calls that functions make, with the names, parameters and answers of boto3's clients.

What is read of S3 is in `s3_reading`: only jobs do that.
"""

from __future__ import annotations

from types import MappingProxyType
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
    from pipeline.aws.wire import RawResponse


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


class LockDynamoDb:
    """Amazon DynamoDB: a table whose rows are changed under a condition."""

    def __init__(self, account: Account, config: ClientConfig = DEFAULT_CONFIG) -> None:
        self._service = JsonService(account, "dynamodb", "DynamoDB_20120810", "1.0", config)

    def update_item(self, **parameters: Any) -> dict[str, Any]:
        """Change a row, or fail with ConditionalCheckFailedException."""
        return self._service.call("UpdateItem", parameters)


class Ssm:
    """AWS Systems Manager Parameter Store."""

    def __init__(self, account: Account, config: ClientConfig = DEFAULT_CONFIG) -> None:
        self._service = JsonService(account, "ssm", "AmazonSSM", "1.1", config)

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, Any]:
        """Read one parameter."""
        return self._service.call("GetParameter", {"Name": Name, "WithDecryption": WithDecryption})


class WritableSsm(Ssm):
    """AWS Systems Manager Parameter Store, where a parameter may be written."""

    def put_parameter(self, *, Name: str, Value: str, Type: str, Overwrite: bool) -> dict[str, Any]:
        """Write one parameter."""
        values = {"Name": Name, "Value": Value, "Type": Type, "Overwrite": Overwrite}
        return self._service.call("PutParameter", values)


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


class TargetKinesis:
    """Amazon Kinesis Data Streams: a stream that a job writes to, shard by shard."""

    def __init__(self, account: Account, config: ClientConfig = DEFAULT_CONFIG) -> None:
        self._service = JsonService(account, "kinesis", "Kinesis_20131202", "1.1", config)

    def put_records(
        self, *, StreamName: str, Records: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Put records on the stream; the answer says which of them were refused."""
        records = [
            {**record, "Data": pybase64.b64encode_as_string(record["Data"])} for record in Records
        ]
        return self._service.call("PutRecords", {"StreamName": StreamName, "Records": records})

    def list_shards(self, **parameters: str) -> dict[str, Any]:
        """List a page of shards."""
        return self._service.call("ListShards", parameters)


class S3:
    """Amazon S3: what the processors write.

    Parameters
    ----------
    account : Account
        Who calls, and where. With an endpoint of its own the bucket stands in the path, else in
        the host's name.
    bucket : str
        The one bucket that is meant. Its name has no dots, which TLS would not take.
    config : ClientConfig
        Its timeouts. An object is written once: who writes has a deadline, and attempts of his own.
    """

    def __init__(
        self, account: Account, bucket: str, config: ClientConfig = DEFAULT_CONFIG
    ) -> None:
        endpoint, in_path = account.endpoint("s3"), bool(account.own_endpoint("s3"))
        self._bucket = bucket
        self._config = config
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
        answer = self._send("PUT", Bucket, Key, body=Body, headers={"content-type": ContentType})
        if answer.status != 200:
            raise read_error("PutObject", answer)
        return {}

    def _send(
        self,
        method: str,
        bucket: str,
        key: str = "",
        *,
        body: bytes = b"",
        headers: Mapping[str, str] = MappingProxyType({}),
        query: str = "",
    ) -> RawResponse:
        if bucket != self._bucket:
            raise ValueError(f"bucket {bucket}: this client is for {self._bucket} alone")
        path = f"{self._connections.path.rstrip('/')}{self._prefix}/{quote(key, safe='/-_.~')}"
        host = self._connections.host
        signed = self._signer.headers(method, host, path, body, headers, query=query)
        signed["user-agent"] = AGENT
        target = f"{path}?{query}" if query else path
        return self._connections.send(method, target, body, signed)
