"""The receiver: what it takes, what it answers, and what it refuses before it reads a body."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.application.mapping_templates import accepted_response, error_body, put_record_request
from ingest_lambdas import receiver as module
from ingest_lambdas.receiver import Receiver
from local.gateway.bodies import template_text
from local.gateway.events import proxy_event as gateway_event
from local.gateway.exchange import Exchange
from local.gateway.model import Api, Integration, Route
from local.gateway.variables import template_variables
from local.vtl import VtlTemplate
from pipeline.event.compiled_source import Catalog
from pipeline.event.envelope import decode_envelope, partition_key
from pipeline.receiving.admission import UnknownRouteError
from pipeline.runtime.secret_store import SecretStore
from tests.support.bench import NOW_MS, PREVIOUS, SECRET, Bench, record
from tests.support.fakes import FakeSsm, FakeStream, client_error, out_of_reach
from tests.support.receiving import chat, compile_sources, meeting, proxy_event
from toolbox.sources.samples import load_samples

if TYPE_CHECKING:
    from settings.source.loader import LoadedSource

ADDRESS = "https://api.execute-api.us-west-2.amazonaws.com/dev"
ROOT = Path(__file__).parents[3]
VALIDATION = orjson.dumps({"event": "url_validation", "payload": {"plainToken": "qgg8vlvZRS6U"}})
TOKEN = {"X-Gitlab-Token": f"T {SECRET}"}


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return compile_sources(tmp_path_factory.mktemp("unit"), "receiver_unit_catalog", sys.path)


@pytest.fixture
def ssm(private: Catalog) -> FakeSsm:
    names = [f"/P/{name}/dev/{source.secret_kind}" for name, source in private.sources.items()]
    return FakeSsm(dict.fromkeys(names, f"{SECRET}\n{PREVIOUS}\n"))


@pytest.fixture
def stream() -> FakeStream:
    return FakeStream()


@pytest.fixture
def receiver(private: Catalog, ssm: FakeSsm, stream: FakeStream) -> Receiver:
    return Receiver(private, SecretStore(ssm, "P", "dev"), stream, "events")


def ask(receiver: Receiver, *arguments: Any, **settings: Any) -> tuple[int, dict[str, Any]]:
    _, answer = receiver.receive(proxy_event(*arguments, **settings))
    response = answer.response()
    assert response["headers"]["Content-Type"] == "application/json"
    assert response["isBase64Encoded"] is False
    return response["statusCode"], orjson.loads(response["body"])


# What is taken


def test_a_verified_request_is_on_the_stream(receiver: Receiver, stream: FakeStream) -> None:
    body = b'{"event": "meeting.started",  "event_ts": 17}\n'
    status, answer = ask(receiver, "meetings", body, meeting(body, Cookie="c", X_Other="o"))
    assert (status, answer) == (200, {"status": "accepted", "id": "r-1"})
    (put,) = stream.records
    envelope = decode_envelope(put["Data"])
    assert envelope.body == body
    assert (envelope.id, envelope.arrived_ms, envelope.ip) == ("r-1", NOW_MS, "192.0.2.7")
    assert (envelope.source, envelope.key) == ("meetings", "meeting.started|17")
    assert set(envelope.headers) == {"x-meet-signature", "x-meet-time"}
    assert put["PartitionKey"] == "meeting.started%7C17" == partition_key(envelope)


def test_a_form_that_is_none_goes_by_the_hash_of_its_body(
    receiver: Receiver, stream: FakeStream
) -> None:
    """The fan-out rejects it; copies of it meet in one shard all the same."""
    body = b"payload=%7B%7D&payload=%7B%7D"
    assert ask(receiver, "chat", body, chat(body))[0] == 200
    (put,) = stream.records
    key = "sha256:" + hashlib.sha256(body).hexdigest()
    assert decode_envelope(put["Data"]).key == key
    assert put["PartitionKey"] == key.replace(":", "%3A")


def test_answers_are_those_of_the_front_door(receiver: Receiver) -> None:
    _, answer = receiver.receive(proxy_event("parcels", headers=TOKEN))
    written = accepted_response().replace("$context.extendedRequestId", "r-1")
    assert answer.response()["body"] == written
    _, answer = receiver.receive(proxy_event("parcels"))
    assert answer.response()["body"] == error_body("unauthorized", "The token is missing.")


def test_the_previous_secret_is_still_good(receiver: Receiver, stream: FakeStream) -> None:
    assert ask(receiver, "meetings", b"{}", meeting(b"{}", secret=PREVIOUS))[0] == 200
    assert len(stream.records) == 1


def test_the_fan_out_verifies_what_the_receiver_took(
    receiver: Receiver, private: Catalog, stream: FakeStream
) -> None:
    body = b'{"event":"meeting.ended","event_ts":1}'
    assert ask(receiver, "meetings", body, meeting(body))[0] == 200
    bench = Bench(private)
    settlement = bench.run(record(stream.records[0]["Data"]))
    assert [outcome.kind for outcome in settlement.settled] == ["delivered"]


@pytest.mark.parametrize("names", [str.upper, str.lower, str.title])
def test_header_names_in_any_case(receiver: Receiver, names: Callable[[str], str]) -> None:
    headers = {names(name): value for name, value in meeting(b"{}").items()}
    assert ask(receiver, "meetings", b"{}", headers)[0] == 200


def test_of_a_header_twice_the_first_is_taken(receiver: Receiver, stream: FakeStream) -> None:
    first = {**meeting(b"{}"), "x-meet-signature": "v0=wrong", "x-meet-time": "0"}
    assert ask(receiver, "meetings", b"{}", first)[0] == 200
    kept = decode_envelope(stream.records[0]["Data"]).headers
    assert kept["x-meet-signature"] == first["X-Meet-Signature"]
    second = {"x-meet-signature": "v0=wrong", **meeting(b"{}")}
    assert ask(receiver, "meetings", b"{}", second)[0] == 401


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[1]", b"null", b'{"a":"\\ud800"}', b"[" * 5000]
)
def test_what_is_no_json_is_taken_when_it_is_signed(
    receiver: Receiver, stream: FakeStream, body: bytes
) -> None:
    """It was answered with 200, so it must be visible: the fan-out rejects and archives it."""
    assert ask(receiver, "meetings", body, meeting(body))[0] == 200
    envelope = decode_envelope(stream.records[0]["Data"])
    assert envelope.body == body
    assert envelope.key == "sha256:" + hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    ("source", "headers", "body", "key"),
    [
        ("parcels", {**TOKEN, "x-delivery": "d é/1"}, b"{}", "d é/1"),
        ("parcels", {**TOKEN, "x-delivery": "x" * 300}, b"{}", "x" * 300),
        ("parcels", {**TOKEN, "x-delivery": ""}, b"{}", None),
        ("parcels", TOKEN, b"{}", None),
        ("batches", {"Authorization": SECRET}, b'{"id":"b","events":[{"id":"a"}]}', None),
    ],
)
def test_the_key_is_the_delivery_id_or_the_bodys_hash(
    receiver: Receiver,
    stream: FakeStream,
    source: str,
    headers: dict[str, str],
    body: bytes,
    key: str | None,
) -> None:
    assert ask(receiver, source, body, headers)[0] == 200
    expected = "sha256:" + hashlib.sha256(body).hexdigest() if key is None else key
    assert decode_envelope(stream.records[0]["Data"]).key == expected


def test_a_delivery_id_of_any_length_in_a_body_fits_an_envelope(
    receiver: Receiver, stream: FakeStream
) -> None:
    body = orjson.dumps({"id": "é" * 100_000})
    assert ask(receiver, "chat", body, chat(body))[0] == 200
    key = decode_envelope(stream.records[0]["Data"]).key
    assert key == "sha256:" + hashlib.sha256(("é" * 100_000).encode()).hexdigest()


def test_an_id_in_a_form_is_found(receiver: Receiver, stream: FakeStream) -> None:
    body = b"payload=%7B%22id%22%3A%22f-1%22%7D"
    headers = chat(body, content_type="application/x-www-form-urlencoded; charset=utf-8")
    assert ask(receiver, "chat", body, headers)[0] == 200
    envelope = decode_envelope(stream.records[0]["Data"])
    assert (envelope.key, envelope.body) == ("f-1", body)


# Handshakes


@pytest.mark.parametrize("secret", [SECRET, PREVIOUS])
def test_a_challenge_is_signed_with_the_secret_of_its_request(
    receiver: Receiver, stream: FakeStream, secret: str
) -> None:
    status, answer = ask(receiver, "meetings", VALIDATION, meeting(VALIDATION, secret=secret))
    proof = hmac.new(secret.encode(), b"qgg8vlvZRS6U", "sha256").hexdigest()
    assert (status, answer) == (200, {"plainToken": "qgg8vlvZRS6U", "encryptedToken": proof})
    assert not stream.records


def test_a_challenge_is_signed_with_the_key_and_not_with_its_written_form(
    receiver: Receiver, ssm: FakeSsm
) -> None:
    ssm.parameters["/P/chat/dev/signing_secret"] = f"whsec_{SECRET}"
    body = b'{"type":"verify","challenge":"abc"}'
    proof = hmac.new(base64.b64decode(SECRET), b"abc", "sha256").hexdigest()
    assert ask(receiver, "chat", body, chat(body)) == (200, {"challenge": "abc", "proof": proof})


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Meet-Signature": "v0="},
        meeting(VALIDATION, secret="forged"),
        meeting(VALIDATION, signed_ms=NOW_MS - 301_000),
        meeting(b"{}"),
    ],
    ids=["unsigned", "wrong secret", "replayed late", "of another body"],
)
def test_a_handshake_that_is_not_signed_gets_no_hmac(
    receiver: Receiver, stream: FakeStream, headers: dict[str, str]
) -> None:
    status, answer = ask(receiver, "meetings", VALIDATION, headers)
    assert status == 401
    assert set(answer) == {"status", "error", "message"}
    assert not stream.records


def test_a_handshake_that_is_replayed_at_once_teaches_nothing_new(receiver: Receiver) -> None:
    headers = meeting(VALIDATION)
    later = ask(receiver, "meetings", VALIDATION, headers, arrived_ms=NOW_MS + 200_000)
    assert later == ask(receiver, "meetings", VALIDATION, headers)


@pytest.mark.parametrize(
    "challenge",
    [
        "v0:1795464503:{}", ":", "", "x" * 201, None, 7, True, ["a"], {"a": "b"},
    ],
)  # fmt: skip
def test_a_challenge_that_could_be_a_string_to_sign_is_refused(
    receiver: Receiver, stream: FakeStream, challenge: object
) -> None:
    body = orjson.dumps({"event": "url_validation", "payload": {"plainToken": challenge}})
    status, answer = ask(receiver, "meetings", body, meeting(body))
    assert (status, answer["error"]) == (400, "bad_challenge")
    assert not stream.records


@pytest.mark.parametrize("challenge", ["x", "x" * 200, "ü\"\\'</script>"])
def test_any_other_challenge_comes_back_as_it_is(receiver: Receiver, challenge: str) -> None:
    body = orjson.dumps({"event": "url_validation", "payload": {"plainToken": challenge}})
    status, answer = ask(receiver, "meetings", body, meeting(body))
    assert (status, answer["plainToken"]) == (200, challenge)


@pytest.mark.parametrize(
    "body",
    [
        b'{"event":["url_validation"],"payload":{"plainToken":"x"}}',
        b'{"event":"url_validation2","payload":{"plainToken":"x"}}',
        b'[{"event":"url_validation"}]',
        b'"url_validation"',
    ],
)
def test_what_only_looks_like_a_handshake_is_an_event(
    receiver: Receiver, stream: FakeStream, body: bytes
) -> None:
    assert ask(receiver, "meetings", body, meeting(body))[1]["status"] == "accepted"
    assert len(stream.records) == 1


# The senders of the catalogue


def test_each_sample_of_the_catalogue_is_answered_as_it_says(
    catalog: Catalog, sources: dict[str, LoadedSource]
) -> None:
    seen = 0
    for name, source in sources.items():
        if source.settings.ingest != "receiver":
            continue
        store = SecretStore(
            FakeSsm({f"/P/{name}/dev/{source.settings.parameter}": f"{SECRET}\n{PREVIOUS}"}),
            "P",
            "dev",
        )
        for sample in load_samples(source):
            request = sample.request((SECRET, PREVIOUS), NOW_MS / 1000)
            if request.method != "POST" or request.query or sample.settings.as_sent is not None:
                continue  # `source check` plays these with their own secrets and times
            stream = FakeStream()
            receiver = Receiver(catalog, store, stream, "events")
            _, answer = receiver.receive(proxy_event(name, request.body, request.headers))
            expect, label = sample.settings.expect, f"{name}/{sample.name}: {answer}"
            if expect.outcome == "refused":
                assert answer.status == expect.status, label
            else:
                assert 200 <= answer.status < 300, label
            if expect.outcome == "answered":
                told = {key: str(value) for key, value in answer.told.items()}
                assert expect.answer.items() <= told.items(), label
            taken = expect.outcome not in {"refused", "answered"}
            assert len(stream.records) == int(taken), label
            seen += 1
    assert seen > 20


# What is refused


@pytest.mark.parametrize(
    ("source", "headers", "settings", "status", "error"),
    [
        ("meetings", {}, {}, 400, "bad_request"),
        ("meetings", None, {}, 400, "bad_request"),
        ("meetings", {"x-meet-signature": ""}, {}, 400, "bad_request"),
        ("meetings", {"x-meet-signature": "v0=0"}, {}, 401, "bad_signature"),
        ("meetings", meeting(b"{}", secret="x"), {}, 401, "bad_signature"),
        ("meetings", meeting(b"{}", secret=""), {}, 401, "bad_signature"),
        ("meetings", meeting(b"{ }"), {}, 401, "bad_signature"),
        ("meetings", meeting(b"{}", signed_ms=NOW_MS - 301_000), {}, 401, "stale_signature"),
        ("meetings", meeting(b"{}", signed_ms=NOW_MS + 301_000), {}, 401, "stale_signature"),
        ("meetings", {**meeting(b"{}"), "Content-Type": "text/plain"}, {}, 415,
         "unsupported_media_type"),
        ("meetings", {"Content-Type": "text/plain"}, {}, 415, "unsupported_media_type"),
        ("parcels", {}, {}, 401, "unauthorized"),
        ("parcels", {"x-gitlab-token": ""}, {}, 401, "unauthorized"),
        ("parcels", {"x-gitlab-token": SECRET}, {}, 403, "forbidden"),
        ("parcels", {"x-gitlab-token": f"T {SECRET} "}, {}, 403, "forbidden"),
        ("parcels", {"x-gitlab-token": "T ü\ud800"}, {}, 403, "forbidden"),
        ("parcels", TOKEN, {"ip": "198.51.100.1"}, 403, "forbidden"),
        ("parcels", TOKEN, {"ip": "::1"}, 403, "forbidden"),
    ],
)  # fmt: skip
def test_what_is_refused(
    receiver: Receiver,
    stream: FakeStream,
    source: str,
    headers: dict[str, str] | None,
    settings: dict[str, str],
    status: int,
    error: str,
) -> None:
    answered, answer = ask(receiver, source, b"{}", headers, **settings)
    assert (answered, answer["error"]) == (status, error)
    assert answer["status"] == "error"
    assert answer["message"]
    assert not stream.records


def test_addresses_of_a_network_are_let_in(receiver: Receiver) -> None:
    assert ask(receiver, "parcels", b"{}", TOKEN, ip="2001:db8::9")[0] == 200


def test_a_wrong_secret_looks_the_same_whichever_it_was(receiver: Receiver, ssm: FakeSsm) -> None:
    with_two = ask(receiver, "meetings", b"{}", meeting(b"{}", secret="x"))
    ssm.parameters["/P/meetings/dev/signing_secret"] = SECRET
    fresh = Receiver(receiver.catalog, SecretStore(ssm, "P", "dev"), receiver.kinesis, "events")
    assert ask(fresh, "meetings", b"{}", meeting(b"{}", secret="x")) == with_two


def test_a_body_that_is_too_large_for_a_record(receiver: Receiver, stream: FakeStream) -> None:
    body = orjson.dumps({"x": "y" * 5_000_000})
    status, answer = ask(receiver, "meetings", body, meeting(body))
    assert (status, answer["error"]) == (413, "too_large")
    assert ask(receiver, "meetings", body, meeting(b""))[0] == 401
    assert not stream.records


def test_a_route_that_is_not_in_the_catalogue_is_an_error(receiver: Receiver) -> None:
    with pytest.raises(UnknownRouteError, match="/nosuch"):
        receiver.receive(proxy_event("nosuch"))


# What is our fault


@pytest.mark.parametrize(
    "fault",
    [
        client_error("ProvisionedThroughputExceededException"),
        client_error("KMSThrottlingException"),
        client_error("ResourceNotFoundException"),
        client_error("AccessDeniedException"),
        client_error("InternalFailure", status=500),
        out_of_reach(),
    ],
    ids=repr,
)
def test_kinesis_that_does_not_take_it_is_503(
    receiver: Receiver, stream: FakeStream, fault: Exception
) -> None:
    stream.broken = fault
    _, answer = receiver.receive(proxy_event("meetings", b"{}", meeting(b"{}")))
    assert answer.response()["headers"]["Retry-After"] == "1"
    assert (answer.status, answer.told["error"]) == (503, "unavailable")


@pytest.mark.parametrize(
    "break_it",
    [
        lambda ssm: ssm.parameters.clear(),
        lambda ssm: ssm.parameters.update(dict.fromkeys(ssm.parameters, " \n")),
        lambda ssm: setattr(ssm, "broken", client_error("ThrottlingException")),
        lambda ssm: setattr(ssm, "broken", out_of_reach()),
    ],
    ids=["missing", "empty", "throttled", "out of reach"],
)
@pytest.mark.parametrize(("source", "headers"), [("meetings", meeting(b"{}")), ("parcels", TOKEN)])
def test_a_secret_that_cannot_be_read_is_503(
    receiver: Receiver,
    ssm: FakeSsm,
    stream: FakeStream,
    break_it: Callable[[FakeSsm], None],
    source: str,
    headers: dict[str, str],
) -> None:
    """Never a 4xx: Okta and others never send again what was answered so."""
    break_it(ssm)
    status, answer = ask(receiver, source, b"{}", headers)
    assert (status, answer["error"]) == (503, "unavailable")
    assert "/P/" not in json.dumps(answer), "the sender learns no name of a parameter"
    assert not stream.records


# Logs and counters


def test_one_line_says_what_became_of_a_request(
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "receiver", lambda: receiver)
    body = b'{"private":"body"}'
    for event in (
        proxy_event("meetings", body, meeting(body)),
        proxy_event("meetings", VALIDATION, meeting(VALIDATION)),
        proxy_event("meetings", body, meeting(b"", secret="s3cr3t")),
        proxy_event("parcels", b"{}", {"X-Gitlab-Token": "T s3cr3t"}),
    ):
        module.handler(event, None)  # type: ignore[arg-type]
    logged = [vars(line) for line in caplog.records if line.name == module.logger.name]
    assert [line["message"] for line in logged] == ["accepted", "handshake", "denied", "denied"]
    assert [line["status"] for line in logged] == [200, 200, 401, 403]
    assert [line["source"] for line in logged] == ["meetings"] * 3 + ["parcels"]
    assert {line["id"] for line in logged} == {"r-1"}
    written = capsys.readouterr().out
    for secret in (SECRET, "s3cr3t", "private", "qgg8vlvZRS6U", "v0="):
        assert secret not in f"{logged}{written}"
    lines = [orjson.loads(line) for line in written.splitlines()]
    counted = {
        (name, line["source"], line.get("reason"))
        for line in lines
        if "_aws" in line
        for name in ("Accepted", "Handshakes", "Denied", "DeniedByReason", "Unavailable")
        if name in line
    }
    assert counted == {
        ("Accepted", "meetings", None),
        ("Handshakes", "meetings", None),
        ("Denied", "meetings", None),
        ("DeniedByReason", "meetings", "bad_signature"),
        ("Denied", "parcels", None),
        ("DeniedByReason", "parcels", "forbidden"),
    }


def test_a_request_does_not_print_what_it_carries(receiver: Receiver) -> None:
    request, _ = receiver.receive(proxy_event("parcels", b"private", TOKEN))
    assert SECRET not in repr(request)
    assert "private" not in repr(request)


def test_a_cold_start_loads_nothing_of_the_build() -> None:
    code = "import ingest_lambdas.receiver, sys; print(*sys.modules)"
    environment = {"PYTHONPATH": str(ROOT), "POWERTOOLS_SERVICE_NAME": "s", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "ingest_lambdas.receiver" in loaded
    assert not loaded & {"pydantic", "yaml", "typer", "rich", "aiohttp", "fastjsonschema"}


# The same envelope, whichever way in


NAMES = st.sampled_from(
    ["X-Delivery", "x-delivery", "X-DELIVERY", "X-Kind", "x-kind", "User-Agent", "user-agent",
     "X-Other", "Cookie"]
)  # fmt: skip
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["", "a b", "~*-._", "x" * 300, "%41+", "&h.x-kind=forged", "\udcff"]
)


QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["X-Delivery", "hub.mode", "HUB.mode", "a", "a,hub.mode", "$a"]), VALUES
    ),
    max_size=4,
)
PSEUDO = (":method", ":query.a", ":query.hub.mode", ":url")


@given(
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=6),
    query=QUERIES,
    pseudo=st.sets(st.sampled_from(PSEUDO)).map(sorted).map(tuple),
    body=st.binary(max_size=200),
    content_type=st.sampled_from([None, "text/plain", "Application/JSON; charset=x"]),
)
def test_the_receiver_and_the_mapping_template_make_the_same_envelope(
    private: Catalog,
    headers: list[tuple[str, str]],
    query: list[tuple[str, str]],
    pseudo: tuple[str, ...],
    body: bytes,
    content_type: str | None,
) -> None:
    source = replace(private.sources["parcels"], pseudo_headers=pseudo)
    if content_type:
        headers = [*headers, ("Content-Type", content_type)]
    exchange = _exchange([*headers, *TOKEN.items()], body, query)
    stream = FakeStream()
    secrets = SecretStore(FakeSsm({"/P/parcels/dev/auth_token": SECRET}), "P", "dev")
    receiver = Receiver(Catalog({"parcels": source}), secrets, stream, "events", ADDRESS)
    _, answer = receiver.receive(gateway_event(exchange))
    assert answer.status == 200
    received = decode_envelope(stream.records[0]["Data"])
    template = put_record_request(
        source="parcels",
        stream_name="events",
        keep=sorted(source.kept_headers),
        delivery_id=source.delivery_id_header,
        pseudo_headers=source.pseudo_headers,
        url=quote_plus(f"{ADDRESS}/parcels"),
    )
    text = template_text(body, binary=True, content_handling="CONVERT_TO_TEXT")
    assert text is not None
    variables = template_variables(exchange, text)
    call = json.loads(VtlTemplate(template, "test").render(variables))
    rendered = decode_envelope(base64.b64decode(call["Data"]))
    if rendered.key:
        assert received == rendered
        assert stream.records[0]["PartitionKey"] == call["PartitionKey"]
    else:
        assert received.key == "sha256:" + hashlib.sha256(body).hexdigest()
        assert received._replace(key="") == rendered
    assert received.body == body
    asked = {f":query.{name}": value.encode(errors="replace").decode() for name, value in query}
    given = {":method": "POST", ":url": f"{ADDRESS}/parcels", **asked}
    beside = {name: value for name, value in received.headers.items() if name.startswith(":")}
    assert beside == {name: given[name] for name in pseudo if name in given}


def _exchange(
    headers: list[tuple[str, str]], body: bytes, query: list[tuple[str, str]]
) -> Exchange:
    api = Api("api", "000000000000", "us-west-2", "dev", binary=True, routes=())
    integration = Integration("l", "AWS", "CONVERT_TO_TEXT", {}, None, (), 29)
    return Exchange(
        api=api,
        http_method="POST",
        path="/parcels",
        headers=headers,
        query=query,
        source_ip="192.0.2.7",
        body=body,
        route=Route("l", "/parcels", "id", "POST", integration),
    )
