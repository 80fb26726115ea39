"""A domain name of one's own before the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnOutput
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as certificatemanager

from settings.stack_outputs import StackOutput

if TYPE_CHECKING:
    from constructs import Construct

    from settings.deployment_protection import Domain


def add_domain(scope: Construct, api: apigateway.RestApi, domain: Domain) -> str:
    """Put a domain name before the API; give the URL that senders use.

    The record in DNS is made by hand: the zone may be in another account. It points to the
    output `DomainTarget`.
    """
    certificate = certificatemanager.Certificate.from_certificate_arn(
        scope, "Certificate", domain.certificate_arn
    )
    name = apigateway.DomainName(
        scope,
        "Domain",
        domain_name=domain.name,
        certificate=certificate,
        endpoint_type=apigateway.EndpointType.REGIONAL,
        security_policy=apigateway.SecurityPolicy.TLS_1_2,
    )
    name.add_base_path_mapping(api, stage=api.deployment_stage)
    target = StackOutput.DOMAIN_TARGET.value
    output = CfnOutput(scope, target, value=name.domain_name_alias_domain_name)
    output.override_logical_id(target)
    return f"https://{domain.name}"
