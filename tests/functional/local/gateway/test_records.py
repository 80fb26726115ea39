"""One PutRecord a request, as the deployed API does: every sender gets its own record's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.functional.local.gateway.fakes import FakeKinesis, aws_error
from tests.functional.local.gateway.support import Answer, ApiTemplate, Sender, kinesis, run

if TYPE_CHECKING:
    from local.gateway.replies import BackendAnswer


def api() -> ApiTemplate:
    template = ApiTemplate(binary=True)
    template.method("/x", "POST", kinesis())
    return template


def send_all(stream: FakeKinesis, bodies: list[bytes]) -> list[Answer]:
    async def scenario(sender: Sender) -> list[Answer]:
        return await asyncio.gather(*(sender.send("/x", body) for body in bodies))

    return run(api(), scenario, client=stream)


def numbers(count: int) -> list[bytes]:
    return [str(number).encode() for number in range(count)]


def test_each_sender_gets_the_answer_for_its_own_record() -> None:
    stream, bodies = FakeKinesis(), numbers(200)
    answers = send_all(stream, bodies)
    assert [each.json["SequenceNumber"] for each in answers] == [f"n{body!r}" for body in bodies]


def test_each_request_is_one_put_record() -> None:
    """The deployed integration's action is PutRecord: nothing gathers what comes together."""
    stream, bodies = FakeKinesis(), numbers(50)
    send_all(stream, bodies)
    assert [len(call) for call in stream.calls] == [1] * 50
    assert sorted(stream.data) == sorted(bodies)
    assert all(call[0].keys() == {"StreamName", "PartitionKey", "Data"} for call in stream.calls)


def test_throttled_records_fail_alone() -> None:
    def fails(data: bytes) -> BackendAnswer | None:
        slow = int(data) % 3 == 0
        return aws_error("ProvisionedThroughputExceededException") if slow else None

    for number, answer in enumerate(send_all(FakeKinesis(fails), numbers(90))):
        if number % 3 == 0:
            assert answer.json["__type"] == "ProvisionedThroughputExceededException"
        else:
            assert answer.json["SequenceNumber"] == f"n{str(number).encode()!r}"


class HeldKinesis(FakeKinesis):
    """Holds every call until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.came, self.go_on = asyncio.Semaphore(0), asyncio.Event()

    async def put_record(self, given: Mapping[str, Any], /) -> BackendAnswer:
        self.came.release()
        await self.go_on.wait()
        return await super().put_record(given)


def test_sender_that_hangs_up_spoils_nothing() -> None:
    """Its record is on the stream all the same, as with API Gateway."""
    stream = HeldKinesis()

    async def scenario(sender: Sender) -> list[Answer | BaseException]:
        tasks = [asyncio.ensure_future(sender.send("/x", data)) for data in numbers(5)]
        async with asyncio.timeout(60):
            for _ in tasks:
                await stream.came.acquire()
        tasks[2].cancel()
        await asyncio.wait([tasks[2]])
        stream.go_on.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = run(api(), scenario, client=stream)
    assert isinstance(results[2], asyncio.CancelledError | aiohttp.ClientError)
    assert [each.status for each in results if isinstance(each, Answer)] == [200] * 4
    assert sorted(stream.data) == numbers(5)
