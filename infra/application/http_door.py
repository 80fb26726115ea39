"""The HTTP API: a route for each source, with the receiver behind all of them.

It costs a third of a REST API, and has no mapping templates, no web ACL and no answers of its own
that could be shaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.application.access_log import access_log
from infra.application.checks import acknowledge
from infra.application.functions import RETENTIONS
from infra.application.routes import has_route, route_of
from settings.deployment import DeploymentError
from settings.stack_outputs import StackOutput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aws_cdk import aws_kms as kms

    from infra.application.receiver import ReceiverFunction
    from settings.deployment import Deployment
    from settings.deployment_protection import Domain
    from settings.source.loader import LoadedSource

STAGE = "$default"
"""The one stage whose name is not a part of the path: a route is what its sender posts to."""

PAYLOAD_FORMAT = "1.0"
"""API Gateway Developer Guide, Lambda proxy integrations for HTTP APIs: the event of format 1.0 has
what that of a REST API has, which is what the receiver reads. Format 2.0 joins headers and
parameters that came twice by commas, and nobody could tell them apart any more."""


class HttpDoor(Construct):
    """API Gateway's HTTP API, which hands each request to the receiver.

    Parameters
    ----------
    sources : Mapping[str, LoadedSource]
        A route for each that is not polled, with each method that it needs.
    receiver : ReceiverFunction
        Who takes the requests, and judges them by itself.
    key : kms.IKey, optional
        Encrypts the access log; without one, the key that AWS manages does.

    Raises
    ------
    DeploymentError
        When anyone may send to a source: nothing would stand before the stream.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deployment: Deployment,
        sources: Mapping[str, LoadedSource],
        receiver: ReceiverFunction,
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        routed = [source for _, source in sorted(sources.items()) if has_route(source)]
        if open_to_all := [source.name for source in routed if source.settings.proof == "none"]:
            raise DeploymentError(
                f"{', '.join(open_to_all)}: anyone may send to it, and before an HTTP API no web "
                "ACL bounds how much; 'door: rest_api' has one"
            )
        self.access_logs = logs.LogGroup(
            self,
            "AccessLogs",
            retention=RETENTIONS[deployment.log_retention_days],
            encryption_key=key,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        self.api = apigatewayv2.CfnApi(
            self,
            "Api",
            name=deployment.stack_name,
            description="Takes webhooks and hands them to the receiver",
            protocol_type="HTTP",
            disable_execute_api_endpoint=deployment.domain is not None,
        )
        self._stage = self._add_stage(deployment, routed)
        self.url = self._url(deployment)
        receiver.know_address(self.url)
        self._add_routes(receiver.function, routed)

    def _add_stage(
        self, deployment: Deployment, routed: list[LoadedSource]
    ) -> apigatewayv2.CfnStage:
        throttle = deployment.throttle
        limits = {
            key: {
                "ThrottlingRateLimit": limit.rate,
                "ThrottlingBurstLimit": limit.burst,
                # What is not said of a route is off, whatever the stage says.
                "DetailedMetricsEnabled": True,
            }
            for source in routed
            if (limit := throttle.by_source.get(source.name)) is not None
            for key in route_keys(source)
        }
        return apigatewayv2.CfnStage(
            self,
            "Stage",
            api_id=self.api.ref,
            stage_name=STAGE,
            auto_deploy=True,
            access_log_settings=apigatewayv2.CfnStage.AccessLogSettingsProperty(
                destination_arn=self.access_logs.log_group_arn,
                format=access_log(deployment.access_log, http_api=True),
            ),
            default_route_settings=apigatewayv2.CfnStage.RouteSettingsProperty(
                detailed_metrics_enabled=True,
                throttling_rate_limit=throttle.rate,
                throttling_burst_limit=throttle.burst,
            ),
            route_settings=limits or None,
        )

    def _add_routes(self, function: lambda_.Function, routed: list[LoadedSource]) -> None:
        stack = Stack.of(self)
        integration = apigatewayv2.CfnIntegration(
            self,
            "Integration",
            api_id=self.api.ref,
            integration_type="AWS_PROXY",
            integration_uri=function.function_arn,
            payload_format_version=PAYLOAD_FORMAT,
        )
        lambda_.CfnPermission(
            self,
            "MayCall",
            action="lambda:InvokeFunction",
            function_name=function.function_arn,
            principal="apigateway.amazonaws.com",
            source_arn=stack.format_arn(
                service="execute-api", resource=self.api.ref, resource_name="*/*"
            ),
        )
        for source in routed:
            for key in route_keys(source):
                route = apigatewayv2.CfnRoute(
                    self,
                    f"Route {key}",
                    api_id=self.api.ref,
                    route_key=key,
                    authorization_type="NONE",
                    target=f"integrations/{integration.ref}",
                )
                # Limits of a route can be set once it is there.
                self._stage.add_resource_dependency(route)
                acknowledge(
                    route,
                    {
                        "APIG4": "The function behind it checks network, token and signature "
                        "before it takes anything. An authorizer sees no body, so it could not "
                        "check a signature."
                    },
                )

    def _url(self, deployment: Deployment) -> str:
        """Return the address that senders use; with a domain, API Gateway's own is closed."""
        if deployment.domain is not None:
            return self._add_domain(deployment.domain)
        stack = Stack.of(self)
        return f"https://{self.api.ref}.execute-api.{stack.region}.{stack.url_suffix}"

    def _add_domain(self, domain: Domain) -> str:
        """Put a domain name before the API, as `infra.application.domain` does before the other."""
        certificate = certificatemanager.Certificate.from_certificate_arn(
            self, "Certificate", domain.certificate_arn
        )
        name = apigatewayv2.DomainName(
            self,
            "Domain",
            domain_name=domain.name,
            certificate=certificate,
            endpoint_type=apigatewayv2.EndpointType.REGIONAL,
            security_policy=apigatewayv2.SecurityPolicy.TLS_1_2,
            mtls=self._mutual(domain),
        )
        mapping = apigatewayv2.CfnApiMapping(
            self, "Mapping", api_id=self.api.ref, domain_name=name.name, stage=STAGE
        )
        mapping.add_resource_dependency(self._stage)
        target = StackOutput.DOMAIN_TARGET.value
        output = CfnOutput(self, target, value=name.regional_domain_name)
        output.override_logical_id(target)
        return f"https://{domain.name}"

    def _mutual(self, domain: Domain) -> apigatewayv2.MTLSConfig | None:
        if domain.truststore is None:
            return None
        bucket, _, key = domain.truststore.removeprefix("s3://").partition("/")
        return apigatewayv2.MTLSConfig(
            bucket=s3.Bucket.from_bucket_name(self, "Truststore", bucket),
            key=key,
            version=domain.truststore_version,
        )


def route_keys(source: LoadedSource) -> Iterator[str]:
    """Return the keys of a source's routes: those of its events, and those of its handshakes."""
    asked = (rule.when.method for rule in source.settings.handshake_rules)
    for method in dict.fromkeys((*source.settings.methods, *asked)):
        yield f"{method} /{route_of(source)}"
