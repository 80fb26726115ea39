"""The receiver's function, its routes, and the handshakes that need no function."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.application.mapping_templates import handshake_response
from settings.deployment import Deployment, DeploymentError
from tests.infra.application.test_permissions import parameter
from tests.infra.policies import ROLE, WITHOUT_RESOURCE, granted

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.conftest import Synthesized

METHOD = "AWS::ApiGateway::Method"
RECEIVED = ("meetings", "parcels")


@pytest.fixture(scope="module")
def deployment(received_deployment: Deployment) -> Deployment:
    return received_deployment


@pytest.fixture(scope="module")
def stack(received: Synthesized) -> Synthesized:
    return received


def method(stack: Synthesized, source: str, http_method: str = "POST") -> dict[str, Any]:
    return stack.one(METHOD, f"Api{source}{http_method}")[1]


def test_routes_are_those_of_the_sources_that_are_posted_to(stack: Synthesized) -> None:
    paths = {resource["PathPart"] for resource in stack.all("AWS::ApiGateway::Resource").values()}
    assert paths == {"github", "hooks", *RECEIVED}
    methods = sorted(each["HttpMethod"] for each in stack.all(METHOD).values())
    assert methods == ["GET", "GET", "POST", "POST", "POST", "POST"]


def test_one_function_takes_the_requests_of_all_sources_that_choose_it(stack: Synthesized) -> None:
    function, settings = stack.one("AWS::Lambda::Function", "Receiver")
    assert settings["Handler"] == "ingest_lambdas.receiver.handler"
    assert (settings["MemorySize"], settings["Timeout"]) == (1_024, 15)
    variables = settings["Environment"]["Variables"]
    assert variables["STREAM_NAME"] == {"Ref": stack.one("AWS::Kinesis::Stream")[0]}
    assert (variables["PROJECT"], variables["STAGE"]) == ("MozDef-EF", "test")
    assert variables["PUBLIC_URL"] == stack.document["Outputs"]["ApiUrl"]["Value"]
    for source in RECEIVED:
        post = method(stack, source)
        assert post["Integration"]["Type"] == "AWS_PROXY"
        assert post["Integration"]["IntegrationHttpMethod"] == "POST"
        assert {"Fn::GetAtt": [function, "Arn"]} in post["Integration"]["Uri"]["Fn::Join"][1]
        assert post["AuthorizationType"] == "NONE"
        assert "AuthorizerId" not in post


def test_receiver_may_do_what_it_does_alone(stack: Synthesized) -> None:
    logs, _ = stack.one("AWS::Logs::LogGroup", "Receiver")
    stream, _ = stack.one("AWS::Kinesis::Stream")
    _, role = stack.one(ROLE, "ReceiverRole")
    allowed = {each for each in granted(role) if each[0] not in WITHOUT_RESOURCE}
    assert allowed == {
        ("logs:CreateLogStream", logs),
        ("logs:PutLogEvents", logs),
        ("kinesis:PutRecord", stream),
        ("ssm:GetParameter", parameter("MozDef-EF/meetings/test/signing_secret")),
        ("ssm:GetParameter", parameter("MozDef-EF/parcels/test/auth_token")),
    }
    assert "ManagedPolicyArns" not in role


def test_the_authorizer_reads_no_token_of_the_receivers_sources(stack: Synthesized) -> None:
    _, role = stack.one(ROLE, "AuthorizerRole")
    read = {resource for action, resource in granted(role) if action == "ssm:GetParameter"}
    assert read == {parameter("MozDef-EF/hooks/test/auth_token")}


def test_the_fan_out_verifies_again(stack: Synthesized) -> None:
    _, role = stack.one(ROLE, "FanOutRole")
    read = {resource for action, resource in granted(role) if action == "ssm:GetParameter"}
    assert read == {
        parameter(f"MozDef-EF/{source}/test/signing_secret") for source in ("github", "meetings")
    }


def test_the_api_alone_may_invoke_the_receiver(stack: Synthesized) -> None:
    """By one permission: a function's policy has no room for one of each of many routes."""
    function, _ = stack.one("AWS::Lambda::Function", "Receiver")
    api, _ = stack.one("AWS::ApiGateway::RestApi")
    (permission,) = [
        permission
        for permission in stack.all("AWS::Lambda::Permission").values()
        if permission["FunctionName"] == {"Fn::GetAtt": [function, "Arn"]}
    ]
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert permission["SourceArn"]["Fn::Join"][1][-2:] == [{"Ref": api}, "/*/*/*"]


def test_there_is_no_receiver_where_no_source_wants_one(
    synthesized: Callable[[Deployment], Synthesized], deployment: Deployment
) -> None:
    direct = synthesized(deployment.model_copy(update={"sources": ("github", "hooks")}))
    assert not [name for name in direct.document["Resources"] if "Receiver" in name]


def test_a_service_without_any_route_is_refused(
    synthesized: Callable[[Deployment], Synthesized], deployment: Deployment
) -> None:
    with pytest.raises(DeploymentError, match="every source of this service is polled"):
        synthesized(deployment.model_copy(update={"sources": ("fetched",)}))


@pytest.mark.parametrize(
    ("source", "header"), [("hooks", "X-Hook-Challenge"), ("meetings", "X-Meet-Challenge")]
)
def test_a_handshake_by_get_needs_no_function(stack: Synthesized, source: str, header: str) -> None:
    get = method(stack, source, "GET")
    assert get["AuthorizationType"] == "NONE"
    integration = get["Integration"]
    assert integration["Type"] == "MOCK"
    assert "Uri" not in integration
    assert integration["PassthroughBehavior"] == "NEVER"
    # Without it a mock answers 500 where every body is binary.
    assert integration["ContentHandling"] == "CONVERT_TO_TEXT"
    (request,) = integration["RequestTemplates"].values()
    assert json.loads(request) == {"statusCode": 200}
    (response,) = integration["IntegrationResponses"]
    assert response["ContentHandling"] == "CONVERT_TO_TEXT"
    template = handshake_response(header=header, field="verification")
    assert response["ResponseTemplates"] == {"application/json": template}
    assert {each["StatusCode"] for each in get["MethodResponses"]} == {"200", "400"}


def test_a_token_in_a_header_of_its_own_is_an_identity_source(stack: Synthesized) -> None:
    authorizers = stack.all("AWS::ApiGateway::Authorizer")
    authorizer = authorizers[method(stack, "hooks")["AuthorizerId"]["Ref"]]
    assert authorizer["IdentitySource"] == "method.request.header.X-Gitlab-Token,context.path"
    other = authorizers[method(stack, "github")["AuthorizerId"]["Ref"]]
    assert other["IdentitySource"] == "context.identity.sourceIp,context.path"


def test_output_says_how_each_source_comes_in(stack: Synthesized) -> None:
    parts = stack.document["Outputs"]["Sources"]["Value"]["Fn::Join"][1]
    described = json.loads(
        "".join(part if isinstance(part, str) else part["Ref"] for part in parts)
    )
    assert {name: (each["ingest"], each.get("route")) for name, each in described.items()} == {
        "github": ("direct", "/github"),
        "hooks": ("direct", "/hooks"),
        "meetings": ("receiver", "/meetings"),
        "parcels": ("receiver", "/parcels"),
        "fetched": ("poll", None),
    }


def test_cdk_nag_found_nothing(stack: Synthesized) -> None:
    report = json.loads((stack.folder / "validation-report.json").read_text())
    assert report["pluginReports"] == []
