"""The handlers with real boto3 against the emulator."""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from ingest_lambdas import authorizer
from local.emulator import Emulator
from stream_processors import fan_out
from tests.support.bench import SECRET, generic, github, record
from tests.support.mozdef import assert_contract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.compiled_source import Catalog

SSM = {"github/dev/signing_secret": SECRET, "generic/dev/auth_token": "t0ken"}


@dataclass
class Services:
    emulator: Emulator
    queues: dict[str, str]

    def client(self, name: str) -> Any:
        return self.emulator.client(name)

    def messages(self, queue: str) -> list[dict[str, Any]]:
        sqs, found = self.client("sqs"), []
        while batch := sqs.receive_message(QueueUrl=self.queues[queue], MaxNumberOfMessages=10).get(
            "Messages"
        ):
            found += [orjson.loads(message["Body"]) for message in batch]
        return found


class Context:
    """What a handler sees of Lambda."""

    function_name = "fan-out"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-west-2:000000000000:function:fan-out"
    aws_request_id = "1"

    def __init__(self, seconds: float = 60.0) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end - time.monotonic()) * 1000)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with Emulator(tmp_path_factory.mktemp("emulator"), region="us-west-2") as emulator:
        sqs = emulator.client("sqs")
        queues = {
            name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("github", "generic")
        }
        emulator.client("dynamodb").create_table(
            TableName="dedupe",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        emulator.client("s3").create_bucket(
            Bucket="archive", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
        )
        for name, value in SSM.items():
            emulator.client("ssm").put_parameter(
                Name=f"/P/{name}", Value=value, Type="SecureString"
            )
        yield Services(emulator, queues)


@pytest.fixture(autouse=True)
def environment(
    services: Services, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    assert catalog.sources
    for name, value in {
        "AWS_ENDPOINT_URL": services.emulator.endpoint_url,
        **services.emulator.credentials.environment(),
        "PROJECT": "P",
        "STAGE": "dev",
        "QUEUE_URLS": json.dumps(services.queues),
        "DEDUPE_TABLE": "dedupe",
        "ARCHIVE_BUCKET": "archive",
    }.items():
        monkeypatch.setenv(name, value)
    fan_out.fan_out.cache_clear()
    authorizer.authorizer.cache_clear()
    yield
    fan_out.fan_out.cache_clear()
    authorizer.authorizer.cache_clear()


def run(*records: dict[str, Any], seconds: float = 60.0) -> dict[str, Any]:
    return fan_out.handler({"Records": list(records)}, Context(seconds))  # type: ignore[arg-type]


def test_a_batch_goes_the_whole_way(services: Services, capsys: pytest.CaptureFixture[str]) -> None:
    batch = [
        *(record(github({"n": n}, event="x", delivery=f"whole-{n}")) for n in range(30)),
        record(github({"n": 1}, event="x", delivery="whole-1")),
        record(github({"n": 99}, event="x", delivery="whole-99", secret="forged")),
        record(generic({"text": "ü\uffff"})),
        record(generic(b"{")),
        record(b"malformed"),
    ]
    assert run(*batch) == {"batchItemFailures": []}
    github_messages = services.messages("github")
    assert len(github_messages) == 30
    (generic_message,) = services.messages("generic")
    assert generic_message["details"] == {"text": "ü\uffff"}
    for message in [*github_messages, generic_message]:
        assert_contract(message)
    s3 = services.client("s3")
    reasons = []
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="archive")["Contents"]]
    assert sum(key.startswith("ledger/") for key in keys) == 1
    for key in (key for key in keys if not key.startswith("ledger/")):
        content = gzip.decompress(s3.get_object(Bucket="archive", Key=key)["Body"].read())
        reasons += [(key.partition("/")[0], orjson.loads(line)["reason"])
                    for line in content.splitlines()]  # fmt: skip
    assert sorted(reasons) == [
        ("quarantine", "bad_signature"),
        ("rejected", "invalid_json"),
        ("rejected", "malformed_envelope"),
    ]
    metrics = [
        orjson.loads(line)
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("{") and '"_aws"' in line
    ]
    total = {
        name: sum(line.get(name, [0])[0] for line in metrics)
        for name in ("Received", "Delivered", "Duplicate", "Rejected", "RejectedByReason")
    }
    assert total == {
        "Received": len(batch),
        "Delivered": 31,
        "Duplicate": 1,
        "Rejected": 3,
        "RejectedByReason": 3,
    }


def test_a_second_invocation_knows_the_first(services: Services) -> None:
    run(record(github({}, event="x", delivery="again")))
    fan_out.fan_out.cache_clear()
    run(record(github({}, event="x", delivery="again")))
    assert len(services.messages("github")) == 1


def test_the_events_of_a_queue_that_is_not_there_are_set_aside(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = {name: url + "-gone" for name, url in services.queues.items()}
    monkeypatch.setenv("QUEUE_URLS", json.dumps(gone))
    batch = [record(b"malformed"), record(github({}, event="x", delivery="gone"))]
    assert run(*batch, seconds=6.0) == {"batchItemFailures": []}
    s3 = services.client("s3")
    found = s3.list_objects_v2(Bucket="archive", Prefix="rejected/source=github/")["Contents"]
    lines = [
        json.loads(line)
        for one in found
        for line in gzip.decompress(
            s3.get_object(Bucket="archive", Key=one["Key"])["Body"].read()
        ).splitlines()
    ]
    (gone_event,) = [line for line in lines if line.get("key") == "gone"]
    assert gone_event["reason"] == "queue_unavailable"
    assert "NonExistentQueue" in gone_event["explanation"] or (
        "QueueDoesNotExist" in gone_event["explanation"]
    )


def test_the_authorizer_reads_the_secure_string() -> None:
    def effect(token: str) -> str:
        event = {
            "methodArn": "arn:aws:execute-api:us-west-2:000000000000:a/dev/POST/generic",
            "resource": "/generic",
            "headers": {"authorization": token},
            "requestContext": {"identity": {"sourceIp": "127.0.0.1"}},
        }
        answer = authorizer.handler(event, Context())  # type: ignore[arg-type]
        return str(answer["policyDocument"]["Statement"][0]["Effect"])

    assert effect("t0ken") == "Allow"
    assert effect("t0ke") == "Deny"
