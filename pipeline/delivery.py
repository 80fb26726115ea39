"""Puts MozDef messages on SQS, in batches of at most ten messages and one mebibyte."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.events import Event, Outcome, Reason, rejected, unsettled
from pipeline.mozdef_event import LARGEST_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.retrying import Deadline

MESSAGES_PER_BATCH = 10
#: Errors of a whole call that trying again cannot mend, since a message of it is at fault.
_SENDER_FAULTS = frozenset(
    {
        "InvalidMessageContents",
        "InvalidParameterValue",
        "BatchRequestTooLong",
        "AWS.SimpleQueueService.BatchRequestTooLong",
    }
)
_TOO_LONG = ("BatchRequestTooLong", "MessageTooLong", "must be shorter", "too long")
_PARALLEL_CALLS = 8


class SqsDelivery:
    """Delivers messages to the queues that MozDef reads.

    Parameters
    ----------
    sqs : Any
        A boto3 SQS client.
    queue_urls : Mapping[str, str]
        Queue name to URL.
    """

    def __init__(self, sqs: Any, queue_urls: Mapping[str, str]) -> None:
        self._sqs = sqs
        self._queue_urls = queue_urls
        self._pool = ThreadPoolExecutor(_PARALLEL_CALLS, thread_name_prefix="sqs")

    def deliver(
        self, events: Sequence[Event], deadline: Deadline
    ) -> tuple[list[Event], list[Outcome]]:
        """Send the message of each event.

        Parameters
        ----------
        events : Sequence[Event]
            Events with their message and queue.
        deadline : Deadline
            Bounds the retries.

        Returns
        -------
        tuple[list[Event], list[Outcome]]
            What SQS took, and the outcomes of the rest.
        """
        taken: list[Event] = []
        outcomes: list[Outcome] = []
        results = self._pool.map(lambda batch: self._send(batch, deadline), pack(events))
        for sent, refused in results:
            taken += sent
            outcomes += refused
        return taken, outcomes

    def _send(self, batch: list[Event], deadline: Deadline) -> tuple[list[Event], list[Outcome]]:
        taken: list[Event] = []
        outcomes: list[Outcome] = []
        waiting = batch
        explanation = "SQS did not take it"
        for _ in deadline.attempts():
            try:
                answer = self._call(waiting)
            except ClientError as error:
                code = str(error.response.get("Error", {}).get("Code", ""))
                if code in _SENDER_FAULTS:
                    sent, refused = self._isolate(waiting, str(error), deadline)
                    return taken + sent, outcomes + refused
                explanation = f"SQS: {code}"
                continue
            except (BotoCoreError, KeyError) as error:
                explanation = f"SQS: {type(error).__name__}"
                continue
            taken += [waiting[int(entry["Id"])] for entry in answer.get("Successful", [])]
            again = []
            for entry in answer.get("Failed", []):
                event = waiting[int(entry["Id"])]
                explanation = f"SQS: {entry.get('Code')}: {entry.get('Message', '')}"
                if entry.get("SenderFault"):
                    outcomes.append(_refused(event, explanation))
                else:
                    again.append(event)
            waiting = again
            if not waiting:
                break
        return taken, outcomes + [unsettled(event, explanation) for event in waiting]

    def _isolate(
        self, batch: list[Event], explanation: str, deadline: Deadline
    ) -> tuple[list[Event], list[Outcome]]:
        """Send one by one what SQS refused as a batch, to find the message at fault."""
        if len(batch) == 1:
            return [], [_refused(batch[0], explanation)]
        parts = [self._send([event], deadline) for event in batch]
        return (
            [event for sent, _ in parts for event in sent],
            [outcome for _, refused in parts for outcome in refused],
        )

    def _call(self, batch: Sequence[Event]) -> Any:
        return self._sqs.send_message_batch(
            QueueUrl=self._queue_urls[batch[0].queue],
            Entries=[
                {"Id": str(number), "MessageBody": event.message.decode()}
                for number, event in enumerate(batch)
            ],
        )


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
            if batch and (len(batch) == MESSAGES_PER_BATCH or size + length > LARGEST_MESSAGE):
                yield batch
                batch, size = [], 0
            batch.append(event)
            size += length
        yield batch


def _refused(event: Event, explanation: str) -> Outcome:
    too_long = any(sign in explanation for sign in _TOO_LONG)
    reason = Reason.TOO_LARGE if too_long else Reason.PROCESSING_ERROR
    return rejected(event, reason, explanation)
