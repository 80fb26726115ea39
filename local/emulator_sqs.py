"""The calls of the emulator's SQS that would walk through a whole queue, on `Messages` instead."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from local.emulator_queues import Messages, Place
from local.queue_look import LOOK, MOST_BYTES, MOST_MESSAGES

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    Queue = dict[str, Any]

# Names of the emulator's module.
USED = (
    "_HANDLERS",
    "_NUMERIC_ATTR_RANGES",
    "_collect_msgs",
    "_dlq_sweep",
    "_refresh_counts",
    "_delete_messages_for_esm",
    "_act_delete_message",
    "_act_delete_message_batch",
    "_act_change_visibility",
    "_act_change_visibility_batch",
    # Used by the patches.
    "_Err",
    "_ensure_msg_fields",
    "_get_q",
    "_queue_by_arn",
)


def install(sqs: ModuleType) -> None:
    """Keep the messages of standard queues in `Messages`; FIFO queues stay as they are."""
    patches = _QueuePatches(sqs)
    for name in ("_collect_msgs", "_dlq_sweep", "_refresh_counts", "_delete_messages_for_esm"):
        setattr(sqs, name, getattr(patches, name.removeprefix("_")))
    for name, action in (
        ("_act_delete_message", "DeleteMessage"),
        ("_act_delete_message_batch", "DeleteMessageBatch"),
        ("_act_change_visibility", "ChangeMessageVisibility"),
        ("_act_change_visibility_batch", "ChangeMessageVisibilityBatch"),
    ):
        patch = getattr(patches, name.removeprefix("_act_"))
        setattr(sqs, name, patch)
        sqs._HANDLERS[action] = patch
    sqs._HANDLERS[LOOK] = patches.look
    # SQS takes a message of 1 MiB since 2025-08; the emulator makes such a queue in stacks alone.
    sqs._NUMERIC_ATTR_RANGES["MaximumMessageSize"] = (1_024, 1_048_576)


class _QueuePatches:
    """Functions that stand for those of the emulator's SQS module.

    A queue that some other part of the emulator made, or that was read from disk, has a list. The
    first of these functions that sees it replaces the list.
    """

    def __init__(self, sqs: ModuleType) -> None:
        self._sqs = sqs
        self._before = {name: getattr(sqs, name) for name in USED}

    def _store(self, queue: Queue) -> Messages | None:
        if queue["is_fifo"]:
            return None
        store = queue["messages"]
        if not isinstance(store, Messages):
            store = Messages(store, complete=self._sqs._ensure_msg_fields)
            queue["messages"] = store
        return store

    def collect_msgs(self, queue: Queue, most: int, timeout: float) -> list[dict[str, Any]]:
        store = self._store(queue)
        if store is None:
            return list(self._before["_collect_msgs"](queue, most, timeout))
        return store.receive(most, timeout)

    def dlq_sweep(self, queue: Queue) -> None:
        store = self._store(queue)
        if store is None:
            self._before["_dlq_sweep"](queue)
            return
        limit, dead_letters = self._redrive(queue)
        for message in store.take_exhausted(limit):
            moved = {**message, "receipt_handle": None, "visible_at": time.time()}
            dead_letters["messages"].append(moved)

    def _redrive(self, queue: Queue) -> tuple[int | None, Any]:
        policy = queue["attributes"].get("RedrivePolicy")
        if not policy:
            return None, None
        read = json.loads(policy)
        target = self._sqs._queue_by_arn(read["deadLetterTargetArn"])
        return (None, None) if target is None else (int(read["maxReceiveCount"]), target)

    def refresh_counts(self, queue: Queue) -> None:
        store = self._store(queue)
        if store is None:
            self._before["_refresh_counts"](queue)
            return
        counts = store.counts()
        queue["attributes"] |= {
            "ApproximateNumberOfMessages": str(counts[Place.VISIBLE]),
            "ApproximateNumberOfMessagesNotVisible": str(counts[Place.IN_FLIGHT]),
            "ApproximateNumberOfMessagesDelayed": str(counts[Place.DELAYED]),
        }

    def look(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        """Answer what SQS has no call for: messages as they lie there, none of them received."""
        store = self._store(self._sqs._get_q(data.get("QueueUrl", url)))
        if store is None:
            raise self._sqs._Err("UnsupportedOperation", "Only standard queues can be looked at.")
        found: list[dict[str, Any]] = []
        size = 0
        for number, message, where in store.look(
            int(data["After"]), min(int(data["Most"]), MOST_MESSAGES)
        ):
            size += len(message["body"])
            if found and size > MOST_BYTES:
                break
            found.append(
                {
                    "Number": number,
                    "MessageId": message["id"],
                    "Body": message["body"],
                    "SentAt": message["sent_at"],
                    "ReceiveCount": message["receive_count"],
                    "Place": where.value,
                }
            )
        return {"Messages": found}

    def delete_messages_for_esm(self, url: str, handles: set[str]) -> None:
        store = self._store(self._sqs._get_q(url))
        if store is None:
            self._before["_delete_messages_for_esm"](url, handles)
            return
        for handle in handles:
            store.delete(handle)

    def delete_message(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        store = self._store(self._sqs._get_q(data.get("QueueUrl", url)))
        handle = data.get("ReceiptHandle")
        if store is None or not handle:
            return dict(self._before["_act_delete_message"](data, url))
        return self._need(found=store.delete(handle))

    def delete_message_batch(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        store = self._store(self._sqs._get_q(data.get("QueueUrl", url)))
        if store is None:
            return dict(self._before["_act_delete_message_batch"](data, url))
        return self._batch(data, lambda entry: store.delete(entry.get("ReceiptHandle", "")))

    def change_visibility(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        store = self._store(self._sqs._get_q(data.get("QueueUrl", url)))
        if store is None:
            return dict(self._before["_act_change_visibility"](data, url))
        return self._need(found=_change(store, data))

    def change_visibility_batch(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        store = self._store(self._sqs._get_q(data.get("QueueUrl", url)))
        if store is None:
            return dict(self._before["_act_change_visibility_batch"](data, url))
        return self._batch(data, lambda entry: _change(store, entry))

    def _need(self, *, found: bool) -> dict[str, Any]:
        if not found:
            raise self._sqs._Err("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
        return {}

    def _batch(
        self, data: dict[str, Any], work: Callable[[dict[str, Any]], bool]
    ) -> dict[str, Any]:
        done, failed = [], []
        for entry in data.get("Entries", []):
            if work(entry):
                done.append({"Id": entry.get("Id", "")})
                continue
            failed.append(
                {
                    "Id": entry.get("Id", ""),
                    "Code": "ReceiptHandleIsInvalid",
                    "Message": "The input receipt handle is invalid.",
                    "SenderFault": True,
                }
            )
        return {"Successful": done, "Failed": failed}


def _change(store: Messages, entry: dict[str, Any]) -> bool:
    seconds = int(entry.get("VisibilityTimeout", 30))
    return store.change_visibility(entry.get("ReceiptHandle", ""), seconds)
