"""Puts MozDef messages on SQS, in batches of at most ten messages and one mebibyte."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.aws.errors import error_name, is_throttle
from pipeline.aws.limits import (
    MESSAGE_BYTES,
    MESSAGE_ERRORS,
    MESSAGE_TOO_LONG,
    MESSAGES_PER_BATCH,
    QUEUE_ERRORS,
)
from pipeline.event.events import Event, Outcome, rejected, unsettled
from pipeline.event.outcomes import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.aws.seams import Failure, Queue, ServiceAnswer
    from pipeline.runtime.deadline import Deadline

#: What the messages of a call are called.
_NUMBERS = tuple(map(str, range(MESSAGES_PER_BATCH)))


class SqsDelivery:
    """Delivers messages to the queues that MozDef reads."""

    def __init__(self, sqs: Queue, queue_urls: Mapping[str, str]) -> None:
        self._sqs = sqs
        self._queue_urls = queue_urls

    def deliver(
        self, events: Sequence[Event], deadline: Deadline
    ) -> tuple[list[Event], list[Outcome]]:
        """Send the message of each event.

        Returns
        -------
        tuple[list[Event], list[Outcome]]
            What SQS took, and the outcomes of the rest.
        """
        work = _Work()
        work.waiting = list(pack(self._with_a_queue(events, work)))
        for _ in deadline.attempts():
            batches, work.waiting = work.waiting, []
            calls = [self._call(batch) for batch in batches]
            answers = self._sqs.send_message_batches(calls) if calls else []
            for batch, answer in zip(batches, answers, strict=True):
                work.settle(batch, answer)
            if not work.waiting:
                break
        return work.taken, work.outcomes + [
            unsettled(event, work.explanation) for batch in work.waiting for event in batch
        ]

    def _with_a_queue(self, events: Sequence[Event], work: _Work) -> list[Event]:
        """Take those apart whose queue the function was not told of: a stack in between."""
        if self._queue_urls.keys() >= {event.queue for event in events}:
            return list(events)
        for event in events:
            if event.queue not in self._queue_urls:
                work.outcomes.append(_without_queue(event, "the function knows no URL of it"))
        return [event for event in events if event.queue in self._queue_urls]

    def _call(self, batch: Sequence[Event]) -> dict[str, Any]:
        return {
            "QueueUrl": self._queue_urls[batch[0].queue],
            "Entries": [
                {"Id": number, "MessageBody": event.message.decode()}
                for number, event in zip(_NUMBERS[: len(batch)], batch, strict=True)
            ],
        }


@dataclass
class _Work:
    """Batches on their way: what was taken, what was refused, and what is tried again."""

    waiting: list[list[Event]] = field(default_factory=list)
    taken: list[Event] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    explanation: str = "SQS did not take it"

    def settle(self, batch: list[Event], answer: ServiceAnswer | Failure) -> None:
        """Take the answer to one call."""
        if isinstance(answer, ClientError):
            self._settle_error(batch, answer)
        elif isinstance(answer, Exception):
            self._again(batch, f"SQS: {type(answer).__name__}")
        else:
            self._settle_entries(batch, answer)

    def _settle_error(self, batch: list[Event], error: ClientError) -> None:
        code = error_name(str(error.response.get("Error", {}).get("Code", "")))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in QUEUE_ERRORS and status < 500:
            self.outcomes += [_without_queue(event, code) for event in batch]
        elif code not in MESSAGE_ERRORS:
            self._again(batch, f"SQS: {code}")
        elif len(batch) == 1:
            self.outcomes.append(_refused(batch[0], str(error)))
        else:
            # SQS refused the batch for one message: one by one, the message at fault is found.
            self.waiting += [[event] for event in batch]

    def _settle_entries(self, batch: list[Event], answer: ServiceAnswer) -> None:
        taken = {str(entry["Id"]) for entry in answer.get("Successful", [])}
        if taken.issuperset(_NUMBERS[: len(batch)]):
            self.taken += batch
            return
        failed = {str(entry["Id"]): entry for entry in answer.get("Failed", [])}
        again = []
        for number, event in enumerate(batch):
            entry = failed.get(str(number))
            if str(number) in taken:
                self.taken.append(event)
            elif entry is None or is_throttle(str(entry.get("Code"))):
                # KMS's throttle has the sender's fault set, which it is: of too many messages.
                again.append(event)
                self.explanation = _explain(entry or {"Code": "no answer for a message"})
            elif error_name(str(entry.get("Code"))) in QUEUE_ERRORS:
                self.outcomes.append(_without_queue(event, str(entry["Code"])))
            elif entry.get("SenderFault"):
                self.outcomes.append(_refused(event, _explain(entry)))
            else:
                again.append(event)
                self.explanation = _explain(entry)
        if again:
            self.waiting.append(again)

    def _again(self, batch: list[Event], explanation: str) -> None:
        self.explanation = explanation
        self.waiting.append(batch)


def _explain(entry: Mapping[str, Any]) -> str:
    return f"SQS: {entry.get('Code')}: {entry.get('Message', '')}"


def pack(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Make batches for each queue: at most ten messages and 1,048,576 bytes together.

    One byte more makes SQS refuse the whole call with BatchRequestTooLong (recorded).
    """
    by_queue: dict[str, list[Event]] = {}
    for event in events:
        by_queue.setdefault(event.queue, []).append(event)
    for waiting in by_queue.values():
        batch: list[Event] = []
        size = 0
        for event in waiting:
            length = len(event.message)
            if batch and (len(batch) == MESSAGES_PER_BATCH or size + length > MESSAGE_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(event)
            size += length
        yield batch


def _without_queue(event: Event, code: str) -> Outcome:
    return rejected(
        event,
        Reason.QUEUE_UNAVAILABLE,
        f"queue {event.queue}: {code}; see that it exists, that the function's role may send to it "
        "and that its key is enabled",
    )


def _refused(event: Event, explanation: str) -> Outcome:
    too_long = any(sign in explanation for sign in MESSAGE_TOO_LONG)
    reason = Reason.TOO_LARGE if too_long else Reason.PROCESSING_ERROR
    return rejected(event, reason, explanation)
