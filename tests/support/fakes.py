"""Small working stand-ins for the AWS services that the domain calls, with faults on demand."""

from __future__ import annotations

import gzip
import re
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
        #: The values of each parameter, from the first version on.
        self.versions: dict[str, list[str]] = {}
        #: By a parameter's name, what asking for it ends with.
        self.refusals: dict[str, Exception] = {}

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, Any]:
        self._call()
        if Name in self.refusals:
            raise self.refusals[Name]
        assert WithDecryption, "a SecureString comes back encrypted without it"
        if Name.partition(":")[0] not in self.parameters:
            raise client_error("ParameterNotFound", "GetParameter")
        name, _, version = Name.partition(":")
        history = self.versions.setdefault(name, [self.parameters[name]])
        if history[-1] != self.parameters[name]:
            history.append(self.parameters[name])
        number = int(version) if version else len(history)
        return {"Parameter": {"Name": name, "Value": history[number - 1], "Version": number}}

    def put_parameter(
        self, *, Name: str, Value: str, Type: str, Overwrite: bool = False
    ) -> dict[str, Any]:
        self._call()
        assert Type == "SecureString"
        if Name in self.parameters:
            if not Overwrite:
                raise client_error("ParameterAlreadyExists", "PutParameter")
            self.versions.setdefault(Name, [self.parameters[Name]])
        self.parameters[Name] = Value
        history = self.versions.setdefault(Name, [])
        history.append(Value)
        return {"Version": len(history)}


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
    """Keeps items by key; can leave keys and items unprocessed.

    A read that does not ask for consistency answers as a replica that has not seen the last write.
    """

    LARGEST_ITEM = 400 * 1024
    LARGEST_WRITE = 16 * 1024 * 1024

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[str, dict[str, Any]] = {}
        self._replica: dict[str, dict[str, Any]] = {}
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
        assert all(set(key) == {"pk"} for key in keys), (
            "a key has the table's attributes and no more"
        )
        assert all(0 < len(name.encode()) <= 2048 for name in names), "a key has 1 to 2048 bytes"
        items = self.items if request.get("ConsistentRead") is True else self._replica
        self.read_sizes.append(len(names))
        left = keys[: min(self.leave_unprocessed, len(keys) // 2)]
        done = names[len(left) :]
        answer: dict[str, Any] = {
            "Responses": {table: [items[name] for name in done if name in items]},
            "UnprocessedKeys": {table: {**request, "Keys": left}} if left else {},
        }
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
        sizes = [len(orjson.dumps(item)) for item in items]
        assert max(sizes) <= self.LARGEST_ITEM, "an item has at most 400 KB"
        assert sum(sizes) <= self.LARGEST_WRITE, "BatchWriteItem takes at most 16 MB"
        self.write_sizes.append(len(items))
        self._replica = dict(self.items)
        left = requests[: min(self.leave_unprocessed, len(requests) // 2)]
        for item in items[len(left) :]:
            self.items[item["pk"]["S"]] = item
        return {"UnprocessedItems": {table: left} if left else {}}


#: SQS API reference, SendMessage: `#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to
#: #x10FFFF`.
_NOT_IN_MESSAGES = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


class FakeSqs(Faulty):
    """Takes messages as SQS does: limits, whole-call faults, failed and unanswered entries."""

    LARGEST = 1_048_576

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, list[str]] = {}
        self.batch_sizes: list[int] = []
        #: Given the message, an error code and whether it is the sender's fault; else None.
        self.fail_entry: Any = lambda _body: None
        #: By a queue's URL, what a call for it ends with.
        self.refusals: dict[str, Exception] = {}
        #: Given the message, whether the answer does not have it at all: it was not taken.
        self.leave_out: Any = lambda _body: False

    def send_message_batches(self, calls: Sequence[Mapping[str, Any]]) -> list[Any]:
        return in_turn(self.send_message_batch, calls)

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        self._call()
        if QueueUrl in self.refusals:
            raise self.refusals[QueueUrl]
        assert 0 < len(Entries) <= 10, "TooManyEntriesInBatchRequest"
        assert len({entry["Id"] for entry in Entries}) == len(Entries), "ids must be distinct"
        assert all(_ENTRY_ID.fullmatch(entry["Id"]) for entry in Entries), "InvalidBatchEntryId"
        assert all(entry["MessageBody"] for entry in Entries), "MissingParameter"
        total = sum(len(entry["MessageBody"].encode()) for entry in Entries)
        if total > self.LARGEST:
            raise client_error("BatchRequestTooLong", "SendMessageBatch")
        for entry in Entries:
            if _NOT_IN_MESSAGES.search(entry["MessageBody"]):
                raise client_error("InvalidMessageContents", "SendMessageBatch")
        self.batch_sizes.append(len(Entries))
        answer: dict[str, Any] = {"Successful": [], "Failed": []}
        for entry in Entries:
            if self.leave_out(entry["MessageBody"]):
                continue
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
        assert 1 <= len(Key.encode()) <= 1024, "KeyTooLongError"
        assert isinstance(Body, bytes)
        self.objects[Key] = Body
        return {}

    def lines(self, prefix: str = "") -> list[dict[str, Any]]:
        return [
            orjson.loads(line)
            for key, content in sorted(self.objects.items())
            if key.startswith(prefix)
            for line in gzip.decompress(content).splitlines()
        ]


#: The fourth record of a shard has 56 digits, those before it 55: as text, they are in no order.
FIRST_SEQUENCE_NUMBER = 10**55 - 3


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
        number = FIRST_SEQUENCE_NUMBER + len(self.records)
        return {"ShardId": "shardId-000000000000", "SequenceNumber": str(number)}
