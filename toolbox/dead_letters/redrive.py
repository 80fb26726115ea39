"""The messages that MozDef took ten times and never deleted: its redrive queues.

A redrive queue has no redrive policy of its own, so to receive here moves nothing away. What was
taken is hidden while it is looked at, and given back.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from botocore.exceptions import BotoCoreError, ClientError

from toolbox.dead_letters.queue import DeadLetterError
from toolbox.seams import TicketQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDDEN_SECONDS = 300
#: Amazon SQS API reference: messages of one receive, entries of one batch call.
_AT_ONCE = 10


class MovingQueue(TicketQueue, Protocol):
    """A queue that is read, and another one that is sent to (Amazon SQS)."""

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> object:  # noqa: N803
        """Send one message."""
        ...


@dataclass(frozen=True)
class GivenUpMessage:
    """A message in a redrive queue.

    Parameters
    ----------
    sent : float
        When it was first sent, in epoch seconds.
    receipt : str
        With which it is deleted, or given back.
    """

    id: str
    body: str
    sent: float
    receipt: str


class RedriveQueue:
    """Holds messages of one redrive queue hidden, and gives back those that remain.

    Parameters
    ----------
    url, target : str
        Of the redrive queue, and of the queue that its messages came from.
    """

    def __init__(self, sqs: MovingQueue, url: str, target: str) -> None:
        self._sqs = sqs
        self._url = url
        self._target = target
        self._held: dict[str, GivenUpMessage] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        receipts = [one.receipt for one in self._held.values()]
        for first in range(0, len(receipts), _AT_ONCE):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(receipts[first : first + _AT_ONCE])
            ]
            # The queue gives them back by itself later, so a failure here is no loss.
            with suppress(BotoCoreError, ClientError):
                self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    def messages(self) -> Iterator[GivenUpMessage]:
        """Return the messages that nobody holds, until the queue shows no more.

        Raises
        ------
        DeadLetterError
            When it cannot be read.
        """
        seen: set[str] = set()
        while True:
            new = [one for one in self._received() if one.id not in seen]
            if not new:
                return
            for one in new:
                seen.add(one.id)
                self._held[one.id] = one
            yield from new

    def move_back(self, message: GivenUpMessage) -> None:
        """Send a message to the queue that it came from, and delete it here.

        One that was sent and could not be deleted is in both: MozDef may then index it twice, and
        none is lost.

        Raises
        ------
        DeadLetterError
            When it could not be sent, or not be deleted.
        """
        try:
            self._sqs.send_message(QueueUrl=self._target, MessageBody=message.body)
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt)
        except (BotoCoreError, ClientError) as error:
            raise DeadLetterError(f"{message.id}: cannot be moved back: {error}") from None
        del self._held[message.id]

    def _received(self) -> list[GivenUpMessage]:
        try:
            # Only a long poll asks all of the queue's servers (Amazon SQS Developer Guide).
            answer: Any = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_AT_ONCE,
                WaitTimeSeconds=1,
                VisibilityTimeout=HIDDEN_SECONDS,
                AttributeNames=["SentTimestamp"],
            )
        except (BotoCoreError, ClientError) as error:
            raise DeadLetterError(f"{self._url}: cannot be read: {error}") from None
        return [
            GivenUpMessage(
                one["MessageId"],
                one["Body"],
                int(one.get("Attributes", {}).get("SentTimestamp", "0")) / 1000,
                one["ReceiptHandle"],
            )
            for one in answer.get("Messages", [])
        ]
