"""What is changed in the emulator: calls that take longer the more it holds, idle timers, losses.

The patches replace names of its modules, so they are made for one version of it. A version that
lacks one of these names does not start: to patch half of it would be worse than to know.
"""

from __future__ import annotations

import importlib
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from local import emulator_sqs
from local.emulator_hold import USED, Hold
from local.emulator_http import StartError
from local.emulator_shards import USED as USED_FOR_SHARDS
from local.emulator_shards import ClosedShards

if TYPE_CHECKING:
    from collections.abc import Callable

MADE_FOR = "1.4.21"
_SELDOM_SECONDS = 60.0
_PATCHED = {
    "sqs": emulator_sqs.USED,
    "kinesis": ("_expire_records", "_expire_iterators", *USED, *USED_FOR_SHARDS),
    "dynamodb": ("_update_counts",),
    "s3": ("_persist_object", "_buckets"),
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
    emulator_sqs.install(modules["sqs"])
    _expire_seldom(modules["kinesis"])
    _count_seldom(modules["dynamodb"])
    Hold(modules["kinesis"]).install()
    ClosedShards(modules["kinesis"]).install()
    _fail_unwritten(modules["s3"])
    # The two look each second for what is to be run; the runtime itself runs a stack's schedules.
    for name in ("eventbridge", "scheduler"):
        modules[name].start_scheduler = _start_nothing


def _start_nothing() -> None:
    """Stand for what starts a thread that nothing here needs."""


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


def _fail_unwritten(s3: Any) -> None:
    """Answer with an error where the disk did not take an object, as S3 does what it cannot keep.

    The emulator logs that, keeps the object in its memory, and answers that all is well.
    """
    persist = s3._persist_object
    written: dict[tuple[str, str], Any] = {}

    def persist_or_fail(bucket: str, key: str, stored: Any) -> None:
        persist(bucket, key, stored)
        if not isinstance(stored, dict) or stored["body"] is None:
            written[bucket, key] = stored
            return
        objects = s3._buckets[bucket]["objects"]
        objects.pop(key, None)
        if (bucket, key) in written:
            objects[key] = written[bucket, key]
        raise OSError(f"{bucket}/{key}: the disk did not take it")

    s3._persist_object = persist_or_fail


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
