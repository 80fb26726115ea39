"""The REST API: one route for each source, straight into the stream."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.checks import acknowledge
from infra.functions import LOG_RETENTION
from infra.gateway_responses import add_gateway_responses
from infra.mapping_templates import accepted_response, put_record_request, refused_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_kinesis as kinesis

    from infra.authorizer import Authorizer
    from pipeline.deployment import Deployment
    from pipeline.sources.loader import LoadedSource

TO_KINESIS = "'application/x-amz-json-1.1'"
ACCESS_LOG = {
    "id": "$context.extendedRequestId",
    "request_id": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "ip": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "path": "$context.resourcePath",
    "status": "$context.status",
    "error": "$context.error.responseType",
    "authorizer_status": "$context.authorizer.status",
    "integration_status": "$context.integration.status",
    "integration_latency": "$context.integration.latency",
    "latency": "$context.responseLatency",
    "response_length": "$context.responseLength",
}
"""No header, no query and no body: an access log holds no secret and nothing of an event."""


class FrontDoor(Construct):
    """API Gateway, which puts each request on the stream without a function in between.

    Parameters
    ----------
    scope : Construct
        The parent.
    construct_id : str
        The name within it.
    deployment : Deployment
        The stage and its throttle.
    sources : Mapping[str, LoadedSource]
        A route for each.
    stream : kinesis.Stream
        Where the envelopes go.
    authorizer : Authorizer
        Who is asked before each of them.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deployment: Deployment,
        sources: Mapping[str, LoadedSource],
        stream: kinesis.Stream,
        authorizer: Authorizer,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stream = stream
        self._authorizer = authorizer
        self.api = self._api(deployment)
        add_gateway_responses(self.api)
        self._role = self._integration_role()
        self._validator = self._request_validator()
        for name in sorted(sources):
            self._route(sources[name])
        stack = Stack.of(self)
        self.url = (
            f"https://{self.api.rest_api_id}.execute-api.{stack.region}.{stack.url_suffix}"
            f"/{deployment.stage}"
        )

    def _api(self, deployment: Deployment) -> apigateway.RestApi:
        log_group = logs.LogGroup(
            self,
            "AccessLogs",
            retention=LOG_RETENTION,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=deployment.stack_name,
            description="Takes webhooks and puts them on the stream",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # Every body is binary: only so does the template see the base64 of the exact bytes.
            binary_media_types=["*/*"],
            # API Gateway writes logs with the one role that an account has for it.
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=RemovalPolicy.RETAIN,
            deploy_options=apigateway.StageOptions(
                stage_name=deployment.stage,
                throttling_rate_limit=deployment.throttle.rate,
                throttling_burst_limit=deployment.throttle.burst,
                metrics_enabled=True,
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                data_trace_enabled=False,
                access_log_destination=apigateway.LogGroupLogDestination(log_group),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(ACCESS_LOG)),
            ),
        )
        # The construct's own output; the stack has an output of its own, with the stage's path.
        api.node.try_remove_child("Endpoint")
        _acknowledge_api(api)
        return api

    def _integration_role(self) -> iam.Role:
        put = iam.PolicyStatement(
            actions=["kinesis:PutRecord"], resources=[self._stream.stream_arn]
        )
        return iam.Role(
            self,
            "PutRecordRole",
            assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
            inline_policies={"PutRecord": iam.PolicyDocument(statements=[put])},
        )

    def _request_validator(self) -> apigateway.RequestValidator:
        return apigateway.RequestValidator(
            self,
            "RequiredHeaders",
            rest_api=self.api,
            validate_request_parameters=True,
            validate_request_body=False,
        )

    def _route(self, source: LoadedSource) -> None:
        method = self.api.root.add_resource(source.name).add_method(
            "POST",
            self._integration(source),
            authorizer=self._authorizer.for_source(source.settings),
            # API Gateway is documented to process names of headers with their case. A source
            # therefore names a required header as its sender writes it, and requires only what
            # API Gateway is to answer 400 for; the function never depends on it.
            request_parameters={
                f"method.request.header.{header}": True
                for header in source.settings.headers.require
            },
            request_validator=self._validator,
            method_responses=[
                apigateway.MethodResponse(status_code=status) for status in ("200", "413", "503")
            ],
        )
        acknowledge(
            method,
            {"COG4": "Senders are machines: a Lambda authorizer checks their token or address."},
        )

    def _integration(self, source: LoadedSource) -> apigateway.AwsIntegration:
        settings = source.settings
        template = put_record_request(
            source=source.name,
            stream_name=self._stream.stream_name,
            keep=settings.headers.keep,
            delivery_id=settings.delivery_id.header if settings.delivery_id else None,
        )
        return apigateway.AwsIntegration(
            service="kinesis",
            action="PutRecord",
            integration_http_method="POST",
            options=apigateway.IntegrationOptions(
                credentials_role=self._role,
                # Anything else hands the sender's own body to Kinesis as the call.
                passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
                content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
                request_parameters={"integration.request.header.Content-Type": TO_KINESIS},
                request_templates=dict.fromkeys(settings.content_types, template),
                integration_responses=_integration_responses(),
            ),
        )


def _integration_responses() -> list[apigateway.IntegrationResponse]:
    """Give the mapping of Kinesis's answers.

    API Gateway matches the pattern with the HTTP status of Kinesis; the response without a
    pattern takes everything else, so it must not be the 200. There can be one response for each
    status that the sender sees (API reference, Integration: `integrationResponses` is a map by
    status code), so 4xx and 5xx share the 503, whose template turns it into 413 where that fits.
    """
    return [
        apigateway.IntegrationResponse(
            status_code="200",
            selection_pattern="200",
            content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
            response_templates={"application/json": accepted_response()},
        ),
        apigateway.IntegrationResponse(
            status_code="503",
            content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
            response_templates={"application/json": refused_response()},
        ),
    ]


def _acknowledge_api(api: apigateway.RestApi) -> None:
    acknowledge(
        api,
        {
            "APIG2": "Required headers are validated. Bodies are not: what breaks a schema is "
            "archived with its reason by the processor, and not turned away unseen.",
        },
    )
    acknowledge(
        api.deployment_stage,
        {
            "APIG3": "Each route has an authorizer and the stage a throttle. A web ACL would read "
            "bodies that are somebody else's security events, and block some for what they report.",
        },
    )
    acknowledge(
        api.node.find_child("CloudWatchRole"),
        {
            "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
            "AmazonAPIGatewayPushToCloudWatchLogs]": "The policy that AWS documents for the one "
            "role of an account with which API Gateway writes logs, whatever the stack.",
        },
    )
