"""What SQS refuses as it says it on the wire: the message at fault alone is rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.aws.account import Account
from pipeline.aws.clients import Sqs
from pipeline.aws.connections import Connections
from pipeline.aws.wire import RawResponse
from pipeline.event.events import Event, Outcome
from pipeline.event.outcomes import Reason
from pipeline.fan_out.delivery import SqsDelivery
from pipeline.runtime.deadline import Deadline
from tests.support.bench import generic, record, tally

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.bench import Bench

CORAL = b'{"__type":"com.amazon.coral.service#%s","message":"m"}'
QUERY = "x-amzn-query-error"
VALUE = CORAL % b"InvalidParameterValueException"
REFUSALS = [
    RawResponse(400, VALUE, {QUERY: "InvalidParameterValue;Sender"}),
    RawResponse(400, VALUE),
    RawResponse(400, b'{"__type":"com.amazonaws.sqs#InvalidMessageContents"}'),
    RawResponse(400, b'{"__type":"InvalidMessageContents:http://x/"}'),
    RawResponse(400, b"{}", {"x-amzn-errortype": "InvalidMessageContents"}),
    RawResponse(400, b"", {QUERY: "InvalidMessageContents;Sender"}),
    RawResponse(
        400,
        b"<ErrorResponse><Error><Type>Sender</Type><Code>InvalidParameterValue</Code></Error>"
        b"</ErrorResponse>",
    ),
]
THROTTLES = [
    RawResponse(400, CORAL % b"ThrottledException"),
    RawResponse(400, b'{"__type":"com.amazonaws.sqs#RequestThrottled"}', {QUERY: "x"}),
    RawResponse(400, b'{"__type":"KmsThrottled"}', {QUERY: "KMS.ThrottlingException;Sender"}),
    RawResponse(403, b"{}", {"x-amzn-errortype": "Throttling"}),
    RawResponse(429, b""),
]


class Wire:
    """SQS behind the lean client's connections."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refusal: RawResponse | None = None
        self.throttles: list[RawResponse] = []
        self.taken: list[int] = []
        monkeypatch.setattr(Connections, "send_each", lambda _, requests: self.answer(requests))

    def answer(self, requests: Iterable[bytes]) -> list[RawResponse]:
        return [self.one(orjson.loads(one.partition(b"\r\n\r\n")[2])) for one in requests]

    def one(self, call: Any) -> RawResponse:
        if self.throttles:
            return self.throttles.pop()
        numbers = [orjson.loads(one["MessageBody"])["details"]["n"] for one in call["Entries"]]
        if self.refusal is not None and 3 in numbers:
            return self.refusal
        self.taken += numbers
        entries = [{"Id": one["Id"]} for one in call["Entries"]]
        return RawResponse(200, orjson.dumps({"Successful": entries, "Failed": []}))


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire(monkeypatch)


def deliver(bench: Bench) -> tuple[list[Event], list[Outcome]]:
    outcomes = bench.run(*(record(generic({"n": n})) for n in range(8))).outcomes
    events = [one.event for one in outcomes if isinstance(one.event, Event)]
    urls = {event.queue: "http://127.0.0.1:9/queue" for event in events}
    sqs = Sqs(Account("us-west-2", "key", "secret"))
    deadline = Deadline(lambda: 60.0, sleep=lambda _: None)
    return SqsDelivery(sqs, urls).deliver(events, deadline)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_call_that_is_refused_for_one_message_is_made_without_it(
    bench: Bench, wire: Wire, refusal: RawResponse
) -> None:
    wire.refusal = refusal
    taken, outcomes = deliver(bench)
    assert (len(taken), sorted(wire.taken)) == (7, [0, 1, 2, 4, 5, 6, 7])
    (outcome,) = outcomes
    assert outcome.reason is Reason.PROCESSING_ERROR


@pytest.mark.parametrize("throttle", THROTTLES)
def test_a_throttled_call_is_made_again_in_every_spelling(
    bench: Bench, wire: Wire, throttle: RawResponse
) -> None:
    wire.throttles = [throttle] * 3
    taken, outcomes = deliver(bench)
    assert (len(taken), outcomes, sorted(wire.taken)) == (8, [], list(range(8)))


@pytest.mark.parametrize("code", ["KMS.ThrottlingException", "KmsThrottled", "a#RequestThrottled"])
def test_one_message_that_is_throttled_is_sent_again_though_it_is_the_senders_fault(
    bench: Bench, code: str
) -> None:
    seen: list[str] = []

    def first_time(body: str) -> tuple[str, bool] | None:
        seen.append(body)
        return (code, True) if len(seen) == 1 else None

    bench.sqs.fail_entry = first_time
    assert tally(bench.run(record(generic({"n": 1}))).outcomes) == {"delivered": 1}
    assert len(seen) == 2
