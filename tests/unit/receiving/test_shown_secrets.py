"""Tokens in query and path, passwords, networks, nothing: both ways in let in the same."""

from __future__ import annotations

import base64
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from ingest_lambdas import authorizer as module
from ingest_lambdas.authorizer import Authorizer, MixedTokensError
from ingest_lambdas.receiver import Receiver
from pipeline.event.compiled_source import Catalog
from pipeline.runtime.secret_store import SecretStore
from tests.support.doors import SHOWN, compile_doors
from tests.support.fakes import FakeSsm, FakeStream

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "webhooks:s3cr3t ü"


def basic(text: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(text.encode()).decode()}"


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return compile_doors(tmp_path_factory.mktemp("doors"), "shown_catalog", sys.path, SHOWN)


@pytest.fixture
def secrets() -> SecretStore:
    names = [f"/P/{name}/dev/auth_token" for name in ("by-query", "by-path", "by-password")]
    return SecretStore(FakeSsm(dict.fromkeys(names, f"{SECRET}\nother:one")), "P", "dev")


def sent(
    source: str,
    *,
    headers: dict[str, str] | None = None,
    query: list[tuple[str, str]] | None = None,
    path: str = "",
    ip: str = "192.0.2.7",
) -> dict[str, Any]:
    """The request as API Gateway tells both functions of it."""
    several: dict[str, list[str]] = {}
    for name, value in query or []:
        several.setdefault(name, []).append(value)
    resource = f"/{source}/{{token}}" if path else f"/{source}"
    return {
        "type": "REQUEST",
        "resource": resource,
        "path": f"/{source}/{path}" if path else f"/{source}",
        "methodArn": f"arn:aws:execute-api:us-west-2:000000000000:api/dev/POST/{source}/{path}",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()},
        "queryStringParameters": dict(query or []),
        "multiValueQueryStringParameters": several,
        "pathParameters": {"token": path} if path else None,
        "requestContext": {
            "extendedRequestId": "r",
            "requestTimeEpoch": 1_795_464_503_000,
            "identity": {"sourceIp": ip},
        },
        "body": base64.b64encode(b"{}").decode(),
        "isBase64Encoded": True,
    }


@pytest.mark.parametrize(
    ("source", "request_parts", "allowed"),
    [
        ("by-query", {"query": [("key", SECRET)]}, True),
        ("by-query", {"query": [("key", "other:one")]}, True),
        ("by-query", {"query": [("KEY", SECRET)]}, False),
        ("by-query", {"query": [("key", SECRET[:-1])]}, False),
        ("by-query", {"query": [("key", "")]}, False),
        ("by-query", {"headers": {"key": SECRET, "Authorization": SECRET}}, False),
        ("by-path", {"path": SECRET}, True),
        ("by-path", {"path": f"{SECRET}x"}, False),
        ("by-path", {"path": "*"}, False),
        ("by-path", {"path": "token", "query": [("token", SECRET)]}, False),
        ("by-password", {"headers": {"authorization": basic(SECRET)}}, True),
        ("by-password", {"headers": {"Authorization": basic(SECRET, "bASIC")}}, True),
        ("by-password", {"headers": {"Authorization": basic("webhooks:")}}, False),
        ("by-password", {"headers": {"Authorization": SECRET}}, False),
        ("by-password", {"headers": {"Authorization": "Basic ?"}}, False),
        ("by-password", {"headers": {"Authorization": f"Basic {'A' * 8000}"}}, False),
        ("by-network", {}, True),
        ("by-network", {"ip": "198.51.100.1"}, False),
        ("by-nothing", {"ip": "198.51.100.1"}, True),
    ],
)
def test_authorizer_and_receiver_let_in_the_same(
    private: Catalog,
    secrets: SecretStore,
    source: str,
    request_parts: dict[str, Any],
    allowed: bool,
) -> None:
    event = sent(source, **request_parts)
    assert Authorizer(private, secrets).allows(event) is allowed
    received = Catalog(
        {name: replace(one, ingest="receiver") for name, one in private.sources.items()}
    )
    stream = FakeStream()
    _, answer = Receiver(received, secrets, stream, "events").receive(event)
    assert (answer.status == 200) is allowed
    assert bool(stream.records) is allowed
    assert answer.status in {200, 401, 403}


def test_two_tokens_in_a_query_are_decided_only_where_both_are_wrong(
    private: Catalog, secrets: SecretStore
) -> None:
    wrong = sent("by-query", query=[("key", "no"), ("key", "neither")])
    assert not Authorizer(private, secrets).allows(wrong)
    with pytest.raises(MixedTokensError):
        Authorizer(private, secrets).allows(
            sent("by-query", query=[("key", "no"), ("key", SECRET)])
        )


@pytest.mark.parametrize(("source", "asks"), [("by-password", True), ("by-query", False)])
def test_a_missing_password_is_asked_for(
    private: Catalog, secrets: SecretStore, source: str, asks: bool
) -> None:
    _, answer = Receiver(private, secrets, FakeStream(), "events").receive(sent(source))
    response = answer.response()
    assert response["statusCode"] == 401
    assert ("WWW-Authenticate" in response["headers"]) is asks


def test_what_is_in_the_address_is_neither_kept_nor_logged(
    private: Catalog,
    secrets: SecretStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from ingest_lambdas import receiver as receiver_module

    stream = FakeStream()
    receiver = Receiver(private, secrets, stream, "events")
    monkeypatch.setattr(receiver_module, "receiver", lambda: receiver)
    monkeypatch.setattr(module, "authorizer", lambda: Authorizer(private, secrets))
    events = [
        sent("by-query", query=[("key", SECRET)]),
        sent("by-path", path=SECRET),
        sent("by-path", path="guessed-s3cr3t"),
    ]
    handlers: list[Callable[..., Any]] = [receiver_module.handler, module.handler]
    for event in events:
        for handler in handlers:
            handler(event, None)
    logged = [vars(line) for line in caplog.records]
    assert {line.get("route") for line in logged} >= {"/by-query", "/by-path/{token}"}
    assert b"s3cr3t" not in b"".join(record["Data"] for record in stream.records)
    assert "s3cr3t" not in f"{logged}{capsys.readouterr().out}"
    assert "s3cr3t" not in repr(receiver.receive(events[1])[0])
    assert orjson.loads(receiver.receive(events[2])[1].response()["body"])["error"] == "forbidden"
