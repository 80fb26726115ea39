"""The emulator's queues, patched: they do what SQS does, and reading n messages takes n steps."""

from __future__ import annotations

import asyncio
import json
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from local.emulator import Emulator
from local.emulator_queues import Messages
from local.queue_look import QueueLookError, SeenMessage, look_at
from tests.functional.local.support import REGION, new_bucket

if TYPE_CHECKING:
    from pathlib import Path

# Long polling returns as soon as there is a message: this is the limit against hanging.
WAIT = 20


class Queue:
    """A queue of its own for one test."""

    def __init__(self, emulator: Emulator, **attributes: str) -> None:
        self.sqs = emulator.client("sqs")
        name = f"queue-{uuid.uuid4()}"
        self.url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self.arn = self.attributes("QueueArn")["QueueArn"]

    def attributes(self, *names: str) -> dict[str, str]:
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=list(names))
        return dict(found["Attributes"])

    def counts(self) -> tuple[int, int, int]:
        """Return how many messages are visible, in flight, and delayed."""
        found = self.attributes("All")
        name = "ApproximateNumberOfMessages"
        visible, in_flight, delayed = (
            int(found[name + end]) for end in ("", "NotVisible", "Delayed")
        )
        return visible, in_flight, delayed

    def send(self, *bodies: str, **options: Any) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body, **options)

    def receive(self, most: int = 10, *, wait: int = 0, **options: Any) -> list[dict[str, Any]]:
        found = self.sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=most,
            WaitTimeSeconds=wait,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
            **options,
        )
        return list(found.get("Messages", []))

    def show(self, message: dict[str, Any], seconds: int = 0) -> None:
        self.sqs.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )

    def delete(self, message: dict[str, Any]) -> None:
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [message["Body"] for message in messages]


def redrive(target: Queue, receives: int) -> str:
    return json.dumps({"deadLetterTargetArn": target.arn, "maxReceiveCount": receives})


def test_messages_come_in_the_order_in_which_they_were_sent(shared_emulator: Emulator) -> None:
    queue = Queue(shared_emulator)
    queue.send(*"abcde")
    first = queue.receive(2)
    assert bodies(first) == ["a", "b"]
    queue.show(first[0])
    assert bodies(queue.receive(3)) == ["a", "c", "d"]


def test_a_message_in_flight_is_not_received_until_its_timeout_is_over(
    shared_emulator: Emulator,
) -> None:
    queue = Queue(shared_emulator)
    queue.send("a")
    (hidden,) = queue.receive(VisibilityTimeout=600)
    assert queue.receive() == []
    queue.show(hidden, 1)
    (again,) = queue.receive(wait=WAIT)
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    assert again["ReceiptHandle"] != hidden["ReceiptHandle"]


def test_a_timeout_of_zero_leaves_a_message_visible(shared_emulator: Emulator) -> None:
    queue = Queue(shared_emulator)
    queue.send("a", "b")
    for count in ("1", "2", "3"):
        found = queue.receive(VisibilityTimeout=0)
        assert bodies(found) == ["a", "b"]
        assert found[0]["Attributes"]["ApproximateReceiveCount"] == count


def test_a_message_that_was_hidden_and_shown_again_comes_once(shared_emulator: Emulator) -> None:
    queue = Queue(shared_emulator)
    queue.send("a", "b")
    found = queue.receive(1)[0]
    queue.show(found)
    queue.show(found, 600)
    queue.show(found)
    assert bodies(queue.receive()) == ["a", "b"]
    assert queue.receive() == []


def test_only_the_newest_receipt_handle_is_good(shared_emulator: Emulator) -> None:
    queue = Queue(shared_emulator)
    queue.send("a")
    (old,) = queue.receive(VisibilityTimeout=0)
    (new,) = queue.receive()
    for call in (queue.delete, queue.show):
        with pytest.raises(ClientError, match="ReceiptHandleIsInvalid"):
            call(old)
    queue.delete(new)
    with pytest.raises(ClientError, match="ReceiptHandleIsInvalid"):
        queue.delete(new)
    assert queue.counts() == (0, 0, 0)


def test_batches_tell_which_handles_are_not_good(shared_emulator: Emulator) -> None:
    queue = Queue(shared_emulator)
    queue.send("a", "b")
    entries = [
        {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
        for number, message in enumerate(queue.receive())
    ]
    unknown = {"Id": "2", "ReceiptHandle": "none"}
    changed = queue.sqs.change_message_visibility_batch(
        QueueUrl=queue.url,
        Entries=[{**each, "VisibilityTimeout": 0} for each in (*entries, unknown)],
    )
    assert queue.counts() == (2, 0, 0)
    deleted = queue.sqs.delete_message_batch(QueueUrl=queue.url, Entries=[*entries, unknown])
    for answer in (changed, deleted):
        assert [each["Id"] for each in answer["Successful"]] == ["0", "1"]
        assert [each["Code"] for each in answer["Failed"]] == ["ReceiptHandleIsInvalid"]
    assert queue.receive() == []


def test_a_message_goes_to_the_dead_letters_after_its_last_receive(
    shared_emulator: Emulator,
) -> None:
    dead = Queue(shared_emulator)
    queue = Queue(shared_emulator, RedrivePolicy=redrive(dead, 2))
    queue.send("first", "poison", "last")
    for _ in range(2):
        found = queue.receive()
        assert "poison" in bodies(found)
        for message in found:
            if message["Body"] == "poison":
                queue.show(message)
            else:
                queue.delete(message)
    assert dead.counts() == (0, 0, 0)
    assert queue.receive() == []
    (moved,) = dead.receive()
    assert moved["Body"] == "poison"
    assert moved["Attributes"]["ApproximateReceiveCount"] == "3"
    assert queue.counts() == (0, 0, 0)


def test_messages_behind_those_that_are_received_go_to_the_dead_letters_too(
    shared_emulator: Emulator,
) -> None:
    dead = Queue(shared_emulator)
    queue = Queue(shared_emulator, RedrivePolicy=redrive(dead, 1))
    queue.send(*"abc")
    found = queue.receive(3)
    queue.show(found[2])
    queue.send("d")
    assert bodies(queue.receive(1)) == ["d"]
    assert bodies(dead.receive()) == ["c"]


def test_a_redrive_policy_that_is_set_later_counts_earlier_receives(
    shared_emulator: Emulator,
) -> None:
    dead, queue = Queue(shared_emulator), Queue(shared_emulator)
    queue.send("a", "b")
    assert bodies(queue.receive(1, VisibilityTimeout=0)) == ["a"]
    assert bodies(queue.receive(1, VisibilityTimeout=0)) == ["a"]
    queue.sqs.set_queue_attributes(
        QueueUrl=queue.url, Attributes={"RedrivePolicy": redrive(dead, 2)}
    )
    assert bodies(queue.receive()) == ["b"]
    assert bodies(dead.receive()) == ["a"]


def test_a_delayed_message_comes_when_its_time_is_over(shared_emulator: Emulator) -> None:
    queue = Queue(shared_emulator)
    queue.send("late", DelaySeconds=1)
    queue.send("much later", DelaySeconds=600)
    assert queue.receive() == []
    assert queue.counts()[1] == 0
    assert bodies(queue.receive(wait=WAIT)) == ["late"]
    assert queue.counts() == (0, 1, 1)


def test_a_purge_drops_what_is_visible_and_what_is_in_flight(shared_emulator: Emulator) -> None:
    queue = Queue(shared_emulator)
    queue.send(*"abc")
    (held,) = queue.receive(1)
    assert queue.counts() == (2, 1, 0)
    queue.sqs.purge_queue(QueueUrl=queue.url)
    assert queue.counts() == (0, 0, 0)
    with pytest.raises(ClientError, match="ReceiptHandleIsInvalid"):
        queue.delete(held)
    queue.send("new")
    assert bodies(queue.receive()) == ["new"]


def test_a_fifo_queue_keeps_the_order_of_its_groups(shared_emulator: Emulator) -> None:
    sqs = shared_emulator.client("sqs")
    url = sqs.create_queue(
        QueueName=f"{uuid.uuid4()}.fifo",
        Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"},
    )["QueueUrl"]
    for body, group in (("a", "1"), ("b", "1"), ("b", "1"), ("c", "2")):
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group)
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)["Messages"]
    assert bodies(found) == ["a"]
    rest = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert bodies(rest) == ["c"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
    assert bodies(sqs.receive_message(QueueUrl=url)["Messages"]) == ["b"]


def test_notifications_of_a_bucket_come_after_what_is_on_the_queue(
    shared_emulator: Emulator,
) -> None:
    queue, bucket = Queue(shared_emulator), new_bucket(shared_emulator)
    queue.send("before")
    (before,) = queue.receive()  # the queue has a store by now, which S3 finds
    s3 = shared_emulator.client("s3")
    settings = {"QueueArn": queue.arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [settings]}
    )
    (test,) = queue.receive(wait=WAIT)
    assert json.loads(test["Body"])["Event"] == "s3:TestEvent"
    s3.put_object(Bucket=bucket, Key="one", Body=b"1")
    (created,) = queue.receive(wait=WAIT)
    assert json.loads(created["Body"])["Records"][0]["s3"]["object"]["key"] == "one"
    for message in (before, test, created):
        queue.delete(message)
    assert queue.counts() == (0, 0, 0)


def test_a_queue_is_as_it_was_when_the_emulator_comes_back(tmp_path: Path) -> None:
    with Emulator(tmp_path, region=REGION) as emulator:
        dead = Queue(emulator)
        queue = Queue(emulator, RedrivePolicy=redrive(dead, 1))
        queue.send(*"abcd")
        held, deleted = queue.receive(2, VisibilityTimeout=600)
        queue.delete(deleted)
        queue.send("late", DelaySeconds=600)
        name = queue.url.rpartition("/")[2]
        dead_name = dead.url.rpartition("/")[2]

    with Emulator(tmp_path, region=REGION) as emulator:
        queue.sqs = dead.sqs = emulator.client("sqs")
        queue.url = queue.sqs.get_queue_url(QueueName=name)["QueueUrl"]
        dead.url = dead.sqs.get_queue_url(QueueName=dead_name)["QueueUrl"]
        assert queue.counts() == (2, 1, 1)
        queue.show(held)
        assert bodies(queue.receive()) == ["c", "d"]
        assert bodies(dead.receive()) == ["a"]


def test_reading_a_queue_looks_at_each_message_a_few_times(patched_sqs: Any) -> None:
    """However many there are; the emulator's own list was gone through at every call."""
    count = 10_000
    asyncio.run(_fill_and_read(patched_sqs, count, batch=10))
    store = next(
        each["messages"] for each in patched_sqs._queues.all_values() if each["name"] == "q"
    )
    assert isinstance(store, Messages)
    assert len(store) == 0
    assert count <= store.visits <= 3 * count


async def _fill_and_read(sqs: Any, count: int, batch: int) -> None:
    async def call(action: str, **data: Any) -> Any:
        return await sqs._dispatch(action, data, data.get("QueueUrl", ""))

    dead = (await call("CreateQueue", QueueName="dead"))["QueueUrl"]
    arn = (await call("GetQueueAttributes", QueueUrl=dead))["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    created = await call("CreateQueue", QueueName="q", Attributes={"RedrivePolicy": policy})
    url = created["QueueUrl"]
    for number in range(count):
        await call("SendMessage", QueueUrl=url, MessageBody=str(number))
    read = 0
    while found := (await call("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=batch)):
        entries = [
            {"Id": each["MessageId"], "ReceiptHandle": each["ReceiptHandle"]}
            for each in found["Messages"]
        ]
        deleted = await call("DeleteMessageBatch", QueueUrl=url, Entries=entries)
        read += len(deleted["Successful"])
    assert read == count


def test_what_is_looked_at_was_not_received_and_stays_in_its_queue(
    shared_emulator: Emulator,
) -> None:
    dead = Queue(shared_emulator)
    queue = Queue(shared_emulator, RedrivePolicy=redrive(dead, 2))
    queue.send("a", "ü", "c")
    (held,) = queue.receive(1)
    where: Any = SimpleNamespace(
        aws_endpoint_url=shared_emulator.endpoint_url,
        region=REGION,
        credentials=shared_emulator.credentials,
    )
    seen: list[SeenMessage] = []
    for _ in range(5):
        seen = list(look_at(where, queue.url))
        assert [one.body for one in seen] == ["a", "ü", "c"]
    assert [(one.place, one.receives) for one in seen] == [("in flight", 1), *[("visible", 0)] * 2]
    assert seen[0].id == held["MessageId"]
    assert [one.body for one in look_at(where, queue.url, seen[1].number)] == ["c"]
    assert queue.counts() == (2, 1, 0)
    assert dead.counts() == (0, 0, 0)
    with pytest.raises(QueueLookError, match="-none: there is no such queue any more"):
        list(look_at(where, f"{queue.url}-none"))
