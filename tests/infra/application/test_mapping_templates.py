"""What the mapping templates make of a request, against a recording of the real Velocity."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from infra.application.mapping_templates import (
    accepted_response,
    error_body,
    handshake_response,
    put_record_request,
    refused_response,
)
from local.gateway.variables import InputObject, UtilObject
from local.vtl import VtlTemplate
from pipeline.event.envelope import decode_envelope, encode_envelope, partition_key
from pipeline.replay.job import new_job_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.gateway.exchange import Exchange

RECORDED = json.loads((Path(__file__).parent / "velocity_vectors.json").read_bytes())
HANDSHAKES = json.loads((Path(__file__).parent / "velocity_handshakes.json").read_bytes())


def render(
    template: str, body: str = "", headers: Mapping[str, str] | None = None
) -> tuple[str, dict[str, Any]]:
    """Render with `body` as `$input.body`, and give the text with the context it left behind."""
    # A query must never be taken for a header.
    query = {"X-GitHub-Delivery": "query", "X-Hub-Signature-256": "query"}
    exchange = SimpleNamespace(query=query, headers=headers or {})
    context = {**RECORDED["context"], "responseOverride": {}}
    variables = {
        "input": InputObject(cast("Exchange", exchange), body),
        "util": UtilObject(),
        "context": context,
    }
    return VtlTemplate(template, "test").render(variables), context


def put_record(headers: Mapping[str, str], body: bytes = b"{}") -> dict[str, str]:
    template = put_record_request(
        source="github",
        stream_name="events",
        keep=["X-GitHub-Delivery", "X-GitHub-Event"],
        delivery_id="X-GitHub-Delivery",
    )
    text, _ = render(template, base64.b64encode(body).decode(), headers)
    call: dict[str, str] = json.loads(text)
    return call


@pytest.mark.parametrize("vector", RECORDED["vectors"], ids=range(len(RECORDED["vectors"])))
def test_request_renders_as_the_real_velocity_renders_it(vector: dict[str, Any]) -> None:
    template = put_record_request(
        source=vector["source"],
        stream_name="events",
        keep=vector["keep"],
        delivery_id=vector["delivery_id"],
    )
    text, _ = render(template, vector["body"], vector["headers"])
    assert json.loads(text) == vector["call"]


@pytest.mark.parametrize("vector", RECORDED["vectors"], ids=range(len(RECORDED["vectors"])))
def test_recorded_calls_are_envelopes_of_the_exact_body(vector: dict[str, Any]) -> None:
    data = base64.b64decode(vector["call"]["Data"], validate=True)
    envelope = decode_envelope(data)
    assert envelope.body == base64.b64decode(vector["body"])
    assert (data.index(b"\n") + 1) % 3 == 0
    assert envelope.source == vector["source"]
    sent: dict[str, str] = {}
    for name, value in vector["headers"].items():
        sent.setdefault(name.lower(), value)
    kept = {name.lower() for name in vector["keep"]} & set(sent)
    assert {name: envelope.headers[name] for name in kept} == {name: sent[name] for name in kept}
    assert "authorization" not in envelope.headers
    delivery_id = (vector["delivery_id"] or "").lower()
    assert envelope.key == sent.get(delivery_id, "")


@pytest.mark.parametrize("vector", RECORDED["vectors"], ids=range(len(RECORDED["vectors"])))
def test_a_replay_of_a_recorded_call_is_no_longer_than_the_call(vector: dict[str, Any]) -> None:
    data = base64.b64decode(vector["call"]["Data"])
    envelope = decode_envelope(data)
    marked = envelope._replace(
        replay=new_job_id(datetime.now(UTC)), replays=9_999, force=True, only="12-345"
    )
    for one in (envelope, marked):
        assert len(encode_envelope(one)) <= len(data)
        assert len(partition_key(one)) <= len(vector["call"]["PartitionKey"])


@pytest.mark.parametrize(
    ("delivery_id", "expected"),
    [
        ("72d3162e-cc78", "72d3162e-cc78"),
        ("a b/c", "a+b%2Fc"),
        ('"}', "%22%7D"),
        ("x" * 256, "x" * 256),
        ("x" * 257, "JKJaXmPLvHcESHA="),
        ("é" * 43, "JKJaXmPLvHcESHA="),
        ("", "JKJaXmPLvHcESHA="),
    ],
)
def test_partition_key_is_the_delivery_id_where_kinesis_takes_it(
    delivery_id: str, expected: str
) -> None:
    call = put_record({"x-github-delivery": delivery_id})
    assert call["PartitionKey"] == expected
    assert decode_envelope(base64.b64decode(call["Data"])).key == delivery_id


def test_without_a_delivery_id_the_request_is_the_key() -> None:
    assert put_record({})["PartitionKey"] == "JKJaXmPLvHcESHA="


def test_a_header_sent_twice_makes_no_field_twice() -> None:
    call = put_record({"X-Github-Event": "one", "x-github-event": "two"})
    assert decode_envelope(base64.b64decode(call["Data"])).headers == {"x-github-event": "one"}


def test_an_empty_body_stays_empty() -> None:
    assert decode_envelope(base64.b64decode(put_record({}, b"")["Data"])).body == b""


def test_values_of_a_sender_are_not_looked_up_by_name() -> None:
    template = put_record_request(source="s", stream_name="n", keep=["A"], delivery_id="A")
    assert "params('" not in template
    assert 'params("' not in template


def test_accepted_says_the_id_of_the_envelope() -> None:
    text, _ = render(accepted_response())
    assert json.loads(text) == {"status": "accepted", "id": "JKJaXmPLvHcESHA="}


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        ({"__type": "ValidationException", "message": "'data'"}, 413, "too_large"),
        ({"__type": "com.amazon#InvalidArgumentException"}, 413, "too_large"),
        ({"__type": "ProvisionedThroughputExceededException"}, None, "unavailable"),
        ({"__type": "ResourceNotFoundException"}, None, "unavailable"),
        ({"__type": "InternalFailure"}, None, "unavailable"),
        ({}, None, "unavailable"),
    ],
)
@pytest.mark.parametrize("encoded", [True, False])
def test_what_kinesis_refuses(
    answer: dict[str, str], status: int | None, error: str, *, encoded: bool
) -> None:
    plain = json.dumps(answer)
    body = base64.b64encode(plain.encode()).decode() if encoded else plain
    text, context = render(refused_response(), body)
    assert json.loads(text)["error"] == error
    assert context["responseOverride"].get("status") == status


def test_kinesis_without_an_answer_is_unavailable() -> None:
    text, context = render(refused_response(), "")
    assert json.loads(text)["error"] == "unavailable"
    assert "status" not in context["responseOverride"]


def test_error_body_is_json_in_one_line() -> None:
    assert json.loads(error_body("e", 'a "message"'))["message"] == 'a "message"'
    assert "\n" not in error_body("e", "m")


@pytest.mark.parametrize("vector", HANDSHAKES["vectors"], ids=range(len(HANDSHAKES["vectors"])))
def test_handshake_renders_as_the_real_velocity_renders_it(vector: dict[str, Any]) -> None:
    template = handshake_response(header=HANDSHAKES["header"], field=HANDSHAKES["field"])
    text, context = render(template, "", vector["headers"])
    assert json.loads(text) == vector["body"]
    assert context["responseOverride"].get("status", 200) == vector["status"]


@pytest.mark.parametrize("vector", HANDSHAKES["vectors"], ids=range(len(HANDSHAKES["vectors"])))
def test_recorded_handshakes_give_the_header_back_or_400(vector: dict[str, Any]) -> None:
    wanted = HANDSHAKES["header"].lower()
    sent = [value for name, value in vector["headers"].items() if name.lower() == wanted and value]
    if sent:
        assert (vector["status"], vector["body"]) == (200, {HANDSHAKES["field"]: sent[0]})
    else:
        assert (vector["status"], vector["body"]["error"]) == (400, "bad_request")


def test_a_handshake_looks_no_header_up_by_name() -> None:
    template = handshake_response(header="A", field="f")
    assert "params('" not in template
    assert 'params("' not in template
