"""How API Gateway hands the body of a request to a mapping template."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.application.mapping_templates import accepted_response, put_record_request
from local.gateway.exchange import Exchange
from local.gateway.integrations import request_payload
from local.gateway.reader import read_api
from pipeline.event.envelope import decode_envelope
from tests.functional.local.gateway.fakes import FakeKinesis
from tests.functional.local.gateway.support import ApiTemplate, kinesis, mock, send

NOT_UTF8 = bytes(range(256))


def echo(template: str = "$input.body") -> dict[str, Any]:
    """Return a mock whose response shows how its *request* template saw the body."""
    request = f'#set($context.responseOverride.seen = "{template}"){{"statusCode": 200}}'
    return dict(mock("$context.responseOverride.seen", request))


def test_empty_body_is_an_empty_object() -> None:
    """Recorded: `$input.body` of a request without a body renders as `{}`."""
    api = ApiTemplate()
    api.method("/x", "POST", echo())
    assert send(api).body == b"{}"


def test_converted_body_is_base64_of_the_exact_bytes() -> None:
    """Recorded: a binary media type with CONVERT_TO_TEXT shows base64 of the bytes, text too."""
    api, stream = ApiTemplate(binary=True), FakeKinesis()
    api.method("/x", "POST", kinesis())
    for body in (NOT_UTF8, b' {"a" : 1}\r\n'):
        assert send(api, body=body, client=stream).status == 200
    assert stream.data == [NOT_UTF8, b' {"a" : 1}\r\n']


def test_text_body_is_decoded_with_replacement() -> None:
    """Recorded: without binary media types, what is no UTF-8 is replaced, without an error."""
    api, stream = ApiTemplate(), FakeKinesis()
    put = '{"StreamName":"s","PartitionKey":"k","Data":"$util.base64Encode($input.body)"}'
    api.method("/x", "POST", kinesis(RequestTemplates={"application/json": put}))
    assert send(api, body=b"a\xff\xc3\xa9 ", client=stream).status == 200
    assert stream.data == ["a\ufffdé ".encode()]


def test_binary_body_without_conversion_fails_with_a_template() -> None:
    """Recorded: a binary payload that meets a request template without CONVERT_TO_TEXT is a 500."""
    api = ApiTemplate(binary=True)
    api.method("/x", "POST", kinesis(ContentHandling=None))
    answer = send(api, body=b"{}")
    assert (answer.status, answer.json) == (500, {"message": "Internal server error"})


def test_binary_answer_without_conversion_fails_with_a_template() -> None:
    """Recorded: with `*/*` an integration response without CONVERT_TO_TEXT is a 500."""
    api = ApiTemplate(binary=True)
    responses = [{"StatusCode": "200", "ResponseTemplates": {"application/json": "{}"}}]
    api.method("/x", "POST", kinesis(IntegrationResponses=responses))
    assert send(api, body=b"{}").status == 500


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        # Without the time in it: the parameters name the test, and all workers must agree on it.
        ("gzip", gzip.compress(b'{"a":1}', mtime=0)),
        ("GZIP", gzip.compress(b'{"a":1}', mtime=0)),
        ("deflate", zlib.compress(b'{"a":1}')),
        ("deflate", zlib.compress(b'{"a":1}')[2:-4]),
        ("identity", b'{"a":1}'),
    ],
)
def test_compressed_body_is_decompressed_before_the_template(coding: str, body: bytes) -> None:
    """Documented: Content-Encoding gzip and deflate are undone before the template."""
    api, stream = ApiTemplate(binary=True), FakeKinesis()
    api.method("/x", "POST", kinesis())
    assert send(api, body=body, headers={"Content-Encoding": coding}, client=stream).status == 200
    assert stream.data == [b'{"a":1}']


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "compress"])
def test_unknown_or_broken_coding_is_415(coding: str) -> None:
    """Documented: an unsupported coding or a broken stream is 415."""
    api, stream = ApiTemplate(binary=True), FakeKinesis()
    api.method("/x", "POST", kinesis())
    answer = send(api, body=b"{}", headers={"Content-Encoding": coding}, client=stream)
    assert answer.status == 415
    assert stream.calls == []


def test_truncated_and_trailing_gzip_is_415() -> None:
    api = ApiTemplate(binary=True)
    api.method("/x", "POST", kinesis())
    for body in (gzip.compress(b"{}")[:-3], gzip.compress(b"{}") + b"x", b""):
        assert send(api, body=body, headers={"Content-Encoding": "gzip"}).status == 415


@pytest.mark.parametrize("compressed", [False, True])
def test_payload_over_ten_megabytes_is_413(compressed: bool) -> None:
    """Documented: a payload over 10 MB is 413 with a body that cannot be customised."""
    api, stream = ApiTemplate(binary=True), FakeKinesis()
    api.method("/x", "POST", kinesis())
    api.add("Large", "GatewayResponse", {"ResponseType": "DEFAULT_4XX", "StatusCode": "418"})
    large = b"a" * (10 * 1024 * 1024 + 1)
    headers = {"Content-Encoding": "gzip"} if compressed else {}
    answer = send(
        api, body=gzip.compress(large) if compressed else large, headers=headers, client=stream
    )
    assert (answer.status, answer.json) == (413, {"message": "Request Too Long"})
    assert stream.calls == []


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (None, 200),
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON;charset=UTF-8", 200),
        ("application/vnd.api+json", 415),
        ("text/plain", 415),
    ],
)
def test_template_is_chosen_by_media_type_alone(content_type: str | None, status: int) -> None:
    """Documented: parameters of Content-Type do not count; none at all means application/json."""
    api = ApiTemplate(binary=True)
    api.method("/x", "POST", kinesis())
    headers = {"Content-Type": content_type} if content_type else {}
    assert send(api, body=b"{}", headers=headers).status == status


def test_type_without_a_template_never_reaches_the_service() -> None:
    """Documented: NEVER refuses it; the other two hand the sender's own body over as the call."""
    api, stream = ApiTemplate(), FakeKinesis()
    api.method("/x", "POST", kinesis())
    call = json.dumps({"StreamName": "theirs", "PartitionKey": "k", "Data": "YQ=="}).encode()
    answer = send(api, body=call, headers={"Content-Type": "text/plain"}, client=stream)
    assert answer.status == 415
    assert stream.calls == []


def _envelope_api(**changes: Any) -> ApiTemplate:
    request = put_record_request(
        source="github",
        stream_name="events",
        keep=["X-GitHub-Event", "X-Hub-Signature-256"],
        delivery_id="X-GitHub-Delivery",
    )
    responses = [
        {
            "StatusCode": "200",
            "ContentHandling": "CONVERT_TO_TEXT",
            "ResponseTemplates": {"application/json": accepted_response()},
        }
    ]
    api = ApiTemplate(binary=True)
    templates = {"application/json": request}
    api.method("/github", "POST", kinesis(RequestTemplates=templates, **changes))
    integration = api.resources["Rootgithub0POST"]["Properties"]["Integration"]
    integration["IntegrationResponses"] = responses
    return api


API = read_api(_envelope_api().template())


@settings(max_examples=300)
@given(body=st.binary(min_size=1), event=st.text(max_size=40), signature=st.text(max_size=80))
def test_any_bytes_and_headers_survive_the_deployed_template(
    body: bytes, event: str, signature: str
) -> None:
    exchange = Exchange(
        API,
        "POST",
        "/github",
        [("x-github-event", event), ("X-Hub-Signature-256", signature)],
        [("X-GitHub-Event", "shadow")],
        "192.0.2.1",
        body=body,
    )
    call = json.loads(request_payload(exchange, API.routes[0].integration))
    envelope = decode_envelope(base64.b64decode(call["Data"], validate=True))
    assert envelope.body == body
    assert envelope.id == exchange.extended_request_id == call["PartitionKey"]
    replaced = event.encode("utf-8", "replace").decode()
    assert envelope.headers.get("x-github-event", "") == replaced
    assert (
        envelope.headers.get("x-hub-signature-256", "")
        == signature.encode("utf-8", "replace").decode()
    )


@pytest.mark.parametrize("body", [NOT_UTF8, b"", b"{}", b"\n", gzip.compress(b"x", mtime=0)])
def test_bytes_survive_the_way_over_the_wire(body: bytes) -> None:
    stream = FakeKinesis()
    answer = send(_envelope_api(), "/github", body, client=stream)
    assert answer.status == 200
    envelope = decode_envelope(stream.data[0])
    assert envelope.body == body
    assert envelope.id == answer.json["id"] == answer.headers["x-amz-apigw-id"]
