"""Integration requests and responses: services, mocks, Lambda proxies."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from infra.application.mapping_templates import accepted_response, refused_response
from tests.functional.local.gateway.fakes import FakeKinesis, aws_error
from tests.functional.local.gateway.support import (
    PUT,
    Answer,
    ApiTemplate,
    kinesis,
    mock,
    send,
)

if TYPE_CHECKING:
    from local.gateway.replies import BackendAnswer

STATUSES = [{"StatusCode": status} for status in ("200", "413", "503")]


def deployed_responses() -> list[dict[str, Any]]:
    common = {"ContentHandling": "CONVERT_TO_TEXT"}
    return [
        {
            "StatusCode": "200",
            "SelectionPattern": "200",
            "ResponseTemplates": {"application/json": accepted_response()},
            **common,
        },
        {
            "StatusCode": "503",
            "ResponseTemplates": {"application/json": refused_response()},
            **common,
        },
    ]


def answer_for(error: BackendAnswer | None, **changes: Any) -> Answer:
    api = ApiTemplate(binary=True)
    integration = kinesis(IntegrationResponses=deployed_responses(), **changes)
    api.method("/x", "POST", integration, MethodResponses=STATUSES)
    return send(api, body=b"x", client=FakeKinesis(lambda _: error))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, 200),
        (aws_error("ProvisionedThroughputExceededException"), 503),
        (aws_error("ValidationException", message="1 validation error detected"), 413),
        (aws_error("ResourceNotFoundException"), 503),
        (aws_error("InternalFailure", 500), 503),
        (aws_error("ServiceUnavailable", 503), 503),
    ],
)
def test_errors_of_kinesis_reach_the_sender_as_deployed(
    error: BackendAnswer | None, status: int
) -> None:
    """Documented: the pattern is matched with the backend's HTTP status; throttling is a 400."""
    assert answer_for(error).status == status


def test_slow_backend_is_504() -> None:
    """Documented: the integration's timeout is 504 `Endpoint request timed out`."""
    api = ApiTemplate(binary=True)
    api.method("/x", "POST", kinesis(TimeoutInMillis=50))
    answer = send(api, body=b"x", client=FakeKinesis(delay=0.5))
    assert (answer.status, answer.json) == (504, {"message": "Endpoint request timed out"})


def test_default_response_takes_the_errors_too() -> None:
    """Documented: without a pattern for them, the errors of the backend are answered as 200."""
    api = ApiTemplate(binary=True)
    api.method("/x", "POST", kinesis())
    stream = FakeKinesis(lambda _: aws_error("ValidationException", message="too big"))
    answer = send(api, body=b"x", client=stream)
    assert answer.status == 200
    assert answer.json == {"__type": "ValidationException", "message": "too big"}


@pytest.mark.parametrize(
    ("pattern", "status"), [("2\\d{2}", 200), ("200", 200), ("20", 500), ("", 200), (".*", 200)]
)
def test_pattern_matches_the_whole_status_and_none_is_500(pattern: str, status: int) -> None:
    """Documented: with no matching pattern and no default it is a 500."""
    responses = deployed_responses()[:1]
    responses[0]["SelectionPattern"] = pattern
    api = ApiTemplate(binary=True)
    api.method("/x", "POST", kinesis(IntegrationResponses=responses))
    assert send(api, body=b"x").status == status


def test_status_without_a_method_response_is_500() -> None:
    """Documented: every status of an integration response needs a method response."""
    api = ApiTemplate()
    api.method("/x", "POST", mock(), MethodResponses=[{"StatusCode": "201"}])
    assert send(api).status == 500


def test_answer_of_put_record() -> None:
    """Recorded: PutRecord answers `SequenceNumber` and `ShardId`, no EncryptionType."""
    api = ApiTemplate(binary=True)
    api.method("/x", "POST", kinesis())
    assert send(api, body=b"x").json.keys() == {"SequenceNumber", "ShardId"}


@pytest.mark.parametrize(
    ("mapped", "sent", "taken"),
    [
        (True, "text/plain", True),
        (False, "text/plain", False),
        (False, "application/json", True),
        (False, None, True),
    ],
)
def test_content_type_of_the_sender_reaches_the_service(
    mapped: bool, sent: str | None, taken: bool
) -> None:
    """Recorded: without a mapping the sender's Content-Type is forwarded; JSON works by luck."""
    api, stream = ApiTemplate(binary=True), FakeKinesis()
    integration = kinesis(RequestTemplates={"application/json": PUT, "text/plain": PUT})
    if not mapped:
        del integration["RequestParameters"]
    api.method("/x", "POST", integration)
    send(api, body=b"x", headers={"Content-Type": sent} if sent else {}, client=stream)
    assert bool(stream.calls) is taken


@pytest.mark.parametrize(
    "template",
    ["not json", "[]", '{"StreamName":"s","PartitionKey":"k","Data":"no base64!"}'],
)
def test_broken_call_is_a_serialization_error(template: str) -> None:
    api = ApiTemplate(binary=True)
    api.method("/x", "POST", kinesis(RequestTemplates={"application/json": template}))
    assert send(api, body=b"x").json["__type"] == "SerializationException"


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ('{"StreamName":"s","PartitionKey":"","Data":""}', "ValidationException"),
        ('{"StreamName":"s","PartitionKey":7,"Data":"YQ=="}', "SerializationException"),
    ],
)
def test_call_that_is_no_put_record_is_what_kinesis_calls_it(call: str, code: str) -> None:
    """Kinesis API reference, PutRecord: a partition key is there, and has a character at least."""
    api = ApiTemplate(binary=True)
    api.method("/x", "POST", kinesis(RequestTemplates={"application/json": call}))
    assert send(api, body=b"x", client=FakeKinesis()).json["__type"] == code


def test_failing_template_is_500_and_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    api = ApiTemplate()
    api.method("/x", "POST", mock(request='$util.base64Decode($input.body){"statusCode": 200}'))
    with caplog.at_level(logging.ERROR, "local.gateway"):
        assert send(api, body=b"secret").status == 500
    assert "Rootx0POST" in caplog.text
    assert "$util.base64Decode: Incorrect padding" in caplog.text
    assert "secret" not in caplog.text


def test_what_put_record_does_not_know_is_left_aside() -> None:
    """A JSON service of AWS ignores members that it does not know, and takes null for absent."""
    put = '{"StreamName":"s","PartitionKey":"k","ExplicitHashKey":null,"More":1,"Data":"YWI="}'
    api, stream = ApiTemplate(), FakeKinesis()
    api.method("/x", "POST", kinesis(RequestTemplates={"application/json": put}))
    assert send(api, body=b"x", client=stream).status == 200
    assert stream.calls == [[{"StreamName": "s", "PartitionKey": "k", "Data": b"ab"}]]
