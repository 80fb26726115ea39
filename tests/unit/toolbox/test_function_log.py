"""Why a batch was given up, from what its function wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.archive.objects import Objects
from tests.support.fakes import client_error
from tests.support.replay import FakeArchive
from toolbox.dead_letters.function_log import (
    LocalFunctionLog,
    StackFunctionLog,
    cause_in,
    cause_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from botocore.exceptions import ClientError

REQUEST = "e4f4c4e8-4b0e-4c8b-9d5b-1f0d7b7c1a2b"
KEY = "aws/lambda/5c2e/shardId-000000000000/2026/11/26/2026-11-26T10.00.00-1"
AT = 1_795_687_200.0
#: The members that AWS documents (AWS Lambda Developer Guide, retaining discarded batch records).
RECORD = {
    "requestContext": {
        "requestId": REQUEST,
        "functionArn": "arn:aws:lambda:us-west-2:123456789012:function:fan-out:live",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 4,
    },
    "responseContext": {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    },
    "version": "1.0",
    "timestamp": "2026-11-26T10:00:00.000Z",
    "payload": "{}",
}
#: As Lambda's runtime client writes an exception where the log's format is JSON.
RAISED = {
    "timestamp": "2026-11-26T09:59:59Z",
    "log_level": "ERROR",
    "errorMessage": "an event without an outcome",
    "errorType": "UnaccountedError",
    "requestId": REQUEST,
    "stackTrace": ['  File "/var/task/fan_out.py", line 1, in handler\n'],
}
BATCH = {
    "level": "INFO",
    "message": "batch",
    "request_id": REQUEST,
    "unsettled": ["queue_unavailable: AccessDenied", "bucket_unavailable: no such bucket"],
}
REPORT = {
    "time": "2026-11-26T10:00:00.000Z",
    "type": "platform.report",
    "record": {
        "requestId": REQUEST,
        "metrics": {"durationMs": 60_000.0, "maxMemoryUsedMB": 128, "memorySizeMB": 128},
        "status": "timeout",
    },
}


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        ([REPORT, RAISED, BATCH], "UnaccountedError: an event without an outcome"),
        ([REPORT, BATCH], "queue_unavailable: AccessDenied; bucket_unavailable: no such bucket"),
        ([REPORT], "the call ended with timeout after 60 s"),
        ([{**REPORT, "record": {**REPORT["record"], "status": "success"}}], ""),  # type: ignore[dict-item]
        ([{"level": "ERROR", "message": "no room", "requestId": REQUEST}], "no room"),
        ([{**BATCH, "unsettled": []}], ""),
        ([], ""),
    ],
)
def test_the_line_that_says_most_is_the_cause(lines: list[Any], cause: str) -> None:
    assert cause_in((orjson.dumps(line).decode() for line in lines), REQUEST) == cause


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (
            f"2026-11-26T10:00:00.000Z {REQUEST} Task timed out after 60.02 seconds\n",
            "Task timed out after 60.02 seconds",
        ),
        (
            f"[ERROR] Runtime.OutOfMemory: RequestId: {REQUEST} Error: Runtime exited: killed\n",
            "Runtime.OutOfMemory: Runtime exited: killed",
        ),
        (f"START RequestId: {REQUEST} Version: $LATEST\n", ""),
        (f'[1, 2, "{REQUEST}"]', ""),
    ],
)
def test_lines_of_text_are_read_too(line: str, cause: str) -> None:
    assert cause_in([line], REQUEST) == cause


def test_a_log_without_end_is_not_read_to_its_end() -> None:
    def lines() -> Iterator[str]:
        while True:
            yield "x"

    assert cause_in(lines(), REQUEST) == ""
    assert len(cause_in([orjson.dumps({**RAISED, "errorMessage": "x" * 9_000}).decode()], "")) < 400


def archive(record: Any) -> Objects:
    s3 = FakeArchive()
    s3.objects[KEY] = orjson.dumps(record)
    return Objects(s3, "archive")


def test_the_file_of_the_function_that_gave_up_is_read(tmp_path: Path) -> None:
    other = orjson.dumps({**RAISED, "requestId": "another", "errorType": "OtherError"})
    (tmp_path / "fan-out.log").write_bytes(other + b"\n" + orjson.dumps(RAISED) + b"\n")
    (tmp_path / "archiver.log").write_bytes(other.replace(b"another", REQUEST.encode()) + b"\n")
    log = LocalFunctionLog(tmp_path)
    assert cause_of(archive(RECORD), KEY, log).startswith("UnaccountedError")
    assert cause_of(archive(RECORD), KEY, LocalFunctionLog(tmp_path / "none")) == ""


class FakeLogs:
    """CloudWatch Logs; it refuses what its API refuses."""

    def __init__(self, *messages: bytes, error: ClientError | None = None) -> None:
        self.messages = messages
        self.error = error
        self.asked: list[dict[str, Any]] = []

    def get_paginator(self, operation: str, /) -> FakeLogs:
        assert operation == "filter_log_events"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        self.asked.append(request)
        if self.error:
            raise self.error
        for message in self.messages:
            yield {"events": [{"message": message.decode()}]}


def test_the_log_group_is_searched_around_the_time_of_the_record() -> None:
    logs, lacks = FakeLogs(orjson.dumps(RAISED)), list[str]()
    log = StackFunctionLog(lambda: logs, lacks.append)
    assert cause_of(archive(RECORD), KEY, log).startswith("UnaccountedError")
    (asked,) = logs.asked
    assert asked["logGroupName"] == "/aws/lambda/fan-out"
    assert asked["filterPattern"] == f'"{REQUEST}"'
    assert asked["startTime"] < AT * 1000 < asked["endTime"]
    assert lacks == []


def test_a_log_group_that_cannot_be_read_is_said() -> None:
    lacks: list[str] = []
    refused = FakeLogs(error=client_error("AccessDeniedException", "FilterLogEvents"))
    assert cause_of(archive(RECORD), KEY, StackFunctionLog(lambda: refused, lacks.append)) == ""
    assert "the log of fan-out cannot be read" in lacks[0]


@pytest.mark.parametrize(
    "context",
    [
        {"requestId": '" || true', "functionArn": "arn:aws:lambda:a:1:function:fan-out"},
        {"requestId": REQUEST, "functionArn": "arn:aws:lambda:a:1:function:../../etc/passwd"},
        {"requestId": "", "functionArn": ""},
        None,
    ],
)
def test_a_record_that_names_no_call_is_not_looked_up(context: Any) -> None:
    logs = FakeLogs()
    log = StackFunctionLog(lambda: logs, lambda _: None)
    assert cause_of(archive({**RECORD, "requestContext": context}), KEY, log) == ""
    assert cause_of(archive({**RECORD, "timestamp": "soon"}), KEY, log) == ""
    assert cause_of(archive([1]), KEY, log) == ""
    assert logs.asked == []
