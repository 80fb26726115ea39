"""What is changed in the emulator: calls that take longer the more it holds, and idle timers.

The patches replace names of its modules, so they are made for one version of it. A version that
lacks one of these names does not start: to patch half of it would be worse than to know.
"""

from __future__ import annotations

import importlib
import json
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from local.emulator_hold import USED, Hold
from local.emulator_http import StartError
from local.emulator_queues import Messages, Place

if TYPE_CHECKING:
    from collections.abc import Callable

    Queue = dict[str, Any]
    Action = Callable[[dict[str, Any], str], dict[str, Any]]

MADE_FOR = "1.4.21"
_SELDOM_SECONDS = 60.0
_PATCHED = {
    "sqs": (
        "_HANDLERS",
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
    ),
    "kinesis": ("_expire_records", "_expire_iterators", *USED),
    "dynamodb": ("_update_counts",),
    "eventbridge": ("start_scheduler",),
    "scheduler": ("start_scheduler",),
}


def apply() -> None:
    """Patch the emulator in this process.

    Raises
    ------
    StartError
        When a name that is replaced is not there.
    """
    modules: dict[str, Any] = {
        name: importlib.import_module(f"ministack.services.{name}") for name in _PATCHED
    }
    missing = [
        f"{name}.{each}"
        for name, module in modules.items()
        for each in _PATCHED[name]
        if not hasattr(module, each)
    ]
    if missing:
        raise StartError(
            f"ministack {version('ministack')} cannot be patched: {', '.join(missing)} is missing; "
            f"install ministack {MADE_FOR} ('make setup'), or adapt {__name__} to the other version"
        )
    _use_message_stores(modules["sqs"])
    _expire_seldom(modules["kinesis"])
    _count_seldom(modules["dynamodb"])
    Hold(modules["kinesis"]).install()
    # The two look each second for what is to be run; the runtime itself runs a stack's schedules.
    for name in ("eventbridge", "scheduler"):
        modules[name].start_scheduler = _start_nothing


def _start_nothing() -> None:
    """Stand for what starts a thread that nothing here needs."""


def _use_message_stores(sqs: Any) -> None:
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


class _QueuePatches:
    """Functions that stand for those of the emulator's SQS module.

    A queue that some other part of the emulator made, or that was read from disk, has a list. The
    first of these functions that sees it replaces the list.
    """

    def __init__(self, sqs: Any) -> None:
        self._sqs = sqs
        self._before = {name: getattr(sqs, name) for name in _PATCHED["sqs"]}

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


def _expire_seldom(kinesis: Any) -> None:
    """Look for expired stream records and shard iterators once a minute.

    At each call the emulator looks through the whole stream, and through the iterators of the last
    five minutes, of which each GetRecords makes one. No record expires within the hours that a
    local run lasts, and GetRecords looks itself whether its iterator has expired.
    """
    kinesis._expire_records = _Seldom(kinesis._expire_records, lambda stream: stream["StreamARN"])
    kinesis._expire_iterators = _Seldom(kinesis._expire_iterators)


def _count_seldom(dynamodb: Any) -> None:
    """Count the items of a table once a minute (AWS does it every six hours), not at each write.

    DynamoDB's API reference, TableDescription: "DynamoDB updates this value approximately every six
    hours."
    """
    dynamodb._update_counts = _Seldom(dynamodb._update_counts, lambda table: table["TableArn"])


class _Seldom:
    """Calls a function once a minute for each key, at the first call of that minute."""

    def __init__(
        self, function: Callable[..., None], key: Callable[..., object] = lambda: None
    ) -> None:
        self._function = function
        self._key = key
        self._called: dict[object, float] = {}

    def __call__(self, *arguments: Any) -> None:
        key, now = self._key(*arguments), time.monotonic()
        if now - self._called.get(key, -_SELDOM_SECONDS) >= _SELDOM_SECONDS:
            self._called[key] = now
            self._function(*arguments)
