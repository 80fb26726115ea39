"""Integration responses: selection, override of the status, templates; mocks."""

from __future__ import annotations

import pytest

from tests.functional.local.gateway.support import ApiTemplate, mock, send


def test_override_of_the_request_template_survives_into_the_response() -> None:
    """Recorded: `$context.responseOverride` set by the request template of a mock holds."""
    request = (
        "#set($context.responseOverride.status = 201)"
        '#set($context.responseOverride.said = $input.body){"statusCode": 200}'
    )
    api = ApiTemplate()
    api.method("/x", "POST", mock('{"said":"$context.responseOverride.said"}', request))
    answer = send(api, body=b"hi")
    assert (answer.status, answer.json) == (201, {"said": "hi"})


def test_override_of_the_status_that_is_no_number_is_500() -> None:
    api = ApiTemplate()
    api.method("/x", "POST", mock("#set($context.responseOverride.status = 'teapot')"))
    assert send(api).status == 500


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
