"""The receiver behind an HTTP API, with the event that AWS documents for payload format 1.0.

`http_api_event.json` is the example of the API Gateway Developer Guide, Create AWS Lambda proxy
integrations for HTTP APIs. Text comes as text there, and binary types in base64.
"""

from __future__ import annotations

import base64
import hmac
import io
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ingest_lambdas import receiver as module
from ingest_lambdas.receiver import Receiver
from pipeline.event.compiled_source import load_catalog
from pipeline.event.envelope import decode_envelope
from pipeline.runtime.secret_store import SecretStore
from settings.deployment import Deployment
from settings.door import at_the_door
from settings.source.compiler import write_compiled_catalog
from settings.source.loader import load_sources
from tests.support.bench import SECRET
from tests.support.fakes import FakeSsm, FakeStream
from toolbox.costs.prices import load_prices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.event.compiled_source import Catalog

EXAMPLE = json.loads((Path(__file__).parent / "http_api_event.json").read_text())
NAMES = ("github", "generic", "okta", "splunk")


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The sources of a stage whose door is an HTTP API, compiled as its build does."""
    folder = tmp_path_factory.mktemp("http")
    deployment = Deployment(stage="a", service="b", sources=NAMES, door="http_api")
    sources = at_the_door(deployment, load_sources(NAMES))
    write_compiled_catalog(sources, folder, "http_api_catalog")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        return load_catalog("http_api_catalog")


@pytest.fixture
def stream() -> FakeStream:
    return FakeStream()


@pytest.fixture
def receiver(behind: Catalog, stream: FakeStream) -> Receiver:
    secrets = {f"/P/{one.name}/dev/{one.secret_kind}": SECRET for one in behind.sources.values()}
    return Receiver(
        behind, SecretStore(FakeSsm(secrets), "P", "dev"), stream, "events", "https://hooks.example"
    )


def event(
    route: str, body: str, headers: Mapping[str, str], method: str = "POST", **more: Any
) -> dict[str, Any]:
    """AWS's example with another route, body and headers, their names in lower case."""
    lower = {name.lower(): value for name, value in headers.items()}
    return {
        **EXAMPLE,
        "resource": route,
        "path": route,
        "httpMethod": method,
        "headers": lower,
        "multiValueHeaders": {name: [value] for name, value in lower.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "body": body,
        **more,
    }


def signed(body: bytes, content_type: str = "application/json") -> dict[str, str]:
    return {
        "Content-Type": content_type,
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": "d-1",
        "X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), body, "sha256").hexdigest(),
    }


def ask(receiver: Receiver, request: dict[str, Any]) -> dict[str, Any]:
    _, answer = receiver.receive(request)
    return answer.response()


def test_text_that_comes_as_text_is_what_was_signed(receiver: Receiver, stream: FakeStream) -> None:
    body = '{"zen": "Größe zählt nicht", "emoji": "\U0001f980"}'
    answer = ask(receiver, event("/github", body, signed(body.encode())))
    assert answer["statusCode"] == 200
    (record,) = stream.records
    envelope = decode_envelope(record["Data"])
    assert envelope.body == body.encode()
    assert (envelope.id, envelope.ip) == ("request-id", "192.0.2.1")
    assert envelope.arrived_ms == 1_583_349_317_135
    assert envelope.key == "d-1"


def test_what_comes_in_base64_is_decoded(receiver: Receiver, stream: FakeStream) -> None:
    body = b"payload=%7B%22zen%22%3A%22x%22%7D"
    headers = signed(body, "application/x-www-form-urlencoded")
    request = event("/github", base64.b64encode(body).decode(), headers, isBase64Encoded=True)
    assert ask(receiver, request)["statusCode"] == 200
    assert decode_envelope(stream.records[0]["Data"]).body == body


def test_bytes_that_did_not_come_through_are_refused_and_never_taken(
    receiver: Receiver, stream: FakeStream
) -> None:
    """A body that says it is JSON and is no UTF-8: what API Gateway makes of it does not fit."""
    body = b'{"name": "\xe9"}'
    request = event("/github", body.decode("utf-8", "replace"), signed(body))
    assert ask(receiver, request)["statusCode"] == 401
    assert not stream.records


def test_what_a_taken_request_writes_is_as_long_as_is_billed(
    receiver: Receiver, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CloudWatch Logs API reference, PutLogEvents: 26 bytes beside each line."""
    for name, value in {"STAGE": "prod", "POWERTOOLS_METRICS_NAMESPACE": "MozDef-EF"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "ingest")
    own = logging.StreamHandler(written := io.StringIO())
    own.setFormatter(module.logger.registered_formatter)
    logger = logging.getLogger(module.logger.name)
    logger.addHandler(own)
    try:
        module.report(*receiver.receive(event("/github", "{}", signed(b"{}"))))
    finally:
        logger.removeHandler(own)
    lines = capsys.readouterr().out.splitlines() + written.getvalue().splitlines()
    assert len(lines) == 2, "its metrics, and its line"
    size = sum(len(line.encode()) + 26 for line in lines)
    assert size == pytest.approx(load_prices().assume("receiver_log_bytes"), rel=0.1)


def test_a_forgery_is_refused_before_the_stream(receiver: Receiver, stream: FakeStream) -> None:
    request = event("/github", "{}", {**signed(b"{}"), "X-Hub-Signature-256": "sha256=00"})
    assert ask(receiver, request)["statusCode"] == 401
    assert not stream.records


@pytest.mark.parametrize(("given", "status"), [(SECRET, 200), ("wrong", 403)])
def test_a_token_is_judged_here(receiver: Receiver, given: str, status: int) -> None:
    headers = {"Content-Type": "application/json", "Authorization": given}
    assert ask(receiver, event("/generic", "{}", headers))["statusCode"] == status


@pytest.mark.parametrize("resource", ["/splunk/{token}", f"/splunk/{SECRET}"])
def test_a_token_in_the_path_is_found_however_the_route_is_written(
    receiver: Receiver, resource: str
) -> None:
    """AWS's example has a route without parameters, so it does not tell which of the two it is."""
    headers = {"Content-Type": "application/json"}
    request = event(resource, "{}", headers, pathParameters={"token": SECRET})
    assert ask(receiver, request)["statusCode"] == 200
    request = event(resource, "{}", headers, pathParameters={"token": "wrong"})
    assert ask(receiver, request)["statusCode"] == 403


def test_a_handshake_that_api_gateway_mirrors_elsewhere_is_answered_here(
    receiver: Receiver, stream: FakeStream
) -> None:
    headers = {"X-Okta-Verification-Challenge": "abc-123"}
    answer = ask(receiver, event("/okta", "", headers, method="GET"))
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == {"verification": "abc-123"}
    assert not stream.records
