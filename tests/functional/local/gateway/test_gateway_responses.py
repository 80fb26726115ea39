"""Gateway responses, and what the access log says."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from tests.functional.local.gateway.fakes import FakeFunction
from tests.functional.local.gateway.support import ApiTemplate, mock, send


def customised(**responses: dict[str, Any]) -> ApiTemplate:
    api = ApiTemplate()
    api.method("/x", "POST", mock())
    for response_type, properties in responses.items():
        api.add(response_type, "GatewayResponse", {"ResponseType": response_type, **properties})
    return api


def test_template_and_headers_are_substituted() -> None:
    """Documented: gateway responses are no VTL; `$context.error.messageString` is quoted."""
    template = (
        '{"plain":"$context.error.message","quoted":$context.error.messageString,'
        '"type":"$context.error.responseType","id":"${context.extendedRequestId}",'
        '"stage":"$context.stage"}'
    )
    api = customised(
        MISSING_AUTHENTICATION_TOKEN={
            "StatusCode": "404",
            "ResponseTemplates": {"application/json": template},
            "ResponseParameters": {
                "gatewayresponse.header.Retry-After": "'5'",
                "gatewayresponse.header.X-Id": "context.requestId",
            },
        }
    )
    answer = send(api, "/nope")
    assert answer.status == 404
    assert answer.json == {
        "plain": "Missing Authentication Token",
        "quoted": "Missing Authentication Token",
        "type": "MISSING_AUTHENTICATION_TOKEN",
        "id": answer.headers["x-amz-apigw-id"],
        "stage": "dev",
    }
    assert answer.headers["Retry-After"] == "5"
    assert answer.headers["X-Id"] == answer.headers["x-amzn-RequestId"]


def test_message_is_null_where_api_gateway_has_none() -> None:
    api = ApiTemplate()
    guard = api.authorizer(IdentitySource="context.path")
    api.method("/x", "POST", mock(), **guard)
    template = {
        "application/json": '{"m":$context.error.messageString,"p":"$context.error.message"}'
    }
    failure = {"ResponseType": "AUTHORIZER_FAILURE", "ResponseTemplates": template}
    api.add("Failure", "GatewayResponse", failure)
    answer = send(api, invoke=FakeFunction({}, "Unhandled"))
    assert (answer.status, answer.json) == (500, {"m": None, "p": ""})


@pytest.mark.parametrize(
    ("responses", "status", "body"),
    [
        ({"DEFAULT_4XX": {}}, 403, '{"message":"Missing Authentication Token"}'),
        ({"DEFAULT_4XX": {"StatusCode": "418"}}, 418, '{"message":"Missing Authentication Token"}'),
        ({"DEFAULT_5XX": {"StatusCode": "418"}}, 403, '{"message":"Missing Authentication Token"}'),
        (
            {
                "DEFAULT_4XX": {"ResponseTemplates": {"text/plain": "default"}},
                "MISSING_AUTHENTICATION_TOKEN": {"ResponseTemplates": {"text/plain": "own"}},
            },
            403,
            "own",
        ),
        ({"DEFAULT_4XX": {"ResponseTemplates": {"text/plain": "default"}}}, 403, "default"),
    ],
)
def test_defaults_apply_where_a_type_has_no_response(
    responses: dict[str, Any], status: int, body: str
) -> None:
    """Documented: DEFAULT_4XX and DEFAULT_5XX stand in for the types that are not customised."""
    answer = send(customised(**responses), "/nope")
    assert (answer.status, answer.body.decode()) == (status, body)


def test_access_log_is_one_line_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    api = ApiTemplate()
    api.method("/x", "POST", mock())
    with caplog.at_level(logging.INFO, "local.gateway.access"):
        send(api, "/x?token=secret-query", b"secret-body", {"Authorization": "secret-header"})
        send(api, "/secret-path")
    first, second = (
        json.loads(record.getMessage())
        for record in caplog.records
        if record.name == "local.gateway.access"
    )
    assert (first["httpMethod"], first["resourcePath"], first["status"]) == ("POST", "/x", 200)
    assert first["requestBytes"] == len("secret-body")
    assert first["latencyMs"] > 0
    assert second["errorResponseType"] == "MISSING_AUTHENTICATION_TOKEN"
    assert "secret" not in caplog.text
