"""The REST API: one route for each source, straight into the stream or by the receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.application.access_log import access_log
from infra.application.checks import acknowledge
from infra.application.domain import add_domain
from infra.application.front_door_guards import (
    MOST_BOUND_HEADERS,
    add_web_acl,
    id_headers,
    is_exposed,
)
from infra.application.functions import RETENTIONS
from infra.application.gateway_responses import add_gateway_responses
from infra.application.routes import Routes, has_route, route_of
from infra.application.tracing import add_sampling
from settings.deployment import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_kms as kms

    from infra.application.authorizer import AuthorizerFunction
    from infra.application.receiver import ReceiverFunction
    from settings.deployment import Deployment
    from settings.source.loader import LoadedSource

OBSERVED: Mapping[str, Any] = {
    "metrics_enabled": True,
    "logging_level": apigateway.MethodLoggingLevel.ERROR,
    "data_trace_enabled": False,
}
"""What is seen of a method; never a body."""


class FrontDoor(Construct):
    """API Gateway, which puts each request on the stream, by a function only where a source asks.

    Parameters
    ----------
    sources : Mapping[str, LoadedSource]
        A route for each that is not polled.
    stream : kinesis.Stream
        Where the envelopes go.
    authorizer : AuthorizerFunction
        Who is asked before each request that goes straight to the stream.
    receiver : ReceiverFunction, optional
        Who takes the requests of the sources that choose it; None where none does.
    key : kms.IKey, optional
        Encrypts the access log; without one, the key that AWS manages does.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deployment: Deployment,
        sources: Mapping[str, LoadedSource],
        stream: kinesis.Stream,
        authorizer: AuthorizerFunction,
        receiver: ReceiverFunction | None = None,
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        routed = [source for _, source in sorted(sources.items()) if has_route(source)]
        if not routed:
            raise DeploymentError(
                "every source of this service is polled, and API Gateway has no API without a "
                "route; poll them in a service that senders post to, too"
            )
        exposed = [source for source in routed if is_exposed(source)]
        guarded = bool(exposed) if deployment.web_acl is None else deployment.web_acl
        headers = id_headers(exposed)
        self.api = self._api(deployment, sources, key, guarded=guarded)
        add_gateway_responses(self.api, ask_for_password=any(map(_is_basic, routed)))
        self.url = self._url(deployment)
        if receiver:
            receiver.know_address(self.url)
        routes = Routes(
            self.api,
            stream=stream,
            role=self._integration_role(stream),
            authorizer=authorizer,
            receiver=receiver,
            unbound_headers=headers[MOST_BOUND_HEADERS:] if guarded else (),
            largest_record=deployment.stream.max_record_kib * 1024,
            public_url=self.url,
        )
        for source in routed:
            routes.add(source)
        if not _has_secret_address(sources):
            add_sampling(self, self.api.deployment_stage)
        if guarded:
            add_web_acl(
                self,
                self.api.deployment_stage,
                deployment.stack_name,
                exposed=[source.name for source in exposed],
                others=[route_of(source) for source in routed if source not in exposed],
                bound_headers=headers[:MOST_BOUND_HEADERS],
            )

    def _url(self, deployment: Deployment) -> str:
        """Return the address that senders use; with a domain, API Gateway's own is closed."""
        if deployment.domain is not None:
            return add_domain(self, self.api, deployment.domain)
        stack = Stack.of(self)
        return (
            f"https://{self.api.rest_api_id}.execute-api.{stack.region}.{stack.url_suffix}"
            f"/{deployment.stage}"
        )

    def _api(
        self,
        deployment: Deployment,
        sources: Mapping[str, LoadedSource],
        key: kms.IKey | None,
        *,
        guarded: bool,
    ) -> apigateway.RestApi:
        log_group = self.access_logs = logs.LogGroup(
            self,
            "AccessLogs",
            retention=RETENTIONS[deployment.log_retention_days],
            encryption_key=key,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=deployment.stack_name,
            description="Takes webhooks and puts them on the stream",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            disable_execute_api_endpoint=True if deployment.domain else None,
            # Every body is binary: only so does the template see the base64 of the exact bytes.
            binary_media_types=["*/*"],
            # API Gateway writes logs with the one role that an account has for it.
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=RemovalPolicy.RETAIN,
            deploy_options=apigateway.StageOptions(
                stage_name=deployment.stage,
                throttling_rate_limit=deployment.throttle.rate,
                throttling_burst_limit=deployment.throttle.burst,
                method_options=_method_options(deployment, sources),
                # A trace of a stage has the whole address, its query as well (API Gateway Developer
                # Guide, understanding AWS X-Ray traces), and no route can be left out of it.
                tracing_enabled=not _has_secret_address(sources),
                **OBSERVED,
                access_log_destination=apigateway.LogGroupLogDestination(log_group),
                access_log_format=apigateway.AccessLogFormat.custom(
                    access_log(deployment.access_log)
                ),
            ),
        )
        # The construct's own output; the stack has an output of its own, with the stage's path.
        api.node.try_remove_child("Endpoint")
        self._keep_execution_logs(api, deployment, key)
        _acknowledge_api(api, guarded=guarded)
        return api

    def _keep_execution_logs(
        self, api: apigateway.RestApi, deployment: Deployment, key: kms.IKey | None
    ) -> None:
        """Make the group of API Gateway's own logs, which it would make without end or key."""
        group = logs.LogGroup(
            self,
            "ExecutionLogs",
            log_group_name=f"API-Gateway-Execution-Logs_{api.rest_api_id}/{deployment.stage}",
            retention=RETENTIONS[deployment.log_retention_days],
            encryption_key=key,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        api.deployment_stage.node.add_dependency(group)

    def _integration_role(self, stream: kinesis.Stream) -> iam.Role:
        put = iam.PolicyStatement(actions=["kinesis:PutRecord"], resources=[stream.stream_arn])
        return iam.Role(
            self,
            "PutRecordRole",
            assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
            inline_policies={"PutRecord": iam.PolicyDocument(statements=[put])},
        )


def _method_options(
    deployment: Deployment, sources: Mapping[str, LoadedSource]
) -> dict[str, apigateway.MethodDeploymentOptions]:
    """Return what a method has of its own: what is not said there is off, whatever the stage says.

    Where the address has the token, API Gateway's own log is off: nothing says that its lines of
    errors leave out path and query.
    """
    limits = deployment.throttle.by_source
    options = {}
    for name, source in sorted(sources.items()):
        in_address, limit = source.settings.secret_in_address, limits.get(name)
        if limit is None and not in_address:
            continue
        quiet = {"logging_level": apigateway.MethodLoggingLevel.OFF} if in_address else {}
        asked = (rule.when.method for rule in source.settings.handshake_rules if in_address)
        for method in dict.fromkeys((*source.settings.methods, *asked)):
            options[f"/{route_of(source)}/{method}"] = apigateway.MethodDeploymentOptions(
                throttling_rate_limit=(limit or deployment.throttle).rate,
                throttling_burst_limit=(limit or deployment.throttle).burst,
                **{**OBSERVED, **quiet},
            )
    return options


def _has_secret_address(sources: Mapping[str, LoadedSource]) -> bool:
    return any(source.settings.secret_in_address for source in sources.values())


def _is_basic(source: LoadedSource) -> bool:
    return source.settings.proof == "basic"


def _acknowledge_api(api: apigateway.RestApi, *, guarded: bool) -> None:
    acknowledge(
        api,
        {
            "APIG2": "The mapping templates and the receiver look for required headers, in any "
            "case; API Gateway's validator is not known to do so. Bodies are not validated: what "
            "breaks a schema is archived with its reason, and not turned away unseen.",
        },
    )
    if not guarded:
        acknowledge(
            api.deployment_stage,
            {
                "APIG3": "Each route checks its sender and the stage has a throttle. A web ACL is "
                "a setting (web_acl), because it is billed for each request."
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
