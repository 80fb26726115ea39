"""Integration responses: selection, overrides, templates and headers; mocks."""

from __future__ import annotations

import json

import pytest

from tests.functional.local.gateway.support import ApiTemplate, kinesis, mock, send


def test_override_of_the_request_template_survives_into_the_response() -> None:
    """Recorded: `$context.responseOverride` set by the request template of a mock holds."""
    request = (
        '#set($body = $util.parseJson($input.json("$")))'
        "#set($context.responseOverride.status = $body.status)"
        "#set($context.responseOverride.header.X-Said = $body.say)"
        '#set($context.responseOverride.said = $body.say){"statusCode": 200}'
    )
    api = ApiTemplate()
    api.method("/x", "POST", mock('{"said":"$context.responseOverride.said"}', request))
    answer = send(api, body=json.dumps({"status": 201, "say": "hi"}).encode())
    assert (answer.status, answer.headers["X-Said"]) == (201, "hi")
    assert answer.json == {"said": "hi"}


def test_override_of_the_response_template() -> None:
    """Recorded: `$context.responseOverride.status` set by a response template holds."""
    api = ApiTemplate()
    api.method("/x", "POST", mock("#set($context.responseOverride.status = 418)short and stout"))
    assert (send(api).status, send(api).body) == (418, b"short and stout")


@pytest.mark.parametrize("request_template", ["{}", "no", '{"statusCode": "x"}', "[]"])
def test_mock_without_a_status_is_500(request_template: str) -> None:
    api = ApiTemplate()
    api.method("/x", "POST", mock(request=request_template))
    assert send(api).status == 500


def test_mock_selects_by_its_status() -> None:
    responses = [
        {"StatusCode": "200", "ResponseTemplates": {"application/json": "default"}},
        {
            "StatusCode": "404",
            "SelectionPattern": "4\\d\\d",
            "ResponseTemplates": {"application/json": "found none"},
        },
    ]
    api = ApiTemplate()
    integration = mock(request='{"statusCode": 404}', IntegrationResponses=responses)
    declared = [{"StatusCode": "200"}, {"StatusCode": "404"}]
    api.method("/x", "POST", integration, MethodResponses=declared)
    assert (send(api).status, send(api).body) == (404, b"found none")


def test_response_template_follows_accept() -> None:
    templates = {"application/json": "{}", "application/xml": "<x/>"}
    responses = [{"StatusCode": "200", "ResponseTemplates": templates}]
    api = ApiTemplate()
    api.method("/x", "POST", mock(IntegrationResponses=responses))
    for accept, kind in (
        ("application/xml", "application/xml"),
        ("text/html, application/xml", "application/json"),
        ("*/*", "application/json"),
    ):
        assert send(api, headers={"Accept": accept}).headers["Content-Type"] == kind


def test_response_parameters() -> None:
    parameters = {
        "method.response.header.X-Static": "'yes'",
        "method.response.header.X-Id": "context.extendedRequestId",
        "method.response.header.X-Type": "integration.response.header.Content-Type",
        "method.response.header.X-Gone": "integration.response.header.Nope",
    }
    api = ApiTemplate(binary=True)
    integration = kinesis()
    integration["IntegrationResponses"][0]["ResponseParameters"] = parameters
    declared = [{"StatusCode": "200", "ResponseParameters": dict.fromkeys(parameters, False)}]
    api.method("/x", "POST", integration, MethodResponses=declared)
    headers = send(api, body=b"x").headers
    assert headers["X-Static"] == "yes"
    assert headers["X-Id"] == headers["x-amz-apigw-id"]
    assert headers["X-Type"] == "application/x-amz-json-1.1"
    assert "X-Gone" not in headers
