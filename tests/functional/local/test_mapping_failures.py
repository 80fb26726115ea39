"""What the event source mapping gives up, and where it goes."""

from __future__ import annotations

import json
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.function_host import FunctionHost, FunctionUnavailableError
from local.invocation import Invocation
from local.mapping.event_source import MappingFailedError
from tests.functional.local.support import (
    ERROR,
    REGION,
    Handler,
    function_config,
    mapping_of,
    mapping_settings,
    new_bucket,
    objects_in,
    put,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.emulator import Emulator


POISON = """
        import base64, os
        def handler(event, context):
            for record in event["Records"]:
                if base64.b64decode(record["kinesis"]["data"]) == b"key-250":
                    os._exit(9)
"""


def test_a_poison_record_ends_alone_and_the_shard_goes_on(
    shared_emulator: Emulator, tmp_path: Path, record_property: Callable[[str, Any], None]
) -> None:
    """One of 500 kills the handler's process; 499 are settled. Prints the number of invocations."""
    bucket = new_bucket(shared_emulator)
    settings = mapping_settings(
        shared_emulator,
        batch_size=500,
        window=0.5,
        retries=2,
        bisect=True,
        partial_responses=True,
        destination=f"arn:aws:s3:::{bucket}",
    )
    keys = [f"key-{number}" for number in range(500)]
    numbers = put(shared_emulator, settings, keys)
    host = FunctionHost(function_config(tmp_path, "handlers.handler", POISON, Timeout=10))
    try:
        with mapping_of(shared_emulator, settings, host.invoke, tmp_path / "c") as mapping:
            assert mapping.wait_until_idle(60)
            put(shared_emulator, settings, ["after"])
            assert mapping.wait_until_idle(60)
            counters = mapping.progress().counters
    finally:
        host.close()

    (key, record) = next(iter(objects_in(shared_emulator, bucket).items()))
    assert key.startswith(f"aws/lambda/{settings.uuid}/shardId-000000000000/")
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["KinesisBatchInfo"]["startSequenceNumber"] == numbers[250]
    (kept,) = json.loads(record["payload"])["Records"]
    assert kept["kinesis"]["partitionKey"] == "key-250"
    assert counters["records_settled"] == 500
    assert counters["records_failed"] == 1
    assert counters["split"] <= 9
    # Two halves a split, two retries, one for the batch itself and one for what came after.
    assert counters["invocations"] == 2 * counters["split"] + 4
    record_property("invocations", counters["invocations"] - 1)
    sys.stdout.write(f"{counters['invocations'] - 1} invocations for a batch of 500\n")


def test_expired_records_go_to_the_destination_and_the_rest_is_processed(
    shared_emulator: Emulator, tmp_path: Path
) -> None:
    bucket = new_bucket(shared_emulator)
    settings = mapping_settings(
        shared_emulator, window=0.3, record_age=60, destination=f"arn:aws:s3:::{bucket}"
    )
    late = 0.0
    put(shared_emulator, settings, ["old"])
    handler = Handler()
    with mapping_of(
        shared_emulator, settings, handler, tmp_path, clock=lambda: time.time() + late
    ) as mapping:
        assert mapping.wait_until_idle(60)
        late = 120.0
        put(shared_emulator, settings, ["expired"])
        assert mapping.wait_until_idle(60)
        late = 0.0
        put(shared_emulator, settings, ["new"])
        assert mapping.wait_until_idle(60)

    assert handler.seen == ["old", "new"]
    (record,) = objects_in(shared_emulator, bucket).values()
    assert record["requestContext"]["condition"] == "RecordAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert "responseContext" not in record


def test_a_queue_gets_the_metadata_alone(shared_emulator: Emulator, tmp_path: Path) -> None:
    sqs = shared_emulator.client("sqs")
    name = f"queue-{uuid.uuid4()}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:000000000000:{name}"
    settings = mapping_settings(shared_emulator, window=0.2, retries=0, destination=arn)
    put(shared_emulator, settings, ["a", "b"])

    handler = Handler(lambda _: ERROR)
    with mapping_of(shared_emulator, settings, handler, tmp_path) as mapping:
        assert mapping.wait_until_idle(60)

    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    record = json.loads(message["Body"])
    assert record["KinesisBatchInfo"]["batchSize"] == 2
    assert record["requestContext"]["requestId"] == handler.requests[0]
    assert "payload" not in record


def test_the_shard_waits_for_a_destination_that_fails(
    shared_emulator: Emulator, tmp_path: Path
) -> None:
    """AWS drops the record then; here nothing is passed of which nothing tells."""
    bucket = f"later-{uuid.uuid4()}"
    settings = mapping_settings(shared_emulator, retries=0, destination=f"arn:aws:s3:::{bucket}")
    put(shared_emulator, settings, ["a"])

    refused = threading.Semaphore(0)

    def clients(service: str) -> Any:
        made = shared_emulator.client(service)
        made.meta.events.register("after-call.s3.PutObject", lambda **_: refused.release())
        return made

    with mapping_of(
        shared_emulator, settings, Handler(lambda _: ERROR), tmp_path, clients=clients
    ) as mapping:
        for _ in range(2):
            assert refused.acquire(timeout=600)
        assert mapping.progress().in_flight == 1
        shared_emulator.client("s3").create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        assert mapping.wait_until_idle(60)

    assert len(objects_in(shared_emulator, bucket)) == 1


def test_a_record_that_is_tried_in_vain_is_named_with_its_tries_until_it_is_settled(
    shared_emulator: Emulator, tmp_path: Path
) -> None:
    settings = mapping_settings(shared_emulator, retries=-1)
    put(shared_emulator, settings, ["a"])
    fails, tried = threading.Event(), threading.Semaphore(0)
    fails.set()
    said = Invocation({"errorType": "Odd", "errorMessage": "no queue"}, "Unhandled")

    def answer(_: list[str]) -> Invocation:
        tried.release()
        return said if fails.is_set() else Invocation({"batchItemFailures": []})

    with mapping_of(shared_emulator, settings, Handler(answer), tmp_path) as mapping:
        for _ in range(3):
            assert tried.acquire(timeout=600)
        (held,) = mapping.progress().held
        assert (held.error, held.shard) == ("Odd: no queue", "shardId-000000000000")
        assert held.tries >= 2
        fails.clear()
        assert mapping.wait_until_idle(60)
        assert mapping.progress().held == ()


def test_a_function_that_cannot_be_reached_uses_up_no_retry(
    shared_emulator: Emulator, tmp_path: Path
) -> None:
    settings = mapping_settings(shared_emulator, retries=0)
    put(shared_emulator, settings, ["a"])
    refusals = 5

    def answer(_: list[str]) -> Invocation:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            raise FunctionUnavailableError("busy")
        return Invocation(None)

    with mapping_of(shared_emulator, settings, Handler(answer), tmp_path) as mapping:
        assert mapping.wait_until_idle(60)
        counters = mapping.progress().counters

    assert counters["invocations"] == counters["records_settled"] == 1
    assert counters["retried"] == 5
    assert counters["records_failed"] == 0


def test_a_bug_of_the_mapping_is_not_silent(shared_emulator: Emulator, tmp_path: Path) -> None:
    settings = mapping_settings(shared_emulator)
    put(shared_emulator, settings, ["a"])

    def invoke(event: Any, *, request_id: str | None = None) -> Invocation:
        raise ZeroDivisionError("a bug")

    with (
        mapping_of(shared_emulator, settings, invoke, tmp_path) as mapping,
        pytest.raises(MappingFailedError, match="a bug"),
    ):
        mapping.wait_until_idle(60)
