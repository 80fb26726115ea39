"""What is changed in the emulator, in this process: calls that would walk through all it holds."""

from __future__ import annotations

import asyncio
import importlib
import json
import threading
from typing import Any

import pytest

from local import emulator_patches
from local.emulator_http import StartError

TABLE = {
    "TableName": "items",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def module(name: str) -> Any:
    return importlib.import_module(f"ministack.services.{name}")


async def call(service: str, target: str, **data: Any) -> None:
    headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.1"}
    answer = await module(service).handle_request(
        "POST", "/", headers, json.dumps(data).encode(), {}
    )
    assert answer[0] == 200, answer


class Counted:
    """Stands for a function that walks through all there is."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, *_: Any) -> None:
        self.calls += 1


def count(monkeypatch: pytest.MonkeyPatch, service: str, name: str) -> Counted:
    counted = Counted()
    monkeypatch.setattr(module(service), name, counted)
    return counted


def test_a_stream_is_gone_through_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so are the shard iterators, of which each GetRecords makes one."""
    records = count(monkeypatch, "kinesis", "_expire_records")
    iterators = count(monkeypatch, "kinesis", "_expire_iterators")
    emulator_patches.apply()

    async def put() -> None:
        await call("kinesis", "Kinesis_20131202.CreateStream", StreamName="s", ShardCount=1)
        for _ in range(100):
            await call(
                "kinesis",
                "Kinesis_20131202.PutRecord",
                StreamName="s",
                Data="eA==",
                PartitionKey="k",
            )

    try:
        asyncio.run(put())
    finally:
        module("kinesis").reset()
    assert (records.calls, iterators.calls) == (1, 1)


def test_a_table_is_counted_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = count(monkeypatch, "dynamodb", "_update_counts")
    emulator_patches.apply()

    async def put() -> None:
        await call("dynamodb", "DynamoDB_20120810.CreateTable", **TABLE)
        for number in range(100):
            item = {"pk": {"S": str(number)}}
            await call("dynamodb", "DynamoDB_20120810.PutItem", TableName="items", Item=item)

    try:
        asyncio.run(put())
    finally:
        module("dynamodb").reset()
    assert counts.calls == 1


@pytest.mark.parametrize("name", ["eventbridge", "scheduler"])
def test_no_thread_waits_for_schedules_that_nobody_has(name: str) -> None:
    emulator_patches.apply()
    before = threading.active_count()
    module(name).start_scheduler()
    assert threading.active_count() == before


def test_an_emulator_that_cannot_be_patched_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(module("sqs"), "_collect_msgs")
    with pytest.raises(StartError, match=r"sqs\._collect_msgs is missing; install ministack 1\.4"):
        emulator_patches.apply()
