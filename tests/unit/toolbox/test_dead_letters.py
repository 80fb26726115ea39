"""Tickets: one for each object, and gone only when its object is done."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from itertools import count, islice
from threading import Lock
from typing import Any
from urllib.parse import quote_plus

import orjson
import pytest

from pipeline.archive.objects import Objects
from tests.support.fakes import client_error
from tests.support.replay import HOUR, FakeArchive, line
from toolbox.dead_letters.listing import TicketGroup, group_tickets, page_of
from toolbox.dead_letters.queue import DeadLetterError, DeadLetters, ticket_id
from toolbox.dead_letters.summary import summarize, summarize_all
from toolbox.terminal.nearest import NotFoundError

KEY = f"rejected/source=github/{HOUR}/shardId-000000000000-1.jsonl.gz"


class FakeQueue:
    """Messages that are hidden while someone has them."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.hidden: set[str] = set()
        self.broken: Exception | None = None
        self.fail_deletes = False
        self.comes_back = False
        self.calls = 0
        #: Calls that found nothing, which a long poll waits for.
        self.waited = 0
        self.lock = Lock()

    def send(self, body: str, sent: int = 1_000_000) -> None:
        name = f"m-{len(self.messages)}"
        self.messages[name] = {
            "MessageId": name,
            "ReceiptHandle": f"r-{name}",
            "Body": body,
            "Attributes": {"SentTimestamp": str(sent)},
        }

    def notify(self, key: str, bucket: str = "archive", **more: Any) -> None:
        stored = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key), "size": 7}}
        self.send(orjson.dumps({"Records": [{"s3": stored}]}).decode(), **more)

    def receive_message(self, **request: Any) -> dict[str, Any]:
        if self.broken:
            raise self.broken
        assert request["VisibilityTimeout"] >= 60
        assert request["WaitTimeSeconds"] >= 1
        self.waited += not set(self.messages) - self.hidden
        if self.comes_back and not set(self.messages) - self.hidden:
            self.hidden.clear()
        with self.lock:
            self.calls += 1
            found = (one for name, one in self.messages.items() if name not in self.hidden)
            shown = list(islice(found, 10))
            self.hidden |= {one["MessageId"] for one in shown}
        return {"Messages": shown} if shown else {}

    def get_queue_attributes(
        self, *, QueueUrl: str, AttributeNames: Sequence[Any]
    ) -> dict[str, Any]:
        if self.broken:
            raise self.broken
        (name,) = AttributeNames
        return {"Attributes": {name: str(len(set(self.messages) - self.hidden))}}

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:
        del self.messages[ReceiptHandle[2:]]

    def delete_message_batch(self, *, QueueUrl: str, Entries: Sequence[Any]) -> dict[str, Any]:
        assert 0 < len(Entries) <= 10
        if self.fail_deletes:
            return {"Failed": [{"Id": "0", "Message": "no"}]}
        for entry in Entries:
            del self.messages[entry["ReceiptHandle"][2:]]
        return {}

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: Sequence[Any]) -> None:
        assert 0 < len(Entries) <= 10
        for entry in Entries:
            if entry["VisibilityTimeout"] == 0:
                self.hidden.discard(entry["ReceiptHandle"][2:])


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


def letters(queue: FakeQueue) -> DeadLetters:
    return DeadLetters(queue, "url", "archive")


@pytest.mark.parametrize("number", [0, 1, 10, 11, 345])
def test_where_the_count_is_exact_no_call_waits_for_nothing(queue: FakeQueue, number: int) -> None:
    for name in range(number):
        queue.notify(f"rejected/{name}")
    with DeadLetters(queue, "url", "archive", exact=True) as found:
        assert len(found.tickets) == number
    assert queue.waited == 0
    with letters(queue) as found:
        assert len(found.tickets) == number
    assert queue.waited


def test_one_ticket_for_each_object(queue: FakeQueue) -> None:
    for number in range(25):
        queue.notify(f"rejected/{number}", sent=2000 + number)
    queue.notify("rejected/3", sent=500)
    queue.notify("aws/lambda/1/s/2026/11/23/ü +%2B", sent=99_000)
    queue.send(orjson.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}).decode())
    with letters(queue) as found:
        tickets = found.tickets
        assert len(tickets) == 26
        assert tickets[0].key == "rejected/3"
        assert len(tickets[0].messages) == 2
        assert tickets[0].since == 0.5
        assert tickets[-1].key == "aws/lambda/1/s/2026/11/23/ü +%2B"
        assert tickets[-1].kind == "failed"
        assert tickets[0].id == hashlib.sha256(b"rejected/3").hexdigest()[:12]
        assert len(queue.messages) == 27, "the test event is no ticket, and goes"
        assert not set(queue.messages) - queue.hidden
    assert not set(queue.messages) & queue.hidden


def test_notifications_that_come_back_meanwhile_end_the_reading(queue: FakeQueue) -> None:
    queue.comes_back = True
    for number in range(25):
        queue.notify(f"rejected/{number}")
    with letters(queue) as found:
        assert len(found.tickets) == 25


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", "{}", '{"Records":[]}', '{"Records":[{"s3":{}}]}', '{"Records":3}'],
)
def test_a_message_that_is_no_notification_is_kept_in_sight(queue: FakeQueue, body: str) -> None:
    queue.send(body)
    with letters(queue) as found:
        (ticket,) = found.tickets
        assert ticket.kind == "unreadable"
        found.delete(ticket)
    assert not queue.messages


def test_a_notification_of_another_bucket_is_not_ours_to_replay(queue: FakeQueue) -> None:
    queue.notify(KEY, bucket="other")
    with letters(queue) as found:
        assert [ticket.kind for ticket in found.tickets] == ["unreadable"]


def test_a_ticket_goes_with_all_of_its_notifications(queue: FakeQueue) -> None:
    for _ in range(12):
        queue.notify(KEY)
    queue.notify("rejected/other")
    with letters(queue) as found:
        found.delete(found.find(ticket_id(KEY)[:5]))
        assert [ticket.key for ticket in found.tickets] == ["rejected/other"]
        found.keep_hidden()
    assert len(queue.messages) == 1


def test_a_notification_of_two_objects_stays_until_both_are_done(queue: FakeQueue) -> None:
    places = [{"bucket": {"name": "archive"}, "object": {"key": key, "size": 1}} for key in "ab"]
    queue.send(orjson.dumps({"Records": [{"s3": place} for place in places]}).decode())
    with letters(queue) as found:
        first, second = found.tickets
        found.delete(first)
        assert queue.messages
        found.delete(second)
    assert not queue.messages


def test_a_long_queue_is_taken_and_given_back_whole(queue: FakeQueue) -> None:
    for number in range(1_005):
        queue.notify(f"rejected/{number}", sent=number)
    taken: list[int] = []
    with DeadLetters(queue, "url", "archive", taken.append) as found:
        assert len(found.tickets) == 1_005
        assert len(queue.hidden) == 1_005
        for ticket in found.tickets[:500]:
            found.delete(ticket)
    assert taken[-1] == 1_005
    assert queue.calls < 101 + 40
    assert len(queue.messages) == 505
    assert not queue.hidden & set(queue.messages)


def test_what_comes_back_early_does_not_hide_what_was_not_seen(queue: FakeQueue) -> None:
    for number in range(15):
        queue.notify(f"rejected/{number}")
    first, asked = queue.receive_message(VisibilityTimeout=60, WaitTimeSeconds=1), count()

    def again(**request: Any) -> dict[str, Any]:
        # The next answers are the first once more: its time has run out meanwhile.
        return first if next(asked) in {0, 1, 2} else FakeQueue.receive_message(queue, **request)

    queue.receive_message = again  # type: ignore[method-assign]
    with letters(queue) as found:
        assert len(found.tickets) == 15


def test_tickets_are_grouped_by_their_keys_and_shown_by_the_page(queue: FakeQueue) -> None:
    for number in range(7):
        source = "okta" if number < 5 else "github"
        queue.notify(f"rejected/source={source}/{HOUR}/s-{number}.jsonl.gz", sent=number * 1000)
    queue.notify("aws/lambda/1/s/2026/11/23/x", sent=9_000)
    queue.send("no notification", sent=10_000)
    with letters(queue) as found:
        tickets = found.tickets
    assert group_tickets(tickets) == [
        TicketGroup("rejected", "okta", 5, 0.0, 4.0),
        TicketGroup("rejected", "github", 2, 5.0, 6.0),
        TicketGroup("failed", "", 1, 9.0, 9.0),
        TicketGroup("unreadable", "", 1, 10.0, 10.0),
    ]
    pages = [page_of(tickets, number, 4) for number in (1, 3, 9)]
    assert [(len(one.tickets), one.number, one.pages, one.total) for one in pages] == [
        (4, 1, 3, 9), (1, 3, 3, 9), (1, 3, 3, 9),
    ]  # fmt: skip
    assert pages[0].tickets[0].since == 0.0
    assert page_of([], 1) == ([], 1, 1, 0)


def test_a_failed_deletion_leaves_the_ticket(queue: FakeQueue) -> None:
    queue.notify(KEY)
    queue.fail_deletes = True
    with letters(queue) as found:
        with pytest.raises(DeadLetterError, match="cannot be deleted"):
            found.delete(found.tickets[0])
        assert len(found.tickets) == 1


def test_finding_a_ticket(queue: FakeQueue) -> None:
    for number in range(40):
        queue.notify(f"rejected/{number}")
    with letters(queue) as found:
        for prefix in ("", "zz", "\x1b"):
            with pytest.raises(NotFoundError, match="no such ticket"):
                found.find(prefix)
        first = {ticket.id[0] for ticket in found.tickets}
        several = next(
            one for one in first if sum(ticket.id[0] == one for ticket in found.tickets) > 1
        )
        with pytest.raises(DeadLetterError, match="write more"):
            found.find(several)


def test_a_queue_out_of_reach(queue: FakeQueue) -> None:
    queue.broken = client_error("AccessDenied", "ReceiveMessage", 403)
    with pytest.raises(DeadLetterError, match="cannot be read"), letters(queue):
        pass


def test_summaries_of_objects() -> None:
    s3 = FakeArchive()
    s3.add(
        KEY,
        [
            line(1, reason="schema_violation", explanation="rule 'type'"),
            line(2, reason="invalid_json", explanation="other"),
            b"{",
        ],
    )
    s3.add("rejected/many", [line(n, reason=f"r{n}") for n in range(100)])
    found = dict(
        summarize_all(Objects(s3, "archive"), deque([KEY, "rejected/many", "rejected/gone"]))
    )
    one = found[KEY]
    assert (one.events, one.faults, one.gone) == (2, 1, False)
    assert one.reasons == {"schema_violation": 1, "invalid_json": 1}
    assert one.explanation == "rule 'type'"
    assert len(found["rejected/many"].reasons) == 21
    assert found["rejected/gone"].gone
    assert found["rejected/gone"].explanation == "the object is gone"
    assert summarize(Objects(s3, "archive"), KEY) == one
