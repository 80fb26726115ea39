"""Routing, throttling and request validation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.gateway.model import RateLimit
from local.gateway.throttling import TokenBucket
from tests.functional.local.gateway.fakes import FakeFunction
from tests.functional.local.gateway.support import LAMBDA, ApiTemplate, Sender, mock, run, send

SHOW = (
    '{"resource":"$context.resourcePath","path":"$context.path","method":"$context.httpMethod",'
    '"stage":"$context.stage"}'
)


@pytest.mark.parametrize(("path", "method"), [("/nope", "POST"), ("/x", "GET"), ("/", "POST")])
def test_unknown_route_is_a_missing_authentication_token(path: str, method: str) -> None:
    """Recorded: a route or method that is not there is 403 `Missing Authentication Token`."""
    api = ApiTemplate()
    api.method("/x", "POST", mock())
    answer = send(api, path, method=method)
    assert (answer.status, answer.json) == (403, {"message": "Missing Authentication Token"})
    assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


def test_context_has_stage_and_paths() -> None:
    """Documented: `$context.path` has the stage in front, `$context.resourcePath` has not.

    Recorded for the event of a proxy: the path is as it was sent, with the slash at its end.
    """
    api = ApiTemplate()
    api.method("/a/c d", "PUT", mock(SHOW))
    assert send(api, "/a/c%20d/", method="PUT").json == {
        "resource": "/a/c d",
        "path": "/dev/a/c%20d/",
        "method": "PUT",
        "stage": "dev",
    }


def test_encoded_slash_does_not_part_a_path() -> None:
    api = ApiTemplate()
    api.method("/a/b", "POST", mock(SHOW))
    assert send(api, "/a/b").status == 200
    assert send(api, "/a%2Fb").status == 403


def test_identifiers_look_like_those_of_api_gateway() -> None:
    api = ApiTemplate()
    shown = '{"r":"$context.requestId","e":"$context.extendedRequestId"}'
    api.method("/x", "POST", mock(shown))

    async def scenario(sender: Sender) -> list[Any]:
        return [(await sender.send("/x")) for _ in range(20)]

    answers = run(api, scenario)
    for answer in answers:
        assert answer.json == {
            "r": answer.headers["x-amzn-RequestId"],
            "e": answer.headers["x-amz-apigw-id"],
        }
        assert len(answer.json["e"]) == 16
        assert answer.json["e"].endswith("=")
    assert len({answer.json["e"] for answer in answers}) == 20


def test_bucket_lets_a_burst_through_and_then_the_rate() -> None:
    now = [0.0]
    bucket = TokenBucket(RateLimit(rate=2, burst=3), clock=lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now[0] = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now[0] = 100.0
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize(
    ("path", "method", "passed"), [("/*", "*", 2), ("/~1x", "POST", 2), ("/~1y", "*", 5)]
)
def test_throttled_request_is_429(path: str, method: str, passed: int) -> None:
    """Documented: a method over its limit is 429 `Too Many Requests`."""
    setting = {
        "ResourcePath": path,
        "HttpMethod": method,
        "ThrottlingRateLimit": 0.001,
        "ThrottlingBurstLimit": 2,
    }
    api = ApiTemplate(stage={"MethodSettings": [setting]})
    api.method("/x", "POST", mock())

    async def scenario(sender: Sender) -> list[Any]:
        return [await sender.send("/x") for _ in range(5)]

    answers = run(api, scenario)
    assert [answer.status for answer in answers] == [200] * passed + [429] * (5 - passed)
    if passed < 5:
        assert answers[-1].json == {"message": "Too Many Requests"}


def _validated() -> ApiTemplate:
    api = ApiTemplate()
    api.add("Validator", "RequestValidator", {"ValidateRequestParameters": True})
    api.method(
        "/x",
        "POST",
        mock(),
        RequestValidatorId={"Ref": "Validator"},
        RequestParameters={
            "method.request.header.X-Second": True,
            "method.request.header.X-Param": True,
            "method.request.header.X-Optional": False,
        },
    )
    return api


@pytest.mark.parametrize(
    ("headers", "missing"),
    [
        ({"X-Param": "1", "X-Second": "2"}, None),
        ({}, "X-Param, X-Second"),
        ({"X-Second": "2"}, "X-Param"),
        ({"X-Param": "1"}, "X-Second"),
        ({"X-Param": "1", "X-Second": " "}, "X-Second"),
        ({"X-Param": "", "X-Second": "2"}, "X-Param"),
    ],
)
def test_missing_parameters_are_400(headers: dict[str, str], missing: str | None) -> None:
    """Recorded: 400 with the names of what is missing; documented: blank counts as missing."""
    answer = send(_validated(), headers=headers)
    if missing is None:
        assert answer.status == 200
    else:
        expected = {"message": f"Missing required request parameters: [{missing}]"}
        assert (answer.status, answer.json) == (400, expected)


def test_required_header_in_another_case_is_missing() -> None:
    """Documented: names of headers are processed case-sensitively."""
    answer = send(_validated(), headers={"x-param": "1", "X-Second": "2"})
    assert answer.json == {"message": "Missing required request parameters: [X-Param]"}


def test_parameters_are_not_validated_without_a_validator() -> None:
    api = ApiTemplate()
    required = {"method.request.header.X-Param": True}
    api.method("/x", "POST", mock(), RequestParameters=required)
    assert send(api).status == 200


def test_headers_are_apart_from_the_query() -> None:
    """Documented: `$input.params()` holds query and headers each by itself."""
    api = ApiTemplate()
    shown = "$input.params().header.get('X-Sig')|$input.params().querystring.get('X-Sig')"
    api.method("/x", "POST", mock(shown))
    assert send(api, "/x?X-Sig=query", headers={"X-Sig": "header"}).body == b"header|query"


def test_headers_keep_the_case_of_the_sender() -> None:
    api = ApiTemplate()
    api.method("/x", "POST", mock("#foreach($n in $input.params().header.keySet())$n,#end"))
    names = send(api, headers={"x-LOWER": "1", "X-Upper": "2"}).body.decode().split(",")
    assert {"x-LOWER", "X-Upper"} <= set(names)


def test_the_senders_address_and_the_time() -> None:
    api = ApiTemplate()
    text = json.dumps({
        "ip": "$context.identity.sourceIp",
        "account": "$context.accountId",
        "protocol": "$context.protocol",
        "epoch": "$context.requestTimeEpoch",
    })  # fmt: skip
    api.method("/x", "POST", mock(text))
    answer = send(api).json
    assert answer.pop("epoch").isdigit()
    assert answer == {"ip": "127.0.0.1", "account": "000000000000", "protocol": "HTTP/1.1"}


@pytest.mark.parametrize(
    ("path", "token"), [("/x/abc", "abc"), ("/x/a%2Fb%20%2A/", "a/b *"), ("/x/{token}", "{token}")]
)
def test_a_parameter_is_the_last_part_decoded(path: str, token: str) -> None:
    """Documented: `pathParameters` of a proxy integration, for `/x/{token}`."""
    function = FakeFunction({"statusCode": 200})
    assert send(_with_parameter(), path, invoke=function).status == 200
    (event,) = function.events
    assert event["pathParameters"] == {"token": token}
    assert event["resource"] == event["requestContext"]["resourcePath"] == "/x/{token}"


@pytest.mark.parametrize("path", ["/x", "/x/", "/x/a/b", "/y/a"])
def test_a_parameter_is_one_part_and_not_empty(path: str) -> None:
    assert send(_with_parameter(), path, invoke=FakeFunction({"statusCode": 200})).status == 403


def test_a_part_as_it_is_written_goes_before_a_parameter() -> None:
    api = _with_parameter()
    api.add("Xx0fixed", "Resource", {"ParentId": {"Ref": "Rootx0"}, "PathPart": "fixed"})
    api.add("Fixed", "Method", {
        "ResourceId": {"Ref": "Xx0fixed"}, "HttpMethod": "POST", "AuthorizationType": "NONE",
        "Integration": mock(SHOW), "MethodResponses": [{"StatusCode": "200"}],
    })  # fmt: skip
    assert send(api, "/x/fixed").json["resource"] == "/x/fixed"


def _with_parameter() -> ApiTemplate:
    api = ApiTemplate()
    integration = {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": LAMBDA}
    api.method("/x/{token}", "POST", integration)
    return api
