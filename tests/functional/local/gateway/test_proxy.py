"""Lambda proxy integrations."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.errors import PipelineError
from tests.functional.local.gateway.fakes import FakeFunction
from tests.functional.local.gateway.support import LAMBDA, Answer, ApiTemplate, send

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.invocation import Invocation


def proxy(binary: bool = False, **guard: Any) -> ApiTemplate:
    api = ApiTemplate(binary=binary)
    integration = {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": LAMBDA}
    api.method("/x/y", "PUT", integration, **guard)
    return api


def put(
    api: ApiTemplate,
    path: str = "/x/y",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> Answer:
    return send(api, path, body, headers, method="PUT", **options)


def test_proxy_event_and_answer() -> None:
    payload = {
        "statusCode": 201,
        "headers": {"X-One": "1", "Content-Type": "text/plain"},
        "multiValueHeaders": {"X-Two": ["a", "b"]},
        "body": "made",
    }
    function = FakeFunction(payload)
    answer = put(proxy(), "/x/y?a=1", b"in", {"X-In": "y"}, invoke=function)
    assert (answer.status, answer.body) == (201, b"made")
    assert (answer.headers["X-One"], answer.headers["Content-Type"]) == ("1", "text/plain")
    (event,) = function.events
    assert event["pathParameters"] is None
    assert (event["resource"], event["path"]) == ("/x/y", "/x/y")
    assert (event["body"], event["isBase64Encoded"]) == ("in", False)
    assert event["stageVariables"] is None
    assert event["headers"]["X-In"] == "y"


def test_binary_proxy_body_is_base64_both_ways() -> None:
    body = {"statusCode": 200, "body": "/w==", "isBase64Encoded": True}
    function = FakeFunction(body)
    assert put(proxy(binary=True), body=b"\xfe", invoke=function).body == b"\xff"
    assert (function.events[0]["body"], function.events[0]["isBase64Encoded"]) == ("/g==", True)


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (None, None),
        ("text", None),
        ({"statusCode": "x"}, None),
        ({"statusCode": 200, "body": {"a": 1}}, None),
        ({"statusCode": 200, "unknown": 1}, None),
        ({"statusCode": 2000}, None),
        ({"statusCode": 200, "headers": ["a"]}, None),
        ({"statusCode": 200, "headers": {"a": {"b": "c"}}}, None),
        ({"statusCode": 200, "multiValueHeaders": {"a": "a string"}}, None),
        ({"statusCode": 200, "multiValueHeaders": {"a": [["b"]]}}, None),
        ({"errorMessage": "boom"}, "Unhandled"),
    ],
)
def test_malformed_proxy_answer_is_502(payload: Any, error: str | None) -> None:
    """Documented: a function error or a malformed answer of a proxy is 502.

    A string among the multi-value headers is recorded: test_apigateway_lambda of LocalStack,
    test_aws_proxy_response_payload_format_validation.
    """
    answer = put(proxy(), invoke=FakeFunction(payload, error))
    assert (answer.status, answer.json) == (502, {"message": "Internal server error"})


def test_slow_function_is_504() -> None:
    async def sleepy(function: str, event: Mapping[str, Any]) -> Invocation:
        await asyncio.Event().wait()  # until it is given up
        raise AssertionError

    api = proxy()
    method = next(each for each in api.resources.values() if "Method" in each["Type"])
    method["Properties"]["Integration"]["TimeoutInMillis"] = 50
    assert put(api, invoke=sleepy).status == 504


def test_function_that_cannot_be_run_is_500() -> None:
    async def broken(function: str, event: Mapping[str, Any]) -> Invocation:
        raise PipelineError(f"{function}: its process is gone")

    answer = put(proxy(), invoke=broken)
    assert (answer.status, answer.json) == (500, {"message": "Internal server error"})
