"""Small working stand-ins for the AWS services that the domain calls, with faults on demand."""

from __future__ import annotations

import gzip
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError


def client_error(code: str, operation: str = "Operation", status: int = 400) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": code},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, operation)


def out_of_reach() -> EndpointConnectionError:
    return EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


class Faulty:
    """Raises the errors that a test queued, one for each call, before it works again."""

    def __init__(self) -> None:
        self.faults: deque[Exception] = deque()
        self.broken: Exception | None = None
        self.calls = 0

    def _call(self) -> None:
        self.calls += 1
        if self.broken is not None:
            raise self.broken
        if self.faults:
            raise self.faults.popleft()


class FakeSsm(Faulty):
    def __init__(self, parameters: dict[str, str] | None = None) -> None:
        super().__init__()
        self.parameters = parameters if parameters is not None else {}

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, Any]:
        self._call()
        assert WithDecryption, "a SecureString comes back encrypted without it"
        if Name not in self.parameters:
            raise client_error("ParameterNotFound", "GetParameter")
        return {"Parameter": {"Name": Name, "Value": self.parameters[Name]}}


def in_turn(method: Any, calls: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Make several calls one after the other; an error stands in the place of its answer."""
    answers: list[Any] = []
    for call in calls:
        try:
            answers.append(method(**call))
        except (BotoCoreError, ClientError) as error:
            answers.append(error)
    return answers


class FakeDynamoDb(Faulty):
    """Keeps items by key; can leave keys and items unprocessed."""

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[str, dict[str, Any]] = {}
        self.leave_unprocessed = 0
        self.read_sizes: list[int] = []
        self.write_sizes: list[int] = []
        self.write_faults: deque[Exception] = deque()
        self.writes_broken = False

    def batch_get_items(self, calls: Sequence[Mapping[str, Any]]) -> list[Any]:
        return in_turn(self.batch_get_item, calls)

    def batch_write_items(self, calls: Sequence[Mapping[str, Any]]) -> list[Any]:
        return in_turn(self.batch_write_item, calls)

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        self._call()
        ((table, request),) = RequestItems.items()
        keys = request["Keys"]
        names = [key["pk"]["S"] for key in keys]
        assert 0 < len(names) <= 100, "BatchGetItem takes 1 to 100 keys"
        assert len(set(names)) == len(names), "duplicate keys are a ValidationException"
        self.read_sizes.append(len(names))
        left = keys[: min(self.leave_unprocessed, len(keys) // 2)]
        done = names[len(left) :]
        answer: dict[str, Any] = {
            "Responses": {table: [self.items[name] for name in done if name in self.items]}
        }
        if left:
            answer["UnprocessedKeys"] = {table: {"Keys": left}}
        return answer

    def batch_write_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        self._call()
        if self.writes_broken:
            raise out_of_reach()
        if self.write_faults:
            raise self.write_faults.popleft()
        ((table, requests),) = RequestItems.items()
        items = [request["PutRequest"]["Item"] for request in requests]
        names = [item["pk"]["S"] for item in items]
        assert 0 < len(items) <= 25, "BatchWriteItem takes 1 to 25 items"
        assert len(set(names)) == len(names), "duplicate keys reject the whole call"
        assert all(0 < len(name.encode()) <= 2048 for name in names), "a key has 1 to 2048 bytes"
        self.write_sizes.append(len(items))
        left = requests[: min(self.leave_unprocessed, len(requests) // 2)]
        for item in items[len(left) :]:
            self.items[item["pk"]["S"]] = item
        return {"UnprocessedItems": {table: left} if left else {}}


class FakeSqs(Faulty):
    """Takes messages as SQS does: limits, whole-call faults and failed entries."""

    LARGEST = 1_048_576

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, list[str]] = {}
        self.batch_sizes: list[int] = []
        #: Given the message, an error code and whether it is the sender's fault; else None.
        self.fail_entry: Any = lambda _body: None

    def send_message_batches(self, calls: Sequence[Mapping[str, Any]]) -> list[Any]:
        return in_turn(self.send_message_batch, calls)

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        self._call()
        assert 0 < len(Entries) <= 10, "TooManyEntriesInBatchRequest"
        assert len({entry["Id"] for entry in Entries}) == len(Entries), "ids must be distinct"
        total = sum(len(entry["MessageBody"].encode()) for entry in Entries)
        if total > self.LARGEST:
            raise client_error("BatchRequestTooLong", "SendMessageBatch")
        for entry in Entries:
            if any(character in entry["MessageBody"] for character in "\ufffe\uffff\x00"):
                raise client_error("InvalidMessageContents", "SendMessageBatch")
        self.batch_sizes.append(len(Entries))
        answer: dict[str, Any] = {"Successful": [], "Failed": []}
        for entry in Entries:
            failure = self.fail_entry(entry["MessageBody"])
            if failure is None:
                self.messages.setdefault(QueueUrl, []).append(entry["MessageBody"])
                answer["Successful"].append({"Id": entry["Id"]})
            else:
                code, sender_fault = failure
                answer["Failed"].append(
                    {"Id": entry["Id"], "Code": code, "Message": code, "SenderFault": sender_fault}
                )
        return answer

    def bodies(self) -> list[dict[str, Any]]:
        return [orjson.loads(body) for queue in self.messages.values() for body in queue]


class FakeS3(Faulty):
    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:
        self._call()
        assert Bucket
        self.objects[Key] = Body
        return {}

    def lines(self, prefix: str = "") -> list[dict[str, Any]]:
        return [
            orjson.loads(line)
            for key, content in sorted(self.objects.items())
            if key.startswith(prefix)
            for line in gzip.decompress(content).splitlines()
        ]


class FakeStream(Faulty):
    """Takes records as Kinesis does, up to the default size of one."""

    LARGEST = 1_048_576

    def __init__(self) -> None:
        super().__init__()
        self.records: list[dict[str, Any]] = []

    def put_record(self, *, StreamName: str, PartitionKey: str, Data: bytes) -> dict[str, Any]:
        self._call()
        assert StreamName
        assert 1 <= len(PartitionKey) <= 256, "a partition key has 1 to 256 characters"
        if len(Data) + len(PartitionKey.encode()) > self.LARGEST:
            raise client_error("ValidationException", "PutRecord")
        self.records.append({"PartitionKey": PartitionKey, "Data": Data})
        return {"ShardId": "shardId-000000000000", "SequenceNumber": str(len(self.records))}
