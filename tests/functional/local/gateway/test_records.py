"""Gathering PutRecord calls: every sender gets the answer for its own record."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from local.gateway.errors import GatewayError
from local.gateway.kinesis_gather import MAX_RECORD_BYTES, RecordGatherer
from local.gateway.replies import BackendAnswer
from tests.functional.local.gateway.fakes import FakeKinesis, aws_error


def put_all(
    stream: Any, records: list[bytes], *, window_ms: float = 3.0, **extra: Any
) -> list[BackendAnswer]:
    async def scenario() -> list[BackendAnswer]:
        with ThreadPoolExecutor(8) as executor:
            gatherer = RecordGatherer(stream, executor, window_ms)
            calls = [
                gatherer.put({"StreamName": "s", "PartitionKey": "k", "Data": data, **extra})
                for data in records
            ]
            return await asyncio.gather(*calls)

    return asyncio.run(scenario())


def numbers(count: int) -> list[bytes]:
    return [str(number).encode() for number in range(count)]


def body(answer: BackendAnswer) -> Any:
    return json.loads(answer.body)


def test_each_sender_gets_its_own_answer() -> None:
    stream = FakeKinesis(delay=0.01)
    records = numbers(1200)
    answers = put_all(stream, records)
    assert [body(each)["SequenceNumber"] for each in answers] == [f"n{data!r}" for data in records]
    assert sorted(stream.data) == sorted(records)
    assert all(len(call) <= 500 for call in stream.calls)
    assert len(stream.calls) < 20


def test_throttled_records_of_a_call_fail_alone() -> None:
    """Documented: PutRecords answers 200 with an error code for each record that failed."""

    def fails(data: bytes) -> Exception | None:
        slow = int(data) % 3 == 0
        return aws_error("ProvisionedThroughputExceededException") if slow else None

    answers = put_all(FakeKinesis(fails), numbers(90))
    for number, answer in enumerate(answers):
        if number % 3 == 0:
            assert answer.status == 400
            assert body(answer)["__type"] == "ProvisionedThroughputExceededException"
        else:
            assert answer.status == 200


def test_internal_failure_of_a_record_is_500() -> None:
    class Failing(FakeKinesis):
        def put_records(self, **call: Any) -> dict[str, Any]:
            entry = {"ErrorCode": "InternalFailure", "ErrorMessage": "Internal service failure."}
            return {"FailedRecordCount": 1, "Records": [entry] * len(call["Records"])}

    assert {answer.status for answer in put_all(Failing(), numbers(2))} == {500}


def test_record_that_spoils_a_call_fails_alone() -> None:
    """A validation error fails PutRecords as a whole; PutRecord would fail one sender."""
    bad = b"3"
    stream = FakeKinesis(lambda data: aws_error("ValidationException") if data == bad else None)
    answers = put_all(stream, numbers(10))
    assert [answer.status for answer in answers] == [200] * 3 + [400] + [200] * 6
    assert sorted(data for call in stream.calls if len(call) == 1 for data in [call[0]["Data"]])


def test_error_of_the_whole_call_goes_to_every_sender() -> None:
    stream = FakeKinesis(lambda _: aws_error("ResourceNotFoundException", message="no stream"))
    answers = put_all(stream, numbers(10))
    assert {answer.status for answer in answers} == {400}
    assert {body(answer)["message"] for answer in answers} == {"no stream"}


def test_no_answer_goes_to_every_sender() -> None:
    stream = FakeKinesis(lambda _: EndpointConnectionError(endpoint_url="x"))
    with pytest.raises(GatewayError, match="INTEGRATION_FAILURE"):
        put_all(stream, numbers(2))


@pytest.mark.parametrize(
    ("data", "extra"),
    [
        (b"x" * (MAX_RECORD_BYTES + 1), {}),
        (b"x" * MAX_RECORD_BYTES, {}),
        (b"x", {"PartitionKey": ""}),
        (b"x", {"PartitionKey": "k" * 257}),
        (b"x", {"SequenceNumberForOrdering": "1"}),
    ],
)
def test_record_that_could_spoil_a_call_goes_on_its_own(data: bytes, extra: Any) -> None:
    stream = FakeKinesis()
    put_all(stream, [data, data], **extra)
    assert [len(call) for call in stream.calls] == [1, 1]
    assert all("StreamName" in call[0] for call in stream.calls)


def test_largest_records_fill_a_call_to_five_megabytes() -> None:
    stream = FakeKinesis(delay=0.01)
    large = b"x" * (MAX_RECORD_BYTES - 1)
    put_all(stream, [large] * 12)
    assert sum(len(call) for call in stream.calls) == 12
    assert max(len(call) for call in stream.calls) == 5


def test_single_record_is_put_alone_and_at_once() -> None:
    stream = FakeKinesis()
    put_all(stream, [b"x"], window_ms=10_000)
    assert stream.calls == [[{"StreamName": "s", "PartitionKey": "k", "Data": b"x"}]]


def test_window_of_zero_gathers_nothing() -> None:
    stream = FakeKinesis()
    put_all(stream, numbers(5), window_ms=0)
    assert [len(call) for call in stream.calls] == [1] * 5


def test_sender_that_hangs_up_spoils_nothing() -> None:
    stream = FakeKinesis(delay=0.05)

    async def scenario() -> list[BackendAnswer | BaseException]:
        with ThreadPoolExecutor(8) as executor:
            gatherer = RecordGatherer(stream, executor, 3.0)
            tasks = [
                asyncio.ensure_future(
                    gatherer.put({"StreamName": "s", "PartitionKey": "k", "Data": data})
                )
                for data in numbers(10)
            ]
            await asyncio.sleep(0.01)
            tasks[4].cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(scenario())
    assert isinstance(results[4], asyncio.CancelledError)
    assert sum(isinstance(result, BackendAnswer) for result in results) == 9
    assert len(stream.data) == 10


def test_under_load_calls_are_a_window_apart() -> None:
    stream = FakeKinesis()

    async def scenario() -> None:
        with ThreadPoolExecutor(8) as executor:
            gatherer = RecordGatherer(stream, executor, 500.0)

            def put(data: bytes) -> asyncio.Future[BackendAnswer]:
                return asyncio.ensure_future(
                    gatherer.put({"StreamName": "s", "PartitionKey": "k", "Data": data})
                )

            await asyncio.gather(put(b"1"), put(b"2"))
            third = put(b"3")
            await asyncio.sleep(0.02)
            await asyncio.gather(third, put(b"4"))

    asyncio.run(scenario())
    assert [[record["Data"] for record in call] for call in stream.calls] == [
        [b"1", b"2"],
        [b"3", b"4"],
    ]


def test_a_lone_sender_never_waits_for_others() -> None:
    stream = FakeKinesis()

    async def scenario() -> None:
        with ThreadPoolExecutor(8) as executor:
            gatherer = RecordGatherer(stream, executor, 3_600_000)
            for data in numbers(3):
                await gatherer.put({"StreamName": "s", "PartitionKey": "k", "Data": data})

    asyncio.run(scenario())
    assert [len(call) for call in stream.calls] == [1, 1, 1]
