"""What the lean clients put on the wire, held to botocore's own models of the services."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.loaders import Loader
from botocore.retries.standard import ThrottledRetryableChecker

from pipeline.aws.account import Account
from pipeline.aws.clients import S3, DynamoDb, Kinesis, LockDynamoDb, Sqs, Ssm, TargetKinesis
from pipeline.aws.connections import ClientConfig, Connections
from pipeline.aws.json_service import JsonService
from pipeline.aws.limits import LASTING_STREAM_ERRORS, MESSAGE_ERRORS, THROTTLING_ERRORS
from pipeline.aws.wire import RawResponse

ACCOUNT = Account("us-west-2", "AKID", "secret")
#: Of Connections.send: host, method, path, body, headers.
Sent = tuple[str, str, str, bytes, Mapping[str, str]]
OPERATIONS: list[tuple[str, str, Callable[[], Any], Mapping[str, Any]]] = [
    (
        "sqs",
        "SendMessageBatch",
        lambda: Sqs(ACCOUNT).send_message_batches([{"QueueUrl": "u", "Entries": []}]),
        {"QueueUrl": "u", "Entries": []},
    ),
    (
        "dynamodb",
        "BatchGetItem",
        lambda: DynamoDb(ACCOUNT).batch_get_items([{"RequestItems": {}}]),
        {"RequestItems": {}},
    ),
    (
        "dynamodb",
        "BatchWriteItem",
        lambda: DynamoDb(ACCOUNT).batch_write_items([{"RequestItems": {}}]),
        {"RequestItems": {}},
    ),
    (
        "ssm",
        "GetParameter",
        lambda: Ssm(ACCOUNT).get_parameter(Name="/n", WithDecryption=True),
        {"Name": "/n", "WithDecryption": True},
    ),
    (
        "dynamodb",
        "UpdateItem",
        lambda: LockDynamoDb(ACCOUNT).update_item(TableName="t", Key={"pk": {"S": "k"}}),
        {"TableName": "t", "Key": {"pk": {"S": "k"}}},
    ),
    (
        "kinesis",
        "PutRecords",
        lambda: TargetKinesis(ACCOUNT).put_records(
            StreamName="s",
            Records=[{"PartitionKey": "k", "Data": b"\xff", "ExplicitHashKey": "7"}],
        ),
        {
            "StreamName": "s",
            "Records": [
                {
                    "PartitionKey": "k",
                    "Data": base64.b64encode(b"\xff").decode(),
                    "ExplicitHashKey": "7",
                }
            ],
        },
    ),
    (
        "kinesis",
        "ListShards",
        lambda: TargetKinesis(ACCOUNT).list_shards(NextToken="t"),
        {"NextToken": "t"},
    ),
    (
        "kinesis",
        "PutRecord",
        lambda: Kinesis(ACCOUNT).put_record(StreamName="s", PartitionKey="k", Data=b"\xff"),
        {"StreamName": "s", "PartitionKey": "k", "Data": base64.b64encode(b"\xff").decode()},
    ),
]


def model(service: str) -> dict[str, Any]:
    found: dict[str, Any] = Loader().load_service_model(service, "service-2")
    return found


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """What goes out; each request is answered with an empty object."""
    found: list[Sent] = []

    def send(
        self: Connections, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> RawResponse:
        found.append((self.host, method, path, body, headers))
        return RawResponse(200, b"{}")

    def send_each(self: Connections, requests: Iterable[bytes]) -> list[RawResponse]:
        answers = []
        for request in requests:
            head, _, body = request.partition(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            method, path, _version = first.split(" ")
            headers = dict(line.split(": ", 1) for line in lines)
            assert int(headers.pop("content-length")) == len(body)
            answers.append(send(self, method, path, body, headers))
        return answers

    monkeypatch.setattr(Connections, "send", send)
    monkeypatch.setattr(Connections, "send_each", send_each)
    return found


@pytest.mark.parametrize(("service", "operation", "call", "parameters"), OPERATIONS)
def test_a_request_is_what_the_services_model_says(
    sent: list[Sent],
    service: str,
    operation: str,
    call: Callable[[], Any],
    parameters: Mapping[str, Any],
) -> None:
    metadata = model(service)["metadata"]
    assert operation in model(service)["operations"]
    assert call() in ({}, [{}])
    ((host, method, path, body, headers),) = sent
    assert (method, path, orjson.loads(body)) == ("POST", "/", parameters)
    assert headers["x-amz-target"] == f"{metadata['targetPrefix']}.{operation}"
    assert headers["content-type"] == f"application/x-amz-json-{metadata['jsonVersion']}"
    assert host == headers["host"] == f"{metadata['endpointPrefix']}.us-west-2.amazonaws.com"
    signed_for = metadata.get("signingName", metadata["endpointPrefix"])
    assert f"/us-west-2/{signed_for}/aws4_request, " in headers["authorization"]
    assert headers["user-agent"] == "mozdef-ef"
    assert "x-amz-security-token" not in headers, "a user's credentials have no session"


def test_a_roles_session_goes_along(sent: list[Sent]) -> None:
    account = Account("us-west-2", "AKID", "secret", session_token="session")
    Ssm(account).get_parameter(Name="/n", WithDecryption=True)
    assert sent[0][4]["x-amz-security-token"] == "session"


def test_an_environment_without_session_and_endpoint_has_neither() -> None:
    names = {"AWS_REGION": "r", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
    assert Account.read(names) == Account("r", "a", "s", session_token="", endpoint_url="")


def test_a_bucket_is_in_the_hosts_name_and_with_an_endpoint_of_its_own_in_the_path(
    sent: list[Sent],
) -> None:
    put = {"Bucket": "archive", "Body": b"x", "ContentType": "application/gzip"}
    S3(ACCOUNT, "archive").put_object(Key="raw/source=a b/~x.gz", **put)  # type: ignore[arg-type]
    local = Account("us-west-2", "AKID", "secret", endpoint_url="http://127.0.0.1:9")
    S3(local, "archive").put_object(Key="raw/source=a b/~x.gz", **put)  # type: ignore[arg-type]
    (aws, own) = sent
    assert aws[:4] == (
        "archive.s3.us-west-2.amazonaws.com",
        "PUT",
        "/raw/source%3Da%20b/~x.gz",
        b"x",
    )
    assert own[:3] == ("127.0.0.1:9", "PUT", "/archive/raw/source%3Da%20b/~x.gz")
    assert (aws[4]["content-type"], aws[4]["user-agent"]) == ("application/gzip", "mozdef-ef")
    assert "/us-west-2/s3/aws4_request" in aws[4]["authorization"]


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b"<Error><Code>SlowDown</Code><Message>wait</Message></Error>", "SlowDown", "wait"),
        (b"<Error><Code>NoSuchBucket</Code></Error>", "NoSuchBucket", ""),
        (b"", "503", ""),
        (b"<html>", "503", ""),
    ],
)
def test_what_s3_refuses_has_its_code_and_message(
    monkeypatch: pytest.MonkeyPatch, body: bytes, code: str, message: str
) -> None:
    monkeypatch.setattr(Connections, "send", lambda *_: RawResponse(503, body))
    with pytest.raises(ClientError) as caught:
        S3(ACCOUNT, "b").put_object(Bucket="b", Key="k", Body=b"", ContentType="text/plain")
    answer = caught.value.response
    assert answer["Error"] == {"Code": code, "Message": message}
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert caught.value.operation_name == "PutObject"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"__type":"a.b#Gone","message":"m"}', {"Code": "Gone", "Message": "m"}),
        (b'{"__type":"Gone","Message":"M"}', {"Code": "Gone", "Message": "M"}),
        (b'{"__type":null}', {"Code": "400", "Message": ""}),
        (b"", {"Code": "400", "Message": ""}),
    ],
)
def test_what_a_json_service_refuses_has_its_code_and_message(
    monkeypatch: pytest.MonkeyPatch, body: bytes, error: dict[str, str]
) -> None:
    monkeypatch.setattr(Connections, "send", lambda *_: RawResponse(400, body))
    with pytest.raises(ClientError) as caught:
        Ssm(ACCOUNT).get_parameter(Name="/n", WithDecryption=True)
    assert caught.value.response["Error"] == error
    assert caught.value.operation_name == "GetParameter"


def test_each_call_has_its_answer_or_its_error_in_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost = EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
    answers = [RawResponse(200, b'{"n":1}'), lost, RawResponse(400, b'{"__type":"x#Bad"}')]
    monkeypatch.setattr(Connections, "send_each", lambda _self, _requests: answers)
    first, second, third = Sqs(ACCOUNT).send_message_batches([{}, {}, {}])
    assert first == {"n": 1}
    assert second is lost
    assert isinstance(third, ClientError)
    assert third.response["Error"]["Code"] == "Bad"


def test_a_call_is_made_so_often_and_waits_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    calls: list[str] = []

    def send(_self: Connections, method: str, *_: Any) -> RawResponse:
        calls.append(method)
        return RawResponse(500, b"")

    monkeypatch.setattr(Connections, "send", send)
    monkeypatch.setattr(time, "sleep", slept.append)
    for attempts in (1, 3):
        service = JsonService(ACCOUNT, "ssm", "AmazonSSM", "1.1", ClientConfig(attempts=attempts))
        with pytest.raises(ClientError):
            service.call("GetParameter", {})
        assert (len(calls), len(slept)) == (attempts, attempts - 1)
        assert all(0 <= seconds <= 0.4 for seconds in slept)
        calls.clear()
        slept.clear()


def test_the_names_of_errors_are_the_services_own() -> None:
    def names(service: str) -> set[str]:
        shapes = model(service)["shapes"]
        codes = {str(shape.get("error", {}).get("code", "")) for shape in shapes.values()}
        return codes | set(shapes)

    botocores: Any = ThrottledRetryableChecker
    throttles = set(botocores._THROTTLED_ERROR_CODES)
    # What Kinesis and SQS say of their key; SQS in the query protocol's words too.
    keys = {"KmsThrottled", "KMSThrottlingException"}
    assert keys <= names("kinesis") | names("sqs")
    assert keys | throttles | {"KMS.ThrottlingException"} == THROTTLING_ERRORS
    # Of every service, not of one (Kinesis API reference, "Common Errors").
    common = {"ExpiredTokenException", "UnrecognizedClientException"}
    assert names("kinesis") | common >= LASTING_STREAM_ERRORS
    # What SQS answers in the query protocol's words (recorded).
    query = {
        "InvalidMessageContentsException",
        "InvalidParameterValueException",
        "InvalidParameterValue",
        "AWS.SimpleQueueService.BatchRequestTooLong",
    }
    assert names("sqs") | query >= MESSAGE_ERRORS
    assert {"InvalidMessageContents", "BatchRequestTooLong"} <= MESSAGE_ERRORS & names("sqs")
