"""What the mapping templates refuse: a missing header, and a body that no record can hold.

Required headers are found in any case on both ways in, whatever API Gateway's validator does.

The synthesized template is served by the laptop's gateway, whose validator compares names exactly.
"""

from __future__ import annotations

import hmac
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from infra.application.mapping_templates import put_record_request, refused_response
from ingest_lambdas.receiver import Receiver
from local.invocation import Invocation
from local.template import Template
from pipeline.event.envelope import decode_envelope
from pipeline.runtime.secret_store import SecretStore
from tests.functional.local.gateway.fakes import FakeKinesis
from tests.functional.local.gateway.support import Answer, ApiTemplate, Sender, kinesis, run, send
from tests.support.bench import SECRET
from tests.support.fakes import FakeSsm, FakeStream
from tests.support.receiving import compile_sources, meeting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.infra.conftest import Synthesized

BODY = b'{"event":"meeting.ended","event_ts":1}'
GITHUB = {
    "Content-Type": "application/json",
    "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    "X-GitHub-Event": "push",
    "X-Hub-Signature-256": "sha256=" + hmac.digest(b"secret", BODY, "sha256").hex(),
}
LARGEST = 1_024 * 1_024
"""Bytes of a record, `stream.max_record_kib` by default: Kinesis refuses what is a little less."""
CASES = [str.lower, str.upper, str.title, str.swapcase]


class Door:
    """The synthesized API, with the receiver's own code and an authorizer that lets all in."""

    def __init__(self, stack: Synthesized, folder: Path) -> None:
        self.template = Template(stack.document, "required", "us-west-2")
        catalog = compile_sources(folder, "required_headers_catalog", sys.path)
        names = {f"/P/{name}/dev/{each.secret_kind}" for name, each in catalog.sources.items()}
        self.received, self.straight = FakeStream(), FakeKinesis()
        secrets = SecretStore(FakeSsm(dict.fromkeys(names, SECRET)), "P", "dev")
        self.receiver = Receiver(catalog, secrets, self.received, "events")

    async def invoke(self, function: str, event: Mapping[str, Any]) -> Invocation:
        if "Receiver" in function:
            return Invocation(self.receiver.receive(event)[1].response())
        statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        return Invocation({"principalId": "a", "policyDocument": {"Statement": [statement]}})

    def send(self, source: str, headers: Mapping[str, str], body: bytes = BODY) -> Answer:
        self.received.records.clear()
        self.straight.calls.clear()

        async def scenario(sender: Sender) -> Answer:
            return await sender.send(f"/{source}", body, headers)

        return run(self.template, scenario, invoke=self.invoke, client=self.straight)

    def records(self) -> list[bytes]:
        return [*(one["Data"] for one in self.received.records), *self.straight.data]


@pytest.fixture(scope="module")
def door(received: Synthesized, tmp_path_factory: pytest.TempPathFactory) -> Door:
    return Door(received, tmp_path_factory.mktemp("compiled"))


def headers_of(source: str) -> dict[str, str]:
    return dict(GITHUB) if source == "github" else meeting(BODY, signed_ms=int(time.time() * 1000))


def test_api_gateway_is_asked_for_no_header(received: Synthesized) -> None:
    methods = received.all("AWS::ApiGateway::Method")
    assert len(methods) == 6
    for method in methods.values():
        assert not method.get("RequestParameters")
        assert "RequestValidatorId" not in method
    assert not received.all("AWS::ApiGateway::RequestValidator")


@pytest.mark.parametrize("source", ["github", "meetings"])
@pytest.mark.parametrize("case", CASES)
def test_a_required_header_in_another_case_costs_no_event(
    door: Door, source: str, case: Callable[[str], str]
) -> None:
    given = {case(name): value for name, value in headers_of(source).items()}
    answer = door.send(source, given)
    assert (answer.status, answer.json["status"]) == (200, "accepted")
    (record,) = door.records()
    envelope = decode_envelope(record)
    assert envelope.body == BODY
    kept = {name.lower(): value for name, value in given.items()}
    assert envelope.headers.items() <= kept.items()
    assert len(envelope.headers) > 1


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("github", "X-GitHub-Delivery"),
        ("github", "X-GitHub-Event"),
        ("github", "X-Hub-Signature-256"),
        ("meetings", "X-Meet-Signature"),
    ],
)
@pytest.mark.parametrize("how", ["left out", "empty", "empty in lower case", "another's name"])
def test_a_missing_required_header_is_400_and_nothing_is_taken(
    door: Door, source: str, name: str, how: str
) -> None:
    headers = headers_of(source)
    value = headers.pop(name)
    match how:
        case "empty":
            headers[name] = ""
        case "empty in lower case":
            headers[name.lower()] = ""
        case "another's name":
            headers[f"{name}-2"] = headers[f"2-{name}"] = value
    answer = door.send(source, headers)
    assert (answer.status, answer.json["error"]) == (400, "bad_request")
    assert name in answer.json["message"]
    assert not door.records()


def test_a_query_is_no_header(door: Door) -> None:
    headers = headers_of("github")
    value = headers.pop("X-GitHub-Event")
    assert door.send(f"github?X-GitHub-Event={value}", headers).status == 400
    assert not door.records()


@pytest.mark.parametrize("more", [1, 3, 100, 9_000_000])
def test_a_body_that_no_record_holds_is_413_and_does_not_reach_kinesis(
    door: Door, more: int
) -> None:
    """Bodies of 7.5 to 10 MB would else make a call of more than API Gateway may take."""
    headers = headers_of("github")
    assert door.send("github", headers, b"x" * (LARGEST - 8)).status == 200
    answer = door.send("github", headers, b"x" * (LARGEST + more + 3))
    assert (answer.status, answer.json["error"]) == (413, "too_large")
    assert not door.records()


@pytest.mark.parametrize("keep", [(), ("X-Kind",), ("X-Secret", "X-Kind")])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-secret": "s", "x-KIND": "k"}, 200),
        ({"X-Secret": "s", "X-Kind": "k", "X-Kind-2": ""}, 200),
        ({"X-Secret": "s"}, 400),
        ({"X-Kind": "k"}, 400),
        ({"X-Secret": "", "X-Kind": "k"}, 400),
        ({"X-Secret": "s", "X-Kind": ""}, 400),
        ({"X-Secret": "&h.x-kind=k", "X-Kind": ""}, 400),
        ({"X-Other": "&h.x-kind=k&h.x-secret=s"}, 400),
    ],
)
def test_a_required_header_need_not_travel(
    keep: tuple[str, ...], headers: dict[str, str], status: int
) -> None:
    """One that carries a secret never does: it is looked for all the same."""
    required = ("X-Secret", "X-Kind")
    template = put_record_request(
        source="s", stream_name="e", keep=keep, delivery_id=None, required=required
    )
    refused = {
        "StatusCode": "503",
        "ResponseTemplates": {"application/json": refused_response(required)},
    }
    taken = {"StatusCode": "200", "SelectionPattern": "200", "ResponseTemplates": {}}
    responses = [{**each, "ContentHandling": "CONVERT_TO_TEXT"} for each in (taken, refused)]
    api = ApiTemplate(binary=True)
    integration = kinesis(
        RequestTemplates={"application/json": template}, IntegrationResponses=responses
    )
    statuses = [{"StatusCode": each} for each in ("200", "400", "413", "503")]
    api.method("/s", "POST", integration, MethodResponses=statuses)
    stream = FakeKinesis()
    assert send(api, "/s", BODY, headers, client=stream).status == status
    assert len(stream.data) == int(status == 200)
    for record in stream.data:
        assert set(decode_envelope(record).headers) == {name.lower() for name in keep}
