"""The synthesized routes of received sources: local gateway, the real function, emulator."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from infra.assembly.app import synthesize
from local.emulator import Emulator
from local.functions import Functions
from local.template import Template
from pipeline.event.envelope import decode_envelope, partition_key
from settings.deployment import Deployment
from settings.source.loader import load_sources
from tests.functional.local.gateway.support import Answer, send
from tests.support.bench import PREVIOUS, SECRET
from tests.support.receiving import SOURCES, chat, meeting, write_sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REGION = "us-west-2"
STREAM = "events"


@dataclass
class Runtime:
    """What `mozdef-ef local up` has, as far as a request needs it."""

    emulator: Emulator
    template: Template
    functions: Functions

    def send(
        self, path: str, body: bytes, headers: Mapping[str, str], method: str = "POST"
    ) -> Answer:
        return send(
            self.template,
            path,
            body,
            headers,
            method,
            invoke=self.functions.invoke,
            client=self.emulator.client("kinesis"),
        )

    def records(self) -> list[dict[str, Any]]:
        kinesis = self.emulator.client("kinesis")
        (shard,) = kinesis.list_shards(StreamName=STREAM)["Shards"]
        iterator = kinesis.get_shard_iterator(
            StreamName=STREAM, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        return list(kinesis.get_records(ShardIterator=iterator)["Records"])


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("receiver")
    (folder / "layer" / "python").mkdir(parents=True)
    (folder / "layer" / "python" / "six.py").write_text("")
    directory = write_sources(folder / "sources")
    deployment = Deployment(
        stage="dev", service="ingest", sources=tuple(SOURCES), source_directory=directory
    )
    sources = load_sources(deployment.sources, directory)
    path = synthesize(deployment, sources, folder / "out", layer=folder / "layer")
    template = Template.read(path, stack_name=deployment.stack_name, region=REGION)
    (stream,) = template.resources("AWS::Kinesis::Stream")
    template.physical_ids[stream.logical_id] = STREAM
    with Emulator(folder / "emulator", region=REGION) as emulator:
        emulator.client("kinesis").create_stream(StreamName=STREAM, ShardCount=1)
        for name, source in sources.items():
            emulator.client("ssm").put_parameter(
                Name=deployment.parameter(name, source.settings.parameter),
                Value=f"{SECRET}\n{PREVIOUS}",
                Type="SecureString",
            )
        functions = Functions(
            template,
            folder / "out",
            endpoint_url=emulator.endpoint_url,
            credentials=emulator.credentials,
            logs=folder / "logs",
        )
        try:
            yield Runtime(emulator, template, functions)
        finally:
            functions.close()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_a_signed_request_goes_from_the_route_to_the_stream(runtime: Runtime) -> None:
    body = b'{"event": "meeting.started", "event_ts": 1,  "n": "\xc3\xbc"}'
    answer = runtime.send("/meetings", body, meeting(body, signed_ms=now_ms()))
    assert (answer.status, answer.json["status"]) == (200, "accepted")
    assert answer.headers["Content-Type"] == "application/json"
    (record,) = [r for r in runtime.records() if r["Data"].endswith(body)]
    envelope = decode_envelope(record["Data"])
    assert envelope.id == answer.json["id"]
    assert envelope.key == "meeting.started|1"
    assert record["PartitionKey"] == partition_key(envelope)


def test_a_form_and_bytes_that_are_no_text_arrive_untouched(runtime: Runtime) -> None:
    form = b"payload=%7B%22id%22%3A%22form-1%22%7D"
    headers = chat(form, content_type="application/x-www-form-urlencoded")
    assert runtime.send("/chat", form, headers).status == 200
    raw = bytes(range(256))
    assert runtime.send("/chat", raw, chat(raw)).status == 200
    envelopes = [decode_envelope(record["Data"]) for record in runtime.records()]
    assert [e.key for e in envelopes if e.body == form] == ["form-1"]
    assert [e.key for e in envelopes if e.body == raw] == [
        "sha256:" + hashlib.sha256(raw).hexdigest()
    ]


def test_a_signed_handshake_is_answered(runtime: Runtime) -> None:
    body = orjson.dumps({"event": "url_validation", "payload": {"plainToken": "tok-en_1"}})
    before = len(runtime.records())
    answer = runtime.send("/meetings", body, meeting(body, signed_ms=now_ms(), secret=PREVIOUS))
    proof = hmac.new(PREVIOUS.encode(), b"tok-en_1", "sha256").hexdigest()
    assert answer.status == 200
    assert answer.json == {"plainToken": "tok-en_1", "encryptedToken": proof}
    assert len(runtime.records()) == before


@pytest.mark.parametrize(
    ("source", "headers", "status", "error"),
    [
        ("meetings", {}, 400, "bad_request"),
        ("meetings", {"X-Meet-Signature": "v0=00"}, 401, "bad_signature"),
        ("meetings", meeting(b"{}", signed_ms=0), 401, "stale_signature"),
        ("chat", {}, 401, "bad_signature"),
        ("chat", {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        ("batches", {}, 401, "unauthorized"),
        ("batches", {"Authorization": "wrong"}, 403, "forbidden"),
        # The networks of this source are not this machine's.
        ("parcels", {"X-Gitlab-Token": f"T {SECRET}"}, 403, "forbidden"),
    ],
)
def test_what_is_refused(
    runtime: Runtime, source: str, headers: dict[str, str], status: int, error: str
) -> None:
    before = len(runtime.records())
    answer = runtime.send(f"/{source}", b"{}", headers)
    assert (answer.status, answer.json["error"]) == (status, error)
    assert set(answer.json) == {"status", "error", "message"}
    assert len(runtime.records()) == before


def test_what_is_larger_than_a_record_is_413(runtime: Runtime) -> None:
    body = json.dumps({"events": ["y" * 2_000_000]}).encode()
    answer = runtime.send("/batches", body, {"Authorization": SECRET})
    assert (answer.status, answer.json["error"]) == (413, "too_large")


def test_what_is_larger_than_lambda_takes_is_no_4xx(runtime: Runtime) -> None:
    answer = runtime.send("/batches", b"y" * 5_000_000, {"Authorization": SECRET})
    assert answer.status >= 500
    assert answer.json["status"] == "error"


@pytest.mark.parametrize("name", ["X-Meet-Challenge", "x-meet-challenge", "X-MEET-CHALLENGE"])
@pytest.mark.parametrize("value", ["abc123", "it's", "\\'", '"},{"', "$context.stage", "a/<b>"])
def test_a_handshake_by_get_gives_the_header_back(runtime: Runtime, name: str, value: str) -> None:
    answer = runtime.send("/meetings", b"", {name: value, "Accept": "*/*"}, "GET")
    assert (answer.status, answer.json) == (200, {"verification": value})
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/meetings", "/meetings?X-Meet-Challenge=query"])
def test_a_handshake_by_get_without_its_header_is_400(runtime: Runtime, path: str) -> None:
    answer = runtime.send(path, b"", {}, "GET")
    assert (answer.status, answer.json["error"]) == (400, "bad_request")


def test_another_source_has_no_handshake_by_get(runtime: Runtime) -> None:
    assert runtime.send("/chat", b"", {"X-Meet-Challenge": "a"}, "GET").status == 404


def test_the_log_holds_no_secret_and_no_body(runtime: Runtime) -> None:
    body = b'{"type":"private","token":"c0nfidential"}'
    assert runtime.send("/chat", body, chat(body)).status == 200
    (function,) = [
        resource.logical_id
        for resource in runtime.template.resources("AWS::Lambda::Function")
        if str(resource.properties["Handler"]).startswith("ingest_lambdas.receiver")
    ]
    written = runtime.functions.host(function).config.log.read_text()
    assert '"message":"accepted"' in written
    for text in (
        SECRET,
        "c0nfidential",
        base64.b64encode(body).decode(),
        chat(body)["X-Chat-Signature"],
    ):
        assert text not in written
