"""The REST API: who gets in, what reaches Kinesis, and what the sender is told."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from infra.application.mapping_templates import accepted_response, refused_response
from tests.infra.policies import written
from toolbox.cli.secret_times import AUTHORIZER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from settings.deployment import Deployment
    from tests.infra.conftest import Synthesized

METHOD = "AWS::ApiGateway::Method"
SOURCES = ("github", "generic", "alarms")
REQUIRED = (("X-GitHub-Delivery", "X-GitHub-Event", "X-Hub-Signature-256"), (), ("X-Kind",))


@pytest.fixture(params=SOURCES)
def method(request: pytest.FixtureRequest, stack: Synthesized) -> dict[str, Any]:
    return stack.one(METHOD, f"Api{request.param}POST")[1]


def test_each_source_has_one_route_and_there_is_no_other(stack: Synthesized) -> None:
    paths = {resource["PathPart"] for resource in stack.all("AWS::ApiGateway::Resource").values()}
    methods = stack.all(METHOD).values()
    assert paths == set(SOURCES)
    kinds = sorted(method["HttpMethod"] for method in methods)
    assert kinds == [*["POST"] * len(SOURCES), "PUT"]  # of alarms


def test_no_route_is_without_an_authorizer(stack: Synthesized) -> None:
    authorizers = stack.all("AWS::ApiGateway::Authorizer")
    for name, method in stack.all(METHOD).items():
        assert method["AuthorizationType"] == "CUSTOM", name
        assert method["AuthorizerId"]["Ref"] in authorizers, name


@pytest.mark.parametrize(
    ("source", "identity"),
    [
        ("github", "context.identity.sourceIp,context.path"),
        ("generic", "method.request.header.Authorization,context.path"),
        (
            "alarms",
            (
                "method.request.header.Authorization,context.identity.sourceIp,"
                "context.httpMethod,context.path"
            ),
        ),
    ],
)
def test_authorizer_fits_the_source(stack: Synthesized, source: str, identity: str) -> None:
    _, method = stack.one(METHOD, f"Api{source}POST")
    authorizer = stack.all("AWS::ApiGateway::Authorizer")[method["AuthorizerId"]["Ref"]]
    assert authorizer["Type"] == "REQUEST"
    assert authorizer["IdentitySource"] == identity
    # What `secret retire` waits for.
    assert authorizer["AuthorizerResultTtlInSeconds"] == AUTHORIZER_SECONDS


def test_an_authorizer_that_no_source_needs_is_not_made(
    synthesized: Callable[[Deployment], Synthesized], deployment: Deployment
) -> None:
    signed_alone = deployment.model_copy(update={"sources": ("github",)})
    _, authorizer = synthesized(signed_alone).one("AWS::ApiGateway::Authorizer")
    assert authorizer["IdentitySource"].startswith("context.identity.sourceIp")


def test_every_body_is_binary(stack: Synthesized) -> None:
    _, api = stack.one("AWS::ApiGateway::RestApi")
    assert api["BinaryMediaTypes"] == ["*/*"]
    assert api["EndpointConfiguration"]["Types"] == ["REGIONAL"]


def test_bodies_are_text_for_the_templates_both_ways(method: dict[str, Any]) -> None:
    integration = method["Integration"]
    assert integration["ContentHandling"] == "CONVERT_TO_TEXT"
    for response in integration["IntegrationResponses"]:
        assert response["ContentHandling"] == "CONVERT_TO_TEXT"


def test_nothing_passes_without_a_template(method: dict[str, Any]) -> None:
    assert method["Integration"]["PassthroughBehavior"] == "NEVER"


@pytest.mark.parametrize(
    ("source", "types"),
    [
        ("github", ["application/json", "application/x-www-form-urlencoded"]),
        ("generic", ["application/json"]),
        ("alarms", ["application/json", "text/plain"]),
    ],
)
def test_content_types_are_the_sources_own(
    stack: Synthesized, source: str, types: list[str]
) -> None:
    _, method = stack.one(METHOD, f"Api{source}POST")
    assert sorted(method["Integration"]["RequestTemplates"]) == types


def test_call_is_put_record_on_this_stream(stack: Synthesized, method: dict[str, Any]) -> None:
    stream, _ = stack.one("AWS::Kinesis::Stream")
    integration = method["Integration"]
    assert integration["Type"] == "AWS"
    assert integration["IntegrationHttpMethod"] == "POST"
    assert integration["Uri"]["Fn::Join"][1][-1] == ":kinesis:action/PutRecord"
    assert integration["RequestParameters"] == {
        "integration.request.header.Content-Type": "'application/x-amz-json-1.1'"
    }
    for template in integration["RequestTemplates"].values():
        references = [part for part in template["Fn::Join"][1] if isinstance(part, dict)]
        assert references[-1] == {"Ref": stream}
        # Of a stack's id, the part that CloudFormation makes up; where a header has a delivery id.
        assert [each for each in references if each != {"Ref": stream}] in (
            [],
            [{"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}],
        )


def test_only_a_200_of_kinesis_is_a_200(method: dict[str, Any]) -> None:
    responses = method["Integration"]["IntegrationResponses"]
    by_status = {response["StatusCode"]: response for response in responses}
    assert set(by_status) == {"200", "503"}
    assert len(responses) == len(by_status), "API Gateway keeps one response for each status"
    assert by_status["200"]["SelectionPattern"] == "200"
    assert by_status["200"]["ResponseTemplates"] == {"application/json": accepted_response()}
    assert "SelectionPattern" not in by_status["503"], "the default takes all that is unknown"
    (refused,) = by_status["503"]["ResponseTemplates"].values()
    assert refused in {refused_response(required) for required in REQUIRED}


def test_every_status_has_a_method_response(method: dict[str, Any]) -> None:
    declared = {response["StatusCode"] for response in method["MethodResponses"]}
    responses = method["Integration"]["IntegrationResponses"]
    given = {response["StatusCode"] for response in responses}
    for response in responses:
        for template in response["ResponseTemplates"].values():
            given |= set(re.findall(r"responseOverride\.status = (\d+)", template))
    assert given == declared
    assert given - {"400"} == {"200", "413", "503"}  # 400 where a header is required


def test_what_api_gateway_answers_itself_is_json(stack: Synthesized) -> None:
    statuses = {}
    for response in stack.all("AWS::ApiGateway::GatewayResponse").values():
        (template,) = response["ResponseTemplates"].values()
        body = json.loads(template.replace("$context.error.messageString", '"why"'))
        assert list(response["ResponseTemplates"]) == ["application/json"]
        assert set(body) == {"status", "error", "message"}
        assert body["status"] == "error"
        assert body["message"]
        statuses[response["ResponseType"]] = response.get("StatusCode")
    assert statuses == {
        "UNAUTHORIZED": "401",
        "ACCESS_DENIED": "403",
        "MISSING_AUTHENTICATION_TOKEN": "404",
        "BAD_REQUEST_BODY": "400",
        "UNSUPPORTED_MEDIA_TYPE": "415",
        "THROTTLED": "429",
        "AUTHORIZER_FAILURE": "500",
        "AUTHORIZER_CONFIGURATION_ERROR": "500",
        "INTEGRATION_FAILURE": "503",
        "INTEGRATION_TIMEOUT": "503",
        "DEFAULT_4XX": None,
        "DEFAULT_5XX": None,
    }


def test_stage_throttles_and_logs_neither_bodies_nor_secrets(stack: Synthesized) -> None:
    _, stage = stack.one("AWS::ApiGateway::Stage")
    (settings,) = stage["MethodSettings"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (5_000, 2_500)
    assert settings["DataTraceEnabled"] is False
    logged = json.loads(stage["AccessLogSetting"]["Format"])
    assert logged["id"] == "$context.extendedRequestId", "the envelope's id"
    assert all(value.startswith("$context.") for value in logged.values())
    assert "header" not in str(logged).lower()


def test_a_source_with_two_methods_does_the_same_with_both(stack: Synthesized) -> None:
    _, post = stack.one(METHOD, "ApialarmsPOST")
    _, put = stack.one(METHOD, "ApialarmsPUT")
    assert put | {"HttpMethod": "POST"} == post


def test_the_gateways_own_logs_have_an_end_and_a_key(stack: Synthesized) -> None:
    """By the name that API Gateway gives them: else it makes the group, for ever and without."""
    api, _ = stack.one("AWS::ApiGateway::RestApi")
    logical_id, group = stack.one("AWS::Logs::LogGroup", "ExecutionLogs")
    assert written(group["LogGroupName"]) == f"API-Gateway-Execution-Logs_<{api}>/test"
    assert group["RetentionInDays"] == 30
    assert group["KmsKeyId"]
    (stage,) = [
        resource
        for resource in stack.document["Resources"].values()
        if resource["Type"] == "AWS::ApiGateway::Stage"
    ]
    assert logical_id in stage["DependsOn"]
