"""A stage whose door is an HTTP API: each route leads to the receiver, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from aws_cdk import App, Stack
from pydantic import ValidationError

from infra.application.access_log import ACCESS_LOG
from infra.application.http_door import HttpDoor
from local.gateway.reader import read_api
from local.template import Template, TemplateError
from settings.deployment import Deployment, DeploymentError
from settings.door import at_the_door
from settings.source.loader import load_sources
from tests.infra.linting import lint
from tests.infra.policies import ROLE, granted
from tests.support.doors import SHOWN, write_doors

if TYPE_CHECKING:
    from infra.application.receiver import ReceiverFunction
    from tests.infra.conftest import Synthesized

ROUTES = {"POST /github", "POST /generic", "POST /okta", "GET /okta", "POST /splunk/{token}"}
OF_THE_DOOR = ("AWS::ApiGatewayV2::", "AWS::Lambda::Permission")


@pytest.fixture(scope="module")
def stack(other: Synthesized) -> Synthesized:
    return other


def test_each_source_that_is_posted_to_has_its_routes(stack: Synthesized) -> None:
    routes = stack.all("AWS::ApiGatewayV2::Route")
    assert {route["RouteKey"] for route in routes.values()} == ROUTES
    integration, settings = stack.one("AWS::ApiGatewayV2::Integration")
    function, _ = stack.one("AWS::Lambda::Function", "Receiver")
    assert settings["IntegrationUri"] == {"Fn::GetAtt": [function, "Arn"]}
    assert (settings["IntegrationType"], settings["PayloadFormatVersion"]) == ("AWS_PROXY", "1.0")
    for route in routes.values():
        assert route["Target"] == {"Fn::Join": ["", ["integrations/", {"Ref": integration}]]}
        assert route["AuthorizationType"] == "NONE"


def test_nothing_of_a_rest_api_is_left(stack: Synthesized) -> None:
    kinds = {resource["Type"] for resource in stack.document["Resources"].values()}
    assert not {kind for kind in kinds if kind.startswith(("AWS::ApiGateway::", "AWS::WAF"))}
    assert not [name for name in stack.all("AWS::Lambda::Function") if "Authorizer" in name]
    assert not stack.all("AWS::XRay::SamplingRule")


def test_this_api_alone_may_call_the_receiver(stack: Synthesized) -> None:
    _, permission = stack.one("AWS::Lambda::Permission", "MayCall")
    api, _ = stack.one("AWS::ApiGatewayV2::Api")
    arn = json.dumps(permission["SourceArn"])
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert ":execute-api:" in arn
    assert json.dumps({"Ref": api}) in arn
    assert '"/*/*"' in arn


def test_the_receiver_may_read_what_proves_each_source(stack: Synthesized) -> None:
    """The tokens of `direct` sources too, which the authorizer reads behind a REST API."""
    _, role = stack.one(ROLE, "ReceiverRole")
    read = {arn for action, arn in granted(role) if action == "ssm:GetParameter"}
    named = {"github/test/signing_secret"} | {
        f"{name}/test/auth_token" for name in ("generic", "okta", "splunk")
    }
    begin = "arn:aws:ssm:eu-west-1:<AWS::AccountId>:parameter/MozDef-EF/"
    assert read == {f"{begin}{name}" for name in named}


def test_the_receiver_begins_no_traces_that_nobody_samples(
    stack: Synthesized, received: Synthesized
) -> None:
    """Of 1,000 requests a second Lambda would trace 50: 650 dollars a month."""
    _, function = stack.one("AWS::Lambda::Function", "Receiver")
    assert function["TracingConfig"] == {"Mode": "PassThrough"}
    _, behind_rest = received.one("AWS::Lambda::Function", "Receiver")
    assert behind_rest["TracingConfig"] == {"Mode": "Active"}


def test_of_lambdas_own_lines_warnings_are_kept_where_a_stage_says_so(
    stack: Synthesized, received: Synthesized
) -> None:
    """Lambda API reference, LoggingConfig: levels are for the format JSON alone."""
    for name, function in stack.all("AWS::Lambda::Function").items():
        logging = {key: one for key, one in function["LoggingConfig"].items() if key != "LogGroup"}
        quiet = {
            "ApplicationLogLevel": "INFO",
            "LogFormat": "JSON",
            "SystemLogLevel": "WARN",
        }
        assert logging == (quiet if "Receiver" in name else {}), name
    _, usual = received.one("AWS::Lambda::Function", "Receiver")
    assert set(usual["LoggingConfig"]) == {"LogGroup"}


def test_the_stage_throttles_each_route_and_logs_no_secret(stack: Synthesized) -> None:
    _, stage = stack.one("AWS::ApiGatewayV2::Stage")
    assert (stage["StageName"], stage["AutoDeploy"]) == ("$default", True)
    assert stage["DefaultRouteSettings"] == {
        "DetailedMetricsEnabled": True,
        "ThrottlingBurstLimit": 2_500,
        "ThrottlingRateLimit": 5_000,
    }
    assert stage["RouteSettings"] == {
        "POST /github": {
            "DetailedMetricsEnabled": True,
            "ThrottlingBurstLimit": 250,
            "ThrottlingRateLimit": 500,
        }
    }
    logged = json.loads(stage["AccessLogSettings"]["Format"])
    assert set(logged) >= set(ACCESS_LOG), "what filters and saved queries ask for"
    # Of a token in the path the route has a placeholder, and the path would have the token.
    assert logged["path"] == "$context.routeKey"
    # API Gateway Developer Guide, HTTP API access logs: the variables that there are.
    assert set(logged.values()) == {
        "$context.extendedRequestId",
        "$context.requestId",
        "$context.requestTimeEpoch",
        "$context.identity.sourceIp",
        "$context.httpMethod",
        "$context.routeKey",
        "$context.status",
        "$context.error.responseType",
        "$context.integration.status",
        "$context.integration.latency",
        "$context.responseLatency",
        "$context.responseLength",
    }


def test_the_domain_leads_here_and_the_apis_own_address_is_closed(stack: Synthesized) -> None:
    api, settings = stack.one("AWS::ApiGatewayV2::Api")
    assert settings["DisableExecuteApiEndpoint"] is True
    assert settings["ProtocolType"] == "HTTP"
    _, domain = stack.one("AWS::ApiGatewayV2::DomainName")
    assert domain["DomainName"] == "hooks.example.com"
    assert domain["MutualTlsAuthentication"] == {"TruststoreUri": "s3://authorities/senders.pem"}
    assert domain["DomainNameConfigurations"][0]["SecurityPolicy"] == "TLS_1_2"
    _, mapping = stack.one("AWS::ApiGatewayV2::ApiMapping")
    assert (mapping["ApiId"], mapping["Stage"]) == ({"Ref": api}, "$default")
    outputs = stack.document["Outputs"]
    assert outputs["ApiUrl"]["Value"] == "https://hooks.example.com"
    assert "DomainTarget" in outputs
    _, receiver = stack.one("AWS::Lambda::Function", "Receiver")
    assert receiver["Environment"]["Variables"]["PUBLIC_URL"] == "https://hooks.example.com"


def test_the_alarm_on_server_errors_looks_at_the_http_apis_own_metric(stack: Synthesized) -> None:
    """API Gateway Developer Guide, metrics for HTTP APIs: 5xx by ApiId and Stage."""
    api, _ = stack.one("AWS::ApiGatewayV2::Api")
    alarms = stack.all("AWS::CloudWatch::Alarm").values()
    (alarm,) = (one for one in alarms if str(one.get("AlarmName")).endswith("-server-errors"))
    metrics = [one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one]
    assert {metric["MetricName"] for metric in metrics} == {"5xx", "Count"}
    for metric in metrics:
        assert metric["Dimensions"] == [
            {"Name": "ApiId", "Value": {"Ref": api}},
            {"Name": "Stage", "Value": "$default"},
        ]
    boards = json.dumps([*stack.all("AWS::CloudWatch::Dashboard").values()])
    assert "4XXError" not in boards
    assert "errors of the authorizer" not in boards


def test_what_the_stack_says_is_that_the_receiver_takes_all(
    stack: Synthesized, other_deployment: Deployment
) -> None:
    said = json.dumps(stack.document["Outputs"]["Sources"]["Value"])
    assert "receiver" in said
    assert "direct" not in said
    loaded = load_sources(("github", "fetched"), other_deployment.source_directory)
    ways = {
        name: one.settings.ingest for name, one in at_the_door(other_deployment, loaded).items()
    }
    assert ways == {"github": "receiver", "fetched": "poll"}
    behind_rest = other_deployment.model_copy(update={"door": "rest_api"})
    assert at_the_door(behind_rest, loaded) == loaded


def test_a_web_acl_before_an_http_api_is_refused() -> None:
    with pytest.raises(ValidationError, match="AWS WAF takes no HTTP API"):
        Deployment(stage="a", service="b", sources=("github",), door="http_api", web_acl=True)


def test_a_source_that_asks_for_no_proof_is_refused(tmp_path: Path) -> None:
    """Behind a REST API the web ACL bounds it."""
    write_doors(tmp_path, {"by-nothing": SHOWN["by-nothing"]})
    stage = Deployment(stage="a", service="b", sources=("by-nothing",), door="http_api")
    sources = load_sources(("by-nothing",), tmp_path)
    with pytest.raises(DeploymentError, match="by-nothing: anyone may send to it"):
        HttpDoor(
            Stack(App()),
            "Door",
            deployment=stage,
            sources=sources,
            receiver=cast("ReceiverFunction", None),
        )


def test_cfn_lint_finds_nothing(stack: Synthesized, tmp_path: Path) -> None:
    """Of the door and all that it refers to; tests of other stacks have the rest."""
    resources = stack.document["Resources"]
    kept = {name for name, one in resources.items() if one["Type"].startswith(OF_THE_DOOR)}
    while more := {
        name
        for name in resources.keys() - kept
        if any(f'"{name}"' in json.dumps(resources[one]) for one in kept)
    }:
        kept |= more
    file = tmp_path / "door.json"
    document = {**stack.document, "Resources": {name: resources[name] for name in kept}}
    file.write_text(json.dumps({**document, "Outputs": {}}))
    assert [str(match) for match in lint(file)] == []


def test_the_laptop_says_that_it_serves_none(stack: Synthesized) -> None:
    template: Any = Template(stack.document, "MozDef-EF-cheap-test", "us-west-2")
    with pytest.raises(TemplateError, match="door: http_api"):
        read_api(template)
