"""The names of errors, held to botocore's own parsers, and which of them are worth another call."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.retries import standard

from pipeline.aws.account import Account
from pipeline.aws.clients import S3, DynamoDb, Kinesis, Sqs, Ssm
from pipeline.aws.connections import DEFAULT_CONFIG, ClientConfig, Connections
from pipeline.aws.errors import (
    client_error,
    error_name,
    is_throttle,
    is_throttled,
    may_pass,
    read_error,
)
from pipeline.aws.limits import PASSING_ERRORS, PASSING_STATUSES, THROTTLING_ERRORS
from pipeline.aws.wire import RawResponse, ResponseReader

ACCOUNT = Account("us-west-2", "AKID", "secret")
CORAL = "com.amazon.coral.service#"
Headers = dict[str, str]


@cache
def model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def botocores_code(service: str, answer: RawResponse, protocol: str = "") -> str:
    """What botocore makes of the same bytes."""
    parser: Any = create_parser(protocol or model(service).resolved_protocol)
    raw = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
    return str(parser.parse(raw, None)["Error"]["Code"])


def names_of_errors(service: str) -> Iterator[str]:
    """Every error of a service's model, as a shape and as the query protocol calls it."""
    for shape in model(service).error_shapes:
        yield shape.name
        yield str(shape.metadata.get("error", {}).get("code", shape.name))


def as_json(name: str, spelling: str) -> tuple[bytes, Headers]:
    """An answer's body and headers for the name of an error."""
    text = {
        "bare": name,
        "coral": CORAL + name,
        "model": "com.amazonaws.dynamodb.v20120810#" + name,
        "suffix": f"{name}:http://internal.test/coral/com.amazon.coral.validate/",
        "both": f"{CORAL}{name}:suffix",
    }[spelling]
    return json.dumps({"__type": text, "message": "m"}).encode(), {}


@pytest.mark.parametrize("spelling", ["bare", "coral", "model", "suffix", "both"])
@pytest.mark.parametrize("service", ["sqs", "dynamodb", "ssm", "kinesis"])
def test_every_error_of_a_services_model_has_botocores_name(service: str, spelling: str) -> None:
    for name in names_of_errors(service):
        body, headers = as_json(name, spelling)
        answer = RawResponse(400, body, headers)
        found = read_error("Operation", answer).response["Error"]
        assert found == {"Code": name, "Message": "m"}
        assert botocores_code(service, answer) == name


QUERY = "x-amzn-query-error"
TYPE = "x-amzn-errortype"


@pytest.mark.parametrize(
    ("status", "body", "headers", "code"),
    [
        (
            400,
            b'{"__type":"com.amazon.coral.service#InvalidParameterValueException","message":"m"}',
            {QUERY: "InvalidParameterValue;Sender"},
            "InvalidParameterValue",
        ),
        (
            400,
            b'{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}',
            {QUERY: "AWS.SimpleQueueService.NonExistentQueue;Sender"},
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
        (429, b"", {}, "429"),
        (400, b"{}", {}, "400"),
        (503, b"<html><body>busy</body></html>", {}, "503"),
        (503, b"", {}, "503"),
        (500, b" \n", {}, "500"),
        (400, b"no JSON: <", {}, "400"),
    ],
)
def test_an_answer_of_sqs_has_botocores_name(
    status: int, body: bytes, headers: Headers, code: str
) -> None:
    answer = RawResponse(status, body, headers)
    assert read_error("SendMessageBatch", answer).response["Error"]["Code"] == code
    assert botocores_code("sqs", answer) == code


@pytest.mark.parametrize(
    ("status", "body", "headers", "code"),
    [
        # A name that only a header has: botocore reads it for REST services alone.
        (400, b"{}", {TYPE: "ThrottlingException"}, "ThrottlingException"),
        (400, b"", {TYPE: "ThrottlingException:http://internal.test/"}, "ThrottlingException"),
        (400, b'{"message":"m"}', {TYPE: CORAL + "ThrottledException"}, "ThrottledException"),
        (429, b'{"message":"Too Many Requests"}', {TYPE: "LimitExceeded:x"}, "LimitExceeded"),
        (400, b'{"__type":null}', {TYPE: "Named"}, "Named"),
        (400, b'{"__type":7}', {}, "400"),
        (400, b'["__type"]', {}, "400"),
        (400, b'{"code":"a#RestName"}', {}, "RestName"),
        (400, b'{"__type":"InBody"}', {TYPE: "InHeader"}, "InBody"),
        (400, b'{"__type":"InBody"}', {QUERY: "no fault"}, "InBody"),
        (400, b'{"__type":"InBody"}', {QUERY: ";Sender"}, "InBody"),
        (
            400,
            b'<Error xmlns="http://s3.test/doc/"><Code> SlowDown\n</Code></Error>',
            {},
            "SlowDown",
        ),
        (400, b"<Error><Code>Cut off", {}, "400"),
        (400, b"<Response><Code>Elsewhere</Code></Response>", {}, "400"),
        (400, b"<Error><Code>Long</Code></Error>" + b" " * 70_000, {}, "400"),
    ],
)
def test_a_name_is_found_where_botocore_does_not_look(
    status: int, body: bytes, headers: Headers, code: str
) -> None:
    found = read_error("PutRecord", RawResponse(status, body, headers))
    assert found.response["Error"]["Code"] == code
    assert found.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert found.operation_name == "PutRecord"


S3_ERROR = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>%s</Code><Message>a &amp; b</Message>'
    b"<RequestId>R</RequestId><HostId>H</HostId></Error>"
)
QUERY_ERROR = (
    b'<?xml version="1.0"?><ErrorResponse xmlns="http://queue.test/doc/2012-11-05/">'
    b"<Error><Type>Sender</Type><Code>%s</Code><Message>a &amp; b</Message><Detail/></Error>"
    b"<RequestId>R</RequestId></ErrorResponse>"
)


@pytest.mark.parametrize("code", ["SlowDown", "AWS.SimpleQueueService.NonExistentQueue", "503"])
@pytest.mark.parametrize(
    ("protocol", "body"),
    [
        ("rest-xml", lambda code: S3_ERROR % code),
        ("query", lambda code: QUERY_ERROR % code),
        ("query", lambda code: b"  \n" + QUERY_ERROR.partition(b"?>")[2] % code),
    ],
)
def test_an_error_in_xml_has_botocores_name(
    protocol: str, body: Callable[[bytes], bytes], code: str
) -> None:
    answer = RawResponse(503, body(code.encode()))
    found = read_error("PutObject", answer).response["Error"]
    assert found == {"Code": code, "Message": "a & b"}
    assert botocores_code("s3", answer, protocol) == code


def test_a_message_is_cut() -> None:
    body = json.dumps({"__type": "A", "message": "m" * 1_000_000}).encode()
    assert len(read_error("Op", RawResponse(400, body)).response["Error"]["Message"]) == 2_000


def test_an_answers_own_headers_are_kept_in_lower_case() -> None:
    reader = ResponseReader()
    reader.parser.feed_data(
        b"HTTP/1.1 400 Bad\r\nX-Amzn-ErrorType:  Gone:http://x/ \r\nDate: x\r\n"
        b"x-amzn-Query-Error: A;Sender\r\nContent-Length: 0\r\n\r\n"
    )
    assert reader.headers == {TYPE: "Gone:http://x/", QUERY: "A;Sender"}


def test_every_client_reads_the_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = RawResponse(400, b"{}", {TYPE: "Gone:http://x/"})
    monkeypatch.setattr(Connections, "send", lambda *_: answer)
    monkeypatch.setattr(Connections, "send_each", lambda *_: [answer])
    raised: list[Any] = [
        *Sqs(ACCOUNT).send_message_batches([{}]),
        *DynamoDb(ACCOUNT).batch_get_items([{}]),
        *DynamoDb(ACCOUNT).batch_write_items([{}]),
    ]
    put = {"Bucket": "b", "Key": "k", "Body": b"", "ContentType": "text/plain"}
    calls: list[Callable[[], object]] = [
        lambda: Ssm(ACCOUNT).get_parameter(Name="/n", WithDecryption=True),
        lambda: Kinesis(ACCOUNT).put_record(StreamName="s", PartitionKey="k", Data=b""),
        lambda: S3(ACCOUNT, "b").put_object(**put),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(ClientError) as caught:
            call()
        raised.append(caught.value)
    assert [one.response["Error"]["Code"] for one in raised] == ["Gone"] * 6


def test_the_table_of_throttles_has_all_of_botocores() -> None:
    botocores: Any = standard
    throttled = botocores.ThrottledRetryableChecker
    transient = botocores.TransientRetryableChecker
    statuses = botocores.ThrottlingStatusCodeChecker
    assert set(throttled._THROTTLED_ERROR_CODES) <= THROTTLING_ERRORS
    assert set(transient._TRANSIENT_ERROR_CODES) <= THROTTLING_ERRORS | PASSING_ERRORS
    assert set(statuses._THROTTLING_STATUS_CODES) | {503} == PASSING_STATUSES
    assert all(
        may_pass(client_error("o", one, "X", "")) for one in transient._TRANSIENT_STATUS_CODES
    )


def test_what_botocores_retry_data_repeats_may_pass() -> None:
    data = json.loads((Path(botocore.__file__).parent / "data/_retry.json").read_text())
    ours = {"__default__", "sqs", "dynamodb", "ssm", "kinesis", "s3"}

    def codes(found: Any, status: int = 400) -> Iterator[tuple[int, str]]:
        if isinstance(found, dict):
            status = found.get("http_status_code", status)
            if "$ref" in found:
                yield from codes(data["definitions"][found["$ref"]])
            if "service_error_code" in found:
                yield status, found["service_error_code"]
            elif "http_status_code" in found and "crc32body" not in found:
                yield status, str(status)
            for value in found.values():
                yield from codes(value, status)

    found = {pair for service in ours for pair in codes(data["retry"].get(service, {}))}
    assert {(400, "ThrottledException"), (429, "429"), (400, "RequestTimeout")} <= found
    assert [pair for pair in found if not may_pass(client_error("o", *pair, ""))] == []


@pytest.mark.parametrize(
    ("status", "code", "again"),
    [
        (500, "InternalServerError", True),
        (501, "InternalFailure", True),
        (503, "ServiceUnavailable", True),
        (499, "500", False),
        (400, "503", True),
        (400, "5030", False),
        (429, "", True),
        (428, "428", False),
        (400, "ValidationException", False),
        (400, "com.amazon.coral.availability#ThrottlingException", True),
        (400, "ThrottledException:http://x/", True),
        (503, "SlowDown", True),
        (400, "RequestTimeout", True),
        (403, "AccessDeniedException", False),
    ],
)
def test_the_services_own_fault_and_a_throttle_may_pass(
    status: int, code: str, again: bool
) -> None:
    assert may_pass(client_error("PutRecord", status, code, "")) is again


def test_no_answer_at_all_may_pass_and_is_no_throttle() -> None:
    for error in (
        ConnectionClosedError(endpoint_url="http://127.0.0.1"),
        HTTPClientError(error="no JSON object"),
    ):
        assert may_pass(error)
        assert not is_throttled(error)


@pytest.mark.parametrize("code", sorted(THROTTLING_ERRORS | {"429", "503"}))
def test_a_throttle_is_one_in_every_spelling(code: str) -> None:
    for text in (code, CORAL + code, f"{code}:http://x/#y", f"{CORAL}{code}:suffix"):
        assert error_name(text) == code
        assert is_throttle(text)
        assert is_throttled(client_error("PutRecord", 400, text, ""))


@pytest.mark.parametrize("code", ["", "400", "InternalFailure", "Throttling2", "²²²"])
def test_what_is_no_throttle(code: str) -> None:
    assert not is_throttle(code)
    assert not is_throttle(code, 500)


class Throttled:
    """A service that throttles for some seconds, on a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: RawResponse, until: float) -> None:
        self.now, self.calls = 100.0, 0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self.sleep)
        self.answer, self.until = answer, 100.0 + until
        monkeypatch.setattr(Connections, "send", self.send)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def send(self, *_: Any) -> RawResponse:
        self.calls += 1
        self.now += 0.01
        return self.answer if self.now < self.until else RawResponse(200, b'{"done":1}')


@pytest.mark.parametrize(
    "answer",
    [
        RawResponse(400, b'{"__type":"ThrottledException"}'),
        RawResponse(429, b""),
        RawResponse(400, b"{}", {TYPE: "TooManyRequestsException:x"}),
        RawResponse(503, b"<Error><Code>SlowDown</Code></Error>"),
    ],
)
def test_a_single_call_is_patient_with_throttles_within_its_time(
    monkeypatch: pytest.MonkeyPatch, answer: RawResponse
) -> None:
    throttled = Throttled(monkeypatch, answer, until=1.0)
    assert Ssm(ACCOUNT).get_parameter(Name="/n", WithDecryption=True) == {"done": 1}
    assert throttled.calls > 2
    for patience in (0.0, 1.5):
        lasting = Throttled(monkeypatch, answer, until=1e9)
        with pytest.raises(ClientError):
            Ssm(ACCOUNT, ClientConfig(patience=patience)).get_parameter(
                Name="/n", WithDecryption=True
            )
        assert lasting.now - 100.0 <= patience + 0.02
        assert (lasting.calls == 1) is (patience == 0.0)


def test_patience_is_for_throttles_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for status, body in ((500, b""), (400, b'{"__type":"ValidationException"}')):
        failing = Throttled(monkeypatch, RawResponse(status, body), until=1e9)
        with pytest.raises(ClientError):
            Kinesis(ACCOUNT).put_record(StreamName="s", PartitionKey="k", Data=b"")
        assert failing.calls == 1
    assert DEFAULT_CONFIG.attempts == 1
