"""The tickets on the dead-letter queue: one for each archived object that needs someone.

Each object under `rejected/` and `aws/lambda/` puts a notification of S3 on the queue. An object
that was written twice has two notifications and one ticket.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote_plus

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.archive.keys import kind_of
from pipeline.errors import PipelineError
from toolbox.project.next_steps import next_step
from toolbox.terminal.nearest import unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from toolbox.seams import CountedTicketQueue

#: How long a notification stays hidden while someone works on the tickets.
HIDDEN_SECONDS = 300
UNREADABLE = "unreadable"
#: Amazon SQS API reference: entries of one batch call.
_ENTRIES = 10
#: Calls at the same time. 100,000 notifications are 10,000 answers, and all of them should be there
#: before the first ones come back.
_AT_A_TIME = 16
#: Rounds of answers in which all was known: then what was hidden first is coming back.
_KNOWN_ROUNDS = 3


class DeadLetterError(PipelineError):
    """The dead-letter queue is out of reach, or a ticket is not on it."""


@dataclass(slots=True)
class Ticket:
    """One object that needs someone.

    Parameters
    ----------
    id : str
        The first 12 hex digits of the SHA-256 of the object's key.
    key : str
        The object; for a message that is no notification, its text.
    kind : str
        `rejected`, `failed`, or `unreadable` for a message that is no notification.
    since : float
        When the first notification was sent, in epoch seconds.
    messages : dict[str, str]
        Its notifications: message id to receipt handle.
    """

    id: str
    key: str
    kind: str
    since: float
    size: int = 0
    messages: dict[str, str] = field(default_factory=dict)


def ticket_id(key: str) -> str:
    """Return the id of an object's ticket."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def find_ticket(tickets: Sequence[Ticket], prefix: str) -> Ticket:
    """Return the ticket whose id begins so; DeadLetterError when there are several.

    Raises
    ------
    NotFoundError
        When there is none.
    """
    found = [ticket for ticket in tickets if prefix and ticket.id.startswith(prefix)]
    if not found:
        raise unknown("ticket", prefix, (one.id for one in tickets), next_step("dead-letters list"))
    if len(found) > 1:
        raise DeadLetterError(f"{prefix!r:.40}: {len(found)} tickets begin so; write more of it")
    return found[0]


class DeadLetters:
    """Holds the queue's tickets hidden from others, and gives back those that remain.

    A queue hides 120,000 messages at most (Amazon SQS Developer Guide, quotas); what it has beyond
    that is not seen, nor held in memory.

    Parameters
    ----------
    on_progress : Callable[[int], None]
        Is told how many notifications were taken so far.
    sweeps : bool
        Whether what is no ticket, which is the test event of S3, is deleted.
    exact : bool
        Whether the queue's own count is exact, as the laptop's is and SQS's is not: then no call
        waits for a message that is not there.
    """

    def __init__(
        self,
        sqs: CountedTicketQueue,
        url: str,
        bucket: str,
        on_progress: Callable[[int], None] = lambda _: None,
        *,
        sweeps: bool = True,
        exact: bool = False,
    ) -> None:
        self._exact = exact
        self._sqs = sqs
        self._url = url
        self._bucket = bucket
        self._on_progress = on_progress
        self._sweeps = sweeps
        self._tickets: dict[str, Ticket] = {}
        #: A notification can name several objects: message id to how many tickets it has.
        self._holders: Counter[str] = Counter()
        self._pool = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="tickets")

    def __enter__(self) -> Self:
        """Take every notification that the queue has.

        Raises
        ------
        DeadLetterError
            When it cannot be read.
        """
        try:
            self._receive()
        except BaseException:
            self._give_back()
            self._pool.shutdown()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()
        self._pool.shutdown()

    @property
    def tickets(self) -> list[Ticket]:
        """The tickets, the oldest first."""
        return sorted(self._tickets.values(), key=lambda ticket: (ticket.since, ticket.id))

    def find(self, prefix: str) -> Ticket:
        """Return the ticket whose id begins so; DeadLetterError when there are several.

        Raises
        ------
        NotFoundError
            When there is none.
        """
        return find_ticket(self.tickets, prefix)

    def delete(self, ticket: Ticket) -> None:
        """Delete a ticket with all of its notifications.

        Raises
        ------
        DeadLetterError
            When one could not be deleted: the ticket is then still there.
        """
        # A notification of several objects stays until the last of them is done.
        receipts = [
            receipt for message, receipt in ticket.messages.items() if self._holders[message] == 1
        ]
        for batch in _batches(receipts):
            entries = [{"Id": str(n), "ReceiptHandle": one} for n, one in enumerate(batch)]
            try:
                answer = self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
            except (BotoCoreError, ClientError) as error:
                raise DeadLetterError(f"{ticket.id}: cannot be deleted: {error}") from None
            if answer.get("Failed"):
                raise DeadLetterError(
                    f"{ticket.id}: cannot be deleted: {answer['Failed'][0].get('Message')}"
                )
        del self._tickets[ticket.id]
        for message in ticket.messages:
            self._holders[message] -= 1

    def keep_hidden(self) -> None:
        """Hide the tickets that remain for longer: the work on them is going on."""
        self._set_visibility(HIDDEN_SECONDS)

    def _give_back(self) -> None:
        self._set_visibility(0)

    def _set_visibility(self, seconds: int) -> None:
        receipts = [one for ticket in self._tickets.values() for one in ticket.messages.values()]

        def change(batch: Sequence[str]) -> None:
            entries = [
                {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                for n, receipt in enumerate(batch)
            ]
            # The queue gives them back by itself later, so a failure here is no loss.
            with suppress(BotoCoreError, ClientError):
                self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

        deque(self._pool.map(change, _batches(receipts)), maxlen=0)

    def _receive(self) -> None:
        seen: set[str] = set()
        calls, known = 1, 0
        while known < _KNOWN_ROUNDS:
            if self._exact:
                calls = min(-(-self._visible() // _ENTRIES), _AT_A_TIME)
            answers = list(self._pool.map(lambda _: self._answer(), range(calls)))
            messages = [message for answer in answers for message in answer]
            before = len(seen)
            for message in messages:
                seen.add(message["MessageId"])
                self._sort_in(message)
            self._on_progress(len(seen))
            if not messages:
                return
            known = known + 1 if len(seen) == before else 0
            # An answer that is full has more behind it.
            full = len(messages) == calls * _ENTRIES
            calls = min(calls * 2, _AT_A_TIME) if full else calls

    def _visible(self) -> int:
        name = "ApproximateNumberOfMessages"
        try:
            answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])
        except (BotoCoreError, ClientError) as error:
            raise DeadLetterError(f"{self._url}: cannot be read: {error}") from None
        return int(answer["Attributes"][name])

    def _answer(self) -> list[dict[str, Any]]:
        try:
            # Amazon SQS Developer Guide: only a long poll asks all of the queue's servers.
            answer = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_ENTRIES,
                WaitTimeSeconds=1,
                VisibilityTimeout=HIDDEN_SECONDS,
                AttributeNames=["SentTimestamp"],
            )
        except (BotoCoreError, ClientError) as error:
            raise DeadLetterError(f"{self._url}: cannot be read: {error}") from None
        return list(answer.get("Messages", []))

    def _sort_in(self, message: dict[str, Any]) -> None:
        places = _places(message["Body"], self._bucket)
        if places == []:
            if self._sweeps:
                self._drop(message)
            return
        since = int(message.get("Attributes", {}).get("SentTimestamp", "0")) / 1000
        receipt = {message["MessageId"]: message["ReceiptHandle"]}
        if places is None:
            name = ticket_id(message["MessageId"])
            text = str(message["Body"])[:2000]
            self._tickets[name] = Ticket(name, text, UNREADABLE, since, messages=receipt)
            self._holders[message["MessageId"]] = 1
            return
        for key, size in places:
            kind = str(kind_of(key) or "other")
            fresh = Ticket(ticket_id(key), key, kind, since, size)
            ticket = self._tickets.setdefault(fresh.id, fresh)
            self._holders[message["MessageId"]] += message["MessageId"] not in ticket.messages
            ticket.messages |= receipt
            ticket.since, ticket.size = min(ticket.since, since), size

    def _drop(self, message: dict[str, Any]) -> None:
        # A failure leaves it for the next look.
        with suppress(BotoCoreError, ClientError):
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])


def _places(body: str, bucket: str) -> list[tuple[str, int]] | None:
    """Return the objects that a notification names; none for S3's test event, None if unreadable.

    Amazon S3 User Guide, event message structure: keys are URL-encoded, with '+' for a space;
    `s3:TestEvent` is sent when notifications are set up.
    """
    try:
        document = orjson.loads(body)
        if document.get("Event") == "s3:TestEvent":
            return []
        places = []
        for record in document["Records"]:
            stored = record["s3"]
            if stored["bucket"]["name"] != bucket:
                return None
            places.append((unquote_plus(stored["object"]["key"]), int(stored["object"]["size"])))
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
        return None
    return places or None


def tickets_of(body: str, bucket: str) -> list[str]:
    """Return the tickets that a notification is of, by their ids."""
    return [ticket_id(key) for key, _ in _places(body, bucket) or ()]


def _batches(items: Iterable[Any]) -> Iterator[Sequence[Any]]:
    waiting = deque(items)
    while waiting:
        yield [waiting.popleft() for _ in range(min(_ENTRIES, len(waiting)))]
