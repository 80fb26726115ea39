"""A template that the gateway cannot serve: one clear line at the start."""

from __future__ import annotations

from typing import Any

import pytest

from local.gateway.app import Gateway
from local.template import Template, TemplateError
from tests.functional.local.gateway.fakes import FakeFunction, FakeKinesis
from tests.functional.local.gateway.support import LAMBDA, ApiTemplate, kinesis, mock


def start(api: ApiTemplate) -> Gateway:
    return Gateway(api.template(), invoke=FakeFunction(), put_record=FakeKinesis().put_record)


def integration(**changes: Any) -> ApiTemplate:
    api = ApiTemplate()
    api.method("/x", "POST", kinesis(**changes))
    return api


def method(**changes: Any) -> ApiTemplate:
    api = ApiTemplate()
    api.method("/x", "POST", mock(), **changes)
    return api


def resource(name: str, kind: str, **properties: Any) -> ApiTemplate:
    api = method()
    api.add(name, kind, properties)
    return api


def responses(**changes: Any) -> ApiTemplate:
    return integration(IntegrationResponses=[{"StatusCode": "200", **changes}])


@pytest.mark.parametrize(
    ("api", "words"),
    [
        (integration(Type="HTTP_PROXY"), "Rootx0POST: Integration.Type: 'HTTP_PROXY'.*AWS_PROXY"),
        (integration(Uri="arn:aws:apigateway:r:kinesis:path/x"), "Integration.Uri.*PutRecord"),
        (integration(Uri="arn:aws:apigateway:r:sqs:action/SendMessage"), "Integration.Uri.*PutRec"),
        (integration(PassthroughBehavior="WHEN_NO_MATCH"), "PassthroughBehavior.*NEVER"),
        (integration(PassthroughBehavior=None), "PassthroughBehavior"),
        (integration(IntegrationHttpMethod="GET"), "Integration.IntegrationHttpMethod"),
        (integration(ConnectionType="VPC_LINK"), "Integration.ConnectionType"),
        (integration(ContentHandling="CONVERT_TO_BINARY"), "Integration.ContentHandling"),
        (integration(CacheKeyParameters=["x"]), "Integration.CacheKeyParameters"),
        (integration(Surprise=1), "Integration.Surprise"),
        (integration(TimeoutInMillis="soon"), "Integration.TimeoutInMillis.*type int"),
        (
            integration(RequestTemplates={"application/json": "a\n#parse('x')"}),
            "RequestTemplates.application/json, line 2.*#parse is not supported",
        ),
        (
            integration(RequestParameters={"integration.request.querystring.a": "'b'"}),
            "integration.request.querystring.a",
        ),
        (
            integration(RequestParameters={"integration.request.header.A": "'b'"}),
            "integration.request.header.A: .*Content-Type with 'static text'",
        ),
        (
            integration(
                RequestParameters={"integration.request.header.Content-Type": "context.stage"}
            ),
            "Content-Type: 'context.stage'.*static text",
        ),
        (responses(SelectionPattern="("), "SelectionPattern.*regular expression"),
        (responses(ContentHandling="CONVERT_TO_BINARY"), r"IntegrationResponses\[0\].ContentH"),
        (responses(ResponseParameters={"method.response.header.A": "a"}), "ResponseParameters"),
        (
            integration(IntegrationResponses=[{"StatusCode": "200"}, {"StatusCode": 200}]),
            "two for one status",
        ),
        (method(AuthorizationType="AWS_IAM"), "Rootx0POST: AuthorizationType: 'AWS_IAM'"),
        (method(AuthorizationType="CUSTOM", AuthorizerId="nope"), "AuthorizerId: no authorizer"),
        (method(ApiKeyRequired=True), "ApiKeyRequired"),
        (method(HttpMethod="ANY"), "HttpMethod: 'ANY'"),
        (
            resource("Part", "Resource", ParentId={"Ref": "Rootx0"}, PathPart="a{id}"),
            "Part: PathPart.*without parameters",
        ),
        (
            resource("Typed", "Resource", ParentId={"Ref": "Rootx0"}, PathPart="{proxy+}"),
            "Typed: PathPart.*without parameters",
        ),
        (method(ResourceId="nope"), "ResourceId: no resource"),
        (resource("Lost", "Resource", ParentId="nope", PathPart="x"), "Lost: ParentId"),
        (
            resource("Pool", "Authorizer", Type="COGNITO_USER_POOLS", Name="x"),
            "Pool: Type: 'COGNITO_USER_POOLS'.*REQUEST",
        ),
        (
            resource("Bearer", "Authorizer", Type="TOKEN", AuthorizerUri="x"),
            "Bearer: Type: 'TOKEN'.*REQUEST",
        ),
        (
            resource(
                "Query",
                "Authorizer",
                Type="REQUEST",
                AuthorizerUri=LAMBDA,
                IdentitySource="method.request.path.token",
            ),
            "Query: IdentitySource.*path.token.*not supported",
        ),
        (
            resource("Keyless", "Authorizer", Type="REQUEST", AuthorizerUri="x"),
            "Keyless: IdentitySource: missing",
        ),
        (
            resource(
                "Stray",
                "Authorizer",
                Type="REQUEST",
                AuthorizerUri="x",
                IdentitySource="context.path",
            ),
            "Stray: AuthorizerUri.*function of this template",
        ),
        (
            resource(
                "Vtl",
                "GatewayResponse",
                ResponseType="THROTTLED",
                ResponseTemplates={"application/json": "#set($x = 1)$input.body"},
            ),
            "Vtl: ResponseTemplates.*gateway response",
        ),
        (resource("Second", "Stage", StageName="prod"), "2 stages"),
        (resource("Other", "RestApi"), "2 resources of type AWS::ApiGateway::RestApi"),
        (ApiTemplate(stage={"CacheClusterEnabled": True}), "Stage: CacheClusterEnabled"),
        (ApiTemplate(stage={"Variables": {"a": "b"}}), "Stage: Variables"),
        (ApiTemplate(stage={"MethodSettings": [{"CachingEnabled": True}]}), "CachingEnabled"),
    ],
)  # fmt: skip
def test_unsupported_feature_names_resource_and_property(api: ApiTemplate, words: str) -> None:
    with pytest.raises(TemplateError, match=words) as raised:
        start(api)
    assert "\n" not in str(raised.value)


def test_template_without_an_api() -> None:
    with pytest.raises(TemplateError, match="0 resources of type"):
        Gateway(
            Template({"Resources": {}}, "s", "r"),
            invoke=FakeFunction(),
            put_record=FakeKinesis().put_record,
        )


def test_numbers_and_booleans_may_be_strings() -> None:
    setting = {
        "ResourcePath": "/*",
        "HttpMethod": "*",
        "ThrottlingRateLimit": "10",
        "ThrottlingBurstLimit": "5",
    }
    api = ApiTemplate(stage={"MethodSettings": [setting], "CacheClusterEnabled": "false"})
    api.method("/x", "POST", mock(), MethodResponses=[{"StatusCode": 200}])
    (route,) = start(api).api.routes
    assert route.throttle is not None
    assert (route.throttle.rate, route.throttle.burst) == (10.0, 5)


def test_limit_of_minus_one_is_none() -> None:
    setting = {"ThrottlingRateLimit": -1, "ThrottlingBurstLimit": -1}
    api = ApiTemplate(stage={"MethodSettings": [setting]})
    api.method("/x", "POST", mock())
    assert start(api).api.routes[0].throttle is None
